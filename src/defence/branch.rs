//! The networks of a pipeline: where each comes from, and what random numbers it meets.

use crate::defence::transform::PipelineStage;
use crate::error::Result;
use crate::model::Network;
use crate::rng::RngKey;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// A network of a pipeline, behind stages of its own.
pub struct Branch {
    /// What stands before this network alone.
    pub stages: Vec<Arc<PipelineStage>>,
    /// Where the network comes from.
    pub source: NetworkSource,
}

/// Where a branch's network comes from.
#[derive(Clone)]
pub enum NetworkSource {
    /// It is always the same.
    Fixed(Arc<Network>),
    /// It is drawn anew for each answer.
    Sampled(Arc<Sampler>),
}

/// Who the random numbers are for: what an attack meets is never what the judge meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RngStream {
    /// The attacker, who queries a copy of the defence.
    Attacker = 1,
    /// The judge.
    Judge = 2,
}

impl RngStream {
    /// The key of a draw of this stream.
    pub fn rng_key(self, seed: u64, draw: u64) -> RngKey {
        RngKey { seed: mix(seed, self as u64), draw }
    }
}

impl Branch {
    /// Whether its logits differ from one draw to the next.
    pub(super) fn is_random(&self) -> bool {
        let inside = match &self.source {
            NetworkSource::Fixed(network) => network.is_random(),
            NetworkSource::Sampled(_) => true,
        };
        inside || self.stages.iter().any(|stage| stage.randomised)
    }
}

/// Samples networks from a distribution of weights: an attacker meets [`Sampler::MANY`] of them, and
/// the judge as many others. Those sampled last are kept.
pub struct Sampler {
    make: Box<dyn Fn(RngKey) -> Result<Network> + Send + Sync>,
    /// So many are kept.
    room: usize,
    kept: Mutex<VecDeque<(RngKey, Arc<Network>)>>,
}

/// So many weights may be kept in all.
const WEIGHTS: usize = 60_000_000;

impl Sampler {
    /// So many networks there are for the attacker, and as many others for the judge.
    pub const MANY: u64 = 20;

    /// A sampler of the networks of so many weights that `make` makes.
    pub fn new(
        weights: usize,
        make: impl Fn(RngKey) -> Result<Network> + Send + Sync + 'static,
    ) -> Self {
        let room = (WEIGHTS / weights.max(1)).clamp(1, 2 * Self::MANY as usize);
        Self { make: Box::new(make), room, kept: Mutex::default() }
    }

    /// Which of the networks a draw meets.
    pub fn number(draw: u64) -> u64 {
        draw % Self::MANY
    }

    /// A network by its number.
    ///
    /// # Errors
    /// Device failures.
    pub fn network(&self, seed: u64, stream: RngStream, number: u64) -> Result<Arc<Network>> {
        let rng_key = stream.rng_key(seed, number);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, ready)) = kept.iter().find(|(of, _)| *of == rng_key) {
            return Ok(ready.clone());
        }
        let made = Arc::new((self.make)(rng_key)?);
        if kept.len() == self.room {
            kept.pop_front();
        }
        kept.push_back((rng_key, made.clone()));
        Ok(made)
    }
}

/// Two numbers as one (splitmix64's finaliser).
pub(super) fn mix(a: u64, b: u64) -> u64 {
    let mut z = a.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(b);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
