//! The session: what every screen sees and may change. The state of one screen alone, such as the
//! tables of Compare, stands in that screen's folder.

use super::defence_list::{DefenceEntry, defence_list};
use super::effect::{Effect, Message};
use super::epsilon_search::EpsilonSearch;
use super::run::{Blinking, PendingChecks, Playback, Run, Source, model_for};
use crate::attack::{self, AttackConfig, TargetChoice};
use crate::dashboard::StartOptions;
use crate::data::Sample;
use crate::defence::{EOT_DRAWS, Stance};
use crate::engine::{JobId, ModelInfo, Request, RunJob};
use crate::experiment::DeviceInfo;
use crate::model::{self, Card};
use crate::printable::printable;
use crate::show::Graphics;
use crate::tui::keymap::KeyTable;
use crate::tui::theme::{Theme, ThemeKind};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Why the full screen on top is asked to look after what it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refresh {
    /// Another job has taken the place of its own, or it is back on top: only what is missing is asked
    /// for.
    IfMissing,
    /// The settings have changed.
    SettingsChanged,
}

/// Everything that the screens share: settings, model, data, the run on show, and the queue of what
/// the event loop has to do.
#[derive(Debug)]
pub struct Session {
    /// The colours.
    pub theme: Theme,
    /// How pictures are printed.
    pub graphics: Graphics,
    /// The terminal's columns and rows.
    pub size: (u16, u16),
    /// Time since the start.
    pub now: Duration,
    /// Every key of the program.
    pub keys: &'static KeyTable,
    /// The device, and why not another one.
    pub device: Option<(DeviceInfo, Option<String>)>,
    /// The embedded models' cards.
    pub cards: Vec<Card>,
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
    /// The user's own image.
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
    /// The model that the attack is crafted on, if that is not the one that is attacked.
    pub surrogate: Option<String>,
    /// Draws that EOT averages over where a defence is random.
    pub draws: u64,
    /// The evaluation checks that the model is being asked for.
    pub pending_checks: Option<PendingChecks>,
    /// The search for the least ε, going on or over.
    pub epsilon_search: Option<EpsilonSearch>,
    /// Runs asked for that have not begun.
    pub sent: Vec<(JobId, RunJob)>,
    /// The last run asked for, and since when it is awaited.
    pub awaited: Option<(JobId, Duration)>,
    /// The run that is going on, until it has its result.
    pub current: Option<Run>,
    /// The last run with a result.
    pub shown: Option<Run>,
    /// The playback of the run on show.
    pub playback: Playback,
    /// The blinking of original and adversarial.
    pub blinking: Option<Blinking>,
    /// Index into [`AMPLIFICATIONS`](super::AMPLIFICATIONS).
    pub amplification: usize,
    /// Every message so far.
    pub messages: Vec<Message>,
    /// Whether the last message is shown in the footer.
    pub message_shown: bool,
    /// The search for a misclassified sample, and how many samples it looked at.
    pub mistake_search: Option<(JobId, usize)>,
    /// The loading jobs that are going on: their numbers and what they load.
    pub loading: Vec<(JobId, String)>,
    /// Whether the engine has something to do.
    pub busy: bool,
    /// Whether to end.
    pub quit: bool,
    effects: Vec<Effect>,
    refresh: Option<Refresh>,
}

impl Session {
    /// The state at the start; asks for the model and the data set.
    pub fn new(options: &StartOptions, theme: ThemeKind, keys: &'static KeyTable) -> Self {
        let cards = model::catalogue();
        let card_of = |name: &str| cards.iter().find(|c| c.name == name);
        let of_model = options.model.as_deref().and_then(card_of).map(|c| c.data.clone());
        let data_wanted = match (&options.picture, &options.dataset, of_model) {
            (Some(_), _, _) => "file".to_string(),
            (None, Some(id), _) => id.clone(),
            (None, None, Some(data)) if !data.is_empty() => data,
            _ => "mnist".to_string(),
        };
        let model_wanted = options.model.clone().unwrap_or_else(|| model_for(&cards, &data_wanted));
        let fallback = attack::find("pgd").unwrap_or(&attack::ATTACKS[0]);
        let epsilon_fixed = options.plan.is_some();
        let plan = options.plan.clone().unwrap_or_else(|| AttackConfig::new(fallback, 0.0));
        let mut session = Self {
            theme: Theme::new(theme),
            graphics: options.config.graphics,
            size: (80, 24),
            now: Duration::ZERO,
            keys,
            device: None,
            cards,
            model: None,
            model_wanted,
            source: None,
            data_wanted,
            data_fixed: options.picture.is_some() || options.dataset.is_some(),
            file: options.picture.clone(),
            sample: options.sample.unwrap_or(0),
            filter: None,
            listed: Vec::new(),
            mistakes: BTreeSet::new(),
            plan: AttackConfig { seed: options.config.seed, ..plan },
            epsilon_fixed,
            defences: defence_list(options.config.hybrids.clone()),
            stance: Stance::Naive,
            surrogate: None,
            draws: EOT_DRAWS,
            pending_checks: None,
            epsilon_search: None,
            sent: Vec::new(),
            awaited: None,
            current: None,
            shown: None,
            playback: Playback::default(),
            blinking: None,
            amplification: 0,
            messages: Vec::new(),
            message_shown: false,
            mistake_search: None,
            loading: Vec::new(),
            busy: false,
            quit: false,
            effects: Vec::new(),
            refresh: None,
        };
        if !epsilon_fixed {
            session.plan.epsilon = session.usual_epsilon();
        }
        session.load_data(session.data_wanted.clone());
        session.request(Request::Model(session.model_wanted.clone()));
        session
    }

    /// Puts something for the event loop to do into the queue.
    pub fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Asks the engine for something.
    pub fn request(&mut self, request: Request) {
        self.push(Effect::Request(request));
    }

    /// What the event loop has to do, taken out of the queue.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// The settings have changed: the full screen on top asks the engine anew.
    pub fn settings_changed(&mut self) {
        self.refresh = Some(Refresh::SettingsChanged);
    }

    /// The full screen on top asks the engine for what is missing on it.
    pub fn refresh(&mut self) {
        self.refresh = self.refresh.max(Some(Refresh::IfMissing));
    }

    /// Whether and why the full screen on top is to ask the engine, taken once.
    pub fn take_refresh(&mut self) -> Option<Refresh> {
        self.refresh.take()
    }

    /// Adds a line for the user, shown in the footer until the next key.
    pub fn say(&mut self, text: impl AsRef<str>, failure: bool) {
        self.messages.push(Message { text: printable(text.as_ref()), failure });
        self.message_shown = true;
    }

    /// Whether model and data are there and fit each other.
    pub fn ready(&self) -> bool {
        let model = self.model.as_ref().is_some_and(|m| m.id == self.model_wanted);
        model && self.source.as_ref().is_some_and(|s| s.id() == self.data_wanted)
    }

    /// The data set's identifier.
    pub fn data_id(&self) -> &str {
        self.source.as_ref().map_or(&self.data_wanted, Source::id)
    }

    /// The identifier of the current model; empty where there is none yet.
    pub fn model_id(&self) -> &str {
        self.model.as_ref().map_or("", |model| &model.id)
    }

    /// The defences that are on.
    pub fn active_defences(&self) -> impl Iterator<Item = &DefenceEntry> {
        self.defences.iter().filter(|entry| entry.on)
    }

    /// The usual ε for data set and norm, in pixel units 0..1.
    pub fn usual_epsilon(&self) -> f64 {
        attack::default_epsilon(self.data_id(), self.plan.norm)
    }

    /// Sets the aim back where it is a class that the model does not have.
    pub(super) fn keep_target(&mut self, classes: usize) {
        if matches!(self.plan.target, TargetChoice::Class(class) if class >= classes) {
            self.plan.target = TargetChoice::Untargeted;
        }
    }
}
