//! A defended model: stages before networks, a rule that makes one answer of theirs, and perhaps a
//! guard that refuses to answer.

use crate::data::Picture;
use crate::defence::draft::{Draft, Shelf};
use crate::defence::pool::{self, Rule};
use crate::defence::registry::Passage;
use crate::defence::stack::Stack;
use crate::defence::transform::{Stage, travel};
use crate::draws::Chance;
use crate::error::{Error, Result};
use crate::model::{Classifier, Model, Network};
use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// A network of a pipeline, behind stages of its own.
pub struct Branch {
    /// What stands before this network alone.
    pub stages: Vec<Stage>,
    /// Where the network comes from.
    pub source: Source,
}

/// Where a branch's network comes from.
pub enum Source {
    /// It is always the same.
    Fixed(Arc<Network>),
    /// It is drawn anew for each answer.
    #[allow(dead_code, reason = "the Bayesian rows come next")]
    Sampled(Sampler),
}

/// Draws networks, and keeps them: an attacker has [`Sampler::KEPT`] of them, and so has the judge.
pub struct Sampler {
    make: Box<dyn Fn(Chance) -> Result<Network> + Send + Sync>,
    kept: Mutex<HashMap<(u64, u64), Arc<Network>>>,
}

impl Sampler {
    /// So many networks there are for the attacker, and as many others for the judge.
    pub const KEPT: u64 = 20;

    #[allow(dead_code, reason = "the Bayesian rows come next")]
    /// A sampler of the networks that `make` makes.
    pub fn new(make: impl Fn(Chance) -> Result<Network> + Send + Sync + 'static) -> Self {
        Self { make: Box::new(make), kept: Mutex::default() }
    }

    fn network(&self, seed: u64, stream: Stream, draw: u64) -> Result<Arc<Network>> {
        let (seed, draw) = (mix(seed, stream as u64), draw % Self::KEPT);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = kept.get(&(seed, draw)) {
            return Ok(ready.clone());
        }
        let made = Arc::new((self.make)(Chance { seed, draw })?);
        kept.insert((seed, draw), made.clone());
        Ok(made)
    }
}

/// Refuses to answer where the members of an answer look suspicious together.
pub struct Guard {
    /// Whether a refusal says that the picture is attacked; if not, that the answer is not sure.
    pub detects: bool,
    /// How suspicious it is: from each member's ln probabilities.
    pub score: fn(&[Vec<f64>]) -> f64,
    /// Above this it refuses.
    pub threshold: f64,
    /// How the threshold came about.
    pub basis: String,
}

/// Who draws: what an attack drew is never what the judge draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The attacker, who tries the defence at home.
    Attacker = 1,
    /// The judge.
    Judge = 2,
}

/// A stack of defences round a model.
pub struct Pipeline {
    /// The defences.
    pub stack: Stack,
    /// The undefended model.
    pub base: Arc<Model>,
    /// The networks that answer.
    pub models: Vec<Arc<Model>>,
    /// What stands before every network.
    pub(super) stages: Vec<Stage>,
    pub(super) branches: Vec<Branch>,
    /// Draws that make one answer together.
    pub(super) inner: usize,
    pub(super) rule: Rule,
    /// What refuses to answer, if anything does.
    pub guard: Option<Guard>,
    seed: u64,
}

/// The network of one branch, and the draws that go through it.
pub(super) struct Leg {
    pub branch: usize,
    pub network: Arc<Network>,
    pub draws: Vec<u64>,
}

/// What a picture was on its way to a network.
pub(super) struct Trail {
    pub chance: Chance,
    /// Before each common stage, and behind the last.
    pub common: Vec<Picture>,
    /// Before each stage of the branch, and behind the last.
    pub own: Vec<Picture>,
}

/// So many values at most go through a network at once.
const VALUES: usize = 4_000_000;

impl Pipeline {
    /// Builds the stack round `base`; all its randomness follows from `seed`.
    ///
    /// # Errors
    /// Usage, where a layer does not apply, saying why; failures of loading; device failures.
    pub fn build(
        stack: &Stack,
        base: Arc<Model>,
        seed: u64,
        shelf: &mut dyn Shelf,
    ) -> Result<Self> {
        let mut draft = Draft::new(base, shelf);
        for plan in stack.layers() {
            draft.row = plan.defence;
            (plan.defence.build)(&plan.settings, &mut draft)?;
        }
        draft.finish(stack.clone(), seed)
    }

    pub(super) fn new(
        stack: Stack,
        (base, models): (Arc<Model>, Vec<Arc<Model>>),
        (stages, branches): (Vec<Stage>, Vec<Branch>),
        (inner, rule): (usize, Rule),
        seed: u64,
    ) -> Self {
        Self { stack, base, models, stages, branches, inner, rule, guard: None, seed }
    }

    /// Whether it answers the same picture differently from one time to the next.
    pub fn is_random(&self) -> bool {
        self.inner > 1
            || self.stages.iter().any(|stage| stage.randomised)
            || self.branches.iter().any(Branch::is_random)
    }

    /// Whether a stage has no usable gradient, so that an attack has to go straight through.
    pub fn is_broken(&self) -> bool {
        let own = self.branches.iter().flat_map(|branch| &branch.stages);
        self.stages.iter().chain(own).any(|stage| stage.passage == Passage::StraightThrough)
    }

    /// How many passes through a network one answer takes.
    pub fn passes(&self) -> u64 {
        (self.inner * self.branches.len()) as u64
    }

    /// The legs of these answers, each of which takes `inner` draws.
    pub(super) fn legs(&self, stream: Stream, answers: Range<u64>) -> Result<Vec<Leg>> {
        let inner = self.inner as u64;
        let draws: Vec<u64> = (answers.start * inner..answers.end * inner).collect();
        let mut legs = Vec::new();
        for (branch, own) in self.branches.iter().enumerate() {
            match &own.source {
                Source::Fixed(network) => {
                    legs.push(Leg { branch, network: network.clone(), draws: draws.clone() });
                }
                Source::Sampled(sampler) => {
                    for draw in &draws {
                        let network = sampler.network(self.seed, stream, *draw)?;
                        legs.push(Leg { branch, network, draws: vec![*draw] });
                    }
                }
            }
        }
        Ok(legs)
    }

    /// Sends pictures down a leg: for each picture, for each draw, what it was on its way.
    pub(super) fn travel(
        &self,
        leg: &Leg,
        pictures: &[Picture],
        stream: Stream,
    ) -> Result<Vec<Trail>> {
        let rows: Vec<(&Picture, u64)> =
            pictures.iter().flat_map(|p| leg.draws.iter().map(move |draw| (p, *draw))).collect();
        let own = &self.branches[leg.branch].stages;
        let one = |(picture, draw): &(&Picture, u64)| {
            let seed = mix(mix(self.seed, stream as u64), fingerprint(picture));
            let chance = Chance { seed, draw: *draw };
            let common = travel(&self.stages, 0, picture, chance)?;
            let before = &common[self.stages.len()];
            let own = travel(own, self.first_stage(leg.branch), before, chance)?;
            Ok(Trail { chance, common, own })
        };
        rows.par_iter().map(one).collect()
    }

    /// The number of the first stage of a branch's own.
    pub(super) fn first_stage(&self, branch: usize) -> usize {
        self.stages.len() + 100 * branch
    }

    /// What stands before every network.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// What stands before every network, and before this branch's alone.
    pub(super) fn stages_of(&self, branch: usize) -> (&[Stage], &[Stage]) {
        (&self.stages, &self.branches[branch].stages)
    }

    /// A leg's logits, K for each picture and draw.
    pub(super) fn logits(&self, leg: &Leg, trails: &[Trail]) -> Result<Vec<f32>> {
        let mut out = Vec::new();
        for part in trails.chunks(self.at_once()) {
            out.extend(leg.network.logits_by(&self.tensor(part), &chances(part))?);
        }
        Ok(out)
    }

    /// How many pictures go through a network at once.
    pub(super) fn at_once(&self) -> usize {
        let values: usize = self.base.card.input.shape.iter().product();
        (VALUES / values.max(1)).max(1)
    }

    /// What reaches the network, `[rows, C, H, W]`.
    pub(super) fn tensor(&self, trails: &[Trail]) -> Tensor<4> {
        let [c, h, w] = self.base.card.input.shape;
        let mut pixels = Vec::with_capacity(trails.len() * c * h * w);
        for trail in trails {
            pixels.extend_from_slice(trail.own.last().map_or(&[][..], Picture::pixels));
        }
        let data = TensorData::new(pixels, [trails.len(), c, h, w]);
        Tensor::from_data(data, self.base.network.device())
    }

    /// Answers: for each of `answers` the members' logits of each picture, `[answer][picture][member]`.
    pub(super) fn members(
        &self,
        pictures: &[Picture],
        stream: Stream,
        answers: Range<u64>,
    ) -> Result<Vec<Vec<Vec<Vec<f32>>>>> {
        let (count, classes) = (answers.clone().count(), self.base.card.num_classes);
        let mut out = vec![vec![Vec::new(); pictures.len()]; count];
        for leg in self.legs(stream, answers.clone())? {
            let trails = self.travel(&leg, pictures, stream)?;
            let logits = self.logits(&leg, &trails)?;
            for (at, row) in logits.chunks(classes).enumerate() {
                let (picture, draw) = (at / leg.draws.len(), leg.draws[at % leg.draws.len()]);
                let answer = (draw / self.inner as u64 - answers.start) as usize;
                out[answer][picture].push(row.to_vec());
            }
        }
        Ok(out)
    }

    /// One answer from its members: logits, and whether the guard refuses it.
    pub(super) fn answer(&self, members: &[Vec<f32>]) -> (Vec<f32>, bool) {
        let rows: Vec<&[f32]> = members.iter().map(Vec::as_slice).collect();
        let refused = self.guard.as_ref().is_some_and(|guard| {
            let logs: Vec<Vec<f64>> = rows.iter().map(|row| pool::log_softmax(row)).collect();
            (guard.score)(&logs) > guard.threshold
        });
        let logits = match self.rule {
            Rule::First => rows.first().map_or_else(Vec::new, |row| row.to_vec()),
            Rule::Mean => pool::mean(&rows),
            Rule::Vote => {
                let labels: Vec<usize> = rows.iter().map(|row| pool::largest(row)).collect();
                pool::vote(&labels, &pool::mean(&rows))
            }
        };
        (logits, refused)
    }

    /// The pictures of a tensor.
    pub(super) fn pictures(&self, images: &Tensor<4>) -> Result<Vec<Picture>> {
        let [_, c, h, w] = images.dims();
        let values = images.clone().try_into_vec_as::<f32>().map_err(|e| Error::lost(&e))?;
        Ok(values.chunks(c * h * w).map(|pixels| Picture::new([c, h, w], pixels)).collect())
    }
}

impl Branch {
    fn is_random(&self) -> bool {
        let inside = match &self.source {
            Source::Fixed(network) => network.is_random(),
            Source::Sampled(_) => true,
        };
        inside || self.stages.iter().any(|stage| stage.randomised)
    }
}

/// The random numbers of each row.
pub(super) fn chances(trails: &[Trail]) -> Vec<Chance> {
    trails.iter().map(|trail| trail.chance).collect()
}

/// Two numbers as one (splitmix64's finaliser).
fn mix(a: u64, b: u64) -> u64 {
    let mut z = a.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(b);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A number that tells a picture from others: what a defence draws for a picture does not depend on
/// the batch that it stands in.
fn fingerprint(picture: &Picture) -> u64 {
    picture.pixels().iter().fold(0, |hash, pixel| mix(hash, u64::from(pixel.to_bits())))
}
