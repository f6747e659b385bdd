//! [`RandomSearch`]: random search as Square, SimBA and the like do it. Of each image the best point so
//! far is kept; a proposal beside it is queried and replaces it where its loss is larger.

use crate::attack::context::{AttackContext, BestSoFar, Predictions, StepReport};
use crate::attack::image_batch::ImageBatch;
use crate::attack::logits::Logits;
use crate::attack::objective::Objective;
use crate::attack::oracle::ScoreOracle;
use crate::error::Result;

/// The best points so far of the images that are still searched; every list has one entry for each.
pub(super) struct RandomSearch {
    /// The indices in the problem of these images.
    pub active: Vec<usize>,
    /// The points, `[N, C, H, W]`.
    pub images: ImageBatch,
    logits: Logits,
    loss: Vec<f64>,
}

impl RandomSearch {
    /// Begins at these points, which are queried.
    pub fn new(
        oracle: &mut dyn ScoreOracle,
        context: &mut AttackContext<'_>,
        active: Vec<usize>,
        images: ImageBatch,
        objective: &dyn Objective,
    ) -> Result<Self> {
        let logits = context.logits(oracle, &active, &images)?;
        let loss = logits.losses_or_margins(&context.goals(&active), objective);
        Ok(Self { active, images, logits, loss })
    }

    /// Queries one proposal for every image, and moves to those with a larger `objective`, or with
    /// a margin that is good enough as it is. Says which.
    pub fn propose(
        &mut self,
        oracle: &mut dyn ScoreOracle,
        context: &mut AttackContext<'_>,
        asked: &ImageBatch,
        objective: &dyn Objective,
        enough: impl Fn(f32) -> bool,
    ) -> Result<Vec<bool>> {
        let logits = context.logits(oracle, &self.active, asked)?;
        let goals = context.goals(&self.active);
        let (loss, margins) = (logits.losses_or_margins(&goals, objective), logits.margins(&goals));
        let kept = |k: usize| loss[k] > self.loss[k] || enough(margins[k]);
        let kept: Vec<bool> = (0..loss.len()).map(kept).collect();
        for k in (0..loss.len()).filter(|k| kept[*k]) {
            self.images.row_mut(k).copy_from_slice(asked.row(k));
            self.logits.row_mut(k).copy_from_slice(logits.row(k));
            self.loss[k] = loss[k];
        }
        Ok(kept)
    }

    /// Moves the images that have reached their goals to `best` and goes on with the others.
    pub fn retire_successes(&mut self, context: &AttackContext<'_>, best: &mut BestSoFar) {
        let reached = context.reached(&self.active, &self.logits.labels());
        self.retire(&reached, context, best);
    }

    /// Moves the marked images to `best`, whether they reached their goals or not, and goes on with the
    /// others.
    pub fn retire(&mut self, marked: &[bool], context: &AttackContext<'_>, best: &mut BestSoFar) {
        if !marked.contains(&true) {
            return;
        }
        let reached = context.reached(&self.active, &self.logits.labels());
        for k in (0..marked.len()).filter(|k| marked[*k]) {
            best.offer(self.active[k], self.images.row(k), reached[k], -self.loss[k] as f32);
        }
        let left: Vec<usize> = (0..marked.len()).filter(|k| !marked[*k]).collect();
        self.active = left.iter().map(|k| self.active[*k]).collect();
        self.loss = left.iter().map(|k| self.loss[*k]).collect();
        self.images = self.images.select(&left);
        self.logits = self.logits.select(&left);
    }

    /// Moves all images to `best`.
    pub fn retire_all(&mut self, context: &AttackContext<'_>, best: &mut BestSoFar) {
        self.retire(&vec![true; self.active.len()], context, best);
    }

    /// Reports the points, at this iteration of so many.
    pub fn report(
        &self,
        context: &mut AttackContext<'_>,
        (iteration, iterations): (usize, usize),
        mark: Option<&str>,
    ) -> Result<()> {
        let loss: Vec<f32> = self.loss.iter().map(|loss| *loss as f32).collect();
        context.report(&StepReport {
            active: &self.active,
            iteration,
            iterations,
            loss: &loss,
            predictions: Predictions::Logits(&self.logits),
            step_size: 0.0,
            images: &self.images,
            mark,
        })
    }
}
