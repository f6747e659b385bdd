//! A defended model: stages before networks, a rule that makes one answer of theirs, and perhaps a
//! guard that refuses to answer.

use crate::data::Image;
use crate::defence::aggregation::Aggregation;
use crate::defence::branch::{Branch, NetworkSource, RngStream, Sampler, mix};
use crate::defence::detector::Detector;
use crate::defence::stack::DefenceStack;
use crate::defence::transform::{BackwardRule, PipelineStage, forward};
use crate::error::{Error, Result};
use crate::model::{Classifier, Model, Network};
use crate::rng::RngKey;
use burn_tensor::{Tensor, TensorData};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// A stack of defences round a model.
pub struct Pipeline {
    /// The defences.
    pub stack: DefenceStack,
    /// The undefended model.
    pub base: Arc<Model>,
    /// The networks that answer.
    pub models: Vec<Arc<Model>>,
    /// What stands before every network.
    pub(super) stages: Vec<PipelineStage>,
    /// The networks: those that see the first view, then those that see the second, and so on.
    pub(super) branches: Vec<Branch>,
    /// So many views of a picture there are; the first one is answered, the others guard it.
    pub(super) views: usize,
    /// Draws that make one answer together.
    pub(super) inner: usize,
    /// How the networks of one draw become one answer, and then the draws.
    pub(super) rules: [Aggregation; 2],
    /// What refuses to answer, if anything does.
    pub detector: Option<Detector>,
    pub(super) seed: u64,
}

/// One network, and the draws that go through it.
pub(super) struct BranchDraws {
    pub branch: usize,
    pub network: Arc<Network>,
    pub draws: Vec<u64>,
}

/// A picture at one draw, on its way to the networks.
pub(super) struct SharedStages {
    pub rng_key: RngKey,
    /// What it was before each common stage, and behind the last.
    pub common: Vec<Image>,
}

/// What a picture was on its way to one network.
pub(super) struct StageInputs {
    pub entry: Arc<SharedStages>,
    /// Before each stage of the branch, and behind the last.
    pub own: Vec<Image>,
}

/// The networks' logits of one picture, `[branch][draw]`.
pub(super) type BranchLogits = Vec<Vec<Vec<f32>>>;

/// So many values at most go through a network at once.
const VALUES: usize = 4_000_000;

impl Pipeline {
    /// Whether its answers are logarithms of the shares of a vote, not logits.
    pub fn answers_in_shares(&self) -> bool {
        self.is_random() || self.rules.contains(&Aggregation::Vote)
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
        self.stages.iter().chain(own).any(|stage| stage.backward != BackwardRule::Exact)
    }

    /// How many passes through a network one answer takes.
    pub fn passes(&self) -> u64 {
        (self.inner * self.branches.len()) as u64
    }

    /// The legs of these draws.
    pub(super) fn branch_draws(
        &self,
        stream: RngStream,
        draws: Range<u64>,
    ) -> Result<Vec<BranchDraws>> {
        let mut branch_draws = Vec::new();
        for (branch, own) in self.branches.iter().enumerate() {
            match &own.source {
                NetworkSource::Fixed(network) => {
                    let (network, draws) = (network.clone(), draws.clone().collect());
                    branch_draws.push(BranchDraws { branch, network, draws });
                }
                NetworkSource::Sampled(sampler) => {
                    for number in 0..Sampler::MANY {
                        let meets = |draw: &u64| Sampler::number(*draw) == number;
                        let draws: Vec<u64> = draws.clone().filter(meets).collect();
                        if !draws.is_empty() {
                            let network = sampler.network(self.seed, stream, number)?;
                            branch_draws.push(BranchDraws { branch, network, draws });
                        }
                    }
                }
            }
        }
        Ok(branch_draws)
    }

    /// Sends pictures through the common stages: for each picture, for each draw. What is drawn
    /// follows from the picture, or from `frozen` where that is given.
    pub(super) fn run_shared_stages(
        &self,
        pictures: &[Image],
        (stream, frozen): (RngStream, Option<u64>),
        draws: Range<u64>,
    ) -> Result<Vec<Vec<Arc<SharedStages>>>> {
        let one = |(picture, draw): (&Image, u64)| {
            let key = frozen.unwrap_or_else(|| fingerprint(picture));
            let rng_key = stream.rng_key(mix(self.seed, key), draw);
            let common = forward(&self.stages, 0, picture, rng_key)?;
            Ok(Arc::new(SharedStages { rng_key, common }))
        };
        let all =
            |picture| draws.clone().into_par_iter().map(|draw| one((picture, draw))).collect();
        pictures.par_iter().map(all).collect()
    }

    /// Sends them on down a leg: for each picture, for each of its draws; `first` is the draw that
    /// the entries begin with.
    pub(super) fn forward(
        &self,
        leg: &BranchDraws,
        entries: &[Vec<Arc<SharedStages>>],
        first: u64,
    ) -> Result<Vec<StageInputs>> {
        let of = |draws: &Vec<Arc<SharedStages>>| -> Vec<Arc<SharedStages>> {
            leg.draws.iter().map(|draw| draws[(draw - first) as usize].clone()).collect()
        };
        let stages = &self.branches[leg.branch].stages;
        let one = |entry: Arc<SharedStages>| {
            let before = &entry.common[self.stages.len()];
            let own = forward(stages, self.first_stage(leg.branch), before, entry.rng_key)?;
            Ok(StageInputs { entry, own })
        };
        entries.iter().flat_map(of).collect::<Vec<_>>().into_par_iter().map(one).collect()
    }

    /// The number of the first stage of a branch's own.
    pub(super) fn first_stage(&self, branch: usize) -> usize {
        self.stages.len() + 100 * branch
    }

    /// What stands before every network.
    pub fn stages(&self) -> &[PipelineStage] {
        &self.stages
    }

    /// A leg's logits, K for each picture and draw.
    pub(super) fn logits(&self, leg: &BranchDraws, trails: &[StageInputs]) -> Result<Vec<f32>> {
        let mut out = Vec::new();
        for part in trails.chunks(self.at_once()) {
            out.extend(leg.network.logits_with(&self.tensor(part), &rng_keys(part))?);
        }
        Ok(out)
    }

    /// How many pictures go through a network at once.
    pub(super) fn at_once(&self) -> usize {
        let values: usize = self.base.card.input.shape.iter().product();
        (VALUES / values.max(1)).max(1)
    }

    /// What reaches the network, `[rows, C, H, W]`.
    pub(super) fn tensor(&self, trails: &[StageInputs]) -> Tensor<4> {
        let [c, h, w] = self.base.card.input.shape;
        let mut pixels = Vec::with_capacity(trails.len() * c * h * w);
        for trail in trails {
            pixels.extend_from_slice(trail.own.last().map_or(&[][..], Image::pixels));
        }
        let data = TensorData::new(pixels, [trails.len(), c, h, w]);
        Tensor::from_data(data, self.base.network.device())
    }

    /// What every network says to every picture at every draw, a few draws at a time.
    pub(super) fn members(
        &self,
        pictures: &[Image],
        (stream, frozen): (RngStream, Option<u64>),
        draws: Range<u64>,
    ) -> Result<Vec<BranchLogits>> {
        let mut out = vec![vec![Vec::new(); self.branches.len()]; pictures.len()];
        let few = (self.at_once() / pictures.len().max(1)).max(1);
        for first in draws.clone().step_by(few) {
            let part = first..(first + few as u64).min(draws.end);
            let entries = self.run_shared_stages(pictures, (stream, frozen), part.clone())?;
            let branch_draws = self.branch_draws(stream, part.clone())?;
            let logits = |leg| self.logits(leg, &self.forward(leg, &entries, first)?);
            let logits = branch_draws.iter().map(logits).collect::<Result<Vec<_>>>()?;
            for (out, part) in
                out.iter_mut().zip(self.sort(&branch_draws, &logits, part, pictures.len()))
            {
                out.iter_mut().zip(part).for_each(|(out, mut rows)| out.append(&mut rows));
            }
        }
        Ok(out)
    }

    /// The legs' logits by picture, branch and draw.
    pub(super) fn sort(
        &self,
        branch_draws: &[BranchDraws],
        logits: &[Vec<f32>],
        draws: Range<u64>,
        pictures: usize,
    ) -> Vec<BranchLogits> {
        let each = (draws.end - draws.start) as usize;
        let mut out = vec![vec![vec![Vec::new(); each]; self.branches.len()]; pictures];
        for (leg, logits) in branch_draws.iter().zip(logits) {
            let rows = logits.chunks(self.base.card.num_classes);
            for (at, row) in rows.enumerate() {
                let (picture, draw) = (at / leg.draws.len(), leg.draws[at % leg.draws.len()]);
                out[picture][leg.branch][(draw - draws.start) as usize] = row.to_vec();
            }
        }
        out
    }

    /// What one view's networks say together at each of these draws, `[view][draw]`.
    pub(super) fn joined(&self, members: &BranchLogits, draws: Range<usize>) -> Vec<Vec<Vec<f32>>> {
        let at = |branches: &[Vec<Vec<f32>>], draw: usize| {
            self.rules[0].join(&branches.iter().map(|rows| &rows[draw]).collect::<Vec<_>>())
        };
        let views = members.chunks(members.len() / self.views);
        views.map(|branches| draws.clone().map(|draw| at(branches, draw)).collect()).collect()
    }

    /// One answer from what the networks say at these draws: logits, and whether the guard refuses
    /// it.
    pub(super) fn answer(&self, members: &BranchLogits, draws: Range<usize>) -> (Vec<f32>, bool) {
        let views = self.joined(members, draws);
        let refused = self.detector.as_ref().is_some_and(|detector| detector.rejects(&views));
        (self.rules[1].join(&views[0]), refused)
    }

    /// The pictures of a tensor.
    pub(super) fn pictures(&self, images: &Tensor<4>) -> Result<Vec<Image>> {
        let [_, c, h, w] = images.dims();
        let values = images.clone().try_into_vec_as::<f32>().map_err(|e| Error::lost(&e))?;
        Ok(values.chunks(c * h * w).map(|pixels| Image::new([c, h, w], pixels)).collect())
    }
}

/// The random numbers of each row.
pub(super) fn rng_keys(trails: &[StageInputs]) -> Vec<RngKey> {
    trails.iter().map(|trail| trail.entry.rng_key).collect()
}

/// A number that tells a picture from others: what a defence draws for a picture does not depend on
/// the batch that it stands in.
pub(super) fn fingerprint(picture: &Image) -> u64 {
    picture.pixels().iter().fold(0, |hash, pixel| mix(hash, u64::from(pixel.to_bits())))
}
