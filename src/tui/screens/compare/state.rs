//! What Compare knows: which defences and attacks it compares, and what was found.

use crate::attack::AttackConfig;
use crate::data::Sample;
use crate::defence::{DefenceStack, Stance};
use crate::engine::{CompareJob, JobId};
use crate::experiment::compare::{CompareFindings, DefenceOrder, default_attacks};
use crate::tui::session::Session;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The screen's identifier.
pub const ID: &str = "compare";

/// Over how many samples.
pub const COUNTS: [usize; 3] = [20, 100, 500];

/// One of the two tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TableKind {
    /// The chosen sample.
    #[default]
    Sample,
    /// Many samples.
    Many,
}

/// Which attacks are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StanceFilter {
    /// Those that do not know the defence.
    Naive,
    /// Those that do.
    Adaptive,
    /// Both, one above the other.
    #[default]
    Both,
}

impl StanceFilter {
    /// Every choice with its name.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Naive, "naive"), (Self::Adaptive, "adaptive"), (Self::Both, "both")];

    /// The choice after this one.
    pub fn next(self) -> Self {
        let all = Self::ALL.map(|(filter, _)| filter);
        let here = all.iter().position(|filter| *filter == self).unwrap_or(0);
        all[(here + 1) % all.len()]
    }

    /// The stances that it stands for.
    pub fn stances(self) -> Vec<Stance> {
        match self {
            Self::Naive => vec![Stance::Naive],
            Self::Adaptive => vec![Stance::Adaptive],
            Self::Both => vec![Stance::Naive, Stance::Adaptive],
        }
    }
}

/// What everything found depends on; where it changes, it is forgotten.
#[derive(Clone, Debug, PartialEq)]
pub struct FindingsKey {
    /// The model.
    pub model: String,
    /// The data.
    pub data: String,
    /// The seed.
    pub seed: u64,
}

/// Compare: which defences and attacks, and what was found.
#[derive(Clone, Debug)]
pub struct Compare {
    /// The job that is going on.
    pub running: Option<(JobId, Arc<CompareJob>)>,
    /// The attacks; ε and seed are the screen's.
    pub columns: Vec<AttackConfig>,
    /// Defences beside those that are on in the session.
    pub own: Vec<DefenceStack>,
    /// Which attacks are shown.
    pub stance_filter: StanceFilter,
    /// The table that the cursor is in.
    pub part: TableKind,
    /// Index into [`COUNTS`].
    pub count: usize,
    /// The order of the defences.
    pub sort: DefenceOrder,
    /// Only defences in whose name this stands.
    pub filter: String,
    /// The cursor: row and column.
    pub at: (usize, usize),
    /// What was found.
    pub findings: CompareFindings,
    /// The defences that do not apply, and why not.
    pub unfit: BTreeMap<String, String>,
    /// What was found last, in words.
    pub last: String,
    /// The seconds that the job at work still takes; none where nobody can tell.
    pub left: Option<f64>,
    /// What the findings depend on.
    pub basis: Option<FindingsKey>,
    /// The sample that the findings are of.
    pub sample: Option<Sample>,
    /// The column that was opened in Explore.
    pub opened: Option<usize>,
}

impl Default for Compare {
    fn default() -> Self {
        Self {
            running: None,
            // The data set only decides about ε, which is the screen's.
            columns: default_attacks("", 0),
            own: DefenceStack::hybrid().into_iter().collect(),
            stance_filter: StanceFilter::default(),
            part: TableKind::default(),
            count: 0,
            sort: DefenceOrder::default(),
            filter: String::new(),
            at: (0, 0),
            findings: CompareFindings::default(),
            unfit: BTreeMap::new(),
            last: String::new(),
            left: None,
            basis: None,
            sample: None,
            opened: None,
        }
    }
}

/// The screen and the session, for what is drawn from both.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The screen.
    pub compare: &'a Compare,
    /// The session.
    pub session: &'a Session,
}
