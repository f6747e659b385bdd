//! The session: the state that all screens share, and what changes it.

mod checks;
mod data;
mod defence_list;
mod effect;
mod epsilon_search;
mod history;
mod on_update;
mod rejudge;
mod requests;
mod run;
mod settings;
mod state;
mod timing;

pub use checks::{CheckSummary, remedy_text};
pub use defence_list::DefenceEntry;
pub use effect::{Effect, Message, Question};
pub use epsilon_search::EpsilonSearch;
pub use history::{History, HistoryEntry, along, by_queries};
pub use run::{
    AMPLIFICATIONS, BLINK, Blinking, PATIENCE, PendingChecks, Playback, Run, Source, fits,
};
pub use settings::parse_epsilon;
pub use state::{Refresh, Session};
