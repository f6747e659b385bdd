//! Attacks: what they may know, what they may change, and how they are judged.
//!
//! A [`Problem`] is a batch of images `[N, C, H, W]` in 0..1, each with its [`Goal`], under a
//! [`Budget`] (norm and ε). An [`AttackSpec`], one row of [`ATTACKS`], runs on it against an oracle and
//! returns an [`AttackOutput`]; [`judge`] then decides what of it counts.
//!
//! The classic mistakes are ruled out by types. Pixels are in 0..1 everywhere, and the model normalises
//! them itself. Losses work on logits and bring their exact gradient ([`Objective`]). What an attack may
//! see is the type of its oracle: [`DecisionOracle`], [`ScoreOracle`] or [`GradientOracle`]. And no attack
//! is believed: the judge clips, projects and queries the model again.
//!
//! ```
//! use epsiloscope::attack::{self, AttackConfig, Budget, Goal, ImageBatch, NoObserver, Problem};
//! use epsiloscope::attack::TargetModel;
//! # use epsiloscope::engine::{DeviceChoice, choose};
//! use epsiloscope::model::Model;
//!
//! let model = Model::load("mnist-mlp", &choose(DeviceChoice::Cpu).device)?;
//! let config = AttackConfig::parse("pgd:steps=10", 0.1)?;
//! let images = ImageBatch::zeros([1, 28, 28], 2);
//! let problem = Problem {
//!     budget: Budget::new(config.norm, config.epsilon, images.size())?,
//!     images,
//!     goals: vec![Goal::Untargeted { truth: 1 }; 2],
//!     seed: 0,
//!     samples: vec![0, 1],
//!     training_images: None,
//! };
//! let mut target = TargetModel::new(&model.network);
//! let settings = config.resolved();
//! let found =
//!     attack::generate_and_judge(config.attack, &settings, &mut target, &problem, &mut NoObserver)?;
//! assert!(found.distance.iter().all(|distance| *distance <= 0.1001));
//! # Ok::<(), epsiloscope::error::Error>(())
//! ```

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
pub mod methods;
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
