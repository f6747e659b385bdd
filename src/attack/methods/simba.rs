//! SimBA (Guo et al. 2019): one orthonormal direction after the other, in random order and without
//! replacement: a step back, else a step forth, kept where the probability falls.
//!
//! The paper bounds the perturbation by the number of steps only; here a step that would leave the
//! ε-ball is skipped. Neither it nor a step that the box turns into nothing costs a query.

use crate::attack::context::{AttackContext, BestSoFar};
use crate::attack::cross_entropy::CrossEntropy;
use crate::attack::methods::random_search::RandomSearch;
use crate::attack::norm::Norm;
use crate::attack::observer::Observer;
use crate::attack::oracle::ScoreOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::data::cosines;
use crate::error::Result;
use crate::parameter::{ChoiceParam, FloatParam, IntParam, Settings};
use crate::rng::KeyedRng;

const QUERIES: IntParam = IntParam::new("queries", (1, 10_000_000), 10_000, "most queries");
const STEP: FloatParam =
    FloatParam::new("step", (1e-4, 10.0), 0.2, "length of one step in L2, in pixel units");
const BASIS: ChoiceParam<bool> = ChoiceParam::new(
    "basis",
    &["pixel", "dct"],
    &[false, true],
    "directions: single values, or cosine waves over the picture, long waves first",
);

/// SimBA: random search along orthonormal directions.
///
/// L2; logits (black box); within ε; targeted or untargeted.
///
/// Guo, Gardner, You, Wilson, Weinberger: Simple Black-box Adversarial Attacks, ICML 2019.
pub const SIMBA: AttackSpec = AttackSpec {
    id: "simba",
    name: "SimBA",
    family: "score-based",
    norms: &[Norm::L2],
    bound: Bound::FixedEpsilon,
    targeted: true,
    random: true,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[QUERIES.param, STEP.param, BASIS.param],
    summary: "steps along one pixel or one cosine wave at a time, kept where they help",
    about: "The simplest black box attack there is: take a direction that was not tried yet, step back, \
            and if the true class did not get less probable step forth. Every query either helps or \
            rules out a step. In the basis of cosine waves (DCT) the long waves come first: networks \
            for photographs are weak against them, so that far fewer queries do. It ends when every \
            direction was tried or no step fits in the ball any more.",
    paper: "Guo, Gardner, You, Wilson, Weinberger: Simple Black-box Adversarial Attacks, ICML 2019",
    run: Algorithm::Score(simba),
};

fn simba(
    oracle: &mut dyn ScoreOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let mut context = AttackContext::new(problem, observer);
    let mut best = BestSoFar::new(context.x);
    let last = QUERIES.count(settings) - 1;
    let basis = OrthonormalBasis::new(context.x.shape(), BASIS.get(settings));
    let state = |mut draws: KeyedRng| SimbaState {
        order: basis.order(&mut draws),
        next: 0,
        spent: 0.0,
        step: STEP.get(settings),
        epsilon: f64::from(problem.budget.epsilon),
    };
    let mut walks: Vec<SimbaState> = problem.draws(0).into_iter().map(state).collect();
    let starts = context.x.clone();
    let active = context.all();
    let mut standing = RandomSearch::new(oracle, &mut context, active, starts, &CrossEntropy)?;
    standing.report(&mut context, (0, last), None)?;
    for query in 0..last {
        standing.retire_successes(&context, &mut best);
        let mut asked = standing.images.clone();
        let steps: Vec<Option<Proposal>> = standing
            .active
            .iter()
            .enumerate()
            .map(|(k, i)| walks[*i].propose(&basis, context.x.row(*i), asked.row_mut(k)))
            .collect();
        let lost: Vec<bool> = steps.iter().map(Option::is_none).collect();
        if lost.contains(&true) {
            let left: Vec<usize> = (0..lost.len()).filter(|k| !lost[*k]).collect();
            asked = asked.select(&left);
            standing.retire(&lost, &context, &mut best);
        }
        if standing.active.is_empty() {
            break;
        }
        let steps: Vec<Proposal> = steps.into_iter().flatten().collect();
        let kept = standing.propose(oracle, &mut context, &asked, &CrossEntropy, |_| false)?;
        for (k, i) in standing.active.iter().enumerate() {
            walks[*i].record(&steps[k], kept[k]);
        }
        let outcome = if kept[0] { "kept" } else { "no better" };
        let mark = format!("{}: {outcome}", basis.name(&steps[0]));
        standing.report(&mut context, (query + 1, last), Some(&mark))?;
    }
    standing.retire_all(&context, &mut best);
    Ok(context.finish(best.images))
}

/// A search ends when so many steps one after the other do not fit in the ball.
const PATIENCE: usize = 2000;

/// The way of one image.
struct SimbaState {
    /// The directions, in the order in which they are tried.
    order: Vec<usize>,
    /// The next step: twice the place in the order, and 1 more for the step forth.
    next: usize,
    /// ‖δ‖² so far.
    spent: f64,
    step: f64,
    epsilon: f64,
}

/// One step that is queried.
struct Proposal {
    direction: usize,
    length: f64,
    /// ‖δ‖² after it.
    spent: f64,
}

impl SimbaState {
    /// Writes the next step that changes the image and stays in the ball into `image`.
    fn propose(
        &mut self,
        basis: &OrthonormalBasis,
        x: &[f32],
        image: &mut [f32],
    ) -> Option<Proposal> {
        for _ in 0..PATIENCE {
            let direction = *self.order.get(self.next / 2)?;
            let forth = !self.next.is_multiple_of(2);
            let length = if forth { self.step } else { -self.step };
            let mut spent = self.spent;
            let mut changed = false;
            let moved: Vec<(usize, f32)> = basis
                .wave(direction)
                .map(|(at, value)| {
                    let new = (f64::from(image[at]) + length * value).clamp(0.0, 1.0) as f32;
                    let far = |p: f32| f64::from(p - x[at]).powi(2);
                    spent += far(new) - far(image[at]);
                    changed |= (new - image[at]).abs() > 1e-7;
                    (at, new)
                })
                .collect();
            if changed && spent <= self.epsilon * self.epsilon {
                moved.into_iter().for_each(|(at, new)| image[at] = new);
                return Some(Proposal { direction, length, spent });
            }
            self.next += 1;
        }
        None
    }

    /// After a step that was kept comes the next direction, else the other side of this one.
    fn record(&mut self, step: &Proposal, kept: bool) {
        if kept {
            self.spent = step.spent;
            self.next = (self.next / 2 + 1) * 2;
        } else {
            self.next += 1;
        }
    }
}

/// The orthonormal directions.
struct OrthonormalBasis {
    shape: [usize; 3],
    /// For cosine waves: the values of wave u at place y, down and across, `[u · size + y]`.
    waves: Option<[Vec<f64>; 2]>,
}

impl OrthonormalBasis {
    fn new(shape: [usize; 3], smooth: bool) -> Self {
        let waves = |size: usize| cosines(size, size);
        Self { shape, waves: smooth.then(|| [waves(shape[1]), waves(shape[2])]) }
    }

    /// The direction's channel and place: a pixel's row and column, or a wave's two frequencies.
    fn place(&self, direction: usize) -> (usize, usize, usize) {
        let [_, height, width] = self.shape;
        (direction / (height * width), direction / width % height, direction % width)
    }

    /// Every direction once, at random; of the cosine waves a block of the longest first, and then
    /// ring after ring around it, of the authors' widths for photographs.
    fn order(&self, draws: &mut KeyedRng) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.shape.iter().product()).collect();
        for last in (1..order.len()).rev() {
            order.swap(last, draws.below(last + 1));
        }
        if self.waves.is_some() {
            let side = self.shape[1].max(self.shape[2]);
            let (block, ring) = ((side / 16).max(4), (side / 32).max(1));
            order.sort_by_key(|direction| {
                let (_, u, v) = self.place(*direction);
                (u.max(v) + ring).saturating_sub(block) / ring
            });
        }
        order
    }

    /// The direction's values that are not zero, with their places in an image.
    fn wave(&self, direction: usize) -> Box<dyn Iterator<Item = (usize, f64)> + '_> {
        let Some([down, across]) = &self.waves else {
            return Box::new(std::iter::once((direction, 1.0)));
        };
        let [_, height, width] = self.shape;
        let (channel, u, v) = self.place(direction);
        let first = channel * height * width;
        Box::new((0..height * width).map(move |n| {
            let (y, x) = (n / width, n % width);
            (first + n, down[u * height + y] * across[v * width + x])
        }))
    }

    fn name(&self, step: &Proposal) -> String {
        let (channel, u, v) = self.place(step.direction);
        let what = if self.waves.is_some() { "wave" } else { "pixel" };
        let channel =
            if self.shape[0] > 1 { format!(" of channel {channel}") } else { String::new() };
        format!("{what} {v},{u}{channel} {:+}", step.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: [usize; 3] = [2, 6, 8];

    #[test]
    fn directions_are_orthonormal() {
        for cosines in [false, true] {
            let basis = OrthonormalBasis::new(SHAPE, cosines);
            let dense = |direction: usize| {
                let mut values = vec![0.0; 96];
                basis.wave(direction).for_each(|(at, value)| values[at] = value);
                values
            };
            let all: Vec<Vec<f64>> = (0..96).map(dense).collect();
            for a in 0..96 {
                for b in 0..96 {
                    let dot: f64 = all[a].iter().zip(&all[b]).map(|(a, b)| a * b).sum();
                    let wanted = if a == b { 1.0 } else { 0.0 };
                    assert!((dot - wanted).abs() < 1e-12, "{cosines} {a} {b}: {dot}");
                }
            }
        }
    }

    #[test]
    fn every_direction_comes_once_and_long_waves_come_first() {
        for cosines in [false, true] {
            let basis = OrthonormalBasis::new(SHAPE, cosines);
            let order = basis.order(&mut KeyedRng::new(0, 0, 0));
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..96).collect::<Vec<_>>());
            assert_ne!(order, sorted, "at random");
        }
        let basis = OrthonormalBasis::new([3, 224, 224], true);
        let order = basis.order(&mut KeyedRng::new(0, 0, 0));
        let longest = |n: usize| {
            let largest = |d: &usize| basis.place(*d).1.max(basis.place(*d).2);
            order[..n].iter().map(largest).max()
        };
        assert_eq!(longest(3 * 14 * 14), Some(13));
        assert_eq!(longest(3 * 21 * 21), Some(20));
    }

    #[test]
    fn steps_stay_in_the_ball_change_the_picture_and_try_both_sides() {
        for cosines in [false, true] {
            let basis = OrthonormalBasis::new(SHAPE, cosines);
            let order = basis.order(&mut KeyedRng::new(4, 0, 0));
            let mut state = SimbaState { order, next: 0, spent: 0.0, step: 0.3, epsilon: 1.0 };
            // Half of the pixels cannot become darker.
            let x: Vec<f32> = (0..96).map(|i| if i % 2 == 0 { 0.0 } else { 0.5 }).collect();
            let mut image = x.clone();
            let (mut kept, mut sides) = (0, [0, 0]);
            for turn in 0.. {
                let mut asked = image.clone();
                let Some(step) = state.propose(&basis, &x, &mut asked) else { break };
                let far = f64::from(Norm::L2.distance(&asked, &x));
                assert!(far <= 1.0 + 1e-6 && (far * far - step.spent).abs() < 1e-5, "{far}");
                assert_ne!(asked, image);
                sides[usize::from(step.length > 0.0)] += 1;
                state.record(&step, turn % 3 == 0);
                if turn % 3 == 0 {
                    image = asked;
                    kept += 1;
                }
            }
            // Each kept step adds at most its length squared: no fewer fit.
            assert!(kept >= 11, "{cosines}: {kept}");
            assert!(sides[0] > 10 && sides[1] > 10, "{cosines}: {sides:?}");
        }
    }
}
