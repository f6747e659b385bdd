//! The smallest ε at which an attack succeeds on one sample, by bisection.

use crate::attack::{AttackConfig, Bound, Norm, Observer};
use crate::error::{Error, Result};
use crate::experiment::one_sample::{Experiment, attack_sample_from, predict_clean};
use crate::experiment::report::Report;
use serde::Serialize;

/// The bisection ends when failure and success are this close: 1 %.
const CLOSE: f64 = 1.01;

/// The search stops below this share of the ε it began with.
const TINY: f64 = 1e-5;

/// The smallest ε at which the attack succeeded, every ε tried, and the report at the smallest.
#[derive(Clone, Debug, Serialize)]
pub struct MinimumEpsilon {
    /// The least ε at which the attack reached its goal, in pixel units; none where it never did.
    pub epsilon: Option<f64>,
    /// Every ε that was tried, in order, and whether the goal was reached. Success need not be
    /// monotone. Empty for an attack that searches by itself.
    pub tried: Vec<(f64, bool)>,
    /// The run at `epsilon`; where none succeeded, the one at the largest ε.
    pub report: Report,
}

/// Looks for the least ε at which the plan's attack works: doubling or halving from the plan's own
/// ε, then bisection to 1 % (L0: to one value), always with the same seed. An attack that looks for
/// the least perturbation itself runs once, and its distance is the result.
///
/// # Errors
/// Usage, for an attack that is bounded by its own parameters; else as [`attack_sample`](super::attack_sample).
pub fn minimum_epsilon(
    experiment: &Experiment,
    observer: &mut dyn Observer,
) -> Result<MinimumEpsilon> {
    minimum_epsilon_watched(experiment, observer, &mut |_, _| ())
}

/// As [`minimum_epsilon`], telling every try: its ε, and whether it reached the goal (none: it begins).
///
/// # Errors
/// As [`minimum_epsilon`].
pub fn minimum_epsilon_watched(
    experiment: &Experiment,
    observer: &mut dyn Observer,
    tell: &mut dyn FnMut(f64, Option<bool>),
) -> Result<MinimumEpsilon> {
    let plan = &experiment.plan;
    let widest = plan.norm.largest_distance(experiment.model.card.input.shape.iter().product());
    let clean = predict_clean(experiment)?;
    let attacked = clean.prediction.label == clean.label;
    let mut run = |epsilon: f64| {
        let plan = AttackConfig { epsilon, ..plan.clone() };
        attack_sample_from(&Experiment { plan, ..experiment.clone() }, clean.clone(), observer)
    };
    match plan.attack.bound {
        Bound::Own => Err(Error::usage(
            format!("'{}' is bounded by its own parameters, not by ε", plan.attack.id),
            "--least",
            "choose an attack that works in a norm (`epsiloscope attacks`)",
        )),
        Bound::MinimumNorm => {
            let report = run(widest)?;
            let epsilon = report.reached.then(|| f64::from(report.distance));
            Ok(MinimumEpsilon { epsilon, tried: Vec::new(), report })
        }
        Bound::FixedEpsilon => {
            let begin = if plan.epsilon > 0.0 { plan.epsilon } else { widest / 64.0 };
            let mut tries = Tries { norm: plan.norm, begin, widest, fails: 0.0, works: None };
            let first = tries.next().unwrap_or(begin);
            tell(first, None);
            let mut report = run(first)?;
            let (mut last, mut tried) = (report.clone(), Vec::new());
            if !attacked {
                return Ok(MinimumEpsilon { epsilon: None, tried, report });
            }
            loop {
                let epsilon = last.plan.epsilon;
                tell(epsilon, Some(last.success));
                tried.push((epsilon, last.success));
                tries.tell(epsilon, last.success);
                if last.success || !report.success {
                    report = last;
                }
                let Some(next) = tries.next() else { break };
                tell(next, None);
                last = run(next)?;
            }
            let own = report.plan.epsilon;
            let others = tried.iter().filter(|(epsilon, _)| *epsilon != own);
            report.checks.probes.epsilons = others.copied().collect();
            Ok(MinimumEpsilon { epsilon: tries.works, tried, report })
        }
    }
}

/// The state of the bisection.
struct Tries {
    norm: Norm,
    begin: f64,
    widest: f64,
    /// The largest ε below `works` that failed.
    fails: f64,
    /// The least ε that worked.
    works: Option<f64>,
}

impl Tries {
    /// The next ε; none where the smallest is known closely enough.
    fn next(&self) -> Option<f64> {
        let next = match self.works {
            None if self.fails == 0.0 => self.begin,
            None => (2.0 * self.fails).min(self.widest),
            Some(works) if self.fails == 0.0 => works / 2.0,
            // Halfway in ratio, since the result is to be known to a ratio.
            Some(works) if works > CLOSE * self.fails => (works * self.fails).sqrt(),
            Some(_) => return None,
        };
        // Counts are whole.
        let next = if self.norm == Norm::L0 { next.round().max(1.0) } else { next };
        let between = next > self.fails.max(TINY * self.begin) && Some(next) != self.works;
        between.then_some(next)
    }

    fn tell(&mut self, epsilon: f64, success: bool) {
        match success {
            true => self.works = Some(epsilon),
            false => self.fails = epsilon,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(norm: Norm, begin: f64, works: impl Fn(f64) -> bool) -> (Option<f64>, usize) {
        let mut tries =
            Tries { norm, begin, widest: norm.largest_distance(784), fails: 0.0, works: None };
        let mut count = 0;
        while let Some(epsilon) = tries.next() {
            count += 1;
            assert!(count < 40, "the search does not end");
            tries.tell(epsilon, works(epsilon));
        }
        (tries.works, count)
    }

    #[test]
    fn the_least_epsilon_is_found_to_one_percent() {
        for (norm, begin, truth) in
            [(Norm::Linf, 0.3, 0.0371), (Norm::Linf, 0.01, 0.9), (Norm::L2, 2.0, 1.999)]
        {
            let (found, count) = search(norm, begin, |epsilon| epsilon >= truth);
            let found = found.unwrap();
            assert!((truth..truth * CLOSE).contains(&found), "{found} for {truth}");
            assert!(count <= 16, "{count} runs");
        }
        for truth in [1.0, 2.0, 7.0, 100.0, 784.0] {
            assert_eq!(search(Norm::L0, 15.0, |epsilon| epsilon >= truth).0, Some(truth));
        }
    }

    #[test]
    fn an_attack_that_never_works_or_always_does_ends_too() {
        assert_eq!(search(Norm::Linf, 0.3, |_| false), (None, 3));
        assert!(search(Norm::Linf, 0.3, |_| true).0.unwrap() < 1e-5);
        assert_eq!(search(Norm::L0, 15.0, |_| true).0, Some(1.0));
    }
}
