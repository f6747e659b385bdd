//! The worker: one thread owns the device and the models (burn's calls block, so they do not belong
//! on an async runtime). Requests are latest-wins; every update carries the number of the job that
//! it belongs to, so that stale ones can be dropped.
//!
//! Updates all go through one queue: the trajectory needs every step, and whoever draws empties the
//! queue before drawing once, so that frames are skipped there and not here.

mod checks;
mod compare;
mod defence_metrics;
mod defended;
mod device;
mod lessons;
mod protocol;
mod race;
mod tasks;
mod threads;
mod worker;

pub use device::{Adapter, ChosenDevice, DeviceChoice, adapters, choose};
pub use protocol::{
    CheckJob, CompareJob, DefenceMetricsJob, DefenceRef, FindMistakeJob, JobId, LessonJob,
    ModelInfo, RaceJob, Request, RunJob, TransferJob, TransferSamples, Update,
};
pub use threads::start_threads;
pub use worker::{Engine, Sink};
