//! A defended model: stages before networks, a rule that makes one answer of theirs, and perhaps a
//! guard that refuses to answer.

use crate::data::Picture;
use crate::defence::bayes::Sampler;
use crate::defence::detection::Guard;
use crate::defence::draft::{Draft, Shelf};
use crate::defence::pool::Rule;
use crate::defence::registry::Passage;
use crate::defence::stack::Stack;
use crate::defence::transform::{Stage, travel};
use crate::draws::Chance;
use crate::error::{Error, Result};
use crate::model::{Classifier, Model, Network};
use burn_tensor::{Tensor, TensorData};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// A network of a pipeline, behind stages of its own.
pub struct Branch {
    /// What stands before this network alone.
    pub stages: Vec<Arc<Stage>>,
    /// Where the network comes from.
    pub source: Source,
}

/// Where a branch's network comes from.
#[derive(Clone)]
pub enum Source {
    /// It is always the same.
    Fixed(Arc<Network>),
    /// It is drawn anew for each answer.
    Sampled(Arc<Sampler>),
}

/// Who draws: what an attack drew is never what the judge draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The attacker, who tries the defence at home.
    Attacker = 1,
    /// The judge.
    Judge = 2,
}

impl Stream {
    /// What a draw of this stream draws from.
    pub fn chance(self, seed: u64, draw: u64) -> Chance {
        Chance { seed: mix(seed, self as u64), draw }
    }
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
    /// The networks: those that see the first view, then those that see the second, and so on.
    pub(super) branches: Vec<Branch>,
    /// So many views of a picture there are; the first one is answered, the others guard it.
    pub(super) views: usize,
    /// Draws that make one answer together.
    pub(super) inner: usize,
    /// How the networks of one draw become one answer, and then the draws.
    pub(super) rules: [Rule; 2],
    /// What refuses to answer, if anything does.
    pub guard: Option<Guard>,
    pub(super) seed: u64,
}

/// One network, and the draws that go through it.
pub(super) struct Leg {
    pub branch: usize,
    pub network: Arc<Network>,
    pub draws: Vec<u64>,
}

/// A picture at one draw, on its way to the networks.
pub(super) struct Entry {
    pub chance: Chance,
    /// What it was before each common stage, and behind the last.
    pub common: Vec<Picture>,
}

/// What a picture was on its way to one network.
pub(super) struct Trail {
    pub entry: Arc<Entry>,
    /// Before each stage of the branch, and behind the last.
    pub own: Vec<Picture>,
}

/// The networks' logits of one picture, `[branch][draw]`.
pub(super) type Members = Vec<Vec<Vec<f32>>>;

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
            draft.lay(plan)?;
        }
        draft.finish(stack.clone(), seed)
    }

    /// Whether its answers are logarithms of the shares of a vote, not logits.
    pub fn answers_in_shares(&self) -> bool {
        self.is_random() || self.rules.contains(&Rule::Vote)
    }

    /// Whether it answers the same picture differently from one time to the next.
    pub fn is_random(&self) -> bool {
        self.inner > 1
            || self.stages.iter().any(|stage| stage.randomised)
            || self.branches.iter().any(Branch::is_random)
    }

    /// Whether a stage has no usable gradient, so that an attack has to go straight through.
    pub fn is_broken(&self) -> bool {
        let own = self.branches.iter().flat_map(|branch| branch.stages.iter().map(Arc::as_ref));
        self.stages.iter().chain(own).any(|stage| stage.passage == Passage::StraightThrough)
    }

    /// How many passes through a network one answer takes.
    pub fn passes(&self) -> u64 {
        (self.inner * self.branches.len()) as u64
    }

    /// The legs of these draws.
    pub(super) fn legs(&self, stream: Stream, draws: Range<u64>) -> Result<Vec<Leg>> {
        let mut legs = Vec::new();
        for (branch, own) in self.branches.iter().enumerate() {
            match &own.source {
                Source::Fixed(network) => {
                    let (network, draws) = (network.clone(), draws.clone().collect());
                    legs.push(Leg { branch, network, draws });
                }
                Source::Sampled(sampler) => {
                    for number in 0..Sampler::MANY {
                        let meets = |draw: &u64| Sampler::number(*draw) == number;
                        let draws: Vec<u64> = draws.clone().filter(meets).collect();
                        if !draws.is_empty() {
                            let network = sampler.network(self.seed, stream, number)?;
                            legs.push(Leg { branch, network, draws });
                        }
                    }
                }
            }
        }
        Ok(legs)
    }

    /// Sends pictures through the common stages: for each picture, for each draw. What is drawn
    /// follows from the picture, or from `frozen` where that is given.
    pub(super) fn enter(
        &self,
        pictures: &[Picture],
        (stream, frozen): (Stream, Option<u64>),
        draws: Range<u64>,
    ) -> Result<Vec<Vec<Arc<Entry>>>> {
        let one = |(picture, draw): (&Picture, u64)| {
            let key = frozen.unwrap_or_else(|| fingerprint(picture));
            let chance = stream.chance(mix(self.seed, key), draw);
            let common = travel(&self.stages, 0, picture, chance)?;
            Ok(Arc::new(Entry { chance, common }))
        };
        let all =
            |picture| draws.clone().into_par_iter().map(|draw| one((picture, draw))).collect();
        pictures.par_iter().map(all).collect()
    }

    /// Sends them on down a leg: for each picture, for each of its draws; `first` is the draw that
    /// the entries begin with.
    pub(super) fn travel(
        &self,
        leg: &Leg,
        entries: &[Vec<Arc<Entry>>],
        first: u64,
    ) -> Result<Vec<Trail>> {
        let of = |draws: &Vec<Arc<Entry>>| -> Vec<Arc<Entry>> {
            leg.draws.iter().map(|draw| draws[(draw - first) as usize].clone()).collect()
        };
        let stages = &self.branches[leg.branch].stages;
        let one = |entry: Arc<Entry>| {
            let before = &entry.common[self.stages.len()];
            let own = travel(stages, self.first_stage(leg.branch), before, entry.chance)?;
            Ok(Trail { entry, own })
        };
        entries.iter().flat_map(of).collect::<Vec<_>>().into_par_iter().map(one).collect()
    }

    /// The number of the first stage of a branch's own.
    pub(super) fn first_stage(&self, branch: usize) -> usize {
        self.stages.len() + 100 * branch
    }

    /// What stands before every network.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
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

    /// What every network says to every picture at every draw, a few draws at a time.
    pub(super) fn members(
        &self,
        pictures: &[Picture],
        (stream, frozen): (Stream, Option<u64>),
        draws: Range<u64>,
    ) -> Result<Vec<Members>> {
        let mut out = vec![vec![Vec::new(); self.branches.len()]; pictures.len()];
        let few = (self.at_once() / pictures.len().max(1)).max(1);
        for first in draws.clone().step_by(few) {
            let part = first..(first + few as u64).min(draws.end);
            let entries = self.enter(pictures, (stream, frozen), part.clone())?;
            let legs = self.legs(stream, part.clone())?;
            let logits = |leg| self.logits(leg, &self.travel(leg, &entries, first)?);
            let logits = legs.iter().map(logits).collect::<Result<Vec<_>>>()?;
            for (out, part) in out.iter_mut().zip(self.sort(&legs, &logits, part, pictures.len())) {
                out.iter_mut().zip(part).for_each(|(out, mut rows)| out.append(&mut rows));
            }
        }
        Ok(out)
    }

    /// The legs' logits by picture, branch and draw.
    pub(super) fn sort(
        &self,
        legs: &[Leg],
        logits: &[Vec<f32>],
        draws: Range<u64>,
        pictures: usize,
    ) -> Vec<Members> {
        let each = (draws.end - draws.start) as usize;
        let mut out = vec![vec![vec![Vec::new(); each]; self.branches.len()]; pictures];
        for (leg, logits) in legs.iter().zip(logits) {
            let rows = logits.chunks(self.base.card.num_classes);
            for (at, row) in rows.enumerate() {
                let (picture, draw) = (at / leg.draws.len(), leg.draws[at % leg.draws.len()]);
                out[picture][leg.branch][(draw - draws.start) as usize] = row.to_vec();
            }
        }
        out
    }

    /// What one view's networks say together at each of these draws, `[view][draw]`.
    pub(super) fn joined(&self, members: &Members, draws: Range<usize>) -> Vec<Vec<Vec<f32>>> {
        let at = |branches: &[Vec<Vec<f32>>], draw: usize| {
            self.rules[0].join(&branches.iter().map(|rows| &rows[draw]).collect::<Vec<_>>())
        };
        let views = members.chunks(members.len() / self.views);
        views.map(|branches| draws.clone().map(|draw| at(branches, draw)).collect()).collect()
    }

    /// One answer from what the networks say at these draws: logits, and whether the guard refuses
    /// it.
    pub(super) fn answer(&self, members: &Members, draws: Range<usize>) -> (Vec<f32>, bool) {
        let views = self.joined(members, draws);
        let refused = self.guard.as_ref().is_some_and(|guard| guard.refuses(&views));
        (self.rules[1].join(&views[0]), refused)
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
    trails.iter().map(|trail| trail.entry.chance).collect()
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
pub(super) fn fingerprint(picture: &Picture) -> u64 {
    picture.pixels().iter().fold(0, |hash, pixel| mix(hash, u64::from(pixel.to_bits())))
}
