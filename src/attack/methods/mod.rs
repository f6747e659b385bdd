//! The attacks, a module for each family. Each module says how the attack works and in what it differs
//! from the paper or the authors' code; its constants are the rows of [`ATTACKS`](super::ATTACKS).
//!
//! | knowledge | within ε | minimum norm | bounded by its own parameters |
//! |---|---|---|---|
//! | gradients (white box) | [`fgsm`], [`pgd`], [`mi_fgsm`], [`apgd`], [`autoattack`], [`uap`] | [`deepfool`], [`newtonfool`], [`fab`], [`cw`], [`ead`], [`ddn`], [`fmn`], [`jsma`], [`sparsefool`], [`sigma_zero`] | [`patch`], [`spatial_gradient`], [`stadv`] |
//! | logits (black box) | [`square`], [`finite_differences`], [`simba`], [`bandits`], [`onepixel`], [`baselines`] | | [`spatial`], [`colour`] |
//! | labels (black box) | | [`boundary`], [`hopskipjump`], [`geoda`], [`signopt`], [`interpolation`], [`baselines`] | |

mod adam;
pub mod apgd;
mod apgd_state;
pub mod autoattack;
pub mod bandits;
pub mod baselines;
mod bilinear;
pub mod boundary;
mod boundary_search;
pub mod colour;
pub mod cw;
mod cw_penalty;
pub mod ddn;
pub mod deepfool;
pub mod ead;
mod eot;
pub mod fab;
mod fab_projection;
pub mod fgsm;
pub mod finite_differences;
pub mod fmn;
pub mod geoda;
mod gradient_steps;
mod grid_search;
pub mod hopskipjump;
mod initial_point;
mod input_diversity;
pub mod interpolation;
pub mod jsma;
mod linearised_boundary;
pub mod mi_fgsm;
mod momentum;
pub mod newtonfool;
pub mod onepixel;
pub mod patch;
mod patch_placement;
pub mod pgd;
mod random_search;
mod saliency;
pub mod sigma_zero;
pub mod signopt;
pub mod simba;
pub mod sparsefool;
pub mod spatial;
pub mod spatial_gradient;
pub mod square;
mod square_proposals;
pub mod stadv;
pub mod uap;
mod universal;
