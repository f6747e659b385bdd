//! The user's folders, by the XDG base directory specification.

use etcetera::BaseStrategy;
use etcetera::base_strategy::Xdg;
use std::path::PathBuf;

/// One of the user's folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folder {
    /// `$XDG_CONFIG_HOME/epsiloscope`
    Config,
    /// `$XDG_DATA_HOME/epsiloscope`
    Data,
    /// `$XDG_STATE_HOME/epsiloscope`
    State,
}

/// The program's folder of this kind; none for a user without a home.
pub fn folder(kind: Folder) -> Option<PathBuf> {
    let xdg = Xdg::new().ok()?;
    let base = match kind {
        Folder::Config => xdg.config_dir(),
        Folder::Data => xdg.data_dir(),
        Folder::State => xdg.state_dir()?,
    };
    Some(base.join("epsiloscope"))
}
