//! Attacks: what they may know, what they may change, and how they are judged.
//!
//! Everything that makes the classic mistakes possible is a type here: pixels are in 0..1 and the
//! model normalises; losses work on logits and bring their own exact gradient ([`Objective`]); what
//! an attack may see is its oracle's type ([`Decision`], [`Score`], [`Gradient`]); the budget and the
//! goal each exist once; and no attack is believed: [`judge`] looks again.

mod budgets;
mod cross_entropy;
mod dlr;
mod goal;
mod gradients;
mod judge;
mod l1;
mod methods;
mod norm;
mod note;
mod objective;
mod observer;
mod oracle;
mod problem;
mod registry;
mod rows;
mod trial;

pub use budgets::{largest, parse_epsilon, suggested};
pub use cross_entropy::{CrossEntropy, softmax};
pub use dlr::{Dlr, DlrBy};
pub use goal::{Aim, Goal};
pub use gradients::GradientCount;
pub use judge::{Verdict, attempt, judge, launch};
pub use norm::{Budget, Norm};
pub use note::Note;
pub use objective::{Margin, NON_FINITE, Objective, REJECTED, Scores, best_other, margin};
pub use observer::{Flow, Halt, Images, Observer, Stage, Step, Unobserved};
pub use oracle::{Decision, Gradient, Score, Slope, Victim};
pub use problem::{Attempt, Crowd, Plan, Problem};
pub use registry::{ATTACKS, AttackSpec, Extent, Knowledge, Run, find};
pub use rows::Rows;
