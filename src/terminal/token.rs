//! What the bytes of a terminal mean.

use crossterm::event::Event;

/// What bytes mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputToken {
    /// Something that the user did.
    Event(Event),
    /// Something that the terminal says of itself.
    Reply(TerminalReply),
}

/// An answer of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TerminalReply {
    /// To the question for kitty's graphics: whether it has them.
    Kitty(bool),
    /// To the question for its attributes.
    Attributes {
        /// Whether it draws sixels.
        sixel: bool,
    },
}
