//! Collecting the parts of a pipeline, defence by defence.

use crate::defence::aggregation::Aggregation;
use crate::defence::branch::NetworkSource;
use crate::defence::detector::{DetectionScore, RejectionThreshold};
use crate::defence::transform::{BackwardRule, PipelineStage, Transform};
use crate::error::{Error, Result};
use crate::model::{self, Model};
use std::sync::Arc;

/// Loads models for pipelines, each once.
pub trait ModelProvider {
    /// A model by name or folder, on the device in use.
    ///
    /// # Errors
    /// As [`Model::load`].
    fn model(&mut self, name: &str) -> Result<Arc<Model>>;
}

/// A model that predicts, behind stages of its own.
pub struct EnsembleMember {
    /// The network.
    pub model: Arc<Model>,
    /// The stages before it alone.
    pub stages: Vec<Arc<PipelineStage>>,
}

/// What is made of every model that predicts.
pub(super) type Inside = Box<dyn Fn(&Arc<Model>) -> Result<NetworkSource>>;

/// What of a row its stages need to know.
#[derive(Clone, Copy)]
struct Row {
    id: &'static str,
    backward: BackwardRule,
    randomised: bool,
}

/// Collects the parts of a pipeline: each defence of a stack in turn adds its own.
pub struct PipelineBuilder<'a> {
    /// The undefended model: its input and its classes are the pipeline's.
    pub base: Arc<Model>,
    /// The stages before all networks.
    pub stages: Vec<PipelineStage>,
    /// The models that a defence has chosen.
    chosen: Vec<EnsembleMember>,
    /// The defence whose trained model predicts where no defence chooses one.
    trained: Option<&'static str>,
    /// What a defence makes of the models, and whether it yields to another defence that does so too.
    pub(super) inside: Option<(Inside, bool)>,
    /// Further views of the image for the detector: stages before the same networks.
    pub(super) views: Vec<Vec<Arc<PipelineStage>>>,
    /// Number of draws that are aggregated to one prediction.
    pub(super) inner: usize,
    /// How the networks of one draw are aggregated, and then the draws.
    pub(super) rules: [Aggregation; 2],
    /// The detection score and how its threshold is set.
    pub(super) detector: Option<(DetectionScore, RejectionThreshold)>,
    /// The defence that is being added.
    row: Row,
    provider: &'a mut dyn ModelProvider,
}

impl<'a> PipelineBuilder<'a> {
    pub(super) fn new(base: Arc<Model>, provider: &'a mut dyn ModelProvider) -> Self {
        Self {
            base,
            stages: Vec::new(),
            chosen: Vec::new(),
            trained: None,
            inside: None,
            views: Vec::new(),
            inner: 1,
            rules: [Aggregation::Mean; 2],
            detector: None,
            row: Row { id: "", backward: BackwardRule::Exact, randomised: false },
            provider,
        }
    }

    /// Begins the next defence: its identifier, how a gradient gets through its stages, and whether they
    /// are random.
    pub(super) fn begin(&mut self, id: &'static str, backward: BackwardRule, randomised: bool) {
        self.row = Row { id, backward, randomised };
    }

    /// The networks that predict, each behind stages of its own.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub(super) fn members(&mut self) -> Result<Vec<EnsembleMember>> {
        if !self.chosen.is_empty() {
            return Ok(std::mem::take(&mut self.chosen));
        }
        let ordinary = self.base.card.defence.is_none();
        let trained = match self.trained.filter(|_| ordinary) {
            Some(id) => self.trained(id)?.into_iter().next(),
            None => None,
        };
        let model = trained.unwrap_or_else(|| self.base.clone());
        Ok(vec![EnsembleMember { model, stages: Vec::new() }])
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

    /// Adds a transformation before the networks, behind those that are there.
    ///
    /// # Errors
    /// None; returns a result so that a row's `build` can end with it.
    pub fn stage(&mut self, transform: Box<dyn Transform>) -> Result<()> {
        self.stage_if(transform, self.row.randomised)
    }

    /// As [`Self::stage`], for a row that is randomised with some settings only.
    ///
    /// # Errors
    /// None, as there.
    pub fn stage_if(&mut self, transform: Box<dyn Transform>, randomised: bool) -> Result<()> {
        let backward = self.row.backward;
        self.stages.push(PipelineStage { transform, backward, randomised });
        Ok(())
    }

    /// Adds a view for the detector: the image behind these stages.
    pub fn view(&mut self, stages: Vec<PipelineStage>) {
        self.views.push(stages.into_iter().map(Arc::new).collect());
    }

    /// Loads a model, which must have the input and the classes of the base.
    ///
    /// # Errors
    /// As [`Model::load`]; usage, where it does not fit.
    pub fn load(&mut self, name: &str) -> Result<Arc<Model>> {
        let model = self.provider.model(name)?;
        let kind = |model: &Model| (model.card.input.shape, model.labels.clone());
        match kind(&model) == kind(&self.base) {
            true => Ok(model),
            false => Err(self.not_applicable(format!(
                "'{name}' does not take the pictures or has not the classes of '{}'",
                self.base.card.name
            ))),
        }
    }

    /// Lets this model predict instead of the base.
    ///
    /// # Errors
    /// As [`Self::load`]; usage, where another one was chosen already.
    pub fn answer_by(&mut self, name: &str) -> Result<()> {
        if name.is_empty() {
            return Err(self.not_applicable("no model is named".into()));
        }
        let model = self.load(name)?;
        self.answer_by_all(vec![model], Aggregation::Mean)
    }

    /// Lets these models predict together instead of the base.
    ///
    /// # Errors
    /// Usage, where others were chosen already.
    pub fn answer_by_all(&mut self, models: Vec<Arc<Model>>, rule: Aggregation) -> Result<()> {
        let alone = |model| EnsembleMember { model, stages: Vec::new() };
        self.answer_by_members(models.into_iter().map(alone).collect(), rule)
    }

    /// As [`Self::answer_by_all`], each behind stages of its own.
    ///
    /// # Errors
    /// Usage, where others were chosen already.
    pub fn answer_by_members(
        &mut self,
        members: Vec<EnsembleMember>,
        rule: Aggregation,
    ) -> Result<()> {
        if !self.chosen.is_empty() {
            return Err(self.not_applicable("another layer has chosen the network already".into()));
        }
        (self.chosen, self.rules[0]) = (members, rule);
        Ok(())
    }

    /// Lets the model predict that was trained as this row says, on the base's data.
    ///
    /// # Errors
    /// Usage, where there is none; as [`Self::answer_by`].
    pub fn answer_by_trained(&mut self) -> Result<()> {
        let first = self.all_trained()?.swap_remove(0);
        self.answer_by_all(vec![first], Aggregation::Mean)
    }

    /// The models that were trained as this row says, on the base's data; at least one.
    ///
    /// # Errors
    /// Usage, where there is none; as [`Model::load`].
    pub fn all_trained(&mut self) -> Result<Vec<Arc<Model>>> {
        let found = self.trained(self.row.id)?;
        match found.is_empty() {
            false => Ok(found),
            true => {
                let data = &self.base.card.data;
                Err(self.not_applicable(format!("no network was trained like this for '{data}'")))
            }
        }
    }

    /// Lets the model predict that was trained as the row `id` says, where there is one, the base is an
    /// ordinary one and no defence chooses another.
    pub fn prefer(&mut self, id: &'static str) {
        self.trained.get_or_insert(id);
    }

    /// Makes another network of every model that predicts.
    ///
    /// # Errors
    /// Usage, where another layer does so already.
    pub fn inside(
        &mut self,
        make: impl Fn(&Arc<Model>) -> Result<NetworkSource> + 'static,
    ) -> Result<()> {
        if self.inside.as_ref().is_some_and(|(_, yields)| !yields) {
            return Err(self.not_applicable("another layer has changed the network already".into()));
        }
        self.inside = Some((Box::new(make), false));
        Ok(())
    }

    /// As [`Self::inside`], unless another defence does so.
    pub fn inside_else(&mut self, make: impl Fn(&Arc<Model>) -> Result<NetworkSource> + 'static) {
        self.inside.get_or_insert_with(|| (Box::new(make), true));
    }

    /// The identifier of the defence that is being added.
    pub fn id(&self) -> &'static str {
        self.row.id
    }

    /// Aggregates so many draws to one prediction, at least.
    pub fn draw(&mut self, draws: usize, rule: Aggregation) {
        self.inner = self.inner.max(draws);
        self.rules[1] = rule;
    }

    /// Adds a detector.
    ///
    /// # Errors
    /// Usage, where there is one already.
    pub fn detector(&mut self, score: DetectionScore, limit: RejectionThreshold) -> Result<()> {
        if self.detector.is_some() {
            return Err(self.not_applicable("another layer guards the answer already".into()));
        }
        self.detector = Some((score, limit));
        Ok(())
    }

    /// That the defence that is being added does not apply here.
    pub fn not_applicable(&self, what: String) -> Error {
        let place = format!("defence {}", self.row.id);
        Error::usage(what, place, "leave it out or choose another model")
    }
}
