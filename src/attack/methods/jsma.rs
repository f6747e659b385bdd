//! The Jacobian-based saliency map attack: Papernot et al. 2016.
//!
//! The paper's saliency map needs the target's gradient and the sum of all other classes' gradients:
//! two backward passes, however many classes there are (one for softmax outputs, whose gradients sum
//! to zero). The search over all pairs is exact; see `best_pair`.
//!
//! **Which rule is the default.** In the references' setting (next class, a tenth of the values, 32
//! images of three networks) the paper's pairs on softmax outputs reach the goal on 100, 100 and
//! 13 % with 12, 28 and 40 changed values in the median. On logits the same search does worse (88, 69,
//! 6 %; 14, 36, 74 values), because the map there rules out values that raise the sum of the other
//! logits, be the target's raised ever so much; torchattacks does that. The target's two steepest
//! logits, which is ART's rule, give 100, 94 and 13 % with 12, 30 and 52. So the default is the
//! paper's: pairs on softmax outputs.

use crate::attack::context::{AttackContext, BestSoFar, Predictions, StepReport};
use crate::attack::cross_entropy::ClassProbability;
use crate::attack::goal::Goal;
use crate::attack::image_batch::ImageBatch;
use crate::attack::logits::{Logits, best_other};
use crate::attack::methods::saliency::{best_pair, best_two};
use crate::attack::norm::Norm;
use crate::attack::objective::Objective;
use crate::attack::observer::Observer;
use crate::attack::oracle::{GradientOracle, LossGradient};
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{ChoiceParam, FloatParam, Settings};

const RULE: ChoiceParam<bool> = ChoiceParam::new(
    "rule",
    &["pair", "gradient"],
    &[true, false],
    "pair: the paper's saliency map, values that together raise the target and lower all \
             others; gradient: the two values that raise the target most",
);
const CHANGE: ChoiceParam<f64> = ChoiceParam::new(
    "change",
    &["increase", "decrease"],
    &[1.0, -1.0],
    "which way values are changed",
);
const THETA: FloatParam =
    FloatParam::new("theta", (0.01, 1.0), 1.0, "change of a value in one iteration, pixel units");
const GAMMA: FloatParam =
    FloatParam::new("gamma", (0.0, 1.0), 0.1, "the largest share of the values to change");
const OUTPUTS: ChoiceParam<bool> =
    ChoiceParam::new("outputs", &["softmax", "logits"], &[true, false], "what is differentiated");

/// JSMA: the two most salient values changed as far as they go, again and again.
///
/// L0; gradients (white box); minimum norm; targeted or untargeted.
///
/// Papernot et al.: The Limitations of Deep Learning in Adversarial Settings, EuroS&P 2016.
pub const JSMA: AttackSpec = AttackSpec {
    id: "jsma",
    name: "JSMA",
    family: "sparse",
    norms: &[Norm::L0],
    bound: Bound::MinimumNorm,
    targeted: true,
    random: false,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[RULE.param, CHANGE.param, THETA.param, GAMMA.param, OUTPUTS.param],
    summary: "changes the two most salient values to the utmost, again and again",
    about: "The Jacobian-based saliency map attack asks which values, if changed, would raise the \
            target's output and lower all others, changes the best two of them as far as they go, \
            and looks again: a handful of glaring pixels instead of a faint veil. Watch where they \
            appear: they paint strokes of the target. Without a target it aims at the second most \
            likely class and stops at any wrong answer. It fails where no few values matter much, as \
            on adversarially trained networks.",
    paper: "Papernot et al.: The Limitations of Deep Learning in Adversarial Settings, EuroS&P 2016",
    run: Algorithm::Gradient(jsma),
};

struct JsmaConfig {
    pair: bool,
    softmax: bool,
    /// +1 to increase, −1 to decrease.
    way: f64,
    theta: f64,
}

fn jsma(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let rules = JsmaConfig {
        pair: RULE.get(settings),
        softmax: OUTPUTS.get(settings),
        way: CHANGE.get(settings),
        theta: THETA.get(settings),
    };
    let mut context = AttackContext::new(problem, observer);
    let steps = (GAMMA.get(settings) * context.x.size() as f64 / 2.0).floor() as usize;
    let mut best = BestSoFar::new(context.x);
    let mut images = context.x.clone();
    let mut targets = Vec::new();
    let mut active = context.all();
    for iteration in 0..=steps {
        let now = images.select(&active);
        let logits = context.logits(oracle, &active, &now)?;
        if iteration == 0 {
            targets = aims(&problem.goals, &logits);
        }
        let reached = context.keep_successes(&mut best, &active, &now, &logits);
        let outputs = active.iter().zip(logits.rows()).map(|(i, row)| row[targets[*i]]);
        context.report(&StepReport {
            active: &active,
            iteration,
            iterations: steps,
            loss: &outputs.collect::<Vec<f32>>(),
            predictions: Predictions::Logits(&logits),
            step_size: rules.theta as f32,
            images: &now,
            mark: reached[0].then_some("there"),
        })?;
        active = best.active(&active);
        if active.is_empty() || iteration == steps {
            break;
        }
        let now = images.select(&active);
        let gradients = rules.gradients(&mut context, oracle, &active, &now, &targets)?;
        let mut moved = Vec::new();
        for (row, i) in active.iter().enumerate() {
            let image = images.row_mut(*i);
            let chosen = rules.choose(image, &gradients, row);
            for at in &chosen {
                let to = f64::from(image[*at]) + rules.way * rules.theta;
                image[*at] = to.clamp(0.0, 1.0) as f32;
            }
            if !chosen.is_empty() {
                moved.push(*i);
            }
        }
        // Where no value helps, none ever will.
        active = moved;
        if active.is_empty() {
            break;
        }
    }
    Ok(context.finish(best.images))
}

/// The class to be raised for each image: the target, or the most likely wrong one.
fn aims(goals: &[Goal], logits: &Logits) -> Vec<usize> {
    let aim = |(goal, row): (&Goal, &[f32])| match *goal {
        Goal::Targeted { target } => target,
        Goal::Untargeted { truth } => best_other(row, truth),
    };
    goals.iter().zip(logits.rows()).map(aim).collect()
}

impl JsmaConfig {
    /// How many backward passes an image needs: the target's, and that of the sum of the others
    /// where it is not simply the opposite.
    fn passes(&self) -> usize {
        if self.pair && !self.softmax { 2 } else { 1 }
    }

    fn gradients(
        &self,
        context: &mut AttackContext<'_>,
        oracle: &mut dyn GradientOracle,
        active: &[usize],
        now: &ImageBatch,
        targets: &[usize],
    ) -> Result<LossGradient> {
        let passes = self.passes();
        let rows: Vec<usize> = (0..passes * active.len()).map(|at| at / passes).collect();
        let whose: Vec<usize> = rows.iter().map(|row| active[*row]).collect();
        let likelihood = ClassProbability(|at: usize, _: Goal| targets[whose[at]]);
        let sums = |at: usize, row: &[f32], _: Goal, logit_gradient: &mut [f64]| {
            let target = targets[whose[at]];
            let ours = |k: usize| (k == target) == at.is_multiple_of(passes);
            for (k, logit_gradient) in logit_gradient.iter_mut().enumerate() {
                *logit_gradient += f64::from(u8::from(ours(k)));
            }
            (0..row.len()).filter(|k| ours(*k)).map(|k| f64::from(row[k])).sum()
        };
        let objective: &dyn Objective = if self.softmax { &likelihood } else { &sums };
        context.gradients(oracle, &whose, &now.select(&rows), objective)
    }

    /// The values of an image to be changed next: two, or fewer where no others help.
    fn choose(&self, image: &[f32], gradients: &LossGradient, row: usize) -> Vec<usize> {
        let passes = self.passes();
        let scaled = |at: usize, by: f64| -> Vec<f64> {
            gradients.gradient.row(at).iter().map(|g| by * f64::from(*g)).collect()
        };
        let end = if self.way > 0.0 { 1.0 } else { 0.0 };
        let free: Vec<usize> = (0..image.len()).filter(|i| image[*i] != end).collect();
        let raises = scaled(passes * row, self.way);
        let pair = match (self.pair, self.softmax) {
            (false, _) => return best_two(&raises, &free),
            // What raises the target's probability lowers the sum of the others as much.
            (true, true) => best_pair(&raises, &raises, &free),
            (true, false) => best_pair(&raises, &scaled(passes * row + 1, -self.way), &free),
        };
        pair.map_or(Vec::new(), |(p, q)| vec![p, q])
    }
}
