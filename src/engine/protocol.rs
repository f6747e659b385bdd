//! The messages between the worker and whoever asks it: jobs, [`Request`]s, [`Update`]s.

use crate::attack::AttackConfig;
use crate::data::{Dataset, Sample};
use crate::defence::{DefenceStack, Stance};
use crate::error::{Error, Result};
use crate::experiment::compare::{CompareEvent, CompareFindings};
use crate::experiment::{
    CertifyReport, CleanPrediction, DefenceRow, DeviceInfo, LessonReport, LessonSideReport,
    LessonSpec, MinimumEpsilon, Report, RocReport, TracePoint, TransferReport,
};
use crate::metrics::checks::{Evidence, Probe};
use crate::model::Card;
use std::sync::Arc;
use std::time::Duration;

/// The number of a job; it rises with every request.
pub type JobId = u64;

/// What there is to know of a loaded model without its weights.
#[derive(Clone, Debug)]
pub struct ModelInfo {
    /// The name it was asked for by.
    pub id: String,
    /// Its card.
    pub card: Card,
    /// Its classes' names.
    pub labels: Arc<Vec<String>>,
    /// How many weights it has.
    pub parameters: usize,
}

/// Attack one sample.
#[derive(Clone, Debug, PartialEq)]
pub struct RunJob {
    /// Which sample.
    pub sample: Sample,
    /// Which attack, how.
    pub plan: AttackConfig,
    /// The model to craft it on, by name or folder, if that is not the current one.
    pub surrogate: Option<String>,
    /// Which defences to try against it.
    pub defences: Vec<DefenceStack>,
    /// Draws that EOT averages over where a defence is random.
    pub draws: u64,
}

impl RunJob {
    /// True when only ε differs: then a running job is given a moment to finish, so that dragging
    /// the slider shows results instead of cancelling every one of them.
    pub fn differs_only_in_epsilon(&self, other: &Self) -> bool {
        let plan = AttackConfig { epsilon: self.plan.epsilon, ..other.plan.clone() };
        self.plan == plan
            && (&self.defences, self.draws) == (&other.defences, other.draws)
            && self.surrogate == other.surrogate
            && self.sample == other.sample
    }
}

/// Run evaluation checks on a run that is over.
#[derive(Clone, Debug)]
pub struct CheckJob {
    /// The run's number.
    pub run: JobId,
    /// What was asked for.
    pub job: RunJob,
    /// Its report on the undefended network.
    pub report: Arc<Report>,
    /// The defences that are on the screen, under their stances.
    pub rows: Vec<Arc<DefenceRow>>,
    /// Which checks ask the model for what; all where it is empty.
    pub probes: Vec<Probe>,
}

/// Which defence of a run, under which stance.
#[derive(Clone, Debug, PartialEq)]
pub struct DefenceRef {
    /// The stack, as the command line takes it.
    pub defence: String,
    /// How much of it the attack knew.
    pub stance: Stance,
}

impl DefenceRef {
    /// That of a row.
    pub fn new(row: &DefenceRow) -> Self {
        Self { defence: row.defence.clone(), stance: row.stance }
    }
}

/// Run several attacks on one sample, taking turns query by query.
#[derive(Clone, Debug)]
pub struct RaceJob {
    /// Which sample.
    pub sample: Sample,
    /// The model to craft on, if that is not the current one.
    pub surrogate: Option<String>,
    /// The attacks, one a lane.
    pub plans: Vec<AttackConfig>,
}

/// Craft an attack on each of several models and try it on all of them.
#[derive(Clone, Debug)]
pub struct TransferJob {
    /// The models, by name or folder.
    pub models: Vec<String>,
    /// Which attack, how.
    pub plan: AttackConfig,
    /// On which samples.
    pub samples: TransferSamples,
}

/// Measure a lesson.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LessonJob {
    /// Which one.
    pub lesson: &'static LessonSpec,
    /// On so many images, the first of its data set.
    pub n: usize,
    /// The seed of all randomness.
    pub seed: u64,
}

/// Attack several defences with several attacks.
#[derive(Clone, Debug)]
pub struct CompareJob {
    /// The one sample, where anything is to be found of it.
    pub sample: Option<Sample>,
    /// So many samples of a data set, from its first, where anything is to be found of them.
    pub many: Option<(Arc<Dataset>, usize)>,
    /// The defences.
    pub stacks: Vec<DefenceStack>,
    /// The attacks.
    pub plans: Vec<AttackConfig>,
    /// How much the attacks know of the defences.
    pub stances: Vec<Stance>,
    /// The seed of what the defences draw.
    pub seed: u64,
    /// What is known already.
    pub done: CompareFindings,
}

/// Measure one defence by itself: its certificate, or its curve as a detector.
#[derive(Clone, Debug)]
pub enum DefenceMetricsJob {
    /// Certify a sample of a data set by randomised smoothing; answered by [`Update::Certified`].
    Certify {
        /// The data set.
        dataset: Arc<Dataset>,
        /// The sample's number.
        index: usize,
        /// σ of the noise, in pixel units.
        sigma: f64,
        /// Noisy copies that the radius is computed from.
        n: u64,
        /// The seed of all randomness.
        seed: u64,
    },
    /// Trace the curve of a detector; answered by [`Update::RocTraced`].
    Roc {
        /// The detector.
        stack: DefenceStack,
        /// How much of it the attack knows.
        stance: Stance,
        /// Draws that EOT averages over.
        draws: u64,
        /// The data set.
        dataset: Arc<Dataset>,
        /// On so many samples, from the first.
        n: usize,
        /// Which attack, how.
        plan: AttackConfig,
    },
}

/// What a transfer is measured on.
#[derive(Clone, Debug)]
pub enum TransferSamples {
    /// One sample: answered by an [`Update::TransferCell`] for each pair of models.
    One(Sample),
    /// So many of a data set, from its first: answered by [`Update::TransferRates`].
    First(Arc<Dataset>, usize),
}

/// Find the next sample that the model gets wrong.
#[derive(Clone, Debug)]
pub struct FindMistakeJob {
    /// The data set.
    pub dataset: Arc<Dataset>,
    /// Where to begin (that sample itself is not looked at).
    pub from: usize,
    /// Only samples of this class.
    pub class: Option<usize>,
}

/// What can be asked of the worker.
#[derive(Clone, Debug)]
pub enum Request {
    /// Load a data set by identifier; answered by [`Update::Data`].
    Data(String),
    /// Load a model by name or folder and make it the current one; answered by [`Update::Model`].
    Model(String),
    /// Attack; replaces a waiting run and cancels the running one. So do those below.
    Run(Arc<RunJob>),
    /// Run evaluation checks on a run that is over; answered by [`Update::CheckEvidence`] for each.
    Checks(Arc<CheckJob>),
    /// Look for the least ε at which the attack works; answered by [`Update::MinimumEpsilon`].
    MinimumEpsilon(Arc<RunJob>),
    /// Run several attacks on one sample; answered by [`Update::LaneFinished`] for each.
    Race(Arc<RaceJob>),
    /// Craft on each of several models and test on all of them.
    Transfer(Arc<TransferJob>),
    /// Measure a lesson; answered by [`Update::LessonSide`] for each side.
    Lesson(Arc<LessonJob>),
    /// Measure one defence by itself; answered by [`Update::Certified`] or [`Update::RocTraced`].
    DefenceMetrics(Arc<DefenceMetricsJob>),
    /// Attack several defences with several attacks; answered by [`Update::CompareFinding`] for each thing found.
    Compare(Arc<CompareJob>),
    /// Look for a misclassified sample; answered by [`Update::MistakeFound`].
    FindMistake(FindMistakeJob),
    /// Stop what is running; nothing takes its place.
    Cancel,
}

/// What the worker says.
#[derive(Clone, Debug)]
pub enum Update {
    /// The device is settled: which, and a line on why (none when it is what was asked for).
    Device {
        /// Which device.
        device: DeviceInfo,
        /// Why not another one.
        note: Option<String>,
    },
    /// A data set is there.
    Data(Arc<Dataset>),
    /// A model is there, warmed up, and is now the current one.
    Model(Arc<ModelInfo>),
    /// A job began.
    Started(JobId),
    /// The model's prediction on the clean image.
    Clean(JobId, Arc<CleanPrediction>),
    /// One iteration of the attack; the number is how many points to expect in all.
    Step(JobId, TracePoint, usize),
    /// The attack is over and judged.
    Finished(JobId, Arc<Report>),
    /// One more defence was tried.
    Defended(JobId, Arc<DefenceRow>),
    /// A defence does not apply to the model: which, and why not.
    DefenceNotApplicable(JobId, String, String),
    /// A check found something on the run of this number: on the undefended network, or on a defence.
    CheckEvidence(JobId, Option<DefenceRef>, Arc<Evidence>),
    /// Everything the job asked for is done.
    Done(JobId),
    /// The job was cancelled.
    Cancelled(JobId),
    /// In the search for the least ε, one was tried: whether the goal was reached; none yet where
    /// the try begins.
    EpsilonTried(JobId, f64, Option<bool>),
    /// The search for the least ε is over.
    MinimumEpsilon(JobId, Arc<MinimumEpsilon>),
    /// One iteration of an attack in a race: its lane, and how many points to expect in all.
    LaneStep(JobId, usize, TracePoint, usize),
    /// An attack in a race is over: its lane, its result, and the time that it worked itself.
    LaneFinished(JobId, usize, Result<Arc<Report>>, Duration),
    /// What was crafted on the row's model was tested on the column's.
    TransferCell(JobId, usize, usize, Arc<Report>),
    /// So many samples are done, of so many, and how many seconds are left; none where nobody can
    /// tell.
    Progress(JobId, usize, usize, Option<f64>),
    /// The transfer between models is measured.
    TransferRates(JobId, Arc<TransferReport>),
    /// A sample is certified.
    Certified(JobId, Arc<CertifyReport>),
    /// A detector's curve is there.
    RocTraced(JobId, Arc<RocReport>),
    /// This side of a lesson is at work; so much of it is done, 0..1.
    LessonProgress(JobId, usize, f64),
    /// A side of a lesson is measured.
    LessonSide(JobId, Arc<LessonSideReport>),
    /// A lesson is measured.
    Lesson(JobId, Arc<LessonReport>),
    /// One more thing was found in a comparison.
    CompareFinding(JobId, CompareEvent),
    /// A misclassified sample, or none in the whole data set.
    MistakeFound(JobId, Option<usize>),
    /// The search looked at this many samples so far.
    MistakeSearch(JobId, usize),
    /// Something failed; the worker goes on.
    Failed(JobId, Error),
    /// A line worth showing: the worker was restarted, the device was lost.
    Notice(String),
}

impl Update {
    /// The job it belongs to, if it belongs to one.
    pub fn job(&self) -> Option<JobId> {
        match self {
            Self::Started(id)
            | Self::Clean(id, _)
            | Self::Step(id, ..)
            | Self::Finished(id, _)
            | Self::Defended(id, _)
            | Self::DefenceNotApplicable(id, ..)
            | Self::CheckEvidence(id, ..)
            | Self::Done(id)
            | Self::EpsilonTried(id, ..)
            | Self::MinimumEpsilon(id, _)
            | Self::LaneStep(id, ..)
            | Self::LaneFinished(id, ..)
            | Self::TransferCell(id, ..)
            | Self::Progress(id, ..)
            | Self::TransferRates(id, _)
            | Self::Certified(id, _)
            | Self::RocTraced(id, _)
            | Self::LessonProgress(id, ..)
            | Self::LessonSide(id, _)
            | Self::Lesson(id, _)
            | Self::CompareFinding(id, _)
            | Self::Cancelled(id)
            | Self::MistakeFound(id, _)
            | Self::MistakeSearch(id, _)
            | Self::Failed(id, _) => Some(*id),
            Self::Device { .. } | Self::Data(_) | Self::Model(_) | Self::Notice(_) => None,
        }
    }
}
