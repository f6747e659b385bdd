//! Experiments: sample(s) × attack × ε × defences → [`Report`]. Pure: the dashboard and the command
//! line run the same functions, so that the same numbers come out of both.

mod batch;
mod crowd;
mod defended;
mod least;
mod report;
mod single;
mod trace;

pub use crate::metrics::Norms;
pub use batch::{Batch, BatchReport, Evaluation, EvaluationReport, attack_batch, evaluate};
pub use defended::{defend_adaptive, defend_naive};
pub use least::{Least, least};
pub use report::{
    Cost, DefenceRow, Device, Outcome, Prediction, Report, SampleRef, Similarity, VERSION,
    epsilon_text, size_text,
};
pub use single::{Clean, Experiment, clean, run, run_from, same_kind};
pub use trace::{Point, Recorder};
