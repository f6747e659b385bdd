//! The attacks: one file a family. What they share (oracles, budgets, keeping the best, reporting)
//! lives one level up; [`crate::attack::ATTACKS`] lists them.

pub(super) mod apgd;
mod apgd_walk;
mod ascent;
pub(super) mod autoattack;
pub(super) mod bandits;
pub(super) mod baselines;
pub(super) mod boundary;
pub(super) mod colour;
pub(super) mod deepfool;
pub(super) mod descent;
pub(super) mod estimate;
mod expectation;
pub(super) mod fab;
mod fab_projection;
pub(super) mod fading;
pub(super) mod geoda;
pub(super) mod hopskipjump;
mod lesson;
mod linear;
pub(super) mod onepixel;
pub(super) mod patch;
mod placing;
mod sampler;
pub(super) mod signopt;
pub(super) mod simba;
pub(super) mod spatial;
pub(super) mod spatial_gradient;
pub(super) mod square;
pub(super) mod stadv;
mod standing;
mod start;
mod sweep;
pub(super) mod uap;
mod walk;
mod windows;
