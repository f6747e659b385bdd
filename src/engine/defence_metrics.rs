//! Measurements of single defences on the worker: certificates, and ROC curves of detectors.

use super::protocol::{DefenceMetricsJob, JobId, Update};
use super::worker::Worker;
use crate::attack::{AttackConfig, Flow, Norm};
use crate::defence::DefenceStack;
use crate::error::Result;
use crate::experiment::{
    self, CERTIFY_ATTACK, CERTIFY_ATTACK_DRAWS, Certification, DEFAULT_ALPHA, EvaluatedDefence,
    Evaluation, EvaluationStatus, SELECTION_DRAWS,
};
use std::sync::Arc;

impl Worker {
    pub(super) fn defence_metrics(&mut self, id: JobId, job: &DefenceMetricsJob) -> Result<()> {
        self.send(Update::Started(id));
        let (stop, sink, device) = (self.stop_check(None), self.sink(), self.device_info());
        let model = self.current_model()?;
        let watch = &mut |status: &EvaluationStatus| {
            let percent = 100.0 * status.done / status.total.max(1.0);
            sink(Update::Progress(id, percent as usize, 100, status.left));
            if stop() { Flow::Stop } else { Flow::Continue }
        };
        match job {
            DefenceMetricsJob::Certify { dataset, index, sigma, n, seed } => {
                let stack =
                    DefenceStack::parse(&format!("smoothing:sigma={sigma}:alpha={DEFAULT_ALPHA}"))?;
                let pipeline = self.pipeline(&stack, &model, *seed)?;
                let plan = AttackConfig {
                    norm: Norm::L2,
                    seed: *seed,
                    ..AttackConfig::parse(CERTIFY_ATTACK, 1.0)?
                };
                let task = Certification {
                    model,
                    pipeline,
                    dataset: dataset.clone(),
                    first: *index,
                    samples: 1,
                    n0: SELECTION_DRAWS,
                    n: *n,
                    alpha: DEFAULT_ALPHA,
                    plan,
                    draws: CERTIFY_ATTACK_DRAWS,
                    device,
                };
                let report = experiment::certify_dataset(&task, watch)?;
                self.send(Update::Certified(id, Arc::new(report)));
            }
            DefenceMetricsJob::Roc { stack, stance, draws, dataset, n, plan } => {
                let pipeline = self.pipeline(stack, &model, plan.seed)?;
                let defence = EvaluatedDefence { pipeline, stance: *stance, draws: *draws };
                let task = Evaluation::new(model, dataset.clone(), *n, plan.clone(), device);
                let task = Evaluation { defence: Some(defence), ..task };
                let report = experiment::roc(&task, watch)?;
                self.send(Update::RocTraced(id, Arc::new(report)));
            }
        }
        Ok(())
    }
}
