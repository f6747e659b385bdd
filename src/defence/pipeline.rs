//! A defended model: stages before networks, rules that aggregate their logits, and perhaps a detector
//! that rejects.

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

/// A model with a stack of defences round it. An image passes the common stages, then each branch
/// (stages of its own, and a network); the branches' logits are aggregated per draw, then over draws.
pub struct Pipeline {
    /// The defences.
    pub stack: DefenceStack,
    /// The undefended model.
    pub base: Arc<Model>,
    /// The models that predict.
    pub models: Vec<Arc<Model>>,
    /// The stages before every network.
    pub(super) stages: Vec<PipelineStage>,
    /// The branches of the first view, then those of the second, and so on.
    pub(super) branches: Vec<Branch>,
    /// Number of views of an image: the first gives the prediction, the others are for the detector.
    pub(super) views: usize,
    /// Number of draws that are aggregated to one prediction.
    pub(super) inner: usize,
    /// How the branches of one draw are aggregated, and then the draws.
    pub(super) rules: [Aggregation; 2],
    /// The detector, if there is one.
    pub detector: Option<Detector>,
    pub(super) seed: u64,
}

/// A branch's network, and the draws that go through it.
pub(super) struct BranchDraws {
    pub branch: usize,
    pub network: Arc<Network>,
    pub draws: Vec<u64>,
}

/// An image at one draw in the common stages.
pub(super) struct SharedStages {
    pub rng_key: RngKey,
    /// The image before each common stage, and behind the last.
    pub common: Vec<Image>,
}

/// An image at one draw on its way to one network: the inputs of all stages.
pub(super) struct StageInputs {
    pub entry: Arc<SharedStages>,
    /// The image before each stage of the branch, and behind the last.
    pub own: Vec<Image>,
}

/// The logits of one image, `[branch][draw][class]`.
pub(super) type BranchLogits = Vec<Vec<Vec<f32>>>;

/// At most so many pixel values go through a network at once.
const VALUES: usize = 4_000_000;

impl Pipeline {
    /// Whether its logits are the logarithms of the shares of a vote.
    pub fn answers_in_shares(&self) -> bool {
        self.is_random() || self.rules.contains(&Aggregation::Vote)
    }

    /// Whether its prediction for the same image differs from one time to the next.
    pub fn is_random(&self) -> bool {
        self.inner > 1
            || self.stages.iter().any(|stage| stage.randomised)
            || self.branches.iter().any(Branch::is_random)
    }

    /// Whether a stage is not differentiable, so that an attack needs BPDA.
    pub fn is_broken(&self) -> bool {
        let own = self.branches.iter().flat_map(|branch| branch.stages.iter().map(Arc::as_ref));
        self.stages.iter().chain(own).any(|stage| stage.backward != BackwardRule::Exact)
    }

    /// Number of forward passes through a network that one prediction takes.
    pub fn passes(&self) -> u64 {
        (self.inner * self.branches.len()) as u64
    }

    /// The networks of these draws: a sampled branch has several.
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

    /// Runs images through the common stages, `[image][draw]`. The random numbers follow from the
    /// image, or from `frozen` where that is given.
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

    /// Sends them on down a leg: for each image, for each of its draws; `first` is the draw that
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

    /// A leg's logits, K for each image and draw.
    pub(super) fn logits(&self, leg: &BranchDraws, trails: &[StageInputs]) -> Result<Vec<f32>> {
        let mut out = Vec::new();
        for part in trails.chunks(self.at_once()) {
            out.extend(leg.network.logits_with(&self.tensor(part), &rng_keys(part))?);
        }
        Ok(out)
    }

    /// How many images go through a network at once.
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

    /// The logits of every image, `[image][branch][draw][class]`, a few draws at a time.
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

    /// The networks' logits by image, branch and draw.
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

    /// The aggregated logits of each view at each of these draws, `[view][draw][class]`.
    pub(super) fn joined(&self, members: &BranchLogits, draws: Range<usize>) -> Vec<Vec<Vec<f32>>> {
        let at = |branches: &[Vec<Vec<f32>>], draw: usize| {
            self.rules[0].join(&branches.iter().map(|rows| &rows[draw]).collect::<Vec<_>>())
        };
        let views = members.chunks(members.len() / self.views);
        views.map(|branches| draws.clone().map(|draw| at(branches, draw)).collect()).collect()
    }

    /// One prediction from the logits of these draws: logits, and whether the detector rejects.
    pub(super) fn answer(&self, members: &BranchLogits, draws: Range<usize>) -> (Vec<f32>, bool) {
        let views = self.joined(members, draws);
        let refused = self.detector.as_ref().is_some_and(|detector| detector.rejects(&views));
        (self.rules[1].join(&views[0]), refused)
    }

    /// The images of a tensor.
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

/// A number that tells an image from others: what a defence draws for an image does not depend on
/// the batch that it stands in.
pub(super) fn fingerprint(picture: &Image) -> u64 {
    picture.pixels().iter().fold(0, |hash, pixel| mix(hash, u64::from(pixel.to_bits())))
}
