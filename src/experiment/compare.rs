//! Defences × attacks, naive and adaptive: outcomes on one sample, cell by cell, and robust
//! accuracy over many samples. Each cell is reported as soon as it is known, the cheap ones first.

mod build;
mod export;
mod findings;
mod on_dataset;
mod on_sample;
mod report;
mod sentences;
mod task;
mod time_left;

pub use export::{Format, LEGEND, ROBUST_NOTE, TEST_NOTE};
pub use findings::{CompareEvent, CompareFindings, UNDEFENDED};
pub use on_dataset::compare_many;
pub use on_sample::compare_one;
pub use report::{
    AttackColumn, CompareReport, CompareRow, DatasetTally, DefenceOrder, PairedTest,
    ReportSettings, attack_name,
};
pub use task::{
    Comparison, OnEvent, ShouldContinue, default_attack, default_attacks, parse_attack,
};
pub use time_left::ComparisonTimeLeft;
