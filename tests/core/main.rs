//! Tests of the core through its public interface: agreement with the reference implementations,
//! properties that every registry row must have, the worker, the shipped models.

mod boundary;
mod compare;
mod confident;
mod conformance;
mod decision;
mod defended;
mod engine;
mod experiment;
mod golden;
mod gradient;
mod host;
mod lamps;
mod least;
mod lessons;
mod masks;
mod models;
mod nets;
mod notes;
mod pipeline;
mod registry;
mod sample;
mod score;
mod sound;
mod stages;
mod training;
mod universal;
mod wgpu;
