//! What is said between the worker and whoever listens.

use crate::attack::Plan;
use crate::data::{Dataset, Sample};
use crate::defence::DefencePlan;
use crate::error::Error;
use crate::experiment::{Clean, DefenceRow, Device, Point, Report};
use crate::model::Card;
use std::sync::Arc;

/// The number of a job: rises with every request.
pub type JobId = u64;

/// What a model's owner needs to know of it on the screen.
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
#[derive(Clone, Debug)]
pub struct RunJob {
    /// Which sample.
    pub sample: Sample,
    /// Which attack, how.
    pub plan: Plan,
    /// The model to craft it on, by name or folder, if that is not the current one.
    pub surrogate: Option<String>,
    /// Which defences to try against it.
    pub defences: Vec<DefencePlan>,
}

impl RunJob {
    /// True when only ε differs: then a running job is given a moment to finish, so that dragging
    /// the slider shows results instead of cancelling every one of them.
    pub fn differs_only_in_epsilon(&self, other: &Self) -> bool {
        let plan = Plan { epsilon: self.plan.epsilon, ..other.plan.clone() };
        self.plan == plan
            && self.defences == other.defences
            && self.surrogate == other.surrogate
            && self.sample == other.sample
    }
}

/// Find the next sample that the model gets wrong.
#[derive(Clone, Debug)]
pub struct SearchJob {
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
    /// Attack; replaces a waiting run and cancels the running one.
    Run(RunJob),
    /// Look for a misclassified sample; answered by [`Update::Found`].
    Search(SearchJob),
    /// Stop what is running; nothing takes its place.
    Cancel,
}

/// What the worker says.
#[derive(Clone, Debug)]
pub enum Update {
    /// The device is settled: which, and a line on why (none when it is what was asked for).
    Device {
        /// Which device.
        device: Device,
        /// Why not another one.
        note: Option<String>,
    },
    /// A data set is there.
    Data(Arc<Dataset>),
    /// A model is there, warmed up, and is now the current one.
    Model(Arc<ModelInfo>),
    /// A job began.
    Started(JobId),
    /// The model's answer to the clean picture.
    Clean(JobId, Arc<Clean>),
    /// One iteration of the attack; the number is how many points to expect in all.
    Step(JobId, Point, usize),
    /// The attack is over and judged.
    Finished(JobId, Arc<Report>),
    /// One more defence was tried.
    Defended(JobId, Arc<DefenceRow>),
    /// Everything the job asked for is done.
    Done(JobId),
    /// The job was cancelled.
    Cancelled(JobId),
    /// A misclassified sample, or none in the whole data set.
    Found(JobId, Option<usize>),
    /// The search looked at this many samples so far.
    Searching(JobId, usize),
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
            | Self::Done(id)
            | Self::Cancelled(id)
            | Self::Found(id, _)
            | Self::Searching(id, _)
            | Self::Failed(id, _) => Some(*id),
            Self::Device { .. } | Self::Data(_) | Self::Model(_) | Self::Notice(_) => None,
        }
    }
}
