//! The recipes: one row a model that ships.

use crate::error::{Error, Result};
use crate::model::{Layer, Padding};

/// The attack that adversarial training runs on every batch (PGD, L∞, random start).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adversary {
    /// ε in pixel units, reached linearly over the first quarter of the training.
    pub epsilon: f64,
    /// Number of steps.
    pub steps: usize,
    /// Step size as a share of ε.
    pub step_share: f64,
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
    /// The adversarially trained twin.
    pub twin: Option<&'static str>,
    /// The layers.
    pub layers: fn() -> Vec<Layer>,
    /// Passes over the training set.
    pub epochs: usize,
    /// Pictures a step.
    pub batch: usize,
    /// Highest learning rate of Adam; rises from 0 over two fifths of the training, then falls to 0.
    pub rate: f64,
    /// Whether half of the pictures are mirrored.
    pub flip: bool,
    /// Adversarial training, if so.
    pub adversary: Option<Adversary>,
    /// ε at which the card's robust accuracy is measured (PGD-40, L∞).
    pub measured_at: f64,
    /// One line of help.
    pub about: &'static str,
}

/// Every recipe.
pub static RECIPES: &[Recipe] = &[
    Recipe {
        id: "mnist-cnn",
        title: "MNIST CNN",
        dataset: "mnist",
        twin: Some("mnist-cnn-at"),
        layers: digits,
        epochs: 6,
        batch: 100,
        rate: 2e-3,
        flip: false,
        adversary: None,
        measured_at: 0.3,
        about: "digits, ordinary training",
    },
    Recipe {
        id: "mnist-cnn-at",
        title: "MNIST CNN, adv. trained",
        dataset: "mnist",
        twin: None,
        layers: small,
        epochs: 14,
        batch: 100,
        rate: 4e-3,
        flip: false,
        adversary: Some(Adversary { epsilon: 0.3, steps: 5, step_share: 0.35 }),
        measured_at: 0.3,
        about: "digits, adversarial training by PGD-5 in L∞ 0.3",
    },
    Recipe {
        id: "fashion-cnn",
        title: "Fashion CNN",
        dataset: "fashion",
        twin: Some("fashion-cnn-at"),
        layers: clothes,
        epochs: 9,
        batch: 100,
        rate: 2e-3,
        flip: true,
        adversary: None,
        measured_at: 0.1,
        about: "clothes, ordinary training",
    },
    Recipe {
        id: "fashion-cnn-at",
        title: "Fashion CNN, adv. trained",
        dataset: "fashion",
        twin: None,
        layers: robust_clothes,
        epochs: 10,
        batch: 100,
        rate: 3e-3,
        flip: true,
        adversary: Some(Adversary { epsilon: 0.1, steps: 5, step_share: 0.35 }),
        measured_at: 0.1,
        about: "clothes, adversarial training by PGD-5 in L∞ 0.1",
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

fn conv(
    param: &str,
    inputs: usize,
    out: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
) -> Layer {
    Layer::Conv2d {
        param: param.into(),
        inputs,
        out,
        kernel,
        stride,
        padding: Padding::Even(padding),
        groups: 1,
        bias: true,
    }
}

fn linear(param: &str, inputs: usize, out: usize) -> Layer {
    Layer::Linear { param: param.into(), inputs, out, bias: true }
}

fn pool() -> Layer {
    Layer::MaxPool2d { kernel: 2, stride: None, padding: 0 }
}

/// Two convolutions with pooling: 215 k weights.
fn digits() -> Vec<Layer> {
    vec![
        conv("conv1", 1, 16, 5, 1, 2),
        Layer::Relu,
        pool(),
        conv("conv2", 16, 32, 5, 1, 2),
        Layer::Relu,
        pool(),
        Layer::Flatten,
        linear("fc1", 1568, 128),
        Layer::Relu,
        linear("fc2", 128, 10),
    ]
}

/// Two strided convolutions, in the manner of Wong et al. 2020: 166 k weights.
fn small() -> Vec<Layer> {
    strided(16, 32, 100)
}

/// The same, wider.
fn robust_clothes() -> Vec<Layer> {
    strided(24, 48, 128)
}

fn strided(first: usize, second: usize, hidden: usize) -> Vec<Layer> {
    vec![
        conv("conv1", 1, first, 4, 2, 1),
        Layer::Relu,
        conv("conv2", first, second, 4, 2, 1),
        Layer::Relu,
        Layer::Flatten,
        linear("fc1", second * 49, hidden),
        Layer::Relu,
        linear("fc2", hidden, 10),
    ]
}

/// Two 3×3 convolutions with pooling: 422 k weights.
fn clothes() -> Vec<Layer> {
    vec![
        conv("conv1", 1, 32, 3, 1, 1),
        Layer::Relu,
        pool(),
        conv("conv2", 32, 64, 3, 1, 1),
        Layer::Relu,
        pool(),
        Layer::Flatten,
        linear("fc1", 3136, 128),
        Layer::Relu,
        linear("fc2", 128, 10),
    ]
}
