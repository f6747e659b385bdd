//! Steepest descent on the input: FGSM, BIM and PGD are one loop that differs in its parameters
//! only (one step; many steps; many steps from random starts).
//!
//! FGSM: Goodfellow et al. 2015. BIM: Kurakin et al. 2017. PGD: Madry et al. 2018.
//!
//! **Which iterate is kept.** The last one, as the reference implementations do, unless it is not
//! adversarial while an earlier one was: then that one of the largest loss (an attack that throws a
//! success away is the "silent success" of Pintor et al. 2022). Over several restarts a picture's
//! first success counts, and pictures that are broken leave the batch; where no restart succeeds
//! the attempt of the largest loss is kept. So the answer is never worse than the last iterate, and
//! a failed attempt still shows what was tried.

use crate::attack::norm::Norm;
use crate::attack::objective::CrossEntropy;
use crate::attack::observer::{Flow, Images, Observer, Step};
use crate::attack::oracle::Gradient;
use crate::attack::problem::{Attempt, Problem, choose, indices};
use crate::attack::registry::{AttackSpec, Extent, Run};
use crate::error::{Error, Result};
use crate::parameter::{Param, Settings};
use burn::tensor::Tensor;

/// Number of gradient steps.
pub(super) const STEPS: Param = Param::int("steps", (1, 10_000), 40, "number of gradient steps");

/// The step size; `auto` is what Madry et al. recommend.
pub(super) const STEP_SIZE: Param =
    Param::float("step-size", (0.0, 100.0), 0.0, "length α of one step, in pixel units")
        .automatic("2.5·ε/steps", |epsilon, settings| {
            2.5 * epsilon / settings.int("steps", 40).max(1) as f64
        });

/// Number of starts.
pub(super) const RESTARTS: Param = Param::int(
    "restarts",
    (1, 100),
    1,
    "number of starts; a picture leaves as soon as one succeeds",
);

/// The one-step attack.
pub const FGSM: AttackSpec = AttackSpec {
    id: "fgsm",
    name: "FGSM",
    family: "gradient, fixed ε",
    norms: &[Norm::Linf, Norm::L2],
    extent: Extent::Budget,
    targeted: true,
    random: false,
    crowd: false,
    params: &[],
    summary: "one step of length ε along the gradient's sign",
    about: "The fast gradient sign method computes the loss gradient with respect to the pixels once \
            and moves every pixel by ε in the direction that makes the loss grow. It is the cheapest \
            attack, and the proof that networks are too linear: a tiny step in every pixel adds up. \
            Pixels whose gradient is exactly zero stay. A defence that stops FGSM only may just have \
            bent the loss surface: always look at PGD too.",
    paper: "Goodfellow, Shlens, Szegedy: Explaining and Harnessing Adversarial Examples, ICLR 2015",
    run: Run::Gradient(fgsm),
};

/// The iterated attack without random start.
pub const BIM: AttackSpec = AttackSpec {
    id: "bim",
    name: "BIM",
    family: "gradient, fixed ε",
    norms: &[Norm::Linf, Norm::L2],
    extent: Extent::Budget,
    targeted: true,
    random: false,
    crowd: false,
    params: &[STEPS, STEP_SIZE],
    summary: "many small FGSM steps, each projected back into the ball",
    about: "The basic iterative method repeats small gradient steps and projects back into the ε-ball \
            and the pixel range after each, so that it can follow the loss surface where it bends. It \
            starts at the clean picture: the same every time.",
    paper: "Kurakin, Goodfellow, Bengio: Adversarial Examples in the Physical World, ICLR workshop 2017",
    run: Run::Gradient(bim),
};

/// The iterated attack from random starts.
pub const PGD: AttackSpec = AttackSpec {
    id: "pgd",
    name: "PGD",
    family: "gradient, fixed ε",
    norms: &[Norm::Linf, Norm::L2],
    extent: Extent::Budget,
    targeted: true,
    random: true,
    crowd: false,
    params: &[
        STEPS,
        STEP_SIZE,
        Param::flag("random-start", true, "begin at a point drawn uniformly from the ball"),
        RESTARTS,
    ],
    summary: "BIM from random starts: the standard white-box attack",
    about: "Projected gradient descent is BIM begun at a random point of the ε-ball, repeated from new \
            points if asked to. It is the attack that adversarial training is usually trained and \
            measured with. More steps and more restarts can only make it stronger: if they still \
            change the result, it had not converged.",
    paper: "Madry et al.: Towards Deep Learning Models Resistant to Adversarial Attacks, ICLR 2018",
    run: Run::Gradient(pgd),
};

type Oracle<'a> = &'a mut dyn Gradient;
type Watcher<'a> = &'a mut dyn Observer;

fn fgsm(
    oracle: Oracle<'_>,
    problem: &Problem,
    _: &Settings,
    watcher: Watcher<'_>,
) -> Result<Attempt> {
    let step = problem.budget.epsilon;
    descend(oracle, problem, Course { steps: 1, step, random: false, restarts: 1 }, watcher)
}

fn bim(
    oracle: Oracle<'_>,
    problem: &Problem,
    settings: &Settings,
    watcher: Watcher<'_>,
) -> Result<Attempt> {
    descend(oracle, problem, Course::new(settings, false), watcher)
}

fn pgd(
    oracle: Oracle<'_>,
    problem: &Problem,
    settings: &Settings,
    watcher: Watcher<'_>,
) -> Result<Attempt> {
    descend(oracle, problem, Course::new(settings, settings.flag("random-start")), watcher)
}

/// How the loop is to run.
struct Course {
    steps: usize,
    /// α, in pixel units.
    step: f32,
    random: bool,
    restarts: usize,
}

impl Course {
    fn new(settings: &Settings, random: bool) -> Self {
        let steps = settings.int("steps", 40).max(1) as usize;
        let step = settings.float("step-size", 0.0) as f32;
        // Without a random start every restart would be the same.
        let restarts = if random { settings.int("restarts", 1).max(1) as usize } else { 1 };
        Self { steps, step, random, restarts }
    }
}

/// What is kept for each picture.
struct Keeper {
    images: Tensor<4>,
    success: Vec<bool>,
    loss: Vec<f32>,
    queries: Vec<u64>,
}

fn descend(
    oracle: Oracle<'_>,
    problem: &Problem,
    course: Course,
    watcher: Watcher<'_>,
) -> Result<Attempt> {
    let n = problem.len();
    let mut best = Keeper {
        images: problem.images.clone(),
        success: vec![false; n],
        loss: vec![f32::NEG_INFINITY; n],
        queries: vec![0; n],
    };
    for restart in 0..course.restarts {
        let open: Vec<usize> = (0..n).filter(|i| !best.success[*i]).collect();
        if open.is_empty() {
            break;
        }
        let part;
        let standing = match open.len() == n {
            true => problem,
            false => {
                part = problem.select(&open);
                &part
            }
        };
        let found = one_restart(oracle, standing, &open, &course, restart, watcher)?;
        best = merge(best, found, &open);
    }
    Ok(Attempt::new(best.images, best.queries))
}

/// Puts what a restart found for the pictures `open` where it is better than what was there.
fn merge(best: Keeper, found: Keeper, open: &[usize]) -> Keeper {
    let Keeper { images, mut success, mut loss, mut queries } = best;
    let n = success.len();
    let mut row_of = vec![0; n];
    let mut better = vec![false; n];
    for (row, i) in open.iter().enumerate() {
        row_of[*i] = row;
        queries[*i] += found.queries[row];
        if (found.success[row], found.loss[row]) > (success[*i], loss[*i]) {
            better[*i] = true;
            success[*i] = found.success[row];
            loss[*i] = found.loss[row];
        }
    }
    let spread = found.images.select(0, indices(&row_of, &images));
    let images = choose(images, spread, &better);
    Keeper { images, success, loss, queries }
}

fn one_restart(
    oracle: Oracle<'_>,
    problem: &Problem,
    open: &[usize],
    course: &Course,
    restart: usize,
    watcher: Watcher<'_>,
) -> Result<Keeper> {
    let (x, budget) = (&problem.images, &problem.budget);
    let mut images = x.clone();
    if course.random {
        let start = budget.random_start(x, &problem.draws(restart))?;
        images = (x.clone() + start).clamp(0.0, 1.0);
    }
    let n = problem.len();
    let mut kept = Keeper {
        images: images.clone(),
        success: vec![false; n],
        loss: vec![f32::NEG_INFINITY; n],
        queries: vec![0; n],
    };
    for iteration in 0..=course.steps {
        let last = iteration == course.steps;
        // The last iterate is only looked at: no step is taken from it.
        let (scores, loss, gradient) = match last {
            false => {
                let slope = oracle.slope(&images, &problem.goals, &CrossEntropy)?;
                (slope.scores, slope.loss, Some(slope.gradient))
            }
            true => {
                let scores = oracle.scores(&images)?;
                let loss = scores.losses(&problem.goals, &CrossEntropy);
                (scores, loss, None)
            }
        };
        let labels = scores.labels();
        let margins = scores.margins(&problem.goals);
        let mut better = vec![false; n];
        for i in 0..n {
            let hit = problem.goals[i].reached(labels[i]);
            let wins = match (hit, kept.success[i]) {
                (true, true) => last || loss[i] > kept.loss[i],
                (true, false) => true,
                (false, true) => false,
                (false, false) => last,
            };
            if wins {
                better[i] = true;
                kept.success[i] = hit;
                kept.loss[i] = loss[i];
            }
        }
        kept.images = choose(kept.images, images.clone(), &better);
        kept.queries.iter_mut().for_each(|q| *q += 1);
        let step = Step {
            open,
            goals: &problem.goals,
            restart,
            restarts: course.restarts,
            iteration,
            iterations: course.steps,
            loss: &loss,
            margin: &margins,
            scores: Some(&scores),
            labels: &labels,
            step_size: course.step,
            images: Images::Tensor(&images),
            queries: kept.queries[0],
            stage: None,
            mark: None,
        };
        if watcher.step(&step) == Flow::Stop {
            return Err(Error::cancelled());
        }
        let Some(gradient) = gradient else { break };
        let moved = images + budget.steepest(gradient)? * course.step;
        let delta = budget.project(moved - x.clone())?;
        images = (x.clone() + delta).clamp(0.0, 1.0);
    }
    // Surfaces a device failure here rather than in whoever reads the pictures first.
    kept.images.device().sync().map_err(|e| Error::lost(&e))?;
    Ok(kept)
}
