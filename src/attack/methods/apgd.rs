//! Auto-PGD (Croce & Hein 2020) with cross-entropy, with DLR, and towards one class after another
//! with targeted DLR; in L1 as in Croce & Hein 2021 ("Mind the box").
//!
//! It follows the published code step for step, the odd count of the first window included. What is
//! returned is the last iterate that reaches the goal; where none does, the one of the largest loss
//! (the reference returns the initial point there).
//!
//! **L1** walks in balls of 3ε, 2ε and ε for 30, 30 and 40 % of the steps. Iterates in the larger
//! balls are shown, and tried, as what is left of them in the ε-ball, which costs one forward pass
//! each and can only find more.

use crate::attack::context::{AttackContext, BestSoFar, Predictions, StepReport};
use crate::attack::cross_entropy::CrossEntropy;
use crate::attack::dlr::{Dlr, DlrTowards, largest};
use crate::attack::goal::Goal;
use crate::attack::image_batch::ImageBatch;
use crate::attack::l1;
use crate::attack::methods::apgd_state::ApgdState;
use crate::attack::methods::eot::EotOracle;
use crate::attack::norm::{Budget, Norm};
use crate::attack::objective::{Objective, loss_or_margin};
use crate::attack::observer::Observer;
use crate::attack::oracle::GradientOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{FlagParam, FloatParam, IntParam, Settings, Value};
use crate::rng::KeyedRng;

const STEPS: IntParam = IntParam::new("steps", (1, 10_000), 100, "number of gradient steps N");
const RHO: FloatParam = FloatParam::new(
    "rho",
    (0.0, 1.0),
    0.75,
    "the step is halved where no more than this share of a window's steps raised the loss (L∞, L2)",
);
const RANDOM: FlagParam =
    FlagParam::new("random-start", true, "begin at a random point of the ball's surface");
const EARLY: FlagParam = FlagParam::new(
    "stop-early",
    false,
    "a picture leaves at its first success instead of raising its loss to the end",
);
const DRAWS: IntParam = IntParam::new(
    "draws",
    (1, 1000),
    1,
    "gradients averaged a step: more than 1 for a network that is random itself (20 in AutoAttack)",
);
const RESTARTS: IntParam = IntParam::new(
    "restarts",
    (1, 100),
    1,
    "number of starts; a picture leaves as soon as one succeeds",
);
const NORMS: &[Norm] = &[Norm::Linf, Norm::L2, Norm::L1];
const PAPER: &str = "Croce, Hein: Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse \
                     Parameter-free Attacks, ICML 2020; L1: Mind the Box, ICML 2021";

/// APGD-CE: Auto-PGD on cross-entropy, which adapts its own step size.
///
/// L∞, L2, L1; gradients (white box); within ε; targeted or untargeted.
///
/// Croce, Hein: Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse
/// Parameter-free Attacks, ICML 2020; L1: Mind the Box, ICML 2021.
pub const CE: AttackSpec = AttackSpec {
    id: "apgd-ce",
    name: "APGD-CE",
    family: "gradient, fixed ε",
    norms: NORMS,
    bound: Bound::FixedEpsilon,
    targeted: true,
    random: true,
    universal: false,
    training_images: None,
    repetitions: &[STEPS, RESTARTS],
    stages: None,
    params: &[STEPS.param, RESTARTS.param, RANDOM.param, RHO.param, DRAWS.param, EARLY.param],
    summary: "PGD that chooses its own step size, on cross-entropy: AutoAttack's first stage",
    about: "Auto-PGD begins with steps as wide as the ball, adds momentum, and at checkpoints that come \
            closer and closer asks whether the loss still rises. Where it does not, it halves the step \
            and goes back to the best point so far: watch the loss jump, then settle. There is no step \
            size to tune, so it is hard to use wrongly. Cross-entropy's gradient fades on very \
            confident networks: compare APGD-DLR.",
    paper: PAPER,
    run: Algorithm::Gradient(ce),
};

/// APGD-DLR: Auto-PGD on the difference of logits ratio.
///
/// L∞, L2, L1; gradients (white box); within ε; targeted or untargeted.
///
/// Croce, Hein: Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse
/// Parameter-free Attacks, ICML 2020; L1: Mind the Box, ICML 2021.
pub const DLR: AttackSpec = AttackSpec {
    id: "apgd-dlr",
    name: "APGD-DLR",
    summary: "Auto-PGD on the difference of logits ratio, which no scaling of the logits can hide from",
    about: "The same walk as APGD-CE on another loss: the margin divided by the distance between the \
            largest and the third largest logit. Multiplying all logits by a thousand changes nothing \
            about it, while cross-entropy's gradient would vanish. Where it finds much more than \
            APGD-CE, the network hides its gradients behind large logits. Networks with two classes \
            get the plain margin.",
    run: Algorithm::Gradient(dlr),
    ..CE
};

const TARGETS: IntParam = IntParam::new(
    "targets",
    (1, 1000),
    9,
    "number of classes tried, the likeliest wrong ones first; with a chosen target only that one",
);

/// APGD-T: Auto-PGD on targeted DLR, towards one class after another.
///
/// L∞, L2, L1; gradients (white box); within ε; targeted or untargeted.
///
/// Croce, Hein: Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse
/// Parameter-free Attacks, ICML 2020; L1: Mind the Box, ICML 2021.
pub const TARGETED: AttackSpec = AttackSpec {
    id: "apgd-t",
    repetitions: &[STEPS],
    name: "APGD-T",
    params: &[STEPS.param, TARGETS.param, RANDOM.param, RHO.param, DRAWS.param, EARLY.param],
    summary: "Auto-PGD towards each of the nine likeliest wrong classes: AutoAttack's second stage",
    about: "Instead of climbing away from the right class, it walks towards the second most likely class, \
            and if that fails towards the third, and so on: nine full walks for a picture that resists. \
            The direction that looks best at first is not always the one that gives way, so this breaks \
            pictures that an untargeted attack leaves standing. Any wrong answer on the way counts.",
    run: Algorithm::Gradient(targets),
    ..CE
};

/// Runs `apgd-ce`.
pub(in crate::attack) fn ce(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    restarts(oracle, problem, settings, observer, &CrossEntropy)
}

/// Runs `apgd-dlr`.
pub(in crate::attack) fn dlr(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    restarts(oracle, problem, settings, observer, &Dlr)
}

fn restarts(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
    objective: &dyn Objective,
) -> Result<AttackOutput> {
    let config = ApgdConfig::new(settings);
    // Without a random start every restart would be the same.
    let rounds = if config.random { RESTARTS.count(settings) } else { 1 };
    let mut context = AttackContext::new(problem, observer);
    let mut best = BestSoFar::new(context.x);
    for round in 0..rounds {
        context.restart = (round, rounds);
        let mut eot_oracle = EotOracle { oracle, objective, draws: config.draws };
        config.round(&mut context, &mut eot_oracle, &mut best)?;
    }
    Ok(context.finish(best.images))
}

/// Runs `apgd-t`.
pub(in crate::attack) fn targets(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let config = ApgdConfig::new(settings);
    let mut context = AttackContext::new(problem, observer);
    let mut best = BestSoFar::new(context.x);
    let chosen = |goal: &Goal| matches!(goal, Goal::Targeted { .. });
    // By image: the classes to walk towards, likeliest first.
    let mut ways: Vec<Vec<usize>> = problem.goals.iter().map(|goal| vec![goal.class()]).collect();
    if !problem.goals.iter().all(chosen) {
        let all = context.all();
        let x = context.x.clone();
        let clean = context.logits(oracle, &all, &x)?;
        let most = TARGETS.count(settings);
        for ((ways, row), goal) in ways.iter_mut().zip(clean.rows()).zip(&problem.goals) {
            if !chosen(goal) {
                *ways = largest(row, most + 1);
                ways.retain(|class| *class != goal.class());
                ways.truncate(most);
            }
        }
    }
    let rounds = ways.iter().map(Vec::len).max().unwrap_or(0);
    for round in 0..rounds {
        context.restart = (round, rounds);
        let by = DlrTowards(ways.iter().map(|ways| ways[round.min(ways.len() - 1)]).collect());
        let mut eot_oracle = EotOracle { oracle, objective: &by, draws: config.draws };
        config.round(&mut context, &mut eot_oracle, &mut best)?;
    }
    Ok(context.finish(best.images))
}

/// The parameters of a run.
struct ApgdConfig {
    steps: usize,
    rho: f64,
    random: bool,
    draws: usize,
    early: bool,
}

impl ApgdConfig {
    fn new(settings: &Settings) -> Self {
        Self {
            steps: STEPS.count(settings),
            rho: RHO.get(settings),
            random: RANDOM.get(settings),
            draws: DRAWS.count(settings),
            early: EARLY.get(settings),
        }
    }

    /// Radius and steps of each ball that is walked in.
    fn balls(&self, budget: Budget) -> Vec<(Budget, usize)> {
        let wide = (0.3 * self.steps as f64).ceil() as usize;
        if budget.norm != Norm::L1 || 2 * wide >= self.steps {
            return vec![(budget, self.steps)];
        }
        let ball = |factor: f32| Budget { epsilon: factor * budget.epsilon, ..budget };
        vec![(ball(3.0), wide), (ball(2.0), wide), (budget, self.steps - 2 * wide)]
    }

    /// One restart of every image that is not adversarial yet.
    fn round(
        &self,
        context: &mut AttackContext,
        eot_oracle: &mut EotOracle,
        best: &mut BestSoFar,
    ) -> Result<()> {
        let draws = context.problem.draws(context.restart.0);
        let balls = self.balls(context.problem.budget);
        let (first, steps) = balls[0];
        let begin = |i: usize| {
            let x = context.x.row(i);
            let start = match self.random {
                true => start(x, first, &mut draws[i].clone()),
                false => x.to_vec(),
            };
            ActiveImage {
                number: i,
                state: ApgdState::new(x, start, first, steps, self.rho),
                broken: None,
            }
        };
        let mut runners: Vec<ActiveImage> =
            best.active(&context.all()).into_iter().map(begin).collect();
        let mut done = 0;
        for (ball, steps) in balls {
            if done > 0 {
                for runner in &mut runners {
                    let x = context.x.row(runner.number);
                    let start = l1::nearest(x, &runner.state.best, ball.epsilon);
                    runner.state = ApgdState::new(x, start, ball, steps, self.rho);
                }
            }
            self.state(context, eot_oracle, &mut runners, best, (ball, steps, done))?;
            done += steps;
        }
        runners.into_iter().for_each(|runner| runner.arrive(best));
        Ok(())
    }

    /// `steps` steps in one ball, after `done` others.
    fn state(
        &self,
        context: &mut AttackContext,
        eot_oracle: &mut EotOracle,
        runners: &mut Vec<ActiveImage>,
        best: &mut BestSoFar,
        (ball, steps, done): (Budget, usize, usize),
    ) -> Result<()> {
        let budget = context.problem.budget;
        for iteration in 0..=steps {
            if self.early {
                let left = runners.extract_if(.., |runner| runner.broken.is_some());
                left.for_each(|runner| runner.arrive(best));
            }
            if runners.is_empty() {
                break;
            }
            let active: Vec<usize> = runners.iter().map(|runner| runner.number).collect();
            let mut images = ImageBatch::zeros(context.x.shape(), 0);
            runners.iter().for_each(|runner| images.push(&runner.state.at));
            // No step is taken from the last iterate: its gradient is not needed.
            let (mut logits, mut loss, gradient) = match iteration == steps {
                false => {
                    let found = eot_oracle.gradients(context, &active, &images)?;
                    (found.logits, found.loss, Some(found.gradient))
                }
                true => {
                    let (logits, loss) = eot_oracle.logits(context, &active, &images)?;
                    (logits, loss, None)
                }
            };
            let margins = logits.margins(&context.goals(&active));
            let mut mark = (iteration == 0 && steps < self.steps)
                .then(|| format!("in the ball of {}", Value::Float(f64::from(ball.epsilon))));
            for (row, runner) in runners.iter_mut().enumerate() {
                let x = context.x.row(runner.number);
                let gradient = gradient.as_ref().map_or(&[][..], |gradient| gradient.row(row));
                let loss_or_margin = loss_or_margin(loss[row], margins[row]);
                let event = runner.state.observe(x, loss_or_margin, margins[row], gradient);
                if row == 0 {
                    mark = event.or(mark);
                }
            }
            if ball.epsilon > budget.epsilon {
                for (row, i) in active.iter().enumerate() {
                    let near = l1::nearest(context.x.row(*i), images.row(row), budget.epsilon);
                    images.row_mut(row).copy_from_slice(&near);
                }
                (logits, loss) = eot_oracle.logits(context, &active, &images)?;
            }
            let reached = context.reached(&active, &logits.labels());
            for (row, runner) in runners.iter_mut().enumerate().filter(|(row, _)| reached[*row]) {
                runner.broken = Some(images.row(row).to_vec());
            }
            context.report(&StepReport {
                active: &active,
                iteration: done + iteration,
                iterations: self.steps,
                loss: &loss,
                predictions: Predictions::Logits(&logits),
                step_size: runners[0].state.step,
                images: &images,
                mark: mark.as_deref(),
            })?;
            if iteration < steps {
                runners.iter_mut().for_each(|r| r.state.advance(context.x.row(r.number)));
            }
        }
        Ok(())
    }
}

/// The state of an image that is not adversarial yet.
struct ActiveImage {
    /// Which image of the problem.
    number: usize,
    state: ApgdState,
    /// The last iterate that reached the goal.
    broken: Option<Vec<f32>>,
}

impl ActiveImage {
    fn arrive(self, best: &mut BestSoFar) {
        match self.broken {
            Some(image) => best.offer(self.number, &image, true, self.state.margin),
            None => best.offer(self.number, &self.state.best, false, self.state.margin),
        };
    }
}

/// A random point on the ball's surface (for L1: a normal draw's projection), clipped to the box.
fn start(x: &[f32], ball: Budget, draws: &mut KeyedRng) -> Vec<f32> {
    let delta: Vec<f32> = match ball.norm {
        Norm::L2 => draws.on_l2_sphere(x.len(), ball.epsilon),
        Norm::L1 => {
            let far: Vec<f32> = x.iter().map(|x| x + draws.normal()).collect();
            return l1::nearest(x, &far, ball.epsilon);
        }
        _ => {
            let signed: Vec<f32> = x.iter().map(|_| draws.signed()).collect();
            let widest = signed.iter().fold(f32::MIN_POSITIVE, |top, s| top.max(s.abs()));
            signed.iter().map(|s| ball.epsilon * s / widest).collect()
        }
    };
    x.iter().zip(delta).map(|(x, d)| (x + d).clamp(0.0, 1.0)).collect()
}
