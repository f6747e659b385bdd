//! Tests of the core through its public interface: agreement with the reference implementations,
//! properties that every registry row must have, the worker, the shipped models.

mod boundary;
mod checks;
mod compare;
mod confident;
mod conformance;
mod cpu_engine;
mod decision;
mod defended;
mod engine;
mod experiment;
mod golden;
mod gradient;
mod least;
mod lessons;
mod models;
mod nets;
mod notes;
mod pipeline;
mod posterior;
mod registry;
mod score;
mod sound;
mod stages;
mod stochastic_layers;
mod training;
mod universal;
mod wgpu;
