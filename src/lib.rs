//! An oscilloscope for ε: explore adversarial attacks on image classifiers, live, in the terminal.
//!
//! The library computes what the dashboard and the command line show: attacks on a [`model`], with
//! or without [`defence`]s, judged by code that trusts no attack. Begin with [`attack`] for one
//! attack, with [`experiment::evaluate`] for a robust accuracy, with `examples/` for both.
//!
//! # Glossary
//!
//! One word has one meaning, in code, in texts and on the screen.
//!
//! | word | what it is here |
//! | --- | --- |
//! | image | values in 0..1 of the shape `[C, H, W]`; an [`ImageBatch`](attack::ImageBatch) is `[N, C, H, W]`. A *picture* is what is drawn on the screen |
//! | sample | an image with its true label, from a [data set](data::DATASETS) |
//! | logits, prediction | what a [`Classifier`](model::Classifier) gives for an image, `[N, classes]`, and the class of the largest. *Confidence* is its softmax probability |
//! | margin | the true class's logit minus the largest other: below 0 the prediction is wrong |
//! | perturbation, ε | adversarial minus clean image, and the bound on its [`Norm`](attack::Norm), in pixel units: 8/255 is eight grey levels of 256 |
//! | goal | untargeted, away from the true class, or targeted, towards another: [`Goal`](attack::Goal) |
//! | attack, algorithm | a [row](attack::AttackSpec) of the registry, and what it runs. It *succeeds* where the goal is reached within ε; the image is then *fooled*, otherwise it is *robust* against this attack |
//! | oracle, query | what an attack may ask of a model: gradients, scores or decisions; each image passed forward is one query. See [`GradientOracle`](attack::GradientOracle) |
//! | robust accuracy | the share of all samples that are right and stay right, with n and a [Wilson interval](metrics::wilson). It bounds robustness from above: a stronger attack may find more |
//! | defence, pipeline | a [row](defence::DefenceSpec), and the network with its defences in order: [`Pipeline`](defence::Pipeline) |
//! | naive, adaptive | an attack on the network alone, and one that knows the defence and differentiates through it ([`Stance`](defence::Stance)) |
//! | BPDA, EOT | how an adaptive attack passes a step without a useful gradient, and how it averages over a defence's randomness |
//! | evaluation check | a test of an evaluation, such as *more steps find more*; it lights red where a result is not to be believed: [`metrics::checks`] |
//! | card | the text file that describes a network: layers, input, labels, figures: [`Card`](model::Card) |
//! | CPU engine | this crate's own forward and backward passes for frozen networks, in `src/model/cpu`. Every other network runs on burn |
//! | seed, key | all randomness follows from the seed and a key of names and numbers: [`rng`] |
//!
//! # The map
//!
//! The core knows neither the terminal nor the command line:
//!
//! - [`error`]: one error type; a message is one line with what, where and what to do.
//! - [`printable`]: text from outside, without what acts on a terminal.
//! - [`parameter`]: the parameters of attacks and defences, declared once, with their types.
//! - [`rng`]: random numbers that follow from their key alone.
//! - [`data`]: images, samples, the data sets, reading and saving.
//! - [`model`]: cards, networks, weights, the CPU engine, the embedded models.
//! - [`attack`]: the registry of attacks, budgets, goals, oracles, and the judge.
//! - [`defence`]: the registry of defences, and the pipeline they make with a network.
//! - [`metrics`]: norms, similarity, intervals, evaluation checks.
//! - [`experiment`]: sample(s) × attack × ε × defences → report. The same functions serve the
//!   dashboard and the command line, so that the same numbers come out of both.
//! - [`training`]: recipes, the loop, checkpoints.
//! - [`engine`]: the worker thread, its protocol, and the choice of the compute device.
//!
//! The edges:
//!
//! - [`config`]: defaults < `config.toml` < environment < flags.
//! - [`logging`]: what the libraries log goes to a file, never to the screen.
//! - [`terminal`]: its one reader, what it can do, and restoring it.
//! - [`show`]: pictures on the terminal, by viuer, kitty's protocol or sixel.
//! - [`dashboard`]: what the command line hands to the dashboard, and its list of keys.
//! - [`cli`]: the command line and the headless commands.
//! - [`tui`]: the dashboard: a stack of screens.
//!
//! [`guide`] is for users: the command line in full, stances, checks, training, devices.
//!
//! # Directions
//!
//! `error ← {parameter, rng} ← data ← model ← {attack, defence} ← metrics ← experiment ← {training, engine} ←
//! {cli, tui} ← main`. `cli` and `tui` never import each other: `main` joins them. Inside a module no
//! two files import each other either. `tests/architecture.rs` reads this folder and fails where a
//! line points the wrong way.

pub mod attack;
pub mod cli;
pub mod config;
pub mod dashboard;
pub mod data;
pub mod defence;
pub mod engine;
pub mod error;
pub mod experiment;
#[doc = include_str!("guide.md")]
pub mod guide {}
pub mod logging;
pub mod metrics;
pub mod model;
pub mod norm;
pub mod parameter;
pub mod printable;
pub mod rng;
pub mod show;
pub mod terminal;
pub mod training;
pub mod tui;
