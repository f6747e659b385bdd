//! Samples, data sets and models: which there are, and choosing among them.

use super::run::{Run, Source, fits, model_for};
use super::state::Session;
use crate::attack::TargetChoice;
use crate::data::{DATASETS, Sample};
use crate::engine::{FindMistakeJob, ModelInfo, Request};
use crate::model::Card;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Session {
    /// Asks for a data set, or takes the user's own image.
    pub fn load_data(&mut self, id: String) {
        self.data_wanted.clone_from(&id);
        match self.file.clone().filter(|_| id == "file") {
            Some(sample) => self.take_source(Source::File(sample)),
            None => self.request(Request::Data(id)),
        }
    }

    /// Makes a data set the current one.
    pub fn take_source(&mut self, source: Source) {
        let changed = self.source.as_ref().map(Source::id) != Some(source.id());
        let first = self.source.is_none();
        self.source = Some(source);
        if changed && !first {
            (self.sample, self.filter, self.mistakes) = (0, None, BTreeSet::new());
            self.plan.target = TargetChoice::Untargeted;
            self.epsilon_fixed = false;
        }
        if !self.epsilon_fixed {
            self.plan.epsilon = self.usual_epsilon();
        }
        let len = self.len();
        if self.sample >= len {
            let asked = self.sample;
            self.sample = len.saturating_sub(1);
            self.say(format!("there is no sample {asked}: the last one is {}", self.sample), true);
        }
        self.list();
    }

    /// Lists the samples anew, after a change of the filter.
    fn list(&mut self) {
        let (filter, len) = (self.filter, self.len());
        let fits = |i: &usize| filter.is_none() || self.label(*i) == filter;
        self.listed = (0..len).filter(fits).collect();
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        match &self.source {
            Some(Source::Set(set)) => set.len(),
            Some(Source::File(_)) => 1,
            None => 0,
        }
    }

    /// True when there are no samples yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The true class of a sample, where it is known.
    pub fn label(&self, index: usize) -> Option<usize> {
        match &self.source {
            Some(Source::Set(set)) => set.label(index),
            _ => None,
        }
    }

    /// The names of the data set's classes.
    pub fn data_labels(&self) -> &[String] {
        match &self.source {
            Some(Source::Set(set)) => &set.labels,
            _ => &[],
        }
    }

    /// The current sample.
    pub fn current_sample(&self) -> Option<Sample> {
        match &self.source {
            Some(Source::Set(set)) if !set.is_empty() => Some(set.sample(self.sample)),
            Some(Source::File(sample)) => Some(sample.clone()),
            _ => None,
        }
    }

    /// Goes to the sample so many places on in the list.
    pub fn step_sample(&mut self, by: isize) {
        if self.listed.is_empty() {
            // Before the data are there, the wish is kept.
            if self.source.is_none() {
                self.sample = self.sample.saturating_add_signed(by);
            }
            return;
        }
        let here = self.listed.partition_point(|i| *i < self.sample);
        let there = here.saturating_add_signed(by).min(self.listed.len() - 1);
        self.select_sample(self.listed[there]);
    }

    /// Goes to a sample; where the filter leaves it out, the filter ends.
    pub fn select_sample(&mut self, index: usize) {
        let index = index.min(self.len().saturating_sub(1));
        if self.filter.is_some() && self.label(index) != self.filter {
            self.filter = None;
            self.list();
        }
        if index != self.sample {
            self.sample = index;
            self.settings_changed();
        }
    }

    /// Lists one class only, or all; goes to the next sample of that class.
    pub fn filter_class(&mut self, class: Option<usize>) {
        self.filter = class;
        self.list();
        if class.is_none() || self.label(self.sample) == class {
            return;
        }
        let here = self.listed.partition_point(|i| *i < self.sample);
        if let Some(index) = self.listed.get(here).or(self.listed.first()).copied() {
            self.select_sample(index);
        }
    }

    /// Looks for the next sample that the model gets wrong.
    pub fn find_mistake(&mut self) {
        let Some(Source::Set(dataset)) = self.source.clone() else {
            return self.say("there is only one image to look at", false);
        };
        if self.ready() {
            let job = FindMistakeJob { dataset, from: self.sample, class: self.filter };
            self.request(Request::FindMistake(job));
        }
    }

    /// Goes back to the last sample before this one that is known to be misclassified.
    pub fn earlier_mistake(&mut self) {
        match self.mistakes.range(..self.sample).next_back().copied() {
            Some(index) => self.select_sample(index),
            None => self.say("no earlier mistake is known yet: n looks for the next one", false),
        }
    }

    /// Takes a data set, or the user's own image, because the user wants it.
    pub fn choose_data(&mut self, id: String) {
        if id == self.data_wanted {
            return;
        }
        self.data_fixed = true;
        self.load_data(id);
        if self.data_id() == self.data_wanted {
            self.match_model();
        }
    }

    /// Takes a model, because the user wants it.
    pub fn choose_model(&mut self, name: String) {
        if name != self.model_wanted {
            self.model_wanted = name;
            self.match_data();
        }
    }

    /// After a change of the data: takes a model that fits, or runs.
    pub fn match_model(&mut self) {
        let data = self.data_id().to_string();
        let embedded = self.cards.iter().find(|card| card.name == self.model_wanted);
        let loaded = self.model.as_ref().filter(|model| model.id == self.model_wanted);
        // A card that names no data set takes whatever comes.
        let stranger = |card: &Card| !card.data.is_empty() && !fits(card, &data);
        if embedded.or(loaded.map(|model| &model.card)).is_some_and(stranger) {
            self.model_wanted = model_for(&self.cards, &data);
            return self.request(Request::Model(self.model_wanted.clone()));
        }
        self.settings_changed();
    }

    /// After a change of the model: takes data that fit it.
    pub fn match_data(&mut self) {
        let card = self.cards.iter().find(|card| card.name == self.model_wanted);
        let wanted = card.filter(|card| !fits(card, self.data_id())).map(|card| card.data.clone());
        if let Some(data) = wanted.filter(|data| !data.is_empty()) {
            self.load_data(data);
        }
        self.request(Request::Model(self.model_wanted.clone()));
    }

    /// A model is loaded.
    pub(super) fn take_model(&mut self, info: Arc<ModelInfo>) {
        self.loading.retain(|(_, name)| *name != info.id);
        if info.id != self.model_wanted {
            return;
        }
        let (classes, data) = (info.labels.len(), info.card.data.clone());
        let embedded = self.cards.iter().any(|card| card.name == info.id);
        self.model = Some(info);
        self.mistakes.clear();
        if self.surrogate.as_ref().is_some_and(|name| !self.other_models().contains(name)) {
            self.surrogate = None;
        }
        self.keep_target(classes);
        let known = DATASETS.iter().any(|row| row.id == data);
        if !embedded && !self.data_fixed && known && data != self.data_wanted {
            return self.load_data(data);
        }
        self.settings_changed();
    }

    /// The models that predict the same classes on the current data set's images.
    pub fn matching_models(&self) -> Vec<String> {
        let current = self.model.as_ref().map(|model| &model.card);
        let same = |card: &&Card| {
            current.is_none_or(|c| {
                c.input.shape == card.input.shape && c.num_classes == card.num_classes
            })
        };
        let cards = self.cards.iter().filter(|card| fits(card, self.data_id()));
        let mut names: Vec<String> = cards.filter(same).map(|card| card.name.clone()).collect();
        let current = self.model.as_ref().map(|model| model.id.clone());
        names.extend(current.filter(|own| !names.contains(own)));
        names
    }

    /// Those of them that are not attacked: what an attack can be crafted on instead.
    pub fn other_models(&self) -> Vec<String> {
        let own = self.attacked_model();
        self.matching_models().into_iter().filter(|name| name != own).collect()
    }

    /// The name of the model that is attacked.
    pub fn attacked_model(&self) -> &str {
        self.model.as_ref().map_or(&self.model_wanted, |model| &model.id)
    }

    /// Width and height of the images, in pixels.
    pub fn image_size(&self) -> (usize, usize) {
        let clean = self.display().and_then(|(run, _): (&Run, bool)| run.clean.as_ref());
        let shape = match clean {
            Some(clean) => clean.picture.shape(),
            None => self.model.as_ref().map_or([1, 28, 28], |m| m.card.input.shape),
        };
        (shape[2], shape[1])
    }
}
