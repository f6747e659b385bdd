//! Windows on top of the screen: what is in them. How they answer to keys stands in
//! [`super::update`], how they look in [`super::view`].

use super::action::Action;
use super::app::App;
use super::defence_list::DefenceEntry;
use super::defence_metrics::MetricKind;
use super::info_card::{InfoBlock, InfoCard};
use super::keymap::Context;
pub use super::picker_items::items;
use crate::attack::{self, AttackSpec, Norm, TargetChoice};
use crate::defence::DefenceSpec;
use crate::parameter::{Param, Value};
use tui_input::Input;

/// A window on top.
#[derive(Clone, Debug)]
pub enum Overlay {
    /// Every key, scrolled down by so many lines.
    Help(usize),
    /// Every message, scrolled down by so many lines.
    Messages(usize),
    /// A list to choose from.
    Picker(Picker),
    /// Parameters to change.
    Editor(Editor),
    /// A value to type.
    Prompt(Prompt),
    /// More about something.
    Card(InfoCard),
    /// The search for the least ε.
    EpsilonSearch,
    /// The transfer matrix.
    TransferMatrix,
    /// What a defence is worth by itself.
    DefenceMetrics(MetricKind),
    /// The evaluation lamps, and the one under the cursor.
    Checks(usize),
}

/// What a list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PickerKind {
    /// Every action.
    Palette,
    /// Data sets.
    Data,
    /// Models.
    Model,
    /// Attacks.
    Attack,
    /// What the attack aims at.
    Target,
    /// What the attack is crafted on.
    Surrogate,
    /// Who takes part in a race.
    Race,
    /// Which attacks defences are compared by.
    Columns,
    /// The class that the gallery lists.
    Filter,
}

/// A list with a search line.
#[derive(Clone, Debug)]
pub struct Picker {
    /// What it is about.
    pub topic: PickerKind,
    /// What is searched for.
    pub input: Input,
    /// The row under the cursor.
    pub at: usize,
}

/// One row of a list.
#[derive(Clone, Debug)]
pub struct PickerItem {
    /// The heading that its group stands under.
    pub section: String,
    /// The heading that it stands under.
    pub group: String,
    /// What is chosen.
    pub text: String,
    /// Whether it is taken in, where several can be.
    pub taken: Option<bool>,
    /// A word on it, at the right.
    pub note: String,
    /// What choosing it means.
    pub choice: PickerChoice,
    /// What is said of it beside the list.
    pub about: Vec<InfoBlock>,
    /// Other words that it is found by.
    pub also: String,
}

/// What choosing a row means.
#[derive(Clone, Debug)]
pub enum PickerChoice {
    /// Do this.
    Do(Action),
    /// Take this data set.
    Data(String),
    /// Take this model.
    Model(String),
    /// Take this attack.
    Attack(&'static AttackSpec),
    /// Aim at this.
    Target(TargetChoice),
    /// Craft on this model, or on the one that judges.
    Surrogate(Option<String>),
    /// Let this attack take part in a race, or not.
    Racer(&'static AttackSpec),
    /// Compare defences by this attack in this norm, or not.
    Column(&'static AttackSpec, Norm),
    /// Picker this class only, or all.
    Filter(Option<usize>),
}

/// What an editor is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditorKind {
    /// The attack.
    Attack,
    /// The defences.
    Defences,
}

/// An editor of parameters.
#[derive(Clone, Copy, Debug)]
pub struct Editor {
    /// What it is about.
    pub subject: EditorKind,
    /// The row under the cursor.
    pub at: usize,
}

/// One row of an editor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditorRow {
    /// The attack's norm.
    Norm,
    /// A parameter of the attack.
    Param(usize),
    /// The seed.
    Seed,
    /// A defence, on or off.
    Defence(usize),
    /// A parameter of a defence.
    DefenceParam(usize, usize),
}

/// What a typed value is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptKind {
    /// ε.
    Epsilon,
    /// The number of a sample.
    Sample,
    /// A row of the editor below.
    Row(EditorRow),
    /// A hybrid to compare.
    Hybrid,
    /// Which rows of a comparison to show.
    Rows,
    /// The file that a comparison is written to.
    Export {
        /// Whether it may replace what is there.
        replace: bool,
    },
}

/// A value being typed.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// What for.
    pub asked: PromptKind,
    /// The line.
    pub input: Input,
    /// What is wrong with it.
    pub error: Option<String>,
}

impl Overlay {
    /// Where keys go while this window is on top.
    pub fn context(&self) -> Context {
        match self {
            Self::Help(_) | Self::Messages(_) | Self::Card(_) => Context::Reader,
            Self::Picker(list) if list.topic == PickerKind::Race => Context::Racers,
            Self::Picker(list) if list.topic == PickerKind::Columns => Context::Columns,
            Self::Picker(_) => Context::List,
            Self::EpsilonSearch => Context::EpsilonSearch,
            Self::TransferMatrix => Context::TransferMatrix,
            Self::DefenceMetrics(_) => Context::DefenceMetrics,
            Self::Checks(_) => Context::Checks,
            Self::Editor(_) => Context::Editor,
            Self::Prompt(_) => Context::Prompt,
        }
    }
}

impl PickerKind {
    /// Whether several of its rows can be taken in.
    pub fn takes_several(self) -> bool {
        matches!(self, Self::Race | Self::Columns)
    }

    /// The window's heading.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Palette => "Do what?",
            Self::Data => "Data set",
            Self::Model => "Model",
            Self::Attack => "Attack",
            Self::Target => "Target of the attack",
            Self::Surrogate => "Craft the attack on",
            Self::Race => "Race: two to four attacks",
            Self::Columns => "Attacks to compare defences by",
            Self::Filter => "Show the samples of",
        }
    }
}

/// The rows of an editor.
pub fn rows(app: &App, subject: EditorKind) -> Vec<EditorRow> {
    match subject {
        EditorKind::Attack => {
            let mut out = vec![EditorRow::Norm];
            out.extend((0..app.plan.attack.params.len()).map(EditorRow::Param));
            out.push(EditorRow::Seed);
            out
        }
        EditorKind::Defences => {
            // The parameters of those that are off would only be in the way.
            let with_params = |(i, entry): (usize, &DefenceEntry)| {
                let count = if entry.on { entry.params().len() } else { 0 };
                let params = (0..count).map(move |j| EditorRow::DefenceParam(i, j));
                std::iter::once(EditorRow::Defence(i)).chain(params).collect::<Vec<_>>()
            };
            app.defences.iter().enumerate().flat_map(with_params).collect()
        }
    }
}

impl EditorRow {
    /// The declaration behind it, if it is a parameter.
    pub fn param(self, app: &App) -> Option<&'static Param> {
        match self {
            Self::Param(i) => app.plan.attack.params.get(i),
            Self::DefenceParam(i, j) => app.defences[i].param(j),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self, app: &App) -> String {
        match self {
            Self::Norm => "norm".into(),
            Self::Seed => "seed".into(),
            Self::Defence(i) => app.defences[i].stack.short(),
            _ => self.param(app).map_or_else(String::new, |p| p.id.into()),
        }
    }

    /// Its value as a parameter's.
    pub fn param_value(self, app: &App) -> Value {
        let id = self.param(app).map_or("", |p| p.id);
        match self {
            Self::Param(_) => app.plan.settings.get(id),
            Self::DefenceParam(i, j) => app.defences[i].value(j),
            _ => Value::Auto,
        }
    }

    /// Its value in words.
    pub fn value(self, app: &App) -> String {
        match self {
            Self::Norm => app.plan.norm.to_string(),
            Self::Seed => app.plan.seed.to_string(),
            // The heading says the stance of those that have none of their own.
            Self::Defence(i) => app.defences[i].stance.map_or_else(String::new, |s| s.to_string()),
            _ => match self.param_value(app) {
                Value::Auto => match self.resolved(app) {
                    Value::Auto => "auto".into(),
                    value => format!("auto = {value}"),
                },
                value => value.to_string(),
            },
        }
    }

    /// Its value as a parameter's, `auto` written out as the number it stands for.
    pub fn resolved(self, app: &App) -> Value {
        let id = self.param(app).map_or("", |p| p.id);
        match self {
            Self::Param(_) => app.plan.resolved().get(id),
            _ => self.param_value(app),
        }
    }

    /// What may be entered, and what for.
    pub fn help(self, app: &App) -> Vec<String> {
        match self {
            Self::Norm => {
                let norms: Vec<_> = app.plan.attack.norms.iter().map(ToString::to_string).collect();
                vec!["How the size of the change is measured.".into(), norms.join(", ")]
            }
            Self::Seed => vec!["Where all randomness comes from: same seed, same result.".into()],
            Self::Defence(i) => {
                let entry = &app.defences[i];
                let of = |d: &'static DefenceSpec| [d.summary, d.about, d.paper].map(String::from);
                entry.specs().flat_map(of).collect()
            }
            _ => match self.param(app) {
                Some(param) => vec![param.help.into(), param.allowed()],
                None => Vec::new(),
            },
        }
    }
}

/// ε as typed at the keyboard, where a comma is as good as a point and a sign means nothing.
pub fn parse_epsilon(text: &str) -> Option<f64> {
    attack::parse_epsilon(&text.replace(',', ".")).filter(|value| *value >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epsilon_is_understood_as_decimal_and_as_255ths() {
        assert_eq!(parse_epsilon("0.1"), Some(0.1));
        assert_eq!(parse_epsilon(" 8/255 "), Some(8.0 / 255.0));
        assert_eq!(parse_epsilon("0,5"), Some(0.5));
        for bad in ["", "x", "-1", "1/0", "inf", "nan", "8/"] {
            assert_eq!(parse_epsilon(bad), None, "{bad}");
        }
    }
}
