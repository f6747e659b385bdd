//! What random search holds: the best point so far of every picture that is still searched, and the
//! questions about points beside it.

use crate::attack::objective::{Objective, Scores};
use crate::attack::oracle::Score;
use crate::attack::rows::Rows;
use crate::attack::trial::{Answers, Best, Sight, Trial};
use crate::error::Result;

/// The best points so far; one entry for each open picture in every list.
pub(super) struct Standing {
    /// Which pictures of the problem.
    pub open: Vec<usize>,
    /// The points.
    pub images: Rows,
    scores: Scores,
    loss: Vec<f64>,
}

impl Standing {
    /// Asks about the starts.
    pub fn ask(
        oracle: &mut dyn Score,
        trial: &mut Trial<'_>,
        open: Vec<usize>,
        images: Rows,
        what: &dyn Objective,
    ) -> Result<Self> {
        let scores = trial.scores(oracle, &open, &images)?;
        let loss = scores.heights(&trial.goals(&open), what);
        Ok(Self { open, images, scores, loss })
    }

    /// Asks about one proposal for every picture, and moves to those with a larger `what`, or with
    /// a margin that is good enough as it is. Says which.
    pub fn propose(
        &mut self,
        oracle: &mut dyn Score,
        trial: &mut Trial<'_>,
        asked: &Rows,
        what: &dyn Objective,
        enough: impl Fn(f32) -> bool,
    ) -> Result<Vec<bool>> {
        let scores = trial.scores(oracle, &self.open, asked)?;
        let goals = trial.goals(&self.open);
        let (loss, margins) = (scores.heights(&goals, what), scores.margins(&goals));
        let kept = |k: usize| loss[k] > self.loss[k] || enough(margins[k]);
        let kept: Vec<bool> = (0..loss.len()).map(kept).collect();
        for k in (0..loss.len()).filter(|k| kept[*k]) {
            self.images.row_mut(k).copy_from_slice(asked.row(k));
            self.scores.row_mut(k).copy_from_slice(scores.row(k));
            self.loss[k] = loss[k];
        }
        Ok(kept)
    }

    /// Hands the pictures that have reached their goals over and goes on with the others.
    pub fn settle(&mut self, trial: &Trial<'_>, best: &mut Best) {
        let reached = trial.reached(&self.open, &self.scores.labels());
        self.leave(&reached, trial, best);
    }

    /// Hands the marked pictures over, however far they came, and goes on with the others.
    pub fn leave(&mut self, marked: &[bool], trial: &Trial<'_>, best: &mut Best) {
        if !marked.contains(&true) {
            return;
        }
        let reached = trial.reached(&self.open, &self.scores.labels());
        for k in (0..marked.len()).filter(|k| marked[*k]) {
            best.offer(self.open[k], self.images.row(k), reached[k], -self.loss[k] as f32);
        }
        let left: Vec<usize> = (0..marked.len()).filter(|k| !marked[*k]).collect();
        self.open = left.iter().map(|k| self.open[*k]).collect();
        self.loss = left.iter().map(|k| self.loss[*k]).collect();
        self.images = self.images.select(&left);
        self.scores = self.scores.select(&left);
    }

    /// Hands all pictures over.
    pub fn close(&mut self, trial: &Trial<'_>, best: &mut Best) {
        self.leave(&vec![true; self.open.len()], trial, best);
    }

    /// Shows the points, at this iteration of how many.
    pub fn show(
        &self,
        trial: &mut Trial<'_>,
        (iteration, iterations): (usize, usize),
        mark: Option<&str>,
    ) -> Result<()> {
        let loss: Vec<f32> = self.loss.iter().map(|loss| *loss as f32).collect();
        trial.show(&Sight {
            open: &self.open,
            iteration,
            iterations,
            loss: &loss,
            answers: Answers::Scores(&self.scores),
            step_size: 0.0,
            images: &self.images,
            mark,
        })
    }
}
