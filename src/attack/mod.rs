//! Attacks: what they may know, what they may change, and how they are judged.
//!
//! Everything that makes the classic mistakes possible is a type here: pixels are in 0..1 and the
//! model normalises; losses work on logits and bring their own exact gradient ([`Objective`]); what
//! an attack may see is its oracle's type ([`DecisionOracle`], [`ScoreOracle`], [`GradientOracle`]); the budget and the
//! goal each exist once; and no attack is believed: [`judge`] looks again.

mod config;
mod context;
mod cross_entropy;
mod default_epsilons;
mod dlr;
mod goal;
mod gradient_stats;
mod image_batch;
mod judge;
mod l1;
mod logits;
mod methods;
mod norm;
mod note;
mod objective;
mod observer;
mod oracle;
mod problem;
mod registry;
mod spec;

pub use config::AttackConfig;
pub use cross_entropy::{CrossEntropy, softmax};
pub use default_epsilons::{default_epsilon, largest_epsilon, parse_epsilon};
pub use dlr::{Dlr, DlrTowards};
pub use goal::{Goal, NON_FINITE, REJECTED, TargetChoice};
pub use gradient_stats::GradientStats;
pub use image_batch::ImageBatch;
pub use judge::{JudgedOutput, generate, generate_and_judge, judge};
pub use logits::{Logits, best_other, margin};
pub use norm::{Budget, Norm};
pub use note::Note;
pub use objective::{Margin, Objective};
pub use observer::{AttackStage, Flow, NoObserver, Observer, StepEvent, StopWhen};
pub use oracle::{DecisionOracle, GradientOracle, LossGradient, ScoreOracle, TargetModel};
pub use problem::{AttackOutput, Problem, TrainingImages};
pub use registry::{ATTACKS, find};
pub use spec::{Algorithm, AttackSpec, Bound, Knowledge};
