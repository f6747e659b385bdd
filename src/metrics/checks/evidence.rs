//! The evidence that checks of a single image use.

use crate::attack::{AttackConfig, Bound, GradientStats, Knowledge, find};
use crate::defence::Stance;
use crate::metrics::Rate;
use crate::parameter::Value;
use std::f64::consts::LOG10_2;

/// The evidence of one attack on one image. Serialised as the results of all checks on it.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The attack.
    pub plan: AttackConfig,
    /// The ε that decides about success, in pixel units; none where it decides nothing.
    pub epsilon: Option<f64>,
    /// Whether there was anything to attack: not where the clean image is misclassified.
    pub attacked: bool,
    /// Whether the goal was reached, however far away.
    pub reached: bool,
    /// Whether it was reached within what bounds the attack.
    pub success: bool,
    /// Whether the attack was crafted on another model.
    pub transferred: bool,
    /// The defence, where there is one.
    pub defence: Option<AttackedDefence>,
    /// Whether the goal is still reached after rounding to 8 bits.
    pub survives_8_bit: Option<bool>,
    /// The history of each restart of each stage.
    pub histories: Vec<RestartHistory>,
    /// The first gradient that it saw; none where it uses none.
    pub first: Option<FirstGradient>,
    /// All gradients that it saw, counted.
    pub gradients: GradientStats,
    /// How far the largest logit of the clean image (of the attack's start, behind a defence) is
    /// above the second: see [`logit_gap`]; none where no logits were seen.
    pub gap: Option<f32>,
    /// How many of the predictions of the attack and its judge had a logit that is infinite or not
    /// a number.
    pub non_finite: u64,
    /// The results of probes beside the attack.
    pub probes: Probes,
}

/// The defence in front of the attack, and how much of it the attack knew.
#[derive(Clone, Debug, PartialEq)]
pub struct AttackedDefence {
    /// How much of it the attack knew.
    pub stance: Stance,
    /// Whether a stage has no usable gradient.
    pub broken: bool,
    /// Whether its predictions for the same image can differ.
    pub random: bool,
    /// Draws that the attack averaged over; none where it did not.
    pub draws: Option<u64>,
    /// Of the judge's predictions, those that the attack did not turn; none where all are the same.
    pub held: Option<Rate>,
    /// Whether the defence refuses the adversarial image.
    pub refused: bool,
}

/// How far the largest logit is above the second: the logarithm of the ratio of their
/// probabilities. Infinite where there is one class only, not a number where a logit is none.
pub fn logit_gap(row: &[f32]) -> f32 {
    let mut top = [f32::NEG_INFINITY; 2];
    for z in row {
        match () {
            () if !z.is_finite() => return f32::NAN,
            () if *z > top[0] => top = [*z, top[0]],
            () => top[1] = top[1].max(*z),
        }
    }
    top[0] - top[1]
}

/// The history of one restart of one stage of an attack, summarised.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RestartHistory {
    /// Iterations, the start included.
    pub points: usize,
    /// How far the loss rose above where it began.
    pub gain: Gain,
    /// How far the margin fell below where it began; none where the attack sees labels only.
    pub fall: Option<Gain>,
    /// Share of the steps after which the loss was lower by more than a hundredth of its range.
    pub falls: f32,
    /// The smallest margin; none where the attack sees labels only.
    pub lowest: Option<f32>,
    /// Whether an iterate reached the goal, to the eyes of the attack.
    pub hit: bool,
}

/// How much a value grew during an attack.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gain {
    /// Over the whole way: its largest value, above the first.
    pub whole: f32,
    /// How much of that came in the last tenth of the iterations.
    pub late: f32,
}

impl Gain {
    /// Of the value after each iteration; nothing of fewer than two.
    fn new(values: &[f32]) -> Self {
        let best = |part: &[f32]| part.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let Some((first, steps)) = values.split_first().filter(|(_, steps)| !steps.is_empty())
        else {
            return Self::default();
        };
        let before = best(&values[..values.len() - steps.len().div_ceil(10)]);
        Self { whole: best(values) - first, late: best(values) - before }
    }

    /// The share that came late, 0..1; none where nothing was gained.
    pub fn share(&self) -> Option<f32> {
        (self.whole > 0.0).then(|| self.late / self.whole)
    }
}

impl RestartHistory {
    /// From the loss after each iteration (what the attack climbs), the margin after each (none
    /// where it sees labels only), and whether it reached its goal.
    pub fn new(losses: &[f32], margins: &[f32], hit: bool) -> Self {
        let known = |values: &[f32]| -> Vec<f32> {
            values.iter().copied().filter(|value| value.is_finite()).collect()
        };
        let (losses_known, margins) = (known(losses), known(margins));
        let top = losses_known.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let bottom = losses_known.iter().copied().fold(f32::INFINITY, f32::min);
        let fell = |pair: &&[f32]| pair[0] - pair[1] > 0.01 * (top - bottom);
        let falls = losses_known.windows(2).filter(fell).count() as f32;
        let sunk: Vec<f32> = margins.iter().map(|margin| -margin).collect();
        Self {
            points: losses.len(),
            gain: Gain::new(&losses_known),
            fall: (margins.len() > 1).then(|| Gain::new(&sunk)),
            falls: falls / losses_known.len().saturating_sub(1).max(1) as f32,
            lowest: margins.into_iter().reduce(f32::min),
            hit,
        }
    }
}

/// A summary of the first gradient of an attack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FirstGradient {
    /// Share of the pixels where it is exactly zero, or not a number.
    pub zeros: f32,
    /// log₁₀ of its largest value, before any scaling that keeps it from underflowing.
    pub magnitude: f64,
}

impl FirstGradient {
    /// Of a gradient `[C, H, W]` that was multiplied by 2 to the power of `log2_scale`.
    pub fn new(gradient: &[f32], log2_scale: f64) -> Self {
        let dead = |g: &&f32| **g == 0.0 || !g.is_finite();
        let zeros = gradient.iter().filter(dead).count() as f32 / gradient.len().max(1) as f32;
        let top = gradient.iter().filter(|g| g.is_finite()).fold(0.0_f32, |a, g| a.max(g.abs()));
        Self { zeros, magnitude: f64::from(top).log10() - log2_scale * LOG10_2 }
    }
}

/// The results of probes beside an attack; none or empty where a probe was not run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Probes {
    /// The gradient against differences.
    pub path: Option<GradientTest>,
    /// The mean change of the loss along random directions, as a share of the loss.
    pub noise: Option<f64>,
    /// What FGSM did.
    pub single_step: Option<OtherAttack>,
    /// Whether BIM with the whole box to itself reached the goal.
    pub unbounded: Option<bool>,
    /// At other ε in pixel units: whether the goal was reached.
    pub epsilons: Vec<(f64, bool)>,
    /// What the same attack did with four times the steps.
    pub longer: Option<OtherAttack>,
    /// What the same attack did from other starts.
    pub restarts: Vec<OtherAttack>,
    /// The black-box attacks, and what they did.
    pub black_box: Vec<(&'static str, OtherAttack)>,
    /// With so many draws: of the judge's predictions, those that the attack did not turn.
    pub draws: Vec<(u64, Rate)>,
}

/// The margin's gradient at the clean image compared with finite differences along random
/// directions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradientTest {
    /// The cosine between what the gradient foretells along each direction and what is found there;
    /// 0 where either is nothing.
    pub cosine: f32,
    /// Over so many directions.
    pub directions: usize,
    /// Whether the gradient is zero everywhere.
    pub dead: bool,
    /// Whether the margin moves along any of the directions.
    pub moves: bool,
}

impl GradientTest {
    /// From what the gradient foretells along each direction, and what is found there.
    pub fn new(foretold: &[f64], found: &[f64], dead: bool) -> Self {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let length = (dot(foretold, foretold) * dot(found, found)).sqrt();
        let cosine = if length > 0.0 { dot(foretold, found) / length } else { 0.0 };
        let moves = found.iter().any(|d| *d != 0.0);
        Self { cosine: cosine as f32, directions: found.len(), dead, moves }
    }
}

/// The result of another attack on the same image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OtherAttack {
    /// Whether it reached the goal within ε.
    pub success: bool,
    /// Its smallest margin; none where it sees labels only.
    pub lowest: Option<f32>,
}

impl Evidence {
    /// Of an attack that has not begun.
    pub fn new(plan: AttackConfig, epsilon: Option<f64>) -> Self {
        Self {
            plan,
            epsilon,
            attacked: true,
            reached: false,
            success: false,
            transferred: false,
            defence: None,
            survives_8_bit: None,
            histories: Vec::new(),
            first: None,
            gradients: GradientStats::default(),
            gap: None,
            non_finite: 0,
            probes: Probes::default(),
        }
    }

    /// Whether the attack uses gradients.
    pub(super) fn asks_gradients(&self) -> bool {
        self.plan.attack.knowledge() == Knowledge::Gradient
    }

    /// Whether the attack, or its defence, draws random numbers that another seed would change.
    pub(super) fn draws_starts(&self) -> bool {
        let has = |id: &str| self.plan.attack.params.iter().any(|param| param.id == id);
        let start =
            !has("random-start") || self.plan.settings.get("random-start") == Value::Bool(true);
        self.plan.attack.random && start
    }

    /// Whether the attack stays within ε by itself.
    pub(super) fn is_budgeted(&self) -> bool {
        self.plan.attack.bound == Bound::FixedEpsilon
    }

    /// Whether another attack can be held against this one: it keeps to the same ε in the same
    /// norm.
    pub(super) fn is_met_by(&self, id: &str) -> bool {
        let fits = find(id).is_ok_and(|attack| attack.norms.contains(&self.plan.norm));
        fits && self.epsilon.is_some()
    }

    /// The smallest margin on the attack's way.
    pub(super) fn lowest(&self) -> Option<f32> {
        self.histories.iter().filter_map(|leg| leg.lowest).reduce(f32::min)
    }

    /// The leg that came nearest to the goal; the last of those that know no margin.
    pub(super) fn nearest(&self) -> Option<&RestartHistory> {
        let near = |leg: &&RestartHistory| leg.lowest.unwrap_or(f32::INFINITY);
        self.histories.iter().rev().min_by(|a, b| near(a).total_cmp(&near(b)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leg_tells_late_gains_and_falls() {
        let rising: Vec<f32> = (0..=40).map(|i| i as f32).collect();
        let sinking: Vec<f32> = rising.iter().map(|loss| 50.0 - loss / 2.0).collect();
        let leg = RestartHistory::new(&rising, &sinking, false);
        assert_eq!((leg.points, leg.falls, leg.lowest), (41, 0.0, Some(30.0)));
        assert_eq!(leg.gain, Gain { whole: 40.0, late: 4.0 });
        assert_eq!(leg.fall, Some(Gain { whole: 20.0, late: 2.0 }));
        assert_eq!(leg.gain.share(), Some(0.1));
        let saturated: Vec<f32> = (0..=40).map(|i| (i as f32).min(20.0)).collect();
        assert_eq!(RestartHistory::new(&saturated, &[], false).gain.late, 0.0);
        let swinging: Vec<f32> = (0..=40).map(|i| (i % 2) as f32).collect();
        assert_eq!(RestartHistory::new(&swinging, &[], false).falls, 0.5);
        assert_eq!(
            RestartHistory::new(&[], &[], true),
            RestartHistory { hit: true, ..RestartHistory::default() }
        );
        let lost =
            RestartHistory::new(&[f32::NAN, f32::NEG_INFINITY, 1.0], &[f32::NAN, 0.5], false);
        assert_eq!((lost.points, lost.gain.share(), lost.lowest), (3, None, Some(0.5)));
    }

    #[test]
    fn the_gap_is_between_the_two_largest_logits() {
        assert_eq!(logit_gap(&[1.0, 7.0, -2.0, 4.5]), 2.5);
        assert_eq!(logit_gap(&[3.0, 3.0]), 0.0);
        assert_eq!(logit_gap(&[1.0]), f32::INFINITY);
        assert!(logit_gap(&[1.0, f32::NAN, 3.0]).is_nan());
        assert!(logit_gap(&[1.0, f32::INFINITY]).is_nan());
    }

    #[test]
    fn a_gradient_is_dead_where_it_is_zero_or_no_number() {
        let first = FirstGradient::new(&[0.0, f32::NAN, -1e-3, 1e-4], 2000.0);
        assert_eq!(first.zeros, 0.5);
        assert!((first.magnitude + 3.0 + 2000.0 * LOG10_2).abs() < 1e-6);
        assert_eq!(
            FirstGradient::new(&[0.0; 3], 0.0),
            FirstGradient { zeros: 1.0, magnitude: f64::NEG_INFINITY }
        );
    }

    #[test]
    fn a_path_compares_directions() {
        let right = GradientTest::new(&[1.0, -2.0], &[1.1, -2.2], false);
        assert!(right.cosine > 0.999 && right.directions == 2 && right.moves);
        let wrong = GradientTest::new(&[1.0, -2.0], &[2.0, 1.0], false);
        assert!(wrong.cosine.abs() < 1e-6);
        let dead = GradientTest::new(&[0.0, 0.0], &[1.0, 0.0], true);
        assert!(dead.cosine == 0.0 && dead.moves && dead.dead);
        assert!(!GradientTest::new(&[1.0], &[0.0], false).moves);
    }
}
