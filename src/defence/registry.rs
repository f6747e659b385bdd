//! The list of all defences. To add one: write its file, name it below and in the list.

use crate::defence::spec::DefenceSpec;
use crate::defence::{architecture, bayes, detection, ensemble, input, smoothing, trained};
use crate::error::{Error, Result};

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
