//! Evaluation lamps: what can be wrong with an evaluation, looked at beside every result.
//!
//! [`LAMPS`] is the one place where each is declared. A lamp is a rule over [`Evidence`] (one picture)
//! or a [`Survey`] (many), and no more: what is not known leaves it unlit, which is not green. Free
//! lamps look at what the attack saw anyway; probing ones have to ask the model, and say what they
//! would ask as a [`Probe`].
//!
//! An attack that reached its goal has proved its point, so most lamps warn of failures only: of
//! robustness that may be nothing but a weak attack.

mod course;
mod cure;
mod evidence;
mod gradients;
mod logits;
mod many;
mod rows;
mod rules;

pub use cure::{Cure, LONGER};
pub use evidence::{Behind, Evidence, First, Gain, Leg, Path, Probes, Tried, logit_gap};
pub use many::{Survey, Trial, survey};
pub use rows::LAMPS;

use crate::defence::Stance;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::fmt;

/// What a lamp shows, from nothing to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Colour {
    /// It was not asked, or has nothing to say here.
    Unlit,
    /// Asked, and nothing is wrong.
    Green,
    /// A weakness.
    Amber,
    /// The result is not what it seems.
    Red,
}

impl Colour {
    /// Every colour, the worst first.
    pub const ALL: [Self; 4] = [Self::Red, Self::Amber, Self::Green, Self::Unlit];

    /// Its name in reports.
    pub fn id(self) -> &'static str {
        match self {
            Self::Unlit => "unlit",
            Self::Green => "green",
            Self::Amber => "amber",
            Self::Red => "red",
        }
    }

    /// What tells it from the others without any colour.
    pub fn glyph(self) -> &'static str {
        match self {
            Self::Unlit => "○",
            Self::Green => "●",
            Self::Amber => "◐",
            Self::Red => "✗",
        }
    }

    /// Whether it warns.
    pub fn warns(self) -> bool {
        self >= Self::Amber
    }
}

impl Serialize for Colour {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

/// What has to be asked of the model before a lamp can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Probe {
    /// The answer to the attacked picture, rounded to 8 bits.
    EightBit,
    /// FGSM on the same picture.
    SingleStep,
    /// The gradient, and differences along random directions.
    Path,
    /// The answers around the clean picture.
    Noise,
    /// BIM with the whole box to itself.
    Unbounded,
    /// The same attack with four times the steps.
    Longer,
    /// The same attack from other starts.
    Restarts,
    /// The same attack at other ε.
    Epsilons,
    /// Random noise, then Square with few queries.
    BlackBox,
    /// The same attack averaging over other numbers of draws.
    Draws,
}

impl Probe {
    /// Every probe, roughly from the cheapest to the dearest.
    pub const ALL: [Self; 10] = [
        Self::EightBit,
        Self::SingleStep,
        Self::Path,
        Self::Noise,
        Self::Unbounded,
        Self::Epsilons,
        Self::Longer,
        Self::Restarts,
        Self::BlackBox,
        Self::Draws,
    ];
}

/// What a rule makes of the evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What the lamp shows.
    pub colour: Colour,
    /// Why, in one line.
    pub reason: String,
    /// What would settle it, where something would.
    pub cure: Option<Cure>,
    /// Whether the lamp's probe would tell.
    pub open: bool,
}

impl Finding {
    fn new(colour: Colour, reason: impl Into<String>) -> Self {
        Self { colour, reason: reason.into(), cure: None, open: false }
    }

    /// The lamp has nothing to say.
    fn unlit(reason: impl Into<String>) -> Self {
        Self::new(Colour::Unlit, reason)
    }

    /// The lamp's probe was not asked, which does that.
    fn unasked(probe: &str) -> Self {
        Self { open: true, ..Self::unlit(format!("not asked: {probe}")) }
    }

    fn green(reason: impl Into<String>) -> Self {
        Self::new(Colour::Green, reason)
    }

    fn amber(reason: impl Into<String>, cure: impl Into<Option<Cure>>) -> Self {
        Self { cure: cure.into(), ..Self::new(Colour::Amber, reason) }
    }

    fn red(reason: impl Into<String>, cure: impl Into<Option<Cure>>) -> Self {
        Self { cure: cure.into(), ..Self::new(Colour::Red, reason) }
    }

    /// The same, where the lamp's probe would tell more.
    fn open(self) -> Self {
        Self { open: true, ..self }
    }

    /// Red where the attack failed; amber where it reached its goal all the same.
    fn weighed(evidence: &Evidence, reason: String, cure: impl Into<Option<Cure>>) -> Self {
        match evidence.success {
            true => Self::amber(reason, cure),
            false => Self::red(reason, cure),
        }
    }
}

/// A lamp's row.
pub struct Lamp {
    /// The name used in reports.
    pub id: &'static str,
    /// The name used where there is little room.
    pub name: &'static str,
    /// What it watches for, in a few words.
    pub watches: &'static str,
    /// When it lights, in words.
    pub rule: &'static str,
    /// What usually helps, in words.
    pub remedy: &'static str,
    /// Where the check comes from.
    pub source: &'static str,
    /// What has to be asked of the model; none where the attack has seen enough.
    pub probe: Option<Probe>,
    /// Whether it has something to say of an attack that does not know the defence.
    pub naive: bool,
    /// Whether it has something to say where nothing was attacked.
    pub unattacked: bool,
    /// The rule for one picture, where there is one.
    pub one: Option<fn(&Evidence) -> Finding>,
    /// The rule for many pictures, where there is one.
    pub many: Option<fn(&Survey) -> Finding>,
}

impl fmt::Debug for Lamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lamp").field(&self.id).finish()
    }
}

impl PartialEq for Lamp {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Lamp {
    fn verdict(&'static self, finding: Finding) -> Verdict {
        let Finding { colour, reason, cure, open } = finding;
        Verdict { lamp: self, colour, reason, cure, ask: self.probe.filter(|_| open) }
    }
}

/// What a lamp shows, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Which lamp.
    pub lamp: &'static Lamp,
    /// What it shows.
    pub colour: Colour,
    /// Why, in one line.
    pub reason: String,
    /// What would settle it, where something would.
    pub cure: Option<Cure>,
    /// What to ask the model to know more, where it is unlit because nobody has.
    pub ask: Option<Probe>,
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Verdict", 4)?;
        row.serialize_field("lamp", self.lamp.id)?;
        row.serialize_field("colour", &self.colour)?;
        row.serialize_field("reason", &self.reason)?;
        row.serialize_field("cure", &self.cure.as_ref().map(Cure::flag))?;
        row.end()
    }
}

/// What every lamp for one picture shows.
pub fn light(evidence: &Evidence) -> Vec<Verdict> {
    let naive = evidence.behind.as_ref().is_some_and(|behind| behind.stance == Stance::Naive);
    let look = |lamp: &'static Lamp| {
        let rule = lamp.one?;
        Some(lamp.verdict(match evidence.attacked {
            false if !lamp.unattacked => Finding::unlit("nothing was attacked"),
            _ if naive && !lamp.naive => Finding::unlit("made on the bare network: look there"),
            _ => rule(evidence),
        }))
    };
    LAMPS.iter().filter_map(look).collect()
}
