//! A pipeline in the making.

use crate::defence::detection::{self, Guard, Suspicion};
use crate::defence::pipeline::{Branch, Pipeline, Source};
use crate::defence::pool::Rule;
use crate::defence::registry::{DEFENCES, DefenceSpec};
use crate::defence::stack::{DefencePlan, Stack};
use crate::defence::transform::{Stage, Transform};
use crate::error::{Error, Result};
use crate::model::{self, Model};
use std::sync::Arc;

/// Where models come from: whoever builds pipelines keeps those it has loaded.
pub trait Shelf {
    /// A model by name or folder, on the device in use.
    ///
    /// # Errors
    /// As [`Model::load`].
    fn model(&mut self, name: &str) -> Result<Arc<Model>>;
}

/// A network that answers, behind stages of its own.
pub struct Member {
    /// The network.
    pub model: Arc<Model>,
    /// What stands before it alone.
    pub stages: Vec<Arc<Stage>>,
}

/// What is made of every network that answers.
type Inside = Box<dyn Fn(&Arc<Model>) -> Result<Source>>;

/// What the layers of a stack build on, one after the other.
pub struct Draft<'a> {
    /// The undefended model: what it takes in and its classes are the pipeline's.
    pub base: Arc<Model>,
    /// What stands before all networks.
    pub stages: Vec<Stage>,
    /// The networks that a layer has chosen.
    chosen: Vec<Member>,
    /// Who has been trained like this answers where no layer chooses a network.
    trained: Option<&'static str>,
    /// What a layer makes of the networks, and whether it yields to another layer that does.
    inside: Option<(Inside, bool)>,
    /// What else looks at the picture beside those that answer: stages before the same networks.
    views: Vec<Vec<Arc<Stage>>>,
    /// Draws that make one answer together.
    inner: usize,
    /// How the networks become one answer, and then the draws.
    rules: [Rule; 2],
    /// What refuses to answer, and when.
    guard: Option<(Suspicion, Limit)>,
    /// The row that is being built.
    row: &'static DefenceSpec,
    shelf: &'a mut dyn Shelf,
}

/// When a guard refuses.
pub enum Limit {
    /// Above this suspicion it is not sure of its answer; why this number.
    Unsure(f64, String),
    /// Above the suspicion that this share of clean pictures exceeds, the picture counts as attacked.
    Attacked(f64),
}

impl<'a> Draft<'a> {
    pub(super) fn new(base: Arc<Model>, shelf: &'a mut dyn Shelf) -> Self {
        Self {
            base,
            stages: Vec::new(),
            chosen: Vec::new(),
            trained: None,
            inside: None,
            views: Vec::new(),
            inner: 1,
            rules: [Rule::Mean; 2],
            guard: None,
            row: &DEFENCES[0],
            shelf,
        }
    }

    /// Lays one defence over what is there.
    pub(super) fn lay(&mut self, plan: &DefencePlan) -> Result<()> {
        self.row = plan.defence;
        (plan.defence.build)(&plan.settings, self)
    }

    pub(super) fn finish(mut self, stack: Stack, seed: u64) -> Result<Pipeline> {
        let members = self.members()?;
        let fixed = |model: &Arc<Model>| Ok(Source::Fixed(Arc::new(model.network.clone())));
        let source = |member: &Member| match &self.inside {
            Some((inside, _)) => inside(&member.model),
            None => fixed(&member.model),
        };
        let sources = members.iter().map(source).collect::<Result<Vec<_>>>()?;
        let mut branches = Vec::new();
        self.views.insert(0, Vec::new());
        for view in &self.views {
            branches.extend(members.iter().zip(&sources).map(|(member, source)| Branch {
                stages: view.iter().chain(&member.stages).cloned().collect(),
                source: source.clone(),
            }));
        }
        let mut pipeline = Pipeline {
            stack,
            base: self.base,
            models: members.into_iter().map(|member| member.model).collect(),
            stages: self.stages,
            branches,
            views: self.views.len(),
            inner: self.inner,
            rules: self.rules,
            guard: None,
            seed,
        };
        pipeline.guard = match self.guard {
            None => None,
            Some((score, Limit::Unsure(threshold, basis))) => {
                Some(Guard { detects: false, score, threshold, basis })
            }
            Some((score, Limit::Attacked(rate))) => {
                Some(detection::calibrated(&pipeline, score, rate)?)
            }
        };
        Ok(pipeline)
    }

    /// The networks that answer.
    fn members(&mut self) -> Result<Vec<Member>> {
        if !self.chosen.is_empty() {
            return Ok(std::mem::take(&mut self.chosen));
        }
        let ordinary = self.base.card.defence.is_none();
        let trained = match self.trained.filter(|_| ordinary) {
            Some(id) => self.trained(id)?.into_iter().next(),
            None => None,
        };
        let model = trained.unwrap_or_else(|| self.base.clone());
        Ok(vec![Member { model, stages: Vec::new() }])
    }

    /// The networks for the base's data that were trained as the row `id` says, the base first where
    /// it is one.
    fn trained(&mut self, id: &str) -> Result<Vec<Arc<Model>>> {
        let own = |card: &model::Card| card.defence.as_deref() == Some(id);
        let base = self.base.card.name.clone();
        let mut found = self.known(|card| own(card) && card.name != base)?;
        if own(&self.base.card) {
            found.insert(0, self.base.clone());
        }
        Ok(found)
    }

    /// The built-in networks for the base's data that fit it and of which `like` is true.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn known(&mut self, like: impl Fn(&model::Card) -> bool) -> Result<Vec<Arc<Model>>> {
        let (data, shape) = (self.base.card.data.clone(), self.base.card.input.shape);
        let fits =
            |card: &model::Card| card.data == data && card.input.shape == shape && like(card);
        let found = model::catalogue().into_iter().filter(fits);
        found.map(|card| self.load(&card.name)).collect()
    }

    /// Puts a transformation before the networks, behind those that are there.
    ///
    /// # Errors
    /// None; answers so that a row's `build` can end with it.
    pub fn stage(&mut self, transform: Box<dyn Transform>) -> Result<()> {
        self.stage_if(transform, self.row.randomised)
    }

    /// As [`Self::stage`], for a row that is randomised with some settings only.
    ///
    /// # Errors
    /// None, as there.
    pub fn stage_if(&mut self, transform: Box<dyn Transform>, randomised: bool) -> Result<()> {
        let passage = self.row.passage;
        self.stages.push(Stage { transform, passage, randomised });
        Ok(())
    }

    /// Adds a view that guards the answer: the picture behind these stages.
    pub fn view(&mut self, stages: Vec<Stage>) {
        self.views.push(stages.into_iter().map(Arc::new).collect());
    }

    /// The stages of these defences.
    ///
    /// # Errors
    /// As [`Stack::parse`]; those of the defences.
    pub fn stages_of(&mut self, stack: &str) -> Result<Vec<Stage>> {
        let mut aside = Draft::new(self.base.clone(), self.shelf);
        for plan in Stack::parse(stack)?.layers() {
            aside.lay(plan)?;
        }
        Ok(std::mem::take(&mut aside.stages))
    }

    /// Loads a model, which must take and answer what the base does.
    ///
    /// # Errors
    /// As [`Model::load`]; usage, where it does not fit.
    pub fn load(&mut self, name: &str) -> Result<Arc<Model>> {
        let model = self.shelf.model(name)?;
        let kind = |model: &Model| (model.card.input.shape, model.labels.clone());
        match kind(&model) == kind(&self.base) {
            true => Ok(model),
            false => Err(self.misfit(format!(
                "'{name}' does not take the pictures or has not the classes of '{}'",
                self.base.card.name
            ))),
        }
    }

    /// Lets this network answer instead of the base.
    ///
    /// # Errors
    /// As [`Self::load`]; usage, where another one was chosen already.
    pub fn answer_by(&mut self, name: &str) -> Result<()> {
        if name.is_empty() {
            return Err(self.misfit("no model is named".into()));
        }
        let model = self.load(name)?;
        self.answer_by_all(vec![model], Rule::Mean)
    }

    /// Lets these networks answer together instead of the base.
    ///
    /// # Errors
    /// Usage, where others were chosen already.
    pub fn answer_by_all(&mut self, models: Vec<Arc<Model>>, rule: Rule) -> Result<()> {
        let alone = |model| Member { model, stages: Vec::new() };
        self.answer_by_members(models.into_iter().map(alone).collect(), rule)
    }

    /// As [`Self::answer_by_all`], each behind stages of its own.
    ///
    /// # Errors
    /// Usage, where others were chosen already.
    pub fn answer_by_members(&mut self, members: Vec<Member>, rule: Rule) -> Result<()> {
        if !self.chosen.is_empty() {
            return Err(self.misfit("another layer has chosen the network already".into()));
        }
        (self.chosen, self.rules[0]) = (members, rule);
        Ok(())
    }

    /// Lets the network answer that was trained as this row says, for the base's data.
    ///
    /// # Errors
    /// Usage, where there is none; as [`Self::answer_by`].
    pub fn answer_by_trained(&mut self) -> Result<()> {
        let first = self.all_trained()?.swap_remove(0);
        self.answer_by_all(vec![first], Rule::Mean)
    }

    /// The networks that were trained as this row says, for the base's data; at least one.
    ///
    /// # Errors
    /// Usage, where there is none; as [`Model::load`].
    pub fn all_trained(&mut self) -> Result<Vec<Arc<Model>>> {
        let found = self.trained(self.row.id)?;
        match found.is_empty() {
            false => Ok(found),
            true => {
                let data = &self.base.card.data;
                Err(self.misfit(format!("no network was trained like this for '{data}'")))
            }
        }
    }

    /// Lets the network answer that was trained as the row `id` says, where there is one, the base is
    /// an ordinary one and no layer chooses another.
    pub fn prefer(&mut self, id: &'static str) {
        self.trained.get_or_insert(id);
    }

    /// Makes something else of every network that answers.
    ///
    /// # Errors
    /// Usage, where another layer does so already.
    pub fn inside(&mut self, make: impl Fn(&Arc<Model>) -> Result<Source> + 'static) -> Result<()> {
        if self.inside.as_ref().is_some_and(|(_, yields)| !yields) {
            return Err(self.misfit("another layer has changed the network already".into()));
        }
        self.inside = Some((Box::new(make), false));
        Ok(())
    }

    /// As [`Self::inside`], unless another layer does so.
    pub fn inside_else(&mut self, make: impl Fn(&Arc<Model>) -> Result<Source> + 'static) {
        self.inside.get_or_insert_with(|| (Box::new(make), true));
    }

    /// The identifier of the row that is being built.
    pub fn id(&self) -> &'static str {
        self.row.id
    }

    /// Lets so many draws make one answer together, at least.
    pub fn draw(&mut self, draws: usize, rule: Rule) {
        self.inner = self.inner.max(draws);
        self.rules[1] = rule;
    }

    /// Lets a guard look at the answer.
    ///
    /// # Errors
    /// Usage, where there is one already.
    pub fn guard(&mut self, score: Suspicion, limit: Limit) -> Result<()> {
        if self.guard.is_some() {
            return Err(self.misfit("another layer guards the answer already".into()));
        }
        self.guard = Some((score, limit));
        Ok(())
    }

    /// That a row does not apply here.
    pub fn misfit(&self, what: String) -> Error {
        let place = format!("defence {}", self.row.id);
        Error::usage(what, place, "leave it out or choose another model")
    }
}
