//! [`ApgdState`]: the state of one image in Auto-PGD, its step with momentum, and the rules that adapt the
//! step size to the loss.

use crate::attack::l1;
use crate::attack::norm::{Budget, Norm, length, sign};
use crate::parameter::Value;

/// One image's state.
pub(super) struct ApgdState {
    /// The iterate.
    pub at: Vec<f32>,
    /// The step size η.
    pub step: f32,
    /// The point of the largest loss.
    pub best: Vec<f32>,
    /// The margin there.
    pub margin: f32,
    before: Vec<f32>,
    gradient: Vec<f32>,
    best_gradient: Vec<f32>,
    best_loss: f32,
    ball: Budget,
    rule: StepSizeRule,
    steps_done: usize,
}

/// The rule that adapts the step size.
enum StepSizeRule {
    /// L∞ and L2: checkpoints, closer and closer, at which η may be halved.
    Halving(Checkpoints),
    /// L1: at fixed checkpoints the step becomes as sparse as the best point is.
    Sparse { every: usize, since: usize, kept: f32, changed: f32 },
}

/// The checkpoints of L∞ and L2, and what has been seen since the last one.
struct Checkpoints {
    window: usize,
    shorter: usize,
    shortest: usize,
    since: usize,
    /// Steps in this window that raised the loss.
    rises: usize,
    last_loss: f32,
    best_before: f32,
    halved_before: bool,
    rho: f64,
}

impl Checkpoints {
    fn new(steps: usize, rho: f64) -> Self {
        let share = |share: f64| ((share * steps as f64) as usize).max(1);
        Self {
            window: share(0.22),
            shorter: share(0.03),
            shortest: share(0.06),
            since: 0,
            rises: 0,
            // The reference compares the first step's loss with 0, not with the start's, and so
            // counts one rise too many or too few in the first window. Its results are the
            // published ones, so it is kept.
            last_loss: 0.0,
            best_before: 0.0,
            // The second rule cannot fire at the first checkpoint.
            halved_before: true,
            rho,
        }
    }

    /// Counts a step; says whether η is to be halved.
    fn passes(&mut self, loss: f32, best_loss: f32) -> bool {
        self.rises += usize::from(loss > self.last_loss);
        self.last_loss = loss;
        self.since += 1;
        if self.since < self.window {
            return false;
        }
        let oscillates = self.rises as f64 <= self.rho * self.window as f64;
        let stuck = !self.halved_before && self.best_before >= best_loss;
        self.halved_before = oscillates || stuck;
        self.best_before = best_loss;
        (self.since, self.rises) = (0, 0);
        self.window = self.window.saturating_sub(self.shorter).max(self.shortest);
        self.halved_before
    }
}

/// The share of the values that L1 steps move at first, by how much the best point must have become
/// sparser for a fresh start of η, and what η is divided by otherwise.
const SHARE: f32 = 0.2;
const SPARSER: f32 = 0.95;
const SHRINK: f32 = 1.5;

impl ApgdState {
    /// Begins at `start`, inside `ball` around `x`, for `steps` steps.
    pub fn new(x: &[f32], start: Vec<f32>, ball: Budget, steps: usize, rho: f64) -> Self {
        let moved = changed(x, &start);
        let d = x.len() as f32;
        let (step, rule) = match ball.norm {
            Norm::L1 => {
                let every = ((0.04 * steps as f64) as usize).max(1);
                let (kept, changed) =
                    if moved > 0.0 { (moved / SHRINK, moved) } else { (SHARE * d, d) };
                (ball.epsilon, StepSizeRule::Sparse { every, since: 0, kept, changed })
            }
            _ => (2.0 * ball.epsilon, StepSizeRule::Halving(Checkpoints::new(steps, rho))),
        };
        Self {
            before: start.clone(),
            best: start.clone(),
            at: start,
            step,
            margin: f32::INFINITY,
            gradient: Vec::new(),
            best_gradient: Vec::new(),
            best_loss: f32::NEG_INFINITY,
            ball,
            rule,
            steps_done: 0,
        }
    }

    /// Takes logits, loss and gradient at the present point; returns what happened to the step size.
    pub fn observe(
        &mut self,
        x: &[f32],
        loss: f32,
        margin: f32,
        gradient: &[f32],
    ) -> Option<String> {
        self.gradient.clear();
        self.gradient.extend_from_slice(gradient);
        // The start is the best so far even where its loss is no number, which beats nothing.
        if self.steps_done == 0 || loss > self.best_loss {
            self.best_loss = loss.max(f32::NEG_INFINITY);
            self.margin = margin;
            self.best.copy_from_slice(&self.at);
            self.best_gradient.clone_from(&self.gradient);
        }
        if self.steps_done == 0 {
            if let StepSizeRule::Halving(checkpoints) = &mut self.rule {
                checkpoints.best_before = self.best_loss;
            }
            return None;
        }
        let event = match &mut self.rule {
            StepSizeRule::Halving(checkpoints) => {
                if !checkpoints.passes(loss, self.best_loss) {
                    return None;
                }
                self.step /= 2.0;
                format!("step halved to {}", Value::Float(f64::from(self.step)))
            }
            StepSizeRule::Sparse { every, since, kept, changed: before } => {
                *since += 1;
                if since < every {
                    return None;
                }
                *since = 0;
                let now = changed(x, &self.best);
                let sparser = now < SPARSER * *before;
                *kept = now / SHRINK;
                *before = now;
                let least = self.ball.epsilon / 10.0;
                if !sparser {
                    self.step = (self.step / SHRINK).max(least);
                    return None;
                }
                self.step = self.ball.epsilon;
                format!("sparser: {now} values")
            }
        };
        self.at.copy_from_slice(&self.best);
        self.gradient.clone_from(&self.best_gradient);
        Some(event)
    }

    /// Takes one step.
    pub fn advance(&mut self, x: &[f32]) {
        let inertia = if self.steps_done == 0 { 0.0 } else { 0.25 };
        self.steps_done += 1;
        match (self.ball.norm, &self.rule) {
            (Norm::L1, StepSizeRule::Sparse { kept, .. }) => {
                let rank = (x.len() as f32 - kept).max(0.0) as usize;
                let least = l1::quantile(&self.gradient, rank);
                l1::sparse(&mut self.gradient, least);
                let pairs = self.at.iter().zip(&self.gradient);
                let moved: Vec<f32> = pairs.map(|(at, g)| at + self.step * g).collect();
                self.at = l1::nearest(x, &moved, self.ball.epsilon);
            }
            (Norm::L2, _) => self.advance_l2(x, inertia),
            _ => self.advance_linf(x, inertia),
        }
    }

    fn advance_linf(&mut self, x: &[f32], inertia: f32) {
        let (step, epsilon) = (self.step, self.ball.epsilon);
        let state = self.at.iter_mut().zip(&mut self.before).zip(&self.gradient).zip(x);
        for (((at, before), g), x) in state {
            let (low, high) = ((x - epsilon).max(0.0), (x + epsilon).min(1.0));
            let z = (*at + step * sign(*g)).clamp(low, high);
            let next = *at + (z - *at) * (1.0 - inertia) + (*at - *before) * inertia;
            *before = *at;
            *at = next.clamp(low, high);
        }
    }

    fn advance_l2(&mut self, x: &[f32], inertia: f32) {
        let scale = f64::from(self.step) / length(&self.gradient).max(1e-300);
        let ascent = self.at.iter().zip(&self.gradient);
        let mut z: Vec<f32> =
            ascent.map(|(at, g)| (f64::from(*at) + f64::from(*g) * scale) as f32).collect();
        into_l2_ball(x, &mut z, self.ball.epsilon);
        for ((z, at), before) in z.iter_mut().zip(&self.at).zip(&self.before) {
            *z = at + (*z - at) * (1.0 - inertia) + (at - before) * inertia;
        }
        into_l2_ball(x, &mut z, self.ball.epsilon);
        self.before = std::mem::replace(&mut self.at, z);
    }
}

/// Scales z − x to the ball where it is outside, then clips to the box.
fn into_l2_ball(x: &[f32], z: &mut [f32], epsilon: f32) {
    let delta: Vec<f32> = z.iter().zip(x).map(|(z, x)| z - x).collect();
    let scale = (f64::from(epsilon) / length(&delta).max(1e-300)).min(1.0);
    for ((z, x), d) in z.iter_mut().zip(x).zip(delta) {
        *z = (f64::from(*x) + f64::from(d) * scale).clamp(0.0, 1.0) as f32;
    }
}

/// How many values differ.
fn changed(x: &[f32], z: &[f32]) -> f32 {
    x.iter().zip(z).filter(|(x, z)| x != z).count() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps after which the checkpoints of N steps look.
    fn looks(steps: usize) -> Vec<usize> {
        let mut checkpoints = Checkpoints::new(steps, 0.75);
        let looked = |step: &usize| {
            checkpoints.passes(*step as f32, *step as f32);
            checkpoints.since == 0
        };
        (1..=steps).filter(looked).collect()
    }

    #[test]
    fn checkpoints_are_the_papers() {
        assert_eq!(looks(100), [22, 41, 57, 70, 80, 87, 93, 99]);
        assert_eq!(looks(10), [2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(looks(1), [1]);
    }

    #[test]
    fn the_step_is_halved_when_the_loss_jumps_or_stays() {
        // A rising loss keeps the step.
        let mut rising = Checkpoints::new(100, 0.75);
        assert!((1..=99).all(|step| !rising.passes(step as f32, step as f32)));
        // Up and down: half of the steps rise, fewer than ρ.
        let mut jumping = Checkpoints::new(100, 0.75);
        let halved = (1..=22).filter(|step| jumping.passes((step % 2) as f32, 1.0));
        assert_eq!(halved.collect::<Vec<_>>(), [22]);
        // Rising but below the best: only the second rule sees it, and not right after a halving.
        let mut stuck = Checkpoints::new(100, 0.75);
        stuck.best_before = 1000.0;
        let halved = (1..=99).filter(|step| stuck.passes(*step as f32, 1000.0));
        assert_eq!(halved.collect::<Vec<_>>(), [41, 70, 87, 99]);
    }

    #[test]
    fn a_loss_that_is_no_number_ends_in_no_walk_without_pixels() {
        let x = [0.0, 1.0, 0.5, 0.2];
        for norm in [Norm::Linf, Norm::L2, Norm::L1] {
            for loss in [f32::NAN, f32::NEG_INFINITY, f32::INFINITY] {
                let ball = Budget { norm, epsilon: 0.3 };
                let mut state = ApgdState::new(&x, x.to_vec(), ball, 10, 0.75);
                for _ in 0..10 {
                    state.observe(&x, loss, f32::NAN, &[0.0; 4]);
                    state.advance(&x);
                    assert_eq!(state.at, x, "{norm} {loss}");
                }
            }
        }
    }

    #[test]
    fn steps_stay_in_ball_and_box_and_zero_gradients_stay_put() {
        let x = [0.0, 1.0, 0.5, 0.2];
        for norm in [Norm::Linf, Norm::L2, Norm::L1] {
            let ball = Budget { norm, epsilon: 0.3 };
            let mut state = ApgdState::new(&x, x.to_vec(), ball, 10, 0.75);
            state.observe(&x, 0.0, 0.0, &[0.0; 4]);
            state.advance(&x);
            assert_eq!(state.at, x, "{norm}");
            for step in 0..10 {
                state.observe(&x, step as f32, 0.0, &[-1.0, 1.0, 0.5, -2.0]);
                state.advance(&x);
                assert!(norm.distance(&x, &state.at) <= 0.3 + 1e-6, "{norm}");
                assert!(state.at.iter().all(|p| (0.0..=1.0).contains(p)), "{norm}");
                // Pixels at the end of the box that the gradient pushes outwards stay.
                assert_eq!(state.at[..2], x[..2], "{norm}");
            }
            assert!(state.at[3] < 0.2, "{norm}");
        }
    }
}
