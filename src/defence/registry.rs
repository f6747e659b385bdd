//! The one place where every defence is declared.

use crate::defence::transform::{self, Transform};
use crate::error::{Error, Result};
use crate::parameter::{Param, Settings};
use std::fmt;

/// How a gradient gets through a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// The stage is differentiable and is differentiated.
    Exact,
    /// The stage is not (usefully) differentiable: forwards it is exact, backwards it counts as the
    /// identity (BPDA with the straight-through estimator; Athalye et al. 2018).
    StraightThrough,
}

/// What a defence is made of.
#[derive(Clone, Copy)]
pub enum Build {
    /// A transformation of the input before the network.
    Input(fn(&Settings) -> Box<dyn Transform>),
    /// Another network: the adversarially trained twin that the model's card names.
    Twin,
}

/// A defence's row.
pub struct DefenceSpec {
    /// The name used on the command line and in reports.
    pub id: &'static str,
    /// The name used on the screen.
    pub name: &'static str,
    /// The heading it stands under.
    pub family: &'static str,
    /// Its parameters; the first can be given as `id:value`.
    pub params: &'static [Param],
    /// How an adaptive attack's gradient gets through.
    pub passage: Passage,
    /// Whether it answers differently from one call to the next.
    pub randomised: bool,
    /// One line: what it does.
    pub summary: &'static str,
    /// One paragraph: how it works, and how it is known to fail.
    pub about: &'static str,
    /// Where it comes from.
    pub paper: &'static str,
    /// What it is made of.
    pub build: Build,
}

impl fmt::Debug for DefenceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DefenceSpec").field(&self.id).finish()
    }
}

impl PartialEq for DefenceSpec {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

/// Every defence, in the order of the strip.
pub static DEFENCES: &[DefenceSpec] =
    &[transform::BIT_DEPTH, transform::MEDIAN, transform::JPEG, super::twin::ADVERSARIAL_TRAINING];

/// A defence with its settings.
#[derive(Clone, Debug, PartialEq)]
pub struct DefencePlan {
    /// Which defence.
    pub defence: &'static DefenceSpec,
    /// Its parameters.
    pub settings: Settings,
}

impl DefencePlan {
    /// The defence at its defaults.
    pub fn new(defence: &'static DefenceSpec) -> Self {
        let settings = Settings::defaults(defence.params);
        Self { defence, settings }
    }

    /// Every defence at its defaults.
    pub fn all() -> Vec<Self> {
        DEFENCES.iter().map(Self::new).collect()
    }

    /// Parses `id`, `id:value` (the first parameter) or `id:name=value`.
    ///
    /// # Errors
    /// Usage, with the nearest known name or what the parameter allows.
    pub fn parse(text: &str) -> Result<Self> {
        let mut parts = text.split(':');
        let id = parts.next().unwrap_or_default();
        let defence = DEFENCES.iter().find(|d| d.id == id).ok_or_else(|| {
            let known = DEFENCES.iter().map(|d| d.id);
            Error::unknown("defence", id, "--defence", known, "`epsiloscope defences`")
        })?;
        let mut plan = Self::new(defence);
        for part in parts {
            let text = match (part.contains('='), defence.params.first()) {
                (false, Some(first)) => format!("{}={part}", first.id),
                _ => part.to_string(),
            };
            plan.settings.assign(defence.params, defence.id, &text)?;
        }
        Ok(plan)
    }
}

impl fmt::Display for DefencePlan {
    /// As it stands on the strip: "JPEG 75".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.defence.name)?;
        for (_, value) in self.settings.iter() {
            write!(f, " {value}")?;
        }
        Ok(())
    }
}
