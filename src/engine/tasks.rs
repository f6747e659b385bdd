//! Jobs of the worker beside plain runs: the minimum ε, transfer between models, races.

use crate::attack::{AttackConfig, Flow, StopWhen};
use crate::defence::EOT_DRAWS;
use crate::engine::protocol::{JobId, RaceJob, RunJob, TransferJob, TransferSamples, Update};
use crate::engine::race::race;
use crate::engine::worker::Worker;
use crate::error::Result;
use crate::experiment::{self, Experiment, Transfer};
use crate::model::Model;
use std::sync::Arc;

/// How many images go through the network at once.
const BATCH: usize = 100;

impl Worker {
    /// Looks for the least ε with which the attack succeeds, telling every try.
    pub(super) fn minimum_epsilon(&mut self, id: JobId, job: &RunJob) -> Result<()> {
        let experiment = self.experiment(job)?;
        let stop = self.stop_check(None);
        self.send(Update::Started(id));
        let mut watch = StopWhen(|| if stop() { Flow::Stop } else { Flow::Continue });
        let mut tell = |epsilon, success| self.send(Update::EpsilonTried(id, epsilon, success));
        let least = experiment::minimum_epsilon_watched(&experiment, &mut watch, &mut tell)?;
        self.send(Update::MinimumEpsilon(id, Arc::new(least)));
        Ok(())
    }

    /// Crafts on each model and tries on all of them.
    pub(super) fn transfer(&mut self, id: JobId, job: &TransferJob) -> Result<()> {
        self.send(Update::Started(id));
        let models = job.models.iter().map(|name| self.model(name)).collect::<Result<Vec<_>>>()?;
        match &job.samples {
            TransferSamples::One(sample) => {
                let base = RunJob {
                    sample: sample.clone(),
                    plan: job.plan.clone(),
                    surrogate: None,
                    defences: Vec::new(),
                    draws: EOT_DRAWS,
                };
                let base = self.experiment(&base)?;
                self.transfer_one(id, &base, &models)
            }
            TransferSamples::First(dataset, n) => {
                let device = self.device_info();
                let (dataset, n, plan) = (dataset.clone(), *n, job.plan.clone());
                let task = Transfer { models, dataset, n, plan, batch_size: BATCH, device };
                let stop = self.stop_check(None);
                let mut progress = |done, all| {
                    self.send(Update::Progress(id, done, all, None));
                    if stop() { Flow::Stop } else { Flow::Continue }
                };
                let report = experiment::transfer(&task, &mut progress)?;
                self.send(Update::TransferRates(id, Arc::new(report)));
                Ok(())
            }
        }
    }

    /// One sample: a whole report for each pair of models.
    fn transfer_one(&self, id: JobId, base: &Experiment, models: &[Arc<Model>]) -> Result<()> {
        let stop = self.stop_check(None);
        for (row, surrogate) in models.iter().enumerate() {
            for (column, victim) in models.iter().enumerate() {
                let experiment = Experiment {
                    model: victim.clone(),
                    surrogate: (row != column).then(|| surrogate.clone()),
                    ..base.clone()
                };
                let mut watch = StopWhen(|| if stop() { Flow::Stop } else { Flow::Continue });
                let report = experiment::attack_sample(&experiment, &mut watch)?;
                self.send(Update::TransferCell(id, row, column, Arc::new(report)));
            }
        }
        self.send(Update::Done(id));
        Ok(())
    }

    /// Several attacks on one sample, taking turns.
    pub(super) fn race(&mut self, id: JobId, job: &RaceJob) -> Result<()> {
        let Some(first) = job.plans.first() else { return Ok(()) };
        let base = RunJob {
            sample: job.sample.clone(),
            plan: AttackConfig::clone(first),
            surrogate: job.surrogate.clone(),
            defences: Vec::new(),
            draws: EOT_DRAWS,
        };
        let base = self.experiment(&base)?;
        let stop = self.stop_check(None);
        self.send(Update::Started(id));
        race(id, &base, &job.plans, &self.sink(), &stop)?;
        self.send(Update::Done(id));
        Ok(())
    }
}
