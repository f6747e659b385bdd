//! Evaluation checks (Carlini et al. 2019, Athalye et al. 2018, Pintor et al. 2022): signs that an
//! attack or an evaluation was too weak for its result to mean robustness.
//!
//! [`CHECKS`] is the one place where each is declared. A check is a rule over [`Evidence`] (one
//! image) or a [`DatasetEvidence`] (many), and no more: what is not known leaves it unlit, which is
//! not green. Free checks use what the attack saw anyway; the others need extra queries to the
//! model, each a [`Probe`].
//!
//! An attack that reached its goal has proved its point, so most checks warn of failures only: of
//! robustness that may be nothing but a weak attack.

mod comparison;
mod convergence;
mod dataset;
mod evidence;
mod gradients;
mod logits;
mod registry;
mod remedy;
mod run;

pub use dataset::{DatasetAttack, DatasetEvidence};
pub use evidence::{
    AttackedDefence, Evidence, FirstGradient, Gain, GradientTest, OtherAttack, Probes,
    RestartHistory, logit_gap,
};
pub use registry::CHECKS;
pub use remedy::{LONGER, Remedy};
pub use run::{check_dataset, run_checks};

use crate::error::{Error, Result};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::fmt;

/// The status of a check, shown as a check: from not run to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckStatus {
    /// It was not run, or does not apply.
    Unlit,
    /// It ran and found nothing wrong.
    Green,
    /// A weakness.
    Amber,
    /// The result does not mean what it seems to.
    Red,
}

impl CheckStatus {
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

    /// A glyph that distinguishes it without colour.
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

impl Serialize for CheckStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

/// A probe: extra queries to the model that a check needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Probe {
    /// The prediction for the adversarial image, rounded to 8 bits.
    EightBit,
    /// FGSM on the same image.
    SingleStep,
    /// The gradient, and differences along random directions.
    Path,
    /// The predictions around the clean image.
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

/// What a check's rule concludes from the evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessment {
    /// What the check shows.
    pub status: CheckStatus,
    /// Why, in one line.
    pub reason: String,
    /// What would settle it, where something would.
    pub remedy: Option<Remedy>,
    /// Whether running the check's probe would settle it.
    pub open: bool,
}

impl Assessment {
    fn new(status: CheckStatus, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), remedy: None, open: false }
    }

    /// The check does not apply.
    fn unlit(reason: impl Into<String>) -> Self {
        Self::new(CheckStatus::Unlit, reason)
    }

    /// The check's probe was not run; `probe` says what it does.
    fn unasked(probe: &str) -> Self {
        Self { open: true, ..Self::unlit(format!("not asked: {probe}")) }
    }

    fn green(reason: impl Into<String>) -> Self {
        Self::new(CheckStatus::Green, reason)
    }

    fn amber(reason: impl Into<String>, remedy: impl Into<Option<Remedy>>) -> Self {
        Self { remedy: remedy.into(), ..Self::new(CheckStatus::Amber, reason) }
    }

    fn red(reason: impl Into<String>, remedy: impl Into<Option<Remedy>>) -> Self {
        Self { remedy: remedy.into(), ..Self::new(CheckStatus::Red, reason) }
    }

    /// The same, where running the check's probe would say more.
    fn open(self) -> Self {
        Self { open: true, ..self }
    }

    /// Red where the attack failed; amber where it reached its goal all the same.
    fn weighed(evidence: &Evidence, reason: String, remedy: impl Into<Option<Remedy>>) -> Self {
        match evidence.success {
            true => Self::amber(reason, remedy),
            false => Self::red(reason, remedy),
        }
    }
}

/// An evaluation check: a row of the registry.
pub struct Check {
    /// The name used in reports.
    pub id: &'static str,
    /// The name used where there is little room.
    pub name: &'static str,
    /// What it looks for, in a few words.
    pub watches: &'static str,
    /// Its rule, in words.
    pub rule: &'static str,
    /// What usually helps, in words.
    pub remedy: &'static str,
    /// Where the check comes from.
    pub source: &'static str,
    /// The probe it needs; none where the attack has seen enough.
    pub probe: Option<Probe>,
    /// Whether it applies to an attack that does not know the defence.
    pub naive: bool,
    /// Whether it applies where nothing was attacked.
    pub unattacked: bool,
    /// The rule for one image, where there is one.
    pub one: Option<fn(&Evidence) -> Assessment>,
    /// The rule for many images, where there is one.
    pub many: Option<fn(&DatasetEvidence) -> Assessment>,
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lamp").field(&self.id).finish()
    }
}

impl PartialEq for Check {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Check {
    /// The check with this identifier.
    ///
    /// # Errors
    /// Usage, with the nearest known identifier, for an unknown one.
    pub fn find(id: &str) -> Result<&'static Self> {
        CHECKS.iter().find(|check| check.id == id).ok_or_else(|| {
            let known = CHECKS.iter().map(|check| check.id);
            Error::unknown("check", id, "checks", known, "`epsiloscope checks`")
        })
    }

    fn verdict(&'static self, finding: Assessment) -> CheckResult {
        let Assessment { status, reason, remedy, open } = finding;
        CheckResult { check: self, status, reason, remedy, ask: self.probe.filter(|_| open) }
    }
}

/// The result of a check: its status, the reason, a remedy.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckResult {
    /// Which check.
    pub check: &'static Check,
    /// What it shows.
    pub status: CheckStatus,
    /// Why, in one line.
    pub reason: String,
    /// What would settle it, where something would.
    pub remedy: Option<Remedy>,
    /// The probe to run for a result, where it has none yet.
    pub ask: Option<Probe>,
}

impl Serialize for CheckResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Verdict", 4)?;
        row.serialize_field("lamp", self.check.id)?;
        row.serialize_field("colour", &self.status)?;
        row.serialize_field("reason", &self.reason)?;
        row.serialize_field("cure", &self.remedy.as_ref().map(Remedy::flag))?;
        row.end()
    }
}
