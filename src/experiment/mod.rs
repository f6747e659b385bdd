//! Experiments: sample(s) × attack × ε × defences → [`Report`]. Pure: the dashboard and the command
//! line run the same functions, so that the same numbers come out of both.

mod batch;
mod report;
mod single;
mod trace;

pub use crate::metrics::Norms;
pub use batch::{Batch, BatchReport, Evaluation, EvaluationReport, attack_batch, evaluate};
pub use report::{
    Cost, DefenceRow, Device, Outcome, Prediction, Report, SampleRef, Similarity, VERSION,
    epsilon_text,
};
pub use single::{Clean, Experiment, clean, defend_adaptive, defend_naive, run, run_from};
pub use trace::{Point, Recorder};
