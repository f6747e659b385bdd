//! Experiments: sample(s) × attack × ε × defences → [`Report`]. Pure: the dashboard and the command
//! line run the same functions, so that the same numbers come out of both.

mod batch;
mod bench;
mod certify;
pub mod compare;
mod crowd;
mod defended;
mod evaluate;
mod evaluation;
pub mod hints;
mod lamps;
mod least;
mod ledger;
mod lessons;
mod many;
mod passes;
mod provenance;
mod report;
mod roc;
mod single;
mod syllabus;
mod time_left;
mod trace;
mod transfer;

pub use crate::metrics::Norms;
pub use batch::{Batch, BatchReport, Progress, attack_batch};
pub use bench::{Bench, Timing, WORKLOADS, Workload, bench};
pub use certify::{
    ALPHA, BESIDE, BESIDE_DRAWS, CHOOSING, Certificate, Certification, CertifiedRow, CertifyReport,
    Within, certify, certify_all, radius,
};
pub use defended::{Against, Known, defend, know};
pub use evaluate::{Defended, Evaluation, Status, Watch, evaluate};
pub use evaluation::{AttackRow, DefenceNote, EvaluationReport, SampleRow, Share, StageRow};
pub use lamps::{Scene, Told, look, probe, watch};
pub use least::{Least, least, least_told};
pub use ledger::Fate;
pub use lessons::{
    Claim, LESSON_N, LessonContrast, LessonReport, LessonSpec, LessonTask, Side, SideReport,
    contrasts, shown, teach,
};
pub use passes::Passes;
pub use provenance::{DataIdentity, Origin, Provenance};
pub use report::{
    Cost, DefenceRow, Device, Outcome, Prediction, Report, SampleRef, Saved, Similarity, VERSION,
    epsilon_text, is_near, outcome_of, size_short, size_text,
};
pub use roc::{RocPoint, RocReport, curve, roc};
pub use single::{Clean, Experiment, clean, run, run_from, same_kind};
pub use syllabus::LESSONS;
pub use time_left::{Reach, TimeLeft};
pub use trace::{Point, Recorder};
pub use transfer::{Transfer, TransferReport, transfer};
