//! Experiments: sample(s) × attack × ε × defences → [`Report`]. Pure: the dashboard and the command
//! line run the same functions, so that the same numbers come out of both.

mod batch;
mod batching;
mod bench;
mod certify;
mod checks;
pub mod compare;
mod defended;
mod distance;
mod evaluate;
mod evaluation;
mod evaluation_report;
mod evaluation_state;
mod evaluation_summary;
pub mod hints;
mod lesson_registry;
mod lessons;
mod minimum_epsilon;
mod one_sample;
mod passes;
mod prediction;
mod provenance;
mod report;
mod roc;
mod samples;
mod time_left;
mod trace;
mod transfer;
mod types;

pub use crate::metrics::Norms;
pub use batch::{BatchReport, BatchTask, OnProgress, attack_batch};
pub use bench::{BenchReport, BenchTask, WORKLOADS, Workload, bench};
pub use certify::{
    CERTIFY_ATTACK, CERTIFY_ATTACK_DRAWS, Certificate, Certification, CertifiedAccuracy,
    CertifiedRow, CertifyReport, DEFAULT_ALPHA, SELECTION_DRAWS, certify, certify_dataset, radius,
};
pub use checks::{FinishedAttack, OnEvidence, probe_robust_samples, run_auto_checks, run_probes};
pub use defended::{DefenceBaseline, DefendedAttack, defence_baseline, defend};
pub use distance::{distance_text, epsilon_text, short_distance_text};
pub use evaluate::evaluate;
pub use evaluation::{EvaluatedDefence, Evaluation, EvaluationStatus, OnStatus};
pub use evaluation_report::{AttackRow, DefenceNote, EvaluationReport, SampleRow, StageRow};
pub use evaluation_state::SampleOutcome;
pub use lesson_registry::LESSONS;
pub use lessons::{
    LESSON_N, LessonClaim, LessonContrast, LessonReport, LessonSide, LessonSideReport, LessonSpec,
    LessonTask, contrasts, is_shown, run_lesson,
};
pub use minimum_epsilon::{MinimumEpsilon, minimum_epsilon, minimum_epsilon_watched};
pub use one_sample::{
    CleanPrediction, Experiment, attack_sample, attack_sample_from, check_compatible, predict_clean,
};
pub use passes::Passes;
pub use provenance::{DataIdentity, Provenance, Sources};
pub use report::{DefenceRow, Report, SavedImages, Similarity, is_within_epsilon, judge_outcome};
pub use roc::{RocPoint, RocReport, roc, roc_curve};
pub use time_left::{StageProgress, TimeEstimate};
pub use trace::{TracePoint, TraceRecorder};
pub use transfer::{Transfer, TransferReport, transfer};
pub use types::{AttackCost, DeviceInfo, Outcome, Prediction, SampleRef, Share, VERSION};
