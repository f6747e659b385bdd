//! The dashboard's state: plain data, changed by [`super::update`] and [`super::on_update`], read by the
//! views.

use super::checks::PendingChecks;
use super::compare::Compare;
use super::defence_list::{DefenceEntry, defence_list};
use super::defence_metrics::DefenceMetrics;
use super::dialogs::Overlay;
use super::epsilon_search::EpsilonSearch;
use super::learn::Learn;
use super::race::Race;
pub use super::run_state::{
    AMPLIFICATIONS, BLINK, Blinking, Drag, Effect, Message, PATIENCE, Playback, Run, Source,
    StartState, fits, model_for,
};
use super::theme::Theme;
use super::transfer_matrix::TransferMatrix;
use crate::attack::{self, ATTACKS, AttackConfig, AttackSpec, Norm, TargetChoice};
use crate::data::Sample;
use crate::defence::{EOT_DRAWS, Stance};
use crate::engine::{JobId, ModelInfo, Request, RunJob, Update};
use crate::experiment::DeviceInfo;
use crate::model::{self, Card};
use crate::printable::printable;
use crate::show::Graphics;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Everything that is on the screen.
#[derive(Debug)]
pub struct App {
    /// The colours.
    pub theme: Theme,
    /// How pictures are printed.
    pub graphics: Graphics,
    /// The window's columns and rows.
    pub size: (u16, u16),
    /// Time since the start.
    pub now: Duration,
    /// The device, and why not another one.
    pub device: Option<(DeviceInfo, Option<String>)>,
    /// The embedded models' cards.
    pub cards: Vec<Card>,
    /// Every attack, in the order of menus.
    pub attacks: Vec<&'static AttackSpec>,
    /// The current model.
    pub model: Option<Arc<ModelInfo>>,
    /// The model asked for; differs from the current one while it loads.
    pub model_wanted: String,
    /// The samples.
    pub source: Option<Source>,
    /// The data set asked for.
    pub data_wanted: String,
    /// Whether the user asked for this data set, so that a model of another one does not change it.
    pub data_fixed: bool,
    /// The user's own picture.
    pub file: Option<Sample>,
    /// The current sample.
    pub sample: usize,
    /// Only this class is listed.
    pub filter: Option<usize>,
    /// The samples listed.
    pub listed: Vec<usize>,
    /// Samples known to be misclassified.
    pub mistakes: BTreeSet<usize>,
    /// The attack and its settings.
    pub plan: AttackConfig,
    /// Whether ε was chosen by the user and survives a change of the data set.
    pub epsilon_fixed: bool,
    /// Every defence, and whether it is on.
    pub defences: Vec<DefenceEntry>,
    /// How much of the defences the attack knows: naive or adaptive.
    pub stance: Stance,
    /// The model that the attack is crafted on, if that is not the one that judges.
    pub surrogate: Option<String>,
    /// Draws that EOT averages over where a defence is random.
    pub draws: u64,
    /// What the lamps ask of the model now.
    pub asking: Option<PendingChecks>,
    /// The search for the least ε, going on or over.
    pub epsilon_search: Option<EpsilonSearch>,
    /// The attacks chosen for a race.
    pub racers: Vec<&'static AttackSpec>,
    /// The race, while it is on the screen.
    pub race: Option<Race>,
    /// Whether a race is drawn over queries instead of iterations.
    pub race_by_queries: bool,
    /// The lessons, and what has come out of them.
    pub learn: Learn,
    /// The comparison of defences, on the screen or away.
    pub compare: Compare,
    /// What a defence is worth by itself, while that is on the screen.
    pub defence_metrics: DefenceMetrics,
    /// The transfer matrix, while it is on the screen.
    pub matrix: Option<TransferMatrix>,
    /// Index into [`super::transfer_matrix::COUNTS`].
    pub matrix_count: usize,
    /// Runs asked for that have not begun.
    pub sent: Vec<(JobId, RunJob)>,
    /// The last run asked for, and since when it is awaited.
    pub awaited: Option<(JobId, Duration)>,
    /// The run that is going on, until it has its result.
    pub current: Option<Run>,
    /// The last run with a result.
    pub shown: Option<Run>,
    /// The playback.
    pub playback: Playback,
    /// The blinking.
    pub blinking: Option<Blinking>,
    /// Index into [`AMPLIFICATIONS`].
    pub amplification: usize,
    /// The pane shown in small windows.
    pub pane: usize,
    /// Windows on top, the topmost last.
    pub overlays: Vec<Overlay>,
    /// Every message so far.
    pub messages: Vec<Message>,
    /// Whether the last message is shown in the footer.
    pub message_shown: bool,
    /// The search that is going on, and how many samples it looked at.
    pub searching: Option<(JobId, usize)>,
    /// The loading jobs that are going on: their numbers and what they load.
    pub loading: Vec<(JobId, String)>,
    /// Whether the greeting is shown.
    pub hint: bool,
    /// What the mouse holds.
    pub drag: Option<Drag>,
    /// Whether to end.
    pub quit: bool,
}

impl App {
    /// The state at the start, and what to ask the worker first.
    pub fn new(start: StartState) -> (Self, Vec<Effect>) {
        let cards = model::catalogue();
        let file = start.picture;
        let card_of = |name: &str| cards.iter().find(|c| c.name == name);
        let of_model = start.model.as_deref().and_then(card_of).map(|c| c.data.clone());
        let data_fixed = file.is_some() || start.dataset.is_some();
        let data_wanted = match (&file, start.dataset, of_model) {
            (Some(_), _, _) => "file".to_string(),
            (None, Some(id), _) => id,
            (None, None, Some(data)) if !data.is_empty() => data,
            _ => "mnist".to_string(),
        };
        let model_wanted = start.model.unwrap_or_else(|| model_for(&cards, &data_wanted));
        let fallback = attack::find("pgd").unwrap_or(&attack::ATTACKS[0]);
        let epsilon_fixed = start.plan.is_some();
        let mut plan = start.plan.unwrap_or_else(|| AttackConfig::new(fallback, 0.0));
        plan.seed = start.seed;
        if !epsilon_fixed {
            plan.epsilon = attack::default_epsilon(&data_wanted, plan.norm);
        }
        let mut app = Self {
            theme: Theme::new(start.theme),
            graphics: start.graphics,
            size: (80, 24),
            now: Duration::ZERO,
            device: None,
            cards,
            attacks: ATTACKS.iter().collect(),
            model: None,
            model_wanted,
            source: None,
            data_wanted,
            data_fixed,
            file,
            sample: start.sample.unwrap_or(0),
            filter: None,
            listed: Vec::new(),
            mistakes: BTreeSet::new(),
            plan,
            epsilon_fixed,
            defences: defence_list(start.hybrids),
            stance: Stance::Naive,
            surrogate: None,
            draws: EOT_DRAWS,
            asking: None,
            epsilon_search: None,
            racers: Vec::new(),
            race: None,
            race_by_queries: false,
            learn: Learn::default(),
            compare: Compare::default(),
            defence_metrics: DefenceMetrics::default(),
            matrix: None,
            matrix_count: 0,
            sent: Vec::new(),
            awaited: None,
            current: None,
            shown: None,
            playback: Playback::default(),
            blinking: None,
            amplification: 0,
            pane: 0,
            overlays: Vec::new(),
            messages: Vec::new(),
            message_shown: false,
            searching: None,
            loading: Vec::new(),
            hint: start.hint,
            drag: None,
            quit: false,
        };
        let mut effects = app.load_data(app.data_wanted.clone());
        effects.push(Effect::Request(Request::Model(app.model_wanted.clone())));
        (app, effects)
    }

    /// Asks for a data set, or takes the user's own picture.
    pub fn load_data(&mut self, id: String) -> Vec<Effect> {
        self.data_wanted = id.clone();
        match self.file.clone().filter(|_| id == "file") {
            Some(sample) => {
                self.take_source(Source::File(sample));
                Vec::new()
            }
            None => vec![Effect::Request(Request::Data(id))],
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
    pub fn list(&mut self) {
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

    /// The true class of a sample.
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

    /// The data set's identifier.
    pub fn data_id(&self) -> &str {
        self.source.as_ref().map_or(&self.data_wanted, Source::id)
    }

    /// The usual ε here.
    pub fn usual_epsilon(&self) -> f64 {
        attack::default_epsilon(self.data_id(), self.plan.norm)
    }

    /// The slider's right end.
    pub fn largest_epsilon(&self) -> f64 {
        attack::largest_epsilon(self.data_id(), self.plan.norm)
    }

    /// The slider's small and large step.
    pub fn epsilon_steps(&self) -> (f64, f64) {
        let largest = self.largest_epsilon();
        match self.plan.norm == Norm::Linf && largest < 0.2 {
            true => (0.5 / 255.0, 2.0 / 255.0),
            false => (largest / 100.0, largest / 10.0),
        }
    }

    /// The run that the settings on the screen ask for.
    pub fn wanted(&self) -> Option<RunJob> {
        Some(RunJob {
            sample: self.current_sample()?,
            plan: self.plan.clone(),
            surrogate: self.surrogate.clone(),
            defences: self.active_defences().map(|entry| entry.stack.clone()).collect(),
            draws: self.draws,
        })
    }

    /// The defences that are on.
    pub fn active_defences(&self) -> impl Iterator<Item = &DefenceEntry> {
        self.defences.iter().filter(|entry| entry.on)
    }

    /// Whether model and data are there and fit each other.
    pub fn ready(&self) -> bool {
        let model = self.model.as_ref().is_some_and(|m| m.id == self.model_wanted);
        model && self.source.as_ref().is_some_and(|s| s.id() == self.data_wanted)
    }

    /// An ε that was found for what the settings say, and whether a search over ε found it (else
    /// the attack itself did).
    pub fn found_epsilon(&self) -> Option<(f64, bool)> {
        let job = self.wanted()?;
        let model = &self.model.as_ref()?.id;
        let same = |of: &RunJob, on: &String| model == on && job.differs_only_in_epsilon(of);
        let search = self.epsilon_search.as_ref().filter(|search| same(&search.job, &search.model));
        let least = search.and_then(|search| search.found.as_ref()?.epsilon);
        let shown = self.shown.as_ref().filter(|run| same(&run.job, &run.model));
        let found = shown.and_then(Run::found);
        found.map(|epsilon| (epsilon, false)).or(least.map(|epsilon| (epsilon, true)))
    }

    /// Asks for a run only where what is shown is not what the settings ask for, or not complete.
    pub fn refresh(&mut self) -> Vec<Effect> {
        if self.compare.open {
            return super::compare::refresh(self);
        }
        let model = self.model.as_ref().map(|model| &model.id);
        let whole = self.shown.as_ref().filter(|run| !run.cut && Some(&run.model) == model);
        match whole.is_some_and(|run| self.wanted().as_ref() == Some(&run.job)) {
            true => Vec::new(),
            false => self.rerun(),
        }
    }

    /// Asks for the run that the settings ask for, once everything is there.
    pub fn rerun(&mut self) -> Vec<Effect> {
        if self.compare.open {
            return super::compare::refresh(self);
        }
        if self.race.is_some() {
            return super::race::start(self);
        }
        match self.wanted().filter(|_| self.ready()) {
            Some(job) if super::rejudge::rejudge_at_epsilon(self, &job) => Vec::new(),
            Some(job) => vec![Effect::Request(Request::Run(Arc::new(job)))],
            None => Vec::new(),
        }
    }

    /// Notes that a request was sent under this number.
    pub fn note_sent(&mut self, id: JobId, request: &Request) {
        match request {
            Request::Run(job) => {
                self.sent.push((id, RunJob::clone(job)));
                let since = self.awaited.map_or(self.now, |(_, since)| since);
                self.awaited = Some((id, since));
            }
            Request::Checks(_) => {
                self.asking.iter_mut().for_each(|asking| asking.id = Some(id));
            }
            Request::FindMistake(_) => self.searching = Some((id, 0)),
            Request::Data(name) | Request::Model(name) => self.loading.push((id, name.clone())),
            Request::MinimumEpsilon(job) => {
                let model = self.model.as_ref().map_or_else(String::new, |m| m.id.clone());
                self.epsilon_search = Some(EpsilonSearch::new(id, job.clone(), model));
            }
            Request::Race(_) => self.race.iter_mut().for_each(|race| race.id = id),
            Request::Transfer(job) => self.matrix = Some(TransferMatrix::new(id, job.clone())),
            Request::DefenceMetrics(_) => super::defence_metrics::sent(self, id),
            Request::Compare(job) => {
                (self.compare.running, self.compare.left) = (Some((id, job.clone())), None);
            }
            Request::Lesson(job) => super::learn::sent(self, id, job.clone()),
            Request::Cancel => {}
        }
    }

    /// Adds a line for the user, shown in the footer until the next key.
    pub fn say(&mut self, text: String, failure: bool) {
        self.messages.push(Message { text: printable(&text), failure });
        self.message_shown = true;
    }

    /// Feeds an update of the worker in; see [`super::on_update`].
    pub fn on_update(&mut self, update: Update) -> Vec<Effect> {
        super::on_update::on_update(self, update)
    }
}
