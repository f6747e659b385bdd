//! The recipes: one row a model that ships (two for a pair).

use super::nets;
use super::recipe::{InnerAttack, Recipe, StartPoint, TrainingMethod};
use crate::error::{Error, Result};

/// √6: He's starting weights.
const HE: f64 = 2.449_489_742_783_178;

/// What digits have in common.
const DIGITS: Recipe = Recipe {
    id: "",
    title: "",
    dataset: "mnist",
    defence: None,
    layers: nets::small,
    gain: 1.0,
    epochs: 5,
    batch: 100,
    rate: 4e-3,
    flip: false,
    shift: 0,
    normalisation: None,
    method: TrainingMethod::Standard,
    perturbation: None,
    spectral: false,
    measured_at: 0.3,
    about: "",
};

/// What clothes have in common.
const CLOTHES: Recipe =
    Recipe { dataset: "fashion", layers: nets::wider, flip: true, measured_at: 0.1, ..DIGITS };

/// What colour images have in common.
const COLOUR: Recipe = Recipe {
    dataset: "cifar10",
    layers: nets::residual,
    gain: HE,
    epochs: 12,
    rate: 2e-3,
    flip: true,
    shift: 4,
    normalisation: Some(([0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616])),
    measured_at: 8.0 / 255.0,
    ..DIGITS
};

/// Every recipe.
pub static RECIPES: &[Recipe] = &[
    Recipe {
        id: "mnist-cnn",
        title: "MNIST CNN",
        layers: nets::digits,
        epochs: 6,
        rate: 2e-3,
        about: "digits, ordinary training",
        ..DIGITS
    },
    Recipe {
        id: "mnist-mlp",
        title: "MNIST MLP",
        layers: nets::perceptron,
        epochs: 8,
        rate: 2e-3,
        about: "digits, ordinary training, no convolution",
        ..DIGITS
    },
    Recipe {
        id: "mnist-cnn-at",
        title: "MNIST PGD-AT",
        defence: Some("pgd-at"),
        epochs: 14,
        method: TrainingMethod::Adversarial(InnerAttack::pgd(0.3, 5, 0.35)),
        about: "digits, adversarial training by PGD-5 in L∞ 0.3",
        ..DIGITS
    },
    Recipe {
        id: "mnist-fgsm-at",
        title: "MNIST FGSM-AT",
        defence: Some("fgsm-at"),
        epochs: 6,
        method: TrainingMethod::Adversarial(InnerAttack {
            epsilon: 0.3,
            steps: 1,
            step_share: 1.0,
            start: StartPoint::Image,
        }),
        about: "digits, the trap: one full step from the picture, which holds against FGSM and \
                falls to PGD (catastrophic overfitting)",
        ..DIGITS
    },
    Recipe {
        id: "mnist-fast-at",
        title: "MNIST Fast AT",
        defence: Some("fast-at"),
        epochs: 10,
        method: TrainingMethod::Adversarial(InnerAttack::fast(0.3)),
        about: "digits, adversarial training by one step from a random start",
        ..DIGITS
    },
    Recipe {
        id: "mnist-trades",
        title: "MNIST TRADES",
        defence: Some("trades"),
        epochs: 8,
        method: TrainingMethod::Trades { adversary: InnerAttack::near(0.3, 5, 0.3), beta: 3.0 },
        about: "digits, TRADES by 5 steps in L∞ 0.3",
        ..DIGITS
    },
    Recipe {
        id: "mnist-mart",
        title: "MNIST MART",
        defence: Some("mart"),
        epochs: 8,
        method: TrainingMethod::Mart { adversary: InnerAttack::pgd(0.3, 5, 0.35), lambda: 5.0 },
        about: "digits, MART by 5 steps in L∞ 0.3",
        ..DIGITS
    },
    Recipe {
        id: "mnist-at-awp",
        title: "MNIST PGD-AT + AWP",
        defence: Some("at-awp"),
        epochs: 8,
        method: TrainingMethod::Adversarial(InnerAttack::pgd(0.3, 5, 0.35)),
        perturbation: Some(0.01),
        about: "digits, adversarial training with adversarial weight perturbation",
        ..DIGITS
    },
    Recipe {
        id: "mnist-trades-awp",
        title: "MNIST TRADES + AWP",
        defence: Some("trades-awp"),
        epochs: 8,
        method: TrainingMethod::Trades { adversary: InnerAttack::near(0.3, 5, 0.3), beta: 3.0 },
        perturbation: Some(0.005),
        about: "digits, TRADES with adversarial weight perturbation",
        ..DIGITS
    },
    Recipe {
        id: "mnist-spectral",
        title: "MNIST spectral norm",
        defence: Some("spectral"),
        epochs: 10,
        spectral: true,
        about: "digits, every weight matrix divided by its largest singular value",
        ..DIGITS
    },
    Recipe {
        id: "mnist-distilled",
        title: "MNIST distilled",
        defence: Some("distilled"),
        epochs: 10,
        method: TrainingMethod::Distillation { temperature: 100.0 },
        about: "digits, defensive distillation at T = 100",
        ..DIGITS
    },
    Recipe {
        id: "mnist-smooth",
        title: "MNIST label smoothing",
        defence: Some("label-smoothing"),
        method: TrainingMethod::LabelSmoothing { alpha: 0.1 },
        about: "digits, label smoothing",
        ..DIGITS
    },
    Recipe {
        id: "mnist-gaussian",
        title: "MNIST Gaussian noise",
        defence: Some("gaussian"),
        method: TrainingMethod::Gaussian { sigma: 0.25 },
        about: "digits with Gaussian noise of σ = 0.25, the base of randomised smoothing",
        ..DIGITS
    },
    Recipe {
        id: "mnist-bayes",
        title: "MNIST Bayesian",
        defence: Some("bayes"),
        epochs: 8,
        method: TrainingMethod::Bayes { prior: 0.1, sigma: 0.02 },
        about: "digits, Bayes by backprop",
        ..DIGITS
    },
    Recipe {
        id: "mnist-dropout",
        title: "MNIST dropout",
        defence: Some("mc-dropout"),
        layers: nets::dropout,
        about: "digits with dropout, for Monte Carlo dropout",
        ..DIGITS
    },
    Recipe {
        id: "mnist-kwta",
        title: "MNIST k-winners-take-all",
        defence: Some("kwta"),
        layers: nets::winners,
        about: "digits by a network of which a tenth is active",
        ..DIGITS
    },
    Recipe {
        id: "mnist-random-slope",
        title: "MNIST random slopes",
        defence: Some("random-slope"),
        layers: nets::random_slopes,
        about: "digits by a network whose activations are random, in training and after",
        ..DIGITS
    },
    Recipe {
        id: "mnist-adp",
        title: "MNIST ADP",
        defence: Some("adp"),
        method: TrainingMethod::Diverse { alpha: 2.0, beta: 0.5 },
        about: "digits, two networks trained to disagree about the classes that are wrong",
        ..DIGITS
    },
    Recipe {
        id: "fashion-cnn",
        title: "Fashion CNN",
        layers: nets::clothes,
        epochs: 9,
        rate: 2e-3,
        about: "clothes, ordinary training",
        ..CLOTHES
    },
    Recipe {
        id: "fashion-mlp",
        title: "Fashion MLP",
        layers: nets::perceptron,
        epochs: 10,
        rate: 2e-3,
        about: "clothes, ordinary training, no convolution",
        ..CLOTHES
    },
    Recipe {
        id: "fashion-cnn-at",
        title: "Fashion PGD-AT",
        defence: Some("pgd-at"),
        epochs: 10,
        rate: 3e-3,
        method: TrainingMethod::Adversarial(InnerAttack::pgd(0.1, 5, 0.35)),
        about: "clothes, adversarial training by PGD-5 in L∞ 0.1",
        ..CLOTHES
    },
    Recipe {
        id: "fashion-trades",
        title: "Fashion TRADES",
        defence: Some("trades"),
        layers: nets::small,
        epochs: 8,
        rate: 3e-3,
        method: TrainingMethod::Trades { adversary: InnerAttack::near(0.1, 4, 0.35), beta: 3.0 },
        about: "clothes, TRADES by 4 steps in L∞ 0.1",
        ..CLOTHES
    },
    Recipe {
        id: "fashion-at-awp",
        title: "Fashion PGD-AT + AWP",
        defence: Some("at-awp"),
        layers: nets::small,
        epochs: 8,
        rate: 3e-3,
        method: TrainingMethod::Adversarial(InnerAttack::pgd(0.1, 4, 0.4)),
        perturbation: Some(0.01),
        about: "clothes, adversarial training with adversarial weight perturbation",
        ..CLOTHES
    },
    Recipe {
        id: "fashion-distilled",
        title: "Fashion distilled",
        defence: Some("distilled"),
        epochs: 6,
        rate: 3e-3,
        method: TrainingMethod::Distillation { temperature: 100.0 },
        about: "clothes, defensive distillation at T = 100",
        ..CLOTHES
    },
    Recipe {
        id: "fashion-random-slope",
        title: "Fashion random slopes",
        defence: Some("random-slope"),
        layers: nets::random_slopes,
        epochs: 6,
        about: "clothes by a network whose activations are random, in training and after",
        ..CLOTHES
    },
    Recipe {
        id: "fashion-bayes",
        title: "Fashion Bayesian",
        defence: Some("bayes"),
        layers: nets::small,
        epochs: 8,
        method: TrainingMethod::Bayes { prior: 0.1, sigma: 0.02 },
        about: "clothes, Bayes by backprop",
        ..CLOTHES
    },
    Recipe {
        id: "cifar-resnet",
        title: "CIFAR residual",
        epochs: 14,
        about: "colour pictures, ordinary training of a residual network",
        ..COLOUR
    },
    Recipe {
        id: "cifar-plain",
        title: "CIFAR plain",
        layers: nets::plain,
        about: "colour pictures, ordinary training without residuals",
        ..COLOUR
    },
    Recipe {
        id: "cifar-fast-at",
        title: "CIFAR Fast AT",
        defence: Some("fast-at"),
        method: TrainingMethod::Adversarial(InnerAttack::fast(8.0 / 255.0)),
        about: "colour pictures, adversarial training by one step from a random start in L∞ 8/255",
        ..COLOUR
    },
    Recipe {
        id: "cifar-trades-awp",
        title: "CIFAR TRADES + AWP",
        defence: Some("trades-awp"),
        epochs: 24,
        method: TrainingMethod::Trades {
            adversary: InnerAttack::near(8.0 / 255.0, 3, 0.4),
            beta: 6.0,
        },
        perturbation: Some(0.005),
        about: "colour pictures, TRADES with adversarial weight perturbation in L∞ 8/255",
        ..COLOUR
    },
    Recipe {
        id: "cifar-distilled",
        title: "CIFAR distilled",
        defence: Some("distilled"),
        epochs: 12,
        method: TrainingMethod::Distillation { temperature: 50.0 },
        about: "colour pictures, defensive distillation at T = 50",
        ..COLOUR
    },
];

impl Recipe {
    /// Finds a recipe by its identifier.
    ///
    /// # Errors
    /// Usage, with the nearest known name.
    pub fn find(id: &str) -> Result<&'static Self> {
        RECIPES.iter().find(|r| r.id == id).ok_or_else(|| {
            let known = RECIPES.iter().map(|r| r.id);
            Error::unknown("recipe", id, "--recipe", known, "`epsiloscope train --help`")
        })
    }
}
