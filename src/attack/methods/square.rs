//! Square Attack (Andriushchenko et al. 2020): random search whose proposals are square windows.
//!
//! The start and the windows are those of the authors' code and of AutoAttack's, with what they
//! leave out of the paper's algorithm: a window may touch the last row and column, every image
//! draws windows and signs of its own (AutoAttack's are shared by the whole batch), and, as in the
//! authors' code, a window that would change nothing is drawn again instead of paid for. In L1,
//! which AutoAttack added, a proposal is projected onto the ball and the box together.
//!
//! The start is one query. An image leaves at its first success.

use crate::attack::context::{AttackContext, BestSoFar};
use crate::attack::cross_entropy::CrossEntropy;
use crate::attack::goal::Goal;
use crate::attack::methods::random_search::RandomSearch;
use crate::attack::methods::square_proposals::{Bump, ImageShape, bumps, repaint, shift, stripes};
use crate::attack::norm::Norm;
use crate::attack::objective::{Margin, Objective};
use crate::attack::observer::Observer;
use crate::attack::oracle::ScoreOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{FlagParam, FloatParam, IntParam, Settings};

const QUERIES: IntParam =
    IntParam::new("queries", (1, 1_000_000), 5000, "most queries of one start");
const P_INIT: FloatParam = FloatParam::new(
    "p-init",
    (0.0001, 1.0),
    0.8,
    "share of the pixels in the first windows; they shrink on a fixed schedule",
);
const RESTARTS: IntParam =
    IntParam::new("restarts", (1, 100), 1, "number of starts, for pictures not broken yet");
const RESCALE: FlagParam = FlagParam::new(
    "rescale",
    false,
    "stretch the schedule of window sizes, made for 10000 queries, to the queries given",
);

/// Square Attack: random search with square-shaped proposals.
///
/// L∞, L2, L1; logits (black box); within ε; targeted or untargeted.
///
/// Andriushchenko, Croce, Flammarion, Hein: Square Attack, ECCV 2020; L1: Croce, Hein: Mind the
/// Box, ICML 2021.
pub const SQUARE: AttackSpec = AttackSpec {
    id: "square",
    name: "Square",
    family: "score-based",
    norms: &[Norm::Linf, Norm::L2, Norm::L1],
    bound: Bound::FixedEpsilon,
    targeted: true,
    random: true,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[QUERIES.param, P_INIT.param, RESTARTS.param, RESCALE.param],
    summary: "random squares, kept where they lower the margin: needs no gradient",
    about: "Every pixel starts at its limit of +ε or −ε, in vertical stripes. Then one square window \
            after the other is set to +ε or −ε, and kept if the margin of the true class shrinks; the \
            windows get smaller on a fixed schedule. In L2 and L1 a window takes its size of change \
            from another one. The attack never sees a gradient, so that masking gradients is no \
            defence against it: where it beats PGD, PGD was misled. It needs hundreds of queries \
            where PGD needs tens of gradients; on a robust network it often ends a little weaker.",
    paper: "Andriushchenko, Croce, Flammarion, Hein: Square Attack, ECCV 2020; \
            L1: Croce, Hein: Mind the Box, ICML 2021",
    run: Algorithm::Score(square),
};

/// Runs the attack; also a stage of AutoAttack.
pub(super) fn square(
    oracle: &mut dyn ScoreOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let mut context = AttackContext::new(problem, observer);
    let mut best = BestSoFar::new(context.x);
    let plan = SizeSchedule {
        p_init: P_INIT.get(settings),
        queries: QUERIES.count(settings),
        rescale: RESCALE.get(settings),
    };
    let restarts = RESTARTS.count(settings);
    for restart in 0..restarts {
        context.restart = (restart, restarts);
        if best.active(&context.all()).is_empty() {
            break;
        }
        search(oracle, &mut context, &mut best, &plan)?;
    }
    Ok(context.finish(best.images))
}

/// The size of the windows over time.
struct SizeSchedule {
    p_init: f64,
    queries: usize,
    rescale: bool,
}

impl SizeSchedule {
    /// After these many windows, of 10 000, the share of the pixels halves.
    const HALVINGS: [usize; 9] = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000];

    /// The share of the pixels in window number `window`, from 0.
    fn share(&self, window: usize) -> f64 {
        let at = if self.rescale { window * 10_000 / self.queries } else { window };
        let halvings = Self::HALVINGS.iter().filter(|after| at > **after).count();
        self.p_init / f64::from(1 << halvings)
    }

    /// The side of that window: in L2 and L1 odd and at least 3, so that it has a middle.
    fn side(&self, window: usize, norm: Norm, shape: ImageShape) -> usize {
        let most = shape.height.min(shape.width);
        let pixels = (shape.height * shape.width) as f64;
        let side = (self.share(window) * pixels).sqrt().round() as usize;
        match norm {
            Norm::Linf => side.clamp(1, most),
            // The largest odd side that fits: an even one less 1, an odd one itself.
            _ => (side.max(3) | 1).min((most - 1) | 1),
        }
    }
}

/// The margin, or for a target the cross-entropy, as in the authors' code.
struct SquareLoss;

impl Objective for SquareLoss {
    fn evaluate(&self, at: usize, row: &[f32], goal: Goal, logit_gradient: &mut [f64]) -> f64 {
        match goal {
            Goal::Untargeted { .. } => Margin.evaluate(at, row, goal, logit_gradient),
            Goal::Targeted { .. } => CrossEntropy.evaluate(at, row, goal, logit_gradient),
        }
    }
}

/// One start and its windows, for the images that are not adversarial yet.
fn search(
    oracle: &mut dyn ScoreOracle,
    context: &mut AttackContext<'_>,
    best: &mut BestSoFar,
    plan: &SizeSchedule,
) -> Result<()> {
    let budget = &context.problem.budget;
    let shape = ImageShape::new(context.x.shape());
    let mut draws = context.problem.draws(context.restart.0);
    let active = best.active(&context.all());
    let mut starts = context.x.select(&active);
    for (k, i) in active.iter().enumerate() {
        match budget.norm {
            Norm::Linf => stripes(starts.row_mut(k), shape, budget.epsilon, &mut draws[*i]),
            _ => bumps(starts.row_mut(k), shape, budget, &mut draws[*i]),
        }
    }
    let mut standing = RandomSearch::new(oracle, context, active, starts, &SquareLoss)?;
    let last = plan.queries - 1;
    standing.report(context, (0, last), None)?;
    let mut bump = Bump::new(1, budget.norm);
    for window in 0..last {
        standing.retire_successes(context, best);
        if standing.active.is_empty() {
            return Ok(());
        }
        let side = plan.side(window, budget.norm, shape);
        if budget.norm != Norm::Linf && bump.side != side {
            bump = Bump::new(side, budget.norm);
        }
        let mut asked = standing.images.clone();
        let mut first = None;
        for (k, i) in standing.active.iter().enumerate() {
            let (x, image, draws) = (context.x.row(*i), asked.row_mut(k), &mut draws[*i]);
            let place = match budget.norm {
                Norm::Linf => repaint(x, image, shape, side, budget.epsilon, draws),
                _ => shift(x, image, shape, &bump, budget, draws),
            };
            first.get_or_insert(place);
        }
        // As published: at the boundary a window is kept even where it is no better.
        let kept =
            standing.propose(oracle, context, &asked, &SquareLoss, |margin| margin <= 0.0)?;
        let outcome = if kept[0] { "kept" } else { "no better" };
        let mark = first.map(|place| format!("{place}: {outcome}"));
        standing.report(context, (window + 1, last), mark.as_deref())?;
    }
    standing.retire_all(context, best);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_shrink_on_the_published_schedule() {
        let plan = |rescale, queries| SizeSchedule { p_init: 0.8, queries, rescale };
        let published = [
            (0, 0.8),
            (10, 0.8),
            (11, 0.4),
            (50, 0.4),
            (51, 0.2),
            (201, 0.1),
            (501, 0.05),
            (1001, 0.025),
            (2001, 0.0125),
            (4001, 0.00625),
            (6001, 0.003125),
            (8001, 0.0015625),
        ];
        for (window, share) in published {
            assert_eq!(plan(false, 5000).share(window), share, "{window}");
        }
        // Stretched to 1000 queries, each size lasts a tenth as long.
        for (window, share) in [(1, 0.8), (5, 0.4), (6, 0.2), (801, 0.0015625)] {
            assert_eq!(plan(true, 1000).share(window), share, "{window}");
        }
        let side = |window, norm, height, width| {
            plan(false, 5000).side(window, norm, ImageShape { channels: 1, height, width })
        };
        assert_eq!(side(0, Norm::Linf, 28, 28), 25);
        assert_eq!(side(4999, Norm::Linf, 28, 28), 2);
        assert_eq!(side(0, Norm::Linf, 8, 30), 8, "no window is larger than the picture");
        assert_eq!(side(0, Norm::L2, 32, 32), 29);
        assert_eq!(side(0, Norm::L2, 8, 8), 7);
        assert_eq!(side(4999, Norm::L2, 28, 28), 3);
    }
}
