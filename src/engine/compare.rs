//! Comparisons of defences on the worker.

use super::protocol::{CompareJob, JobId, Update};
use super::worker::Worker;
use crate::attack::Flow;
use crate::defence::EOT_DRAWS;
use crate::error::{Error, ErrorKind, Result};
use crate::experiment::compare::{
    CompareEvent, Comparison, ComparisonTimeLeft, compare_many, compare_one,
};
use std::time::Instant;

impl Worker {
    /// Attacks each defence with each attack: the one sample first, then many.
    pub(super) fn compare(&mut self, id: JobId, job: &CompareJob) -> Result<()> {
        let stop = self.stop_check(None);
        self.send(Update::Started(id));
        let model = self.current_model()?;
        let mut pipelines = Vec::new();
        for stack in &job.stacks {
            if stop() {
                return Err(Error::cancelled());
            }
            match self.pipeline(stack, &model, job.seed) {
                Ok(pipeline) => pipelines.push(pipeline),
                Err(error) if error.kind == ErrorKind::Usage => {
                    self.send(Update::DefenceNotApplicable(id, stack.text(), error.to_string()));
                }
                Err(error) => return Err(error),
            }
        }
        let task = Comparison {
            model,
            pipelines,
            plans: job.plans.clone(),
            stances: job.stances.clone(),
            draws: EOT_DRAWS,
            device: self.device_info(),
            done: job.done.clone(),
        };
        let mut ask = || if stop() { Flow::Stop } else { Flow::Continue };
        let set = job.many.as_ref().map(|(dataset, _)| &**dataset);
        let origin = task.sources(job.sample.as_ref(), set)?;
        let n = job.many.as_ref().map_or(0, |(dataset, n)| dataset.len().min(*n));
        let mut forecast = ComparisonTimeLeft::new(&task, job.sample.is_some(), n);
        let begin = Instant::now();
        let mut tell = |finding: CompareEvent| {
            forecast.take(&finding, begin.elapsed().as_secs_f64());
            self.send(Update::CompareFinding(id, finding));
            let (done, all) = forecast.done();
            self.send(Update::Progress(id, done, all, forecast.left()));
        };
        tell(CompareEvent::Origin(origin));
        if let Some(sample) = &job.sample {
            compare_one(&task, sample, &mut ask, &mut tell)?;
        }
        if let Some((dataset, n)) = &job.many {
            compare_many(&task, dataset, *n, &mut ask, &mut tell)?;
        }
        self.send(Update::Done(id));
        Ok(())
    }
}
