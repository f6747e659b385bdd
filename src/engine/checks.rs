//! The evaluation checks of a run: the quick ones after each attack, the others on demand.

use super::protocol::{CheckJob, DefenceRef, JobId, Update};
use super::worker::Worker;
use crate::attack::{Flow, StopWhen};
use crate::error::{Error, Result};
use crate::experiment::{self, DefendedAttack, FinishedAttack};
use crate::metrics::checks::Evidence;
use std::sync::Arc;

impl Worker {
    /// Runs the checks that cost little after an attack, and tells what they found.
    pub(super) fn quick_checks(
        &self,
        id: JobId,
        scene: &FinishedAttack<'_>,
        halt: &(impl Fn() -> Flow + Sync),
    ) -> Result<()> {
        let mut told = |found: &Evidence| self.tell(id, scene, found);
        experiment::run_auto_checks(scene, &mut StopWhen(halt), &mut told)?;
        Ok(())
    }

    fn tell(&self, run: JobId, scene: &FinishedAttack<'_>, found: &Evidence) {
        let whose = scene.row.map(|(_, row)| DefenceRef::new(row));
        self.send(Update::CheckEvidence(run, whose, Arc::new(found.clone())));
    }

    /// Runs the checks that were asked for: on the undefended network first, then on each defence.
    pub(super) fn on_demand_checks(&mut self, id: JobId, job: &CheckJob) -> Result<()> {
        let experiment = self.experiment(&job.job)?;
        // Another model was loaded while this waited: what was asked is of no use to anyone.
        if job.report.model != experiment.model.card.name {
            return Err(Error::cancelled());
        }
        let (report, seed) = (&job.report, job.job.plan.seed);
        let stop = self.stop_check(None);
        let mut halt = StopWhen(|| if stop() { Flow::Stop } else { Flow::Continue });
        self.send(Update::Started(id));
        let bare = FinishedAttack { experiment: &experiment, report, row: None };
        let mut told = |found: &Evidence| self.tell(job.run, &bare, found);
        experiment::run_probes(&bare, &job.probes, &mut halt, &mut told)?;
        for row in &job.rows {
            let Some(stack) = job.job.defences.iter().find(|stack| stack.text() == row.defence)
            else {
                continue;
            };
            let pipeline = self.pipeline(stack, &experiment.model, seed)?;
            let surrogate = match &experiment.surrogate {
                Some(model) => Some(self.pipeline(stack, model, seed)?),
                None => None,
            };
            let (surrogate, draws) = (surrogate.as_deref(), job.job.draws);
            let against =
                DefendedAttack { pipeline: &pipeline, surrogate, stance: row.stance, draws };
            let scene = FinishedAttack { row: Some((against, row)), ..bare };
            let mut told = |found: &Evidence| self.tell(job.run, &scene, found);
            experiment::run_probes(&scene, &job.probes, &mut halt, &mut told)?;
        }
        self.send(Update::Done(id));
        Ok(())
    }
}
