//! What the event loop has to do for the session, and what is said to the user.

use crate::data::Image;
use crate::defence::DefenceStack;
use crate::engine::Request;
use std::path::PathBuf;

/// Something that only the event loop can do.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Ask the engine.
    Request(Request),
    /// Show images, each under its title, on the whole screen.
    Zoom(Vec<(String, Image)>),
    /// Stop the process until the shell continues it.
    Suspend,
    /// The first-run hint was seen.
    HintSeen,
    /// Write a file.
    Write {
        /// The file.
        path: PathBuf,
        /// What to write.
        text: String,
        /// What to ask where a file of this name is there already; none: it is replaced.
        confirm: Option<Question>,
    },
    /// Save a hybrid defence by its name.
    SaveHybrid(DefenceStack),
}

/// A line to ask the user for, in a window of its own.
#[derive(Clone, Debug)]
pub struct Question {
    /// The identifier of the screen that takes the answer.
    pub to: &'static str,
    /// What the screen calls this question.
    pub id: &'static str,
    /// The window's heading.
    pub heading: String,
    /// What may be typed.
    pub help: String,
    /// What stands in the line at first.
    pub text: String,
    /// What is wrong with that.
    pub fault: Option<String>,
}

/// A line for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What is said.
    pub text: String,
    /// Whether something failed.
    pub failure: bool,
}
