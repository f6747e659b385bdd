//! The report of an attack on one sample, with its defences: serialised for `--json`, shown on the
//! screen.

use crate::attack::{AttackConfig, Bound, Goal, NON_FINITE, Norm};
use crate::data::Image;
use crate::defence::Stance;
use crate::experiment::distance::distance_text;
use crate::experiment::types::{AttackCost, DeviceInfo, Outcome, Prediction, SampleRef, Share};
use crate::metrics::checks::Evidence;
use crate::metrics::{Norms, RoundedImages};
use crate::parameter::Settings;
use serde::Serialize;

/// How alike the two images are, and whether the effect survives being saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Similarity {
    /// Peak signal-to-noise ratio in dB; infinite for equal images (`null` in JSON).
    pub psnr: f32,
    /// Structural similarity (Wang et al. 2004), −1..1; 1 for equal images.
    pub ssim: f32,
    /// Share of values that changed by more than 1e-6, 0..1.
    pub changed: f32,
    /// Whether the goal is still reached after rounding to 8 bits (as saving to PNG does, see
    /// [`RoundedImages`](crate::metrics::RoundedImages)).
    pub survives_8_bit: bool,
    /// Whether the goal is still reached after saving as JPEG at quality 90.
    pub survives_jpeg: bool,
}

/// The outcome of an attack whose image was not refused: `right`, whether the clean image was
/// classified correctly; `reached`, whether the attack's goal was reached; `near`, whether within
/// ε.
pub fn judge_outcome(right: bool, reached: bool, near: bool) -> Outcome {
    match (right, reached && near) {
        (false, _) => Outcome::Wrong,
        (true, true) => Outcome::Fooled,
        (true, false) => Outcome::Right,
    }
}

/// Whether a distance is within ε, where ε judges it afterwards.
pub fn is_within_epsilon(extent: Bound, epsilon: Option<f64>, distance: f32) -> bool {
    match (extent, epsilon) {
        (Bound::MinimumNorm, Some(epsilon)) => f64::from(distance) <= epsilon * (1.0 + 1e-6),
        _ => true,
    }
}

/// One defence against one attack on one sample.
#[derive(Clone, Debug, Serialize)]
pub struct DefenceRow {
    /// The stack, as the command line takes it: `jpeg:quality=50+pgd-at`.
    pub defence: String,
    /// Its name with settings, as on the strip.
    pub name: String,
    /// How much of the defence the attack knew.
    pub stance: Stance,
    /// Draws that EOT averaged over; none where it did not.
    pub draws: Option<u64>,
    /// Prediction for the clean image.
    pub clean: Prediction,
    /// Prediction for the adversarial image; of a randomised defence, the most frequent one.
    pub adversarial: Prediction,
    /// How it ended.
    pub outcome: Outcome,
    /// Of the judge's predictions to the adversarial image, the share that the attack did not turn;
    /// not of fixed ones.
    pub held: Option<Share>,
    /// How far the adversarial image is from the original, in the plan's norm.
    pub distance: f32,
    /// What the defence adds to one prediction, in milliseconds (median of five).
    pub extra_ms: f64,
    /// What the attack on it cost (for `naive`: nothing beyond the attack on the undefended
    /// network).
    pub cost: AttackCost,
    /// The evidence of the evaluation checks; in JSON, their results under `lamps`.
    #[serde(rename = "lamps")]
    pub checks: Evidence,
    /// The adversarial image.
    #[serde(skip)]
    pub picture: Image,
}

impl DefenceRow {
    /// Whether the attack reached its goal, but only beyond ε.
    pub fn is_beyond(&self) -> bool {
        self.outcome == Outcome::Right && self.checks.reached
    }
}

/// The adversarial image as it was saved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SavedImages {
    /// The file.
    pub file: String,
    /// How large the perturbation in it is; of a PNG, from the original in 8 bits.
    pub norms: Norms,
    /// Whether the image in the file still reaches the goal.
    pub reached: bool,
}

/// One attack on one sample.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`VERSION`](super::VERSION).
    pub version: u32,
    /// The model's name.
    pub model: String,
    /// Which sample.
    pub sample: SampleRef,
    /// The class attacked away from: the true class where it is known, else the model's own
    /// prediction.
    pub label: usize,
    /// That class's name.
    pub label_name: String,
    /// Whether `label` is the truth, or only the model's own prediction.
    pub label_is_truth: bool,
    /// The attack's identifier.
    pub attack: &'static str,
    /// What bounds the perturbation.
    pub extent: Bound,
    /// The model that the attack was crafted on, where that is another one.
    pub surrogate: Option<String>,
    /// The norm.
    pub norm: Norm,
    /// The attack's parameters, `auto` values resolved.
    pub parameters: Settings,
    /// The size allowed, in pixel units; none where ε decides nothing: see
    /// [`AttackConfig::threshold`].
    pub epsilon: Option<f64>,
    /// The target class; none for an untargeted attack.
    pub target: Option<usize>,
    /// The seed.
    pub seed: u64,
    /// Which device did the work.
    pub device: DeviceInfo,
    /// Prediction for the clean image.
    pub clean: Prediction,
    /// Prediction for the adversarial image.
    pub adversarial: Prediction,
    /// Whether the goal was reached within what bounds the attack (and within ε, where it searches
    /// for the least perturbation), judged afterwards by the target model itself.
    pub success: bool,
    /// Whether the goal was reached, however far away.
    pub reached: bool,
    /// How far the adversarial image is from the original, in `norm`.
    pub distance: f32,
    /// How many queries the attack made about this image (to the surrogate, where there is one).
    pub queries: u64,
    /// Notes of the attack, one line each.
    pub notes: Vec<String>,
    /// For an attack of several stages: the one that reached the goal.
    pub stage: Option<&'static str>,
    /// False when the clean image was misclassified already, so that nothing was attacked.
    pub attacked: bool,
    /// How large the perturbation is.
    pub norms: Norms,
    /// How alike the images are.
    pub similarity: Similarity,
    /// What it cost.
    pub cost: AttackCost,
    /// The evidence of the evaluation checks; in JSON, their results under `lamps`.
    #[serde(rename = "lamps")]
    pub checks: Evidence,
    /// The defences, if any were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub defences: Vec<DefenceRow>,
    /// What was saved, if anything was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saved: Option<SavedImages>,
    /// The adversarial image (the strongest attempt inside the ball, successful or not).
    #[serde(skip)]
    pub picture: Image,
    /// The clean image, as the model sees it.
    #[serde(skip)]
    pub original: Image,
    /// The attack as it was configured.
    #[serde(skip)]
    pub plan: AttackConfig,
}

impl Report {
    /// The same result judged at another ε, without running the attack again: right for attacks
    /// that do not look at ε while they search ([`Bound::MinimumNorm`], [`Bound::Own`]).
    pub fn judged_at(&self, epsilon: f64) -> Self {
        let plan = AttackConfig { epsilon, ..self.plan.clone() };
        let mut report = Self { plan, ..self.clone() };
        report.epsilon = report.plan.threshold(self.original.pixels().len());
        report.success = self.reached && report.near(self.distance);
        (report.checks.success, report.checks.epsilon) = (report.success, report.epsilon);
        report
    }

    /// The same with new evidence, judged at this report's ε.
    pub fn knowing(&self, found: &Evidence) -> Self {
        let (success, epsilon) = (self.success, self.epsilon);
        let checks = Evidence { success, epsilon, ..found.clone() };
        Self { checks, ..self.clone() }
    }

    /// A defence's row, judged at this report's ε.
    pub fn judge(&self, row: &DefenceRow) -> DefenceRow {
        let outcome = match row.outcome {
            Outcome::Detected | Outcome::Abstained => row.outcome,
            _ => self.judge_outcome(row.clean.label, row.adversarial.label, row.distance),
        };
        let mut row = DefenceRow { outcome, ..row.clone() };
        (row.checks.success, row.checks.epsilon) = (outcome == Outcome::Fooled, self.epsilon);
        row
    }

    /// How the attack on the undefended network ended.
    pub fn outcome(&self) -> Outcome {
        judge_outcome(self.attacked, self.success, true)
    }

    /// Whether it reached its goal, but only beyond ε.
    pub fn is_beyond(&self) -> bool {
        self.outcome() == Outcome::Right && self.reached
    }

    /// The outcome, from the classes of the clean and the adversarial image and their distance.
    pub fn judge_outcome(&self, clean: usize, attacked: usize, distance: f32) -> Outcome {
        judge_outcome(clean == self.label, self.goal().reached(attacked), self.near(distance))
    }

    /// The adversarial image and its original as PNG files hold them.
    pub fn in_8_bits(&self) -> RoundedImages {
        RoundedImages::new(&self.original, &self.picture, self.norm, self.epsilon)
    }

    /// What the attack wanted.
    pub fn goal(&self) -> Goal {
        match self.target {
            Some(target) => Goal::Targeted { target },
            None => Goal::Untargeted { truth: self.label },
        }
    }

    /// Whether a distance is within ε, where ε judges it afterwards.
    fn near(&self, distance: f32) -> bool {
        is_within_epsilon(self.extent, self.epsilon, distance)
    }

    /// The result as one sentence.
    pub fn sentence(&self) -> String {
        let (middle, end) = self.bound();
        self.words(&format!("{middle}{end}"))
    }

    /// The result without ε, for where ε is shown beside it.
    pub fn brief(&self) -> String {
        self.words(&self.bound().0)
    }

    fn words(&self, bound: &str) -> String {
        let before = &self.clean.name;
        let after = self.adversarial.text(0);
        let share = self.adversarial.confidence * 100.0;
        if !self.attacked {
            let truth = &self.label_name;
            if self.clean.label == NON_FINITE {
                return format!(
                    "the network gives no number for it (the truth is {truth}): nothing was attacked"
                );
            }
            return format!(
                "{before} is wrong already (the truth is {truth}): nothing was attacked"
            );
        }
        match (self.reached, self.target) {
            _ if self.adversarial.label == NON_FINITE => {
                format!(
                    "{before} is lost: the network gives no number for the attacked picture{bound}"
                )
            }
            (true, None) => format!("{before} becomes {after}{bound}"),
            (true, Some(_)) => format!("{before} becomes the chosen {after}{bound}"),
            (false, Some(_)) if self.adversarial.label != self.clean.label => {
                format!("{before} becomes {after}{bound}, not the chosen target")
            }
            (false, _) => format!("{before} holds ({share:.0} %) against {}{bound}", self.attack),
        }
    }

    /// What bounds the perturbation, in words: without ε, and what ε adds.
    fn bound(&self) -> (String, String) {
        let norm = self.norm;
        let epsilon = self.epsilon.map(|epsilon| format!("ε = {}", distance_text(norm, epsilon)));
        match (self.extent, epsilon) {
            (Bound::FixedEpsilon, epsilon) => {
                (String::new(), epsilon.map_or(String::new(), |e| format!(" at {norm} {e}")))
            }
            (Bound::MinimumNorm, epsilon) if self.reached => {
                let verb = if self.success { "within" } else { "which is beyond" };
                let far =
                    format!(" at {norm} distance {}", distance_text(norm, self.distance.into()));
                (far, epsilon.map_or(String::new(), |e| format!(", {verb} {e}")))
            }
            (Bound::MinimumNorm, _) => (format!(", which found no way in {norm}"), String::new()),
            (Bound::Own, _) if self.reached => (format!(" by {}", self.attack), String::new()),
            (Bound::Own, _) => (String::new(), String::new()),
        }
    }
}
