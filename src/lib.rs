//! An oscilloscope for ε: explore adversarial attacks on image classifiers, live, in the terminal.
//!
//! # The map
//!
//! The core knows neither the terminal nor the command line:
//!
//! - [`error`]: one error type; a message is one line with what, where and what to do.
//! - [`printable`]: text from outside, without what works on a terminal.
//! - [`parameter`]: the parameters of attacks and defences, declared once.
//! - [`draws`]: random numbers that follow from their key alone.
//! - [`data`]: pictures, samples, the embedded data sets, saving.
//! - [`model`]: cards, networks, weights, the embedded models.
//! - [`attack`]: the registry of attacks, budgets, goals, oracles, and the judge that believes no
//!   attack.
//! - [`defence`]: the registry of defences, and the pipeline they make with a network.
//! - [`metrics`]: norms, similarity, intervals.
//! - [`experiment`]: sample(s) × attack × ε × defences → report. The same functions serve the
//!   dashboard and the command line, so that the same numbers come out of both.
//! - [`training`]: recipes, the loop, checkpoints.
//! - [`engine`]: the worker thread, its protocol, and the choice of the compute device.
//!
//! The edges:
//!
//! - [`config`]: defaults < `config.toml` < environment < flags.
//! - [`logging`]: what the libraries log goes to a file, never to the screen.
//! - [`terminal`]: its one reader, what it can do, and bringing it back as it was.
//! - [`show`]: pictures on the terminal, by viuer, kitty's protocol or sixel.
//! - [`cli`]: the command line and the headless commands.
//! - [`tui`]: the dashboard.
//!
//! # Directions
//!
//! `error ← {parameter, draws} ← data ← model ← {attack, defence} ← metrics ← experiment ← {training, engine} ←
//! {cli, tui} ← main`. `cli` and `tui` never import each other: `main` joins them. `tests/architecture.rs`
//! reads this folder and fails where a line points the wrong way.

pub mod attack;
pub mod cli;
pub mod config;
pub mod data;
pub mod defence;
pub mod engine;
pub mod error;
pub mod experiment;
pub mod logging;
pub mod metrics;
pub mod model;
pub mod parameter;
pub mod printable;
pub mod rng;
pub mod show;
pub mod terminal;
pub mod training;
pub mod tui;
