//! A pipeline in the making.

use crate::defence::pipeline::{Branch, Pipeline, Source};
use crate::defence::pool::Rule;
use crate::defence::registry::{DEFENCES, DefenceSpec};
use crate::defence::stack::Stack;
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

/// What the layers of a stack build on, one after the other.
pub struct Draft<'a> {
    /// The undefended model: what it takes in and its classes are the pipeline's.
    pub base: Arc<Model>,
    /// The networks that answer; the base alone at first.
    pub models: Vec<Arc<Model>>,
    /// What stands before all of them.
    pub stages: Vec<Stage>,
    /// Draws that make one answer together.
    pub inner: usize,
    /// How several answers become one.
    pub rule: Rule,
    /// The row that is being built.
    pub(super) row: &'static DefenceSpec,
    pub(super) shelf: &'a mut dyn Shelf,
}

impl<'a> Draft<'a> {
    pub(super) fn new(base: Arc<Model>, shelf: &'a mut dyn Shelf) -> Self {
        let models = vec![base.clone()];
        let row = &DEFENCES[0];
        Self { base, models, stages: Vec::new(), inner: 1, rule: Rule::Mean, row, shelf }
    }

    pub(super) fn finish(self, stack: Stack, seed: u64) -> Result<Pipeline> {
        let branch = |model: &Arc<Model>| Branch {
            stages: Vec::new(),
            source: Source::Fixed(Arc::new(model.network.clone())),
        };
        let branches = self.models.iter().map(branch).collect();
        Ok(Pipeline::new(
            stack,
            (self.base, self.models),
            (self.stages, branches),
            (self.inner, self.rule),
            seed,
        ))
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
        self.answer_by_all(vec![model])
    }

    /// Lets these networks answer together instead of the base.
    ///
    /// # Errors
    /// Usage, where others were chosen already.
    pub fn answer_by_all(&mut self, models: Vec<Arc<Model>>) -> Result<()> {
        if self.models.len() != 1 || !Arc::ptr_eq(&self.models[0], &self.base) {
            return Err(self.misfit("another layer has chosen the network already".into()));
        }
        self.models = models;
        Ok(())
    }

    /// Lets the network answer that was trained as this row says, for the base's data.
    ///
    /// # Errors
    /// Usage, where there is none; as [`Self::answer_by`].
    pub fn answer_by_trained(&mut self) -> Result<()> {
        let id = self.row.id;
        if self.base.card.defence.as_deref() == Some(id) {
            return Ok(());
        }
        let data = &self.base.card.data;
        let fits = |card: &model::Card| card.data == *data && card.defence.as_deref() == Some(id);
        let found: Vec<String> =
            model::catalogue().into_iter().filter(fits).map(|card| card.name).collect();
        if found.is_empty() {
            return Err(self.misfit(format!("no network was trained like this for '{data}'")));
        }
        let models = found.iter().map(|name| self.load(name)).collect::<Result<_>>()?;
        self.answer_by_all(models)
    }

    /// That a row does not apply here.
    pub fn misfit(&self, what: String) -> Error {
        let place = format!("defence {}", self.row.id);
        Error::usage(what, place, "leave it out or choose another model")
    }
}
