//! What a certificate by randomised smoothing asks of a pipeline.

use crate::data::Image;
use crate::defence::branch::RngStream;
use crate::defence::pipeline::Pipeline;
use crate::defence::smoothing::{SIGMA, SMOOTHING};
use crate::error::{Error, Result};
use crate::model::argmax;
use std::ops::Range;

impl Pipeline {
    /// σ of its smoothing.
    ///
    /// # Errors
    /// Usage, where it is not smoothed.
    pub fn sigma(&self) -> Result<f64> {
        let smoothing = self.stack.defences().iter().find(|plan| plan.defence.id == SMOOTHING.id);
        smoothing.map(|plan| SIGMA.get(&plan.settings)).ok_or_else(|| {
            Error::usage(
                "only a smoothed network can be certified",
                format!("defence {}", self.stack.text()),
                "use smoothing, or a stack that begins with it",
            )
        })
    }

    /// How often each class is the label at these draws of the judge's.
    ///
    /// # Errors
    /// Those of the stages; device failures.
    pub fn class_counts(&self, image: &Image, draws: Range<u64>) -> Result<Vec<usize>> {
        let mut counts = vec![0; self.base.card.num_classes];
        for first in draws.clone().step_by(1000) {
            let part = first..(first + 1000).min(draws.end);
            let n = (part.end - part.start) as usize;
            let members =
                self.members(std::slice::from_ref(image), (RngStream::Judge, None), part)?;
            let rows = &self.joined(&members[0], 0..n)[0];
            rows.iter().filter_map(|row| argmax(row)).for_each(|class| counts[class] += 1);
        }
        Ok(counts)
    }
}
