//! What the evaluation lamps look at: the course of an attack, and what is asked beside it.

mod logbook;
mod probes;
mod survey;
mod watch;

pub(super) use logbook::Logbook;
pub use probes::Scene;
pub use survey::look;
pub(super) use survey::survey;
pub use watch::{Told, probe, watch};

use crate::attack::{ImageBatch, TargetModel};
use crate::error::Result;
use crate::metrics::lamps::First;

/// What the first gradient of whoever was attacked looks like.
///
/// # Errors
/// Device failures.
pub(super) fn first(victim: &TargetModel<'_>) -> Result<Option<First>> {
    let Some((gradient, log2_scale)) = victim.first_gradient() else { return Ok(None) };
    Ok(Some(First::new(ImageBatch::from_tensor(gradient)?.row(0), *log2_scale)))
}
