//! What the command line and the dashboard share, so that neither names the other: how the
//! dashboard starts, and its list of keys. `main` joins the two.

use crate::attack::AttackConfig;
use crate::config::Config;
use crate::data::Sample;
use std::path::PathBuf;

/// How the dashboard starts; the command line has checked it.
#[derive(Debug)]
pub struct StartOptions {
    /// The configuration.
    pub config: Config,
    /// The model by name or path.
    pub model: Option<String>,
    /// The data set.
    pub dataset: Option<String>,
    /// The number of the sample.
    pub sample: Option<usize>,
    /// The user's own image.
    pub picture: Option<Sample>,
    /// The attack.
    pub plan: Option<AttackConfig>,
    /// The file that exists once the first-run hint was seen.
    pub first_run_marker: Option<PathBuf>,
}

/// One row of the dashboard's keymap, as `epsiloscope keys` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// The heading it stands under.
    pub group: &'static str,
    /// The keys, each of which does it.
    pub keys: Vec<String>,
    /// What they do.
    pub action: &'static str,
    /// Where they do it, such as "in a list"; empty on the Explore screen and everywhere.
    pub place: &'static str,
}
