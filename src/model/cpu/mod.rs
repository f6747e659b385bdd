//! The CPU engine: a network of final weights without an autodiff graph. Logits, input gradients,
//! weight gradients.
//!
//! Attacks spend their time in one thing: forward, and backward to the pixels; adversarial training
//! in the same, and backward to the weights. burn's CPU backend spends most of it around the matrix
//! products (layout, packing, clearing). Here maps lie channels last, a convolution reads them where
//! they lie, bias and ReLU are part of it, and the backward pass reads what the forward pass kept.
//!
//! Its logits are those of the same graph on burn, up to rounding (tests/core/cpu_engine.rs). A
//! network with an op that has no kernel here stays on burn: [`CpuNetwork::build`] says which.

mod affine;
mod conv;
mod depthwise;
mod kernel;
mod lower;
mod map;
mod network;
mod op;
mod pool;

pub(super) use affine::Affine;
pub(super) use conv::{Conv, Geometry, unclamp};
pub(super) use depthwise::Depthwise;
pub(super) use kernel::Clamp;
pub(super) use map::{CpuRun, Map};
pub(super) use network::CpuNetwork;
pub(super) use op::{Backward, CpuOp, Kept, Lower, OnCpu, Weights, numbers};
pub(super) use pool::Pool;
