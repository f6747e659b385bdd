//! The defences of a run: each attacked naive (without knowing it), then adaptive.

use super::protocol::{JobId, RunJob, Update};
use super::worker::Worker;
use crate::attack::{Flow, StopWhen};
use crate::defence::Stance;
use crate::error::{Error, ErrorKind, Result};
use crate::experiment::{self, DefendedAttack, Experiment, FinishedAttack, Report};
use std::sync::Arc;

impl Worker {
    pub(super) fn defend(
        &mut self,
        id: JobId,
        job: &RunJob,
        experiment: &Experiment,
        report: &Report,
        halt: &(impl Fn() -> Flow + Sync),
    ) -> Result<()> {
        let go_on = || match halt() {
            Flow::Stop => Err(Error::cancelled()),
            Flow::Continue => Ok(()),
        };
        // All naive rows first: they are quick.
        let mut ready = Vec::new();
        for stack in &job.defences {
            go_on()?;
            let pipeline = match self.pipeline(stack, &experiment.model, job.plan.seed) {
                Ok(pipeline) => pipeline,
                Err(error) if error.kind == ErrorKind::Usage => {
                    self.send(Update::DefenceNotApplicable(id, stack.text(), error.to_string()));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let known = experiment::defence_baseline(&pipeline, &report.original)?;
            let (stance, draws) = (Stance::Naive, job.draws);
            let against = DefendedAttack { pipeline: &pipeline, surrogate: None, stance, draws };
            let row = experiment::defend(experiment, report, against, &known, &mut StopWhen(halt))?;
            self.send(Update::Defended(id, Arc::new(row)));
            ready.push((stack, pipeline, known));
        }
        for (stack, pipeline, known) in ready {
            let surrogate = match &experiment.surrogate {
                Some(model) => Some(self.pipeline(stack, model, job.plan.seed)?),
                None => None,
            };
            for stance in pipeline.stances().into_iter().filter(|s| *s != Stance::Naive) {
                go_on()?;
                let surrogate = surrogate.as_deref();
                let draws = job.draws;
                let against = DefendedAttack { pipeline: &pipeline, surrogate, stance, draws };
                let row =
                    experiment::defend(experiment, report, against, &known, &mut StopWhen(halt))?;
                let row = Arc::new(row);
                self.send(Update::Defended(id, row.clone()));
                let row = Some((against, row.as_ref()));
                self.quick_checks(id, &FinishedAttack { experiment, report, row }, halt)?;
            }
        }
        Ok(())
    }
}
