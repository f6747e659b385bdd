//! The penalty of C&W and EAD. Both minimise the distance plus c·max(0, margin + κ) and find the
//! constant c of each image by binary search: with too small a c the image stays, with too large a c it
//! moves farther than it must.

use crate::attack::context::{AttackContext, BestSoFar};
use crate::attack::goal::Goal;
use crate::attack::logits::margin;
use crate::attack::objective::{Margin, Objective};
use crate::error::Result;
use crate::parameter::{FlagParam, FloatParam, IntParam, Settings, Value};

/// Length of the binary search.
pub(super) const SEARCHES: IntParam =
    IntParam::new("searches", (1, 20), 6, "constants tried for each picture, by binary search");

/// The first constant of the binary search.
pub(super) const INITIAL_C: FloatParam = FloatParam::new(
    "initial-c",
    (1e-6, 1e6),
    1e-3,
    "the first constant c: it weighs the goal against the distance; ×10 until the goal is reached",
);

/// κ, the margin by which the goal must be exceeded.
pub(super) const CONFIDENCE: FloatParam = FloatParam::new(
    "confidence",
    (0.0, 100.0),
    0.0,
    "κ: by how much, in logits, the wanted answer must lead",
);

/// Whether to end a constant early; EAD switches it off by default.
pub(super) const ABORT_EARLY: FlagParam = FlagParam::new(
    "abort-early",
    true,
    "end a constant's descent where a tenth of the steps lowered the loss by less than 0.01 %",
);

/// The objective −max(0, margin + κ): increases until the goal is reached with confidence κ.
pub(super) struct Hinge {
    /// κ, in logits.
    pub confidence: f64,
}

impl Hinge {
    /// Whether these logits exceed the goal by κ, so that the penalty is zero.
    pub fn slack(&self, row: &[f32], goal: Goal) -> bool {
        f64::from(margin(row, goal)) + self.confidence < 0.0
    }

    /// Whether a `label` counts as a success: the goal's own rule, and with κ the lead too.
    pub fn holds(&self, row: &[f32], goal: Goal, label: usize) -> bool {
        goal.reached(label)
            && (self.confidence == 0.0 || f64::from(margin(row, goal)) <= -self.confidence)
    }
}

impl Objective for Hinge {
    fn evaluate(&self, at: usize, row: &[f32], goal: Goal, logit_gradient: &mut [f64]) -> f64 {
        match self.slack(row, goal) {
            true => 0.0,
            false => Margin.evaluate(at, row, goal, logit_gradient) - self.confidence,
        }
    }
}

/// A binary search for the constants.
pub(super) struct PenaltySearch {
    /// Number of constants tried.
    pub searches: usize,
    /// Number of steps for each.
    pub steps: usize,
    /// The learning rate.
    pub rate: f64,
    /// The penalty, without c.
    pub hinge: Hinge,
    initial: f64,
    abort: bool,
}

impl PenaltySearch {
    /// The search at these settings, with so many steps of this learning rate for each constant.
    pub fn new(settings: &Settings, steps: usize, rate: f64, abort: bool) -> Self {
        Self {
            searches: SEARCHES.count(settings),
            steps,
            rate,
            hinge: Hinge { confidence: CONFIDENCE.get(settings) },
            initial: INITIAL_C.get(settings),
            abort,
        }
    }

    /// Runs `one` descent of all images after the other, each with every image's next c; it
    /// says which images reached their goals.
    ///
    /// # Errors
    /// Those of `one`.
    pub fn search(
        &self,
        context: &mut AttackContext<'_>,
        mut one: impl FnMut(&mut AttackContext<'_>, &[f64], &mut BestSoFar) -> Result<Vec<bool>>,
    ) -> Result<BestSoFar> {
        let mut best = BestSoFar::new(context.x);
        let mut weights = vec![PenaltyConstant::new(self.initial); context.x.len()];
        for search in 0..self.searches {
            context.restart = (search, self.searches);
            // The authors' rule: a long search ends with the smallest c that is known to work.
            if search >= 9 && search + 1 == self.searches {
                weights.iter_mut().for_each(|weight| weight.c = weight.upper);
            }
            let constants: Vec<f64> = weights.iter().map(|weight| weight.c).collect();
            let found = one(context, &constants, &mut best)?;
            weights.iter_mut().zip(found).for_each(|(weight, found)| weight.learn(found));
        }
        Ok(best)
    }

    /// The rule that ends the descent of one image early.
    pub fn patience(&self) -> EarlyAbort {
        EarlyAbort { every: self.steps.div_ceil(10), last: f64::INFINITY, ends: self.abort }
    }
}

/// What a descent's start is marked with: the first image's constant.
pub(super) fn mark(step: usize, constants: &[f64], active: &[usize]) -> Option<String> {
    let first = active.first().filter(|_| step == 0)?;
    Some(format!("c = {}", Value::Float(constants[*first])))
}

/// The constant of one image, and what is known of it.
#[derive(Clone, Debug, PartialEq)]
struct PenaltyConstant {
    lower: f64,
    c: f64,
    upper: f64,
}

/// Larger than any constant that is searched.
const NONE_YET: f64 = 1e10;

impl PenaltyConstant {
    fn new(c: f64) -> Self {
        Self { lower: 0.0, c, upper: NONE_YET }
    }

    /// The next constant, now that this one was enough or too small.
    fn learn(&mut self, found: bool) {
        match found {
            true => self.upper = self.upper.min(self.c),
            false => self.lower = self.lower.max(self.c),
        }
        self.c = match self.upper < NONE_YET / 10.0 {
            true => f64::midpoint(self.lower, self.upper),
            false => self.c * 10.0,
        };
    }
}

/// Watches the loss of one image: where a tenth of the steps does not lower it, more will not.
pub(super) struct EarlyAbort {
    every: usize,
    last: f64,
    ends: bool,
}

impl EarlyAbort {
    /// Whether it has run out at this step.
    pub fn ends(&mut self, step: usize, loss: f64) -> bool {
        if !self.ends || !step.is_multiple_of(self.every) {
            return false;
        }
        let stuck = loss > 0.9999 * self.last;
        self.last = loss;
        stuck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_grows_until_it_works_and_is_halved_between_from_there() {
        let mut weight = PenaltyConstant::new(1e-3);
        weight.learn(false);
        weight.learn(false);
        assert!((weight.c - 0.1).abs() < 1e-12);
        weight.learn(true);
        assert!((weight.c - 0.055).abs() < 1e-12, "between 0.01 and 0.1: {weight:?}");
        weight.learn(false);
        assert!((weight.c - 0.0775).abs() < 1e-12);
        weight.learn(true);
        assert!((weight.c - 0.06625).abs() < 1e-12);
    }

    #[test]
    fn the_hinge_pulls_until_the_lead_is_there_for_negative_logits_too() {
        let row = [-5.0, -1.0, -3.0];
        let (near, met) = (Goal::Untargeted { truth: 1 }, Goal::Targeted { target: 1 });
        let value = |confidence: f64, goal| {
            let mut logit_gradient = [0.0; 3];
            (Hinge { confidence }.evaluate(0, &row, goal, &mut logit_gradient), logit_gradient)
        };
        assert_eq!(value(0.0, near), (-2.0, [0.0, -1.0, 1.0]));
        assert_eq!(value(0.0, met), (0.0, [0.0; 3]));
        // The target leads by 2, which is not 3.
        assert_eq!(value(3.0, met), (-1.0, [0.0, 1.0, -1.0]));
        assert!(Hinge { confidence: 2.0 }.holds(&row, met, 1));
        assert!(!Hinge { confidence: 3.0 }.holds(&row, met, 1));
        assert!(!Hinge { confidence: 0.0 }.holds(&row, near, 1));
    }

    #[test]
    fn patience_looks_every_tenth_of_the_steps() {
        let settings = |abort: bool| PenaltySearch {
            searches: 1,
            steps: 40,
            rate: 0.1,
            hinge: Hinge { confidence: 0.0 },
            initial: 1.0,
            abort,
        };
        let run = |abort: bool, loss: &dyn Fn(usize) -> f64| {
            let mut patience = settings(abort).patience();
            (0..40).find(|step| patience.ends(*step, loss(*step)))
        };
        assert_eq!(run(true, &|step| 1.0 / (step + 1) as f64), None);
        assert_eq!(run(true, &|step| if step < 9 { 10.0 - step as f64 } else { 9.0 }), Some(12));
        assert_eq!(run(false, &|_| 1.0), None);
    }
}
