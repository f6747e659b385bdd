//! What the registry holds of each defence.

use crate::defence::builder::PipelineBuilder;
use crate::defence::transform::BackwardRule;
use crate::error::Result;
use crate::parameter::{Param, Settings};
use std::fmt;

/// Adds a defence with its settings to the pipeline that is being built.
///
/// # Errors
/// Usage, where it does not apply to the model or to what is there already, saying
/// why; failures of loading.
pub type Build = fn(&Settings, &mut PipelineBuilder<'_>) -> Result<()>;

/// A defence's row.
pub struct DefenceSpec {
    /// The name used on the command line and in reports.
    pub id: &'static str,
    /// Other names that the command line takes for it.
    pub aliases: &'static [&'static str],
    /// The name used on the screen.
    pub name: &'static str,
    /// The heading it stands under.
    pub family: &'static str,
    /// Its parameters; the first can be given as `id:value`.
    pub params: &'static [Param],
    /// How an adaptive attack's gradient gets through.
    pub backward: BackwardRule,
    /// Whether it answers differently from one call to the next.
    pub randomised: bool,
    /// One line: what it does.
    pub summary: &'static str,
    /// One paragraph: how it works, and how it is known to fail.
    pub about: &'static str,
    /// Where it comes from, and what broke it.
    pub paper: &'static str,
    /// Puts it into a pipeline.
    pub build: Build,
}

impl fmt::Debug for DefenceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DefenceSpec").field(&self.id).finish()
    }
}

impl PartialEq for DefenceSpec {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}
