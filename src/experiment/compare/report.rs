//! The report of a comparison: rows of defences, columns of attacks.

use crate::attack::{AttackConfig, AttackSpec, Bound, Norm, TargetChoice};
use crate::defence::{DefenceStack, Stance};
use crate::experiment::provenance::Sources;
use crate::experiment::report::DefenceRow;
use crate::experiment::types::{DeviceInfo, Prediction, SampleRef, Share};
use crate::metrics::McNemar;
use crate::parameter::Settings;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a report is to show, and everything its numbers depend on.
#[derive(Clone, Debug)]
pub struct ReportSettings {
    /// The undefended network's name.
    pub model: String,
    /// How many values an image has.
    pub values: usize,
    /// The data set that the many samples are from.
    pub dataset: String,
    /// The one sample, with the name of its class where that is known; none where it is not to be
    /// shown.
    pub sample: Option<(SampleRef, Option<String>)>,
    /// How many samples were asked for; none where they are not to be shown.
    pub n: Option<usize>,
    /// The seed.
    pub seed: u64,
    /// Draws that EOT averages over.
    pub draws: u64,
    /// Which device does the work.
    pub device: DeviceInfo,
    /// The defences; the undefended network stands above them.
    pub stacks: Vec<DefenceStack>,
    /// The attacks.
    pub plans: Vec<AttackConfig>,
    /// The stances.
    pub stances: Vec<Stance>,
    /// The defences that do not apply, and why not.
    pub unfit: BTreeMap<String, String>,
}

/// The report of a comparison: defences × attacks, on one sample and over many.
#[derive(Clone, Debug, Serialize)]
pub struct CompareReport {
    /// [`VERSION`](crate::experiment::VERSION).
    pub version: u32,
    /// The undefended network's name.
    pub model: String,
    /// The data set that the many samples are from.
    pub dataset: String,
    /// The one sample.
    pub sample: Option<SampleRef>,
    /// The name of its class.
    pub label_name: Option<String>,
    /// How many samples, the first of the data set, were asked for.
    pub n: Option<usize>,
    /// The seed.
    pub seed: u64,
    /// Draws that EOT averages over.
    pub draws: u64,
    /// Which device did the work.
    pub device: DeviceInfo,
    /// The attacks.
    pub attacks: Vec<AttackColumn>,
    /// The undefended network, then each defence under each stance.
    pub rows: Vec<CompareRow>,
    /// What can be read off, one sentence each, the most telling first.
    pub words: Vec<String>,
    /// What the sentences compare, sample by sample.
    pub tests: Vec<PairedTest>,
    /// The networks and data it was computed from.
    #[serde(skip)]
    pub origin: Sources,
}

/// Two rows, or two attacks on one, compared over the same samples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairedTest {
    /// What is compared.
    pub first: String,
    /// With what.
    pub second: String,
    /// How the two differ.
    #[serde(flatten)]
    pub paired: McNemar,
}

/// An attack of a comparison.
#[derive(Clone, Debug, Serialize)]
pub struct AttackColumn {
    /// Its identifier.
    pub attack: &'static str,
    /// Its name with the norm: "PGD L∞".
    pub name: String,
    /// The norm.
    pub norm: Norm,
    /// What bounds the perturbation.
    pub extent: Bound,
    /// The size allowed, in pixel units; none where ε decides nothing.
    pub epsilon: Option<f64>,
    /// Its parameters, `auto` values resolved.
    pub parameters: Settings,
    /// What was aimed at.
    pub target: TargetChoice,
}

/// A defence under a stance.
#[derive(Clone, Debug, Serialize)]
pub struct CompareRow {
    /// The stack, as the command line takes it; empty for the undefended network.
    pub defence: String,
    /// Its name with settings.
    pub name: String,
    /// How much the attacks know of it; none for the undefended network.
    pub stance: Option<Stance>,
    /// Why it does not apply, where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unfit: Option<String>,
    /// The prediction for the clean sample.
    pub clean: Option<Prediction>,
    /// How long one prediction takes, in milliseconds (median).
    pub ms: Option<f64>,
    /// How much longer than one of the undefended network.
    pub extra_ms: Option<f64>,
    /// The result of each attack on the sample.
    pub cells: Vec<Option<Arc<DefenceRow>>>,
    /// The same over many samples.
    pub many: Option<DatasetTally>,
    /// How many layers it has.
    #[serde(skip)]
    pub layers: usize,
    /// Whether the defence is a network trained for it.
    #[serde(skip)]
    pub trained: bool,
}

/// A defence under a stance over many samples.
#[derive(Clone, Debug, Serialize)]
pub struct DatasetTally {
    /// Share classified correctly without an attack.
    pub clean: Share,
    /// Share classified correctly without an attack and with it, for each attack.
    pub attacks: Vec<Option<Share>>,
    /// Share that holds against all of the attacks.
    pub worst: Option<Share>,
    /// For each attack, what holds here (first) against what holds of the undefended network
    /// (second); none for the undefended network itself.
    pub against_bare: Vec<Option<McNemar>>,
    /// The same where all of the attacks count.
    pub worst_against_bare: Option<McNemar>,
    /// For each attack, which samples withstand it, from the first.
    #[serde(skip)]
    pub held: Vec<Vec<bool>>,
    /// Which samples withstand all of the attacks.
    #[serde(skip)]
    pub held_all: Vec<bool>,
}

/// The order of the defences; the undefended network is always first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DefenceOrder {
    /// As they were named.
    #[default]
    Registry,
    /// The most accurate on clean images first.
    Clean,
    /// The best worst case first.
    Worst,
    /// The quickest first.
    Latency,
}

impl DefenceOrder {
    /// Every order.
    pub const ALL: [Self; 4] = [Self::Registry, Self::Clean, Self::Worst, Self::Latency];

    /// The order of this name on the command line.
    pub fn of(id: &str) -> Option<Self> {
        let ids = ["named", "clean", "worst", "latency"];
        ids.iter().position(|known| *known == id).map(|at| Self::ALL[at])
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Registry => "as named",
            Self::Clean => "clean accuracy",
            Self::Worst => "worst case",
            Self::Latency => "latency",
        }
    }

    /// The next one, for the key that cycles.
    pub fn next(self) -> Self {
        let here = Self::ALL.iter().position(|sort| *sort == self).unwrap_or(0);
        Self::ALL[(here + 1) % Self::ALL.len()]
    }
}

impl CompareReport {
    /// The class of the one sample, or what the undefended network takes it for.
    pub fn sample_name(&self) -> Option<&str> {
        let answer = self.rows.first().and_then(|row| row.clean.as_ref());
        self.label_name.as_deref().or(answer.map(|answer| answer.name.as_str()))
    }

    /// Sorts the defences; those of which nothing is known come last.
    pub fn sort(&mut self, sort: DefenceOrder) {
        let keys: Vec<f64> = self.rows.iter().map(|row| sort_key(row, sort)).collect();
        let keys: BTreeMap<&str, f64> = {
            let mut worst: BTreeMap<&str, f64> = BTreeMap::new();
            for (row, key) in self.rows.iter().zip(keys) {
                let kept = worst.entry(&row.defence).or_insert(key);
                *kept = kept.max(key);
            }
            worst
        };
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        let key = |i: &usize| match self.rows[*i].stance {
            None => f64::NEG_INFINITY,
            Some(_) => keys[self.rows[*i].defence.as_str()],
        };
        order.sort_by(|a, b| key(a).total_cmp(&key(b)));
        let rows = order.into_iter().map(|i| self.rows[i].clone()).collect();
        self.rows = rows;
    }

    /// Keeps the undefended network and the defences whose name or definition contains the text.
    pub fn filter(&mut self, text: &str) {
        let text = text.trim().to_lowercase();
        let has = |row: &CompareRow| {
            row.stance.is_none()
                || [&row.name, &row.defence].iter().any(|own| own.to_lowercase().contains(&text))
        };
        self.rows.retain(has);
    }
}

/// What a row is sorted by: the least comes first.
fn sort_key(row: &CompareRow, sort: DefenceOrder) -> f64 {
    let last = f64::MAX;
    let held = || row.cells.iter().flatten().filter(|cell| cell.outcome.holds()).count() as f64;
    let value = match sort {
        DefenceOrder::Registry => return 0.0,
        DefenceOrder::Latency => return row.ms.unwrap_or(last),
        DefenceOrder::Clean => match (&row.many, &row.clean) {
            (Some(tally), _) => Some(tally.clean.value),
            (None, Some(clean)) => Some(f64::from(clean.confidence)),
            _ => None,
        },
        DefenceOrder::Worst => match &row.many {
            Some(tally) => tally.worst.map(|worst| worst.value),
            None => Some(held()),
        },
    };
    value.map_or(last, |value| -value)
}

/// An attack with the norm it works in: "PGD L∞".
pub fn attack_name(attack: &AttackSpec, norm: Norm) -> String {
    match attack.bound {
        Bound::Own => attack.name.to_string(),
        _ => format!("{} {norm}", attack.name),
    }
}
