//! The one place where every defence is declared.

use crate::defence::builder::PipelineBuilder;
use crate::defence::{architecture, bayes, detection, ensemble, input, smoothing, trained};
use crate::error::{Error, Result};
use crate::parameter::{Param, Settings};
use std::fmt;

/// How a gradient gets through a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackwardRule {
    /// The stage is differentiable and is differentiated.
    Exact,
    /// The stage is not (usefully) differentiable: forwards it is exact, backwards it counts as the
    /// identity (BPDA with the straight-through estimator; Athalye et al. 2018).
    StraightThrough,
}

/// Puts a defence into a draft of a pipeline.
///
/// # Errors
/// Usage, where it does not apply to the draft's model or to what is in the draft already, saying
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

/// Every defence, family by family, in the order of menus.
pub static DEFENCES: &[DefenceSpec] = &[
    input::BIT_DEPTH,
    input::MEDIAN,
    input::NLM,
    input::JPEG,
    input::BLUR,
    input::TV,
    input::RESIZE_PAD,
    input::NOISE,
    input::THERMOMETER,
    input::PCA,
    input::DCT,
    trained::FGSM_AT,
    trained::FAST_AT,
    trained::PGD_AT,
    trained::TRADES,
    trained::MART,
    trained::AT_AWP,
    trained::TRADES_AWP,
    trained::SPECTRAL,
    trained::DISTILLED,
    trained::LABEL_SMOOTHING,
    trained::GAUSSIAN,
    trained::MODEL,
    architecture::RANDOM_SLOPE,
    architecture::SAP,
    architecture::KWTA,
    architecture::MC_DROPOUT,
    bayes::BAYES,
    ensemble::ENSEMBLE,
    ensemble::ADP,
    detection::SQUEEZE,
    detection::VARIANCE,
    smoothing::SMOOTHING,
];

impl DefenceSpec {
    /// Finds a defence by its identifier or one of its other names.
    ///
    /// # Errors
    /// Usage, with the nearest known name.
    pub fn find(id: &str) -> Result<&'static Self> {
        let named = |d: &&DefenceSpec| d.id == id || d.aliases.contains(&id);
        DEFENCES.iter().find(named).ok_or_else(|| {
            let known = DEFENCES.iter().map(|d| d.id);
            Error::unknown("defence", id, "--defence", known, "`epsiloscope defences`")
        })
    }
}
