//! A pipeline as an attacker sees it, and its predictions when robustness is measured.

use crate::data::Image;
use crate::defence::aggregation::{self, Aggregation};
use crate::defence::branch::RngStream;
use crate::defence::pipeline::{
    BranchDraws, BranchLogits, Pipeline, StageInputs, fingerprint, rng_keys,
};
use crate::defence::stance::Stance;
use crate::defence::transform::backward;
use crate::error::{Error, Result};
use crate::model::{Classifier, ModelOutput, argmax};
use burn_tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

/// One prediction: the logits `[K]`, and whether the detector rejects.
pub type Prediction = (Vec<f32>, bool);

/// Predictions that vote when the robustness of a randomised defence is measured, at least.
pub const JUDGE_VOTES: u64 = 20;
/// Draws that EOT averages over, unless told otherwise.
pub const EOT_DRAWS: u64 = 10;

impl Pipeline {
    /// The pipeline as it is seen under a stance; EOT averages over so many draws.
    pub fn attacker_view(&self, stance: Stance, draws: u64) -> AttackerView<'_> {
        AttackerView { pipeline: self, stance, draws: draws.max(1), frozen: None }
    }

    /// The stances that differ from each other for this pipeline, least knowledge first.
    pub fn stances(&self) -> Vec<Stance> {
        let distilled = |m: &std::sync::Arc<crate::model::Model>| {
            m.card.defence.as_deref() == Some("distilled")
        };
        let (broken, random) = (self.is_broken(), self.is_random());
        let distilled = self.models.iter().any(distilled);
        let differs = |stance: &Stance| match stance {
            Stance::Naive | Stance::Adaptive => true,
            Stance::Gradient => broken || random || distilled,
            Stance::Bpda | Stance::Eot => broken && random,
        };
        Stance::ALL.into_iter().filter(differs).collect()
    }

    /// Number of predictions that vote when robustness is measured.
    pub fn votes(&self) -> u64 {
        match self.is_random() {
            true => (JUDGE_VOTES / self.inner as u64).max(1),
            false => 1,
        }
    }

    /// The predictions that vote, `[image][vote]`, with random numbers that no attack has met.
    ///
    /// # Errors
    /// Those of the stages; device failures.
    pub fn judge_predictions(&self, pictures: &[Image]) -> Result<Vec<Vec<Prediction>>> {
        let members =
            self.members(pictures, (RngStream::Judge, None), 0..self.votes() * self.inner as u64)?;
        let of = |members: &BranchLogits| {
            let answer = |vote| self.answer(members, vote * self.inner..(vote + 1) * self.inner);
            (0..self.votes() as usize).map(answer).collect()
        };
        Ok(members.iter().map(of).collect())
    }

    /// Aggregates [`Self::judge_predictions`] of one image: the logarithms of the shares of the votes,
    /// and a rejection where more than half of them are rejected. A single prediction stands as it is.
    pub fn aggregate(&self, answers: &[Prediction]) -> Prediction {
        if let [one] = answers {
            return one.clone();
        }
        let refused = answers.iter().filter(|(_, refused)| *refused).count();
        let refused = 2 * refused > answers.len();
        let given = answers.iter().filter(|(_, no)| refused || !*no);
        let rows: Vec<&[f32]> = given.map(|(row, _)| row.as_slice()).collect();
        (aggregation::majority_vote(&rows), refused)
    }

    /// One prediction for one image, as it is given in use.
    ///
    /// # Errors
    /// Those of the stages; device failures.
    pub fn predict_once(&self, picture: &Image) -> Result<Prediction> {
        let picture = std::slice::from_ref(picture);
        let members = self.members(picture, (RngStream::Judge, None), 0..self.inner as u64)?;
        Ok(self.answer(&members[0], 0..self.inner))
    }

    /// Whether an attack under this stance averages over draws.
    pub fn averages(&self, stance: Stance) -> bool {
        stance.averages() && self.is_random()
    }
}

/// What every network says at every draw: what the attacker takes the mean of. Views that only guard
/// the answer are among them, since who wants to pass has to carry all of them along.
fn rows(members: &BranchLogits) -> Vec<&[f32]> {
    members.iter().flatten().map(Vec::as_slice).collect()
}

/// A pipeline as an attacker of some [`Stance`] sees it: its logits and gradients are those that the
/// attack uses (the mean over draws for EOT, straight-through gradients for BPDA).
pub struct AttackerView<'a> {
    pipeline: &'a Pipeline,
    stance: Stance,
    draws: u64,
    frozen: Option<u64>,
}

impl AttackerView<'_> {
    /// The same with fixed random numbers where an image is given: every image meets those of that one,
    /// so that predictions for two images differ by the images alone.
    pub fn with_fixed_randomness(self, like: Option<&Image>) -> Self {
        Self { frozen: like.map(fingerprint), ..self }
    }

    /// Number of draws the attacker averages over: as many as it was told to, however many the defence
    /// takes for one prediction.
    fn draws(&self) -> u64 {
        match self.pipeline.averages(self.stance) {
            true => self.draws,
            false => 1,
        }
    }

    /// The vector-Jacobian product of one network: adds the gradient of the images to `sum`.
    fn vjp(
        &self,
        leg: &BranchDraws,
        trails: &[StageInputs],
        slopes: &[f32],
        sum: &mut [Vec<f32>],
    ) -> Result<()> {
        let (classes, at_once) = (self.classes(), self.pipeline.at_once());
        let parts = trails.chunks(at_once).zip(slopes.chunks(at_once * classes)).enumerate();
        for (part, (trails, slopes)) in parts {
            let tensor = self.pipeline.tensor(trails);
            let mut logit_gradient = |_: &[f32]| slopes.to_vec();
            let (_, gradient) =
                leg.network.input_gradient_with(&tensor, &rng_keys(trails), &mut logit_gradient)?;
            self.gather(leg, trails, gradient, part * at_once, sum)?;
        }
        Ok(())
    }

    /// Carries a network's input gradients back through the stages, onto the images.
    fn gather(
        &self,
        leg: &BranchDraws,
        trails: &[StageInputs],
        gradient: Tensor<4>,
        first: usize,
        sum: &mut [Vec<f32>],
    ) -> Result<()> {
        let values = gradient.try_into_vec_as::<f32>().map_err(|e| Error::lost(&e))?;
        let size: usize = self.input_shape().iter().product();
        let (common, own) = (&self.pipeline.stages, &self.pipeline.branches[leg.branch].stages);
        let number = self.pipeline.first_stage(leg.branch);
        let through = self.stance.through();
        let one = |(trail, row): (&StageInputs, &[f32])| {
            let how = (trail.entry.rng_key, through);
            let row = backward(own, number, &trail.own, row.to_vec(), how)?;
            backward(common, 0, &trail.entry.common, row, how)
        };
        let rows: Vec<Vec<f32>> =
            trails.par_iter().zip(values.par_chunks(size)).map(one).collect::<Result<_>>()?;
        for (at, row) in rows.iter().enumerate() {
            let picture = &mut sum[(first + at) / leg.draws.len()];
            picture.iter_mut().zip(row).for_each(|(sum, g)| *sum += g);
        }
        Ok(())
    }

    /// What the attacker makes of every network's answers at every draw.
    fn told(&self, members: &[BranchLogits]) -> ModelOutput {
        let logits = members.iter().flat_map(|members| aggregation::mean(&rows(members))).collect();
        let detects = self.pipeline.detector.as_ref().is_some_and(|detector| detector.detects);
        if !detects && self.pipeline.rules[0] != Aggregation::Vote {
            return ModelOutput { logits, rejected: Vec::new() };
        }
        let other = |(members, shown): (&BranchLogits, &[f32])| {
            let (row, refused) = self.pipeline.answer(members, 0..self.draws() as usize);
            detects && refused || argmax(&row) != argmax(shown)
        };
        let rejected = members.iter().zip(logits.chunks(self.classes())).map(other).collect();
        ModelOutput { rejected, logits }
    }

    /// From every leg's logits of `n` images to every leg's slopes, through what the attacker makes
    /// of all of them, which is `shown`.
    fn turn(
        &self,
        branch_draws: &[BranchDraws],
        logits: &[Vec<f32>],
        logit_gradient: &mut dyn FnMut(&[f32]) -> Vec<f32>,
        shown: &mut ModelOutput,
    ) -> Vec<Vec<f32>> {
        let (classes, draws) = (self.classes(), self.draws());
        let n = logits[0].len() / (branch_draws[0].draws.len() * classes);
        let members = self.pipeline.sort(branch_draws, logits, 0..draws, n);
        *shown = self.told(&members);
        let slopes = logit_gradient(&shown.logits);
        let mut out = vec![Vec::new(); branch_draws.len()];
        for (members, slope) in members.iter().zip(slopes.chunks(classes)) {
            let rows = aggregation::mean_vjp(&rows(members), slope);
            for (leg, out) in branch_draws.iter().zip(&mut out) {
                let of = |draw: &u64| &rows[leg.branch * draws as usize + *draw as usize];
                leg.draws.iter().map(of).for_each(|row| out.extend_from_slice(row));
            }
        }
        out
    }
}

impl Classifier for AttackerView<'_> {
    fn logits(&self, images: &Tensor<4>) -> Result<Vec<f32>> {
        Ok(self.query(images)?.logits)
    }

    fn query(&self, images: &Tensor<4>) -> Result<ModelOutput> {
        let pictures = self.pipeline.pictures(images)?;
        let members = self.pipeline.members(
            &pictures,
            (RngStream::Attacker, self.frozen),
            0..self.draws(),
        )?;
        Ok(self.told(&members))
    }

    fn input_gradient(
        &self,
        images: &Tensor<4>,
        logit_gradient: &mut dyn FnMut(&[f32]) -> Vec<f32>,
    ) -> Result<(ModelOutput, Tensor<4>)> {
        let pipeline = self.pipeline;
        let pictures = pipeline.pictures(images)?;
        let entries = pipeline.run_shared_stages(
            &pictures,
            (RngStream::Attacker, self.frozen),
            0..self.draws(),
        )?;
        let branch_draws = pipeline.branch_draws(RngStream::Attacker, 0..self.draws())?;
        let way = |leg| pipeline.forward(leg, &entries, 0);
        let trails = branch_draws.iter().map(way).collect::<Result<Vec<_>>>()?;
        let size: usize = self.input_shape().iter().product();
        let mut sum = vec![vec![0.0; size]; pictures.len()];
        let mut shown = ModelOutput::default();
        // One network in one go needs no forward pass of its own before the backward pass.
        if let ([leg], [only]) = (branch_draws.as_slice(), trails.as_slice())
            && only.len() <= pipeline.at_once()
        {
            let tensor = pipeline.tensor(only);
            let mut once = |logits: &[f32]| {
                self.turn(&branch_draws, &[logits.to_vec()], logit_gradient, &mut shown)
                    .swap_remove(0)
            };
            let (_, gradient) =
                leg.network.input_gradient_with(&tensor, &rng_keys(only), &mut once)?;
            self.gather(leg, only, gradient, 0, &mut sum)?;
        } else {
            let forward =
                |(leg, trails): (&BranchDraws, &Vec<StageInputs>)| pipeline.logits(leg, trails);
            let logits =
                branch_draws.iter().zip(&trails).map(forward).collect::<Result<Vec<_>>>()?;
            let slopes = self.turn(&branch_draws, &logits, logit_gradient, &mut shown);
            for ((leg, trails), slopes) in branch_draws.iter().zip(&trails).zip(slopes) {
                self.vjp(leg, trails, &slopes, &mut sum)?;
            }
        }
        let data = TensorData::new(sum.concat(), images.dims());
        Ok((shown, Tensor::from_data(data, self.device())))
    }

    fn predict(&self, images: &Tensor<4>) -> Result<ModelOutput> {
        let pictures = self.pipeline.pictures(images)?;
        let (mut logits, mut rejected) = (Vec::new(), Vec::new());
        for answers in self.pipeline.judge_predictions(&pictures)? {
            let (row, refused) = self.pipeline.aggregate(&answers);
            logits.extend(row);
            rejected.push(refused);
        }
        Ok(ModelOutput { logits, rejected })
    }

    fn single_precision_softmax(&self) -> bool {
        matches!(self.stance, Stance::Gradient)
    }

    fn passes(&self) -> u64 {
        self.pipeline.branches.len() as u64 * self.draws()
    }

    fn input_shape(&self) -> [usize; 3] {
        self.pipeline.base.card.input.shape
    }

    fn classes(&self) -> usize {
        self.pipeline.base.card.num_classes
    }

    fn device(&self) -> &Device {
        self.pipeline.base.network.device()
    }
}
