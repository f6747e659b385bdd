//! What a recipe says.

use crate::model::{Layer, Normalisation};

/// Where an inner attack begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartPoint {
    /// At the image itself.
    Image,
    /// Uniformly in the ball, within 0..1.
    Uniform,
    /// Uniformly in the ball, 0..1 or not: where digits are black, one step from here ends at many
    /// brightnesses, without which one-step training falls into its trap (as Wong et al. do).
    Wide,
    /// At the image plus 0.001·N(0, 1), as TRADES.
    Near,
}

/// The attack that runs on every batch: signed steps in L∞.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InnerAttack {
    /// ε in pixel units, reached linearly over the first quarter of the training.
    pub epsilon: f64,
    /// Number of steps.
    pub steps: usize,
    /// Step size as a share of ε.
    pub step_share: f64,
    /// Where it begins.
    pub start: StartPoint,
}

impl InnerAttack {
    /// PGD from a random start, as Madry et al. 2018.
    pub const fn pgd(epsilon: f64, steps: usize, step_share: f64) -> Self {
        Self { epsilon, steps, step_share, start: StartPoint::Uniform }
    }

    /// One step of 1.25 ε from a random start, as Wong et al. 2020.
    pub const fn fast(epsilon: f64) -> Self {
        Self { epsilon, steps: 1, step_share: 1.25, start: StartPoint::Wide }
    }

    /// From near the image, as TRADES and MART climb from it.
    pub const fn near(epsilon: f64, steps: usize, step_share: f64) -> Self {
        Self { epsilon, steps, step_share, start: StartPoint::Near }
    }

    /// In words, for the card.
    pub fn describe(&self) -> String {
        let start = match self.start {
            StartPoint::Image => "from the picture",
            StartPoint::Uniform => "random start",
            StartPoint::Wide => "random start, not clipped to 0..1",
            StartPoint::Near => "start x + 0.001·N(0, 1)",
        };
        format!(
            "{} step{} in L∞ ε = {:.4} (reached over the first quarter), α = {}·ε, {start}",
            self.steps,
            if self.steps == 1 { "" } else { "s" },
            self.epsilon,
            self.step_share,
        )
    }
}

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TrainingMethod {
    /// Cross-entropy on the images.
    Standard,
    /// Cross-entropy with 1 − α + α/K for the true class (Szegedy et al. 2016).
    LabelSmoothing {
        /// α.
        alpha: f64,
    },
    /// Cross-entropy on images with Gaussian noise.
    Gaussian {
        /// Its standard deviation, in pixel units.
        sigma: f64,
    },
    /// Cross-entropy on attacked images: FGSM-AT, Fast AT and PGD-AT differ in the adversary.
    Adversarial(InnerAttack),
    /// TRADES (Zhang et al. 2019).
    Trades {
        /// Climbs the divergence.
        adversary: InnerAttack,
        /// β.
        beta: f64,
    },
    /// MART (Wang et al. 2020).
    Mart {
        /// Climbs cross-entropy.
        adversary: InnerAttack,
        /// λ.
        lambda: f64,
    },
    /// Defensive distillation (Papernot et al. 2016): a teacher at temperature T, then a student from
    /// its soft answers at T, deployed at 1.
    Distillation {
        /// T.
        temperature: f64,
    },
    /// Bayes by backprop (Blundell et al. 2015): a Gaussian posterior of each weight.
    Bayes {
        /// Standard deviation of the prior.
        prior: f64,
        /// Standard deviation of the posterior at the start.
        sigma: f64,
    },
    /// Adaptive diversity promoting (Pang et al. 2019): two networks trained together.
    Diverse {
        /// Weight of the entropy of the mean answer.
        alpha: f64,
        /// Weight of the logarithm of the area that the other answers span.
        beta: f64,
    },
}

impl TrainingMethod {
    /// The attack that runs on every batch, if one does.
    pub fn adversary(&self) -> Option<InnerAttack> {
        match self {
            Self::Adversarial(adversary)
            | Self::Trades { adversary, .. }
            | Self::Mart { adversary, .. } => Some(*adversary),
            _ => None,
        }
    }

    /// In words, for the card.
    pub fn describe(&self) -> String {
        match self {
            Self::Standard => "cross-entropy".into(),
            Self::LabelSmoothing { alpha } => format!("label smoothing, α = {alpha}"),
            Self::Gaussian { sigma } => format!("Gaussian augmentation, σ = {sigma}"),
            Self::Adversarial(_) => "cross-entropy on attacked pictures only".into(),
            Self::Trades { beta, .. } => {
                format!("TRADES, β = {beta}; the adversary climbs the divergence")
            }
            Self::Mart { lambda, .. } => {
                format!("MART, λ = {lambda}; the adversary climbs cross-entropy")
            }
            Self::Distillation { temperature } => {
                format!("defensive distillation, T = {temperature}, deployed at 1")
            }
            Self::Bayes { prior, sigma } => format!(
                "Bayes by backprop, prior N(0, {prior}²), posterior from σ = {sigma}, one draw a batch"
            ),
            Self::Diverse { alpha, beta } => {
                format!("adaptive diversity promoting, two members, α = {alpha}, β = {beta}")
            }
        }
    }
}

/// How a model is made.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// The model's name.
    pub id: &'static str,
    /// One line for menus.
    pub title: &'static str,
    /// The data set.
    pub dataset: &'static str,
    /// The defence's row that the model stands for; none: ordinary training.
    pub defence: Option<&'static str>,
    /// The layers.
    pub layers: fn() -> Vec<Layer>,
    /// The starting weights' range, in 1/√fan_in: 1 as PyTorch, √6 as He et al. 2015.
    pub gain: f64,
    /// Passes over the training set; with a teacher, as many for each of the two.
    pub epochs: usize,
    /// Images a step.
    pub batch: usize,
    /// Highest learning rate of Adam; rises from 0 over two fifths of the training, then falls to 0.
    pub rate: f64,
    /// Whether half of the images are mirrored.
    pub flip: bool,
    /// By how many pixels, at most, images are shifted either way.
    pub shift: usize,
    /// Mean and standard deviation of each channel, if the network normalises.
    pub normalisation: Option<([f32; 3], [f32; 3])>,
    /// What is minimised.
    pub method: TrainingMethod,
    /// Adversarial weight perturbation (Wu et al. 2020): its size γ, relative to each tensor.
    pub perturbation: Option<f64>,
    /// Spectral normalisation: every weight matrix is divided by its largest singular value.
    pub spectral: bool,
    /// ε at which the card's robust accuracy is measured (PGD-20, L∞).
    pub measured_at: f64,
    /// One line of help.
    pub about: &'static str,
}

impl Recipe {
    /// The names of the models that it makes: two of a pair, else one.
    pub fn models(&self) -> Vec<String> {
        match self.method {
            TrainingMethod::Diverse { .. } => {
                vec![format!("{}-a", self.id), format!("{}-b", self.id)]
            }
            _ => vec![self.id.to_string()],
        }
    }

    /// The normalisation for the card.
    pub fn input_normalisation(&self) -> Option<Normalisation> {
        let (mean, std) = self.normalisation?;
        Some(Normalisation { mean: mean.to_vec(), std: std.to_vec() })
    }
}
