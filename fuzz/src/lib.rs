//! What fuzzing feeds: one function for each kind of input that comes from outside. Each takes any
//! bytes, must return, and checks more than that: what is read keeps its promises, what is written is
//! read again as it was, what is refused is refused in one line. It says whether it took the bytes for
//! what they should be.
//!
//! The fuzz targets of this folder call these functions, and so does `tests/corpus.rs` of the
//! program, which replays the corpus on every change.

mod documents;
mod files;
mod keys;
mod networks;
mod states;

use epsiloscope::error::{Error, Result};

/// Feeds bytes to what is tested; false where they are refused.
pub type Target = fn(&[u8]) -> bool;

/// Every target: its name (that of its binary and of its corpus) and its function.
pub const TARGETS: &[(&str, Target)] = &[
    ("card", documents::card),
    ("weights", networks::weights),
    ("model", networks::model),
    ("inputs", networks::inputs),
    ("state", states::state),
    ("config", documents::config),
    ("hybrids", documents::hybrids),
    ("picture", files::picture),
    ("npy", files::npy),
    ("idx", files::idx),
    ("pickle", files::pickle),
    ("keys", keys::keys),
    ("terminal", keys::terminal),
];

/// Runs the target of this name; false where the bytes are refused.
pub fn run(name: &str, data: &[u8]) -> bool {
    let (_, target) = TARGETS.iter().find(|(own, _)| *own == name).expect("a target of this name");
    target(data)
}

/// What is there, where it is; a refusal must be one line that says something.
fn told<T>(result: Result<T>) -> Option<T> {
    result.map_err(|error| one_line(&error)).ok()
}

fn one_line(error: &Error) {
    let text = error.to_string();
    let lines = text.lines().count();
    assert!(lines == 1 && !error.what.is_empty(), "not a message of one line: {text:?}");
    assert!(!text.contains(char::is_control), "it works on the terminal: {text:?}");
    assert!(error.exit_status() == 1 || error.exit_status() == 2, "{error:?}");
}
