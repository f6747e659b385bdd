//! Judging a run at another ε. Attacks that minimise the norm do not use ε while they run: another ε
//! only decides whether the result counts.

use super::run::Run;
use crate::attack::{Bound, Goal};
use crate::experiment::{Outcome, TracePoint, is_within_epsilon, judge_outcome};
use std::sync::Arc;

/// Whether ε bounds what the attack does, and is not only a threshold on its result.
pub fn bounds(extent: Bound) -> bool {
    extent == Bound::FixedEpsilon
}

impl Run {
    /// The same run, judged at another ε.
    pub fn judge(&mut self, epsilon: f64) {
        self.job.plan.epsilon = epsilon;
        let Some(report) = self.report.take() else { return };
        let report = match report.plan.epsilon == epsilon {
            true => report,
            false => Arc::new(report.judged_at(epsilon)),
        };
        self.rows.iter_mut().for_each(|row| *row = Arc::new(report.judge(row)));
        self.report = Some(report);
    }

    /// The outcome at an iteration, or that of the result where none is given, and whether the goal is
    /// reached beyond ε only. Every pane takes its sign and its colour from here.
    pub fn outcome(&self, at: Option<&TracePoint>) -> Option<(Outcome, bool)> {
        let Some(point) = at else {
            return self.report.as_ref().map(|report| (report.outcome(), report.is_beyond()));
        };
        let (clean, plan) = (self.clean.as_ref()?, &self.job.plan);
        let goal = plan.target.goal(clean.label, &clean.logits);
        let goal = goal.unwrap_or(Goal::Untargeted { truth: clean.label });
        let reached = goal.reached(point.label);
        let epsilon = plan.threshold(clean.picture.pixels().len());
        let near = is_within_epsilon(plan.attack.bound, epsilon, point.size);
        let outcome = judge_outcome(clean.prediction.label == clean.label, reached, near);
        Some((outcome, outcome == Outcome::Right && reached))
    }

    /// The norm of the perturbation with which the attack succeeded, where it minimises that norm.
    pub fn found(&self) -> Option<f64> {
        let report = self.report.as_ref()?;
        (report.extent == Bound::MinimumNorm && report.reached).then(|| report.distance.into())
    }
}
