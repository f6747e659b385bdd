//! Customary budgets, so that the first look at a data set shows something worth seeing.

use crate::attack::norm::Norm;
use crate::data::{DatasetSpec, EpsilonRange};

/// The ε of a data set's row; of a data set that is not built in, those of photographs.
fn range(data: &str, norm: Norm) -> EpsilonRange {
    let row = DatasetSpec::find(data).or_else(DatasetSpec::of_any_image);
    row.map_or(EpsilonRange { default: 1.0, largest: 10.0 }, |row| row.epsilons.of(norm))
}

/// ε as typed: `0.1` or `8/255`. Whether it is in range depends on the norm and is checked by
/// [`Budget::new`](crate::attack::Budget::new). None for what is no finite number.
pub fn parse_epsilon(text: &str) -> Option<f64> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    let value = match text.split_once('/') {
        Some((above, below)) => number(above)? / number(below)?,
        None => number(text)?,
    };
    value.is_finite().then_some(value)
}

/// The ε to begin with, for models of this data set.
pub fn default_epsilon(data: &str, norm: Norm) -> f64 {
    range(data, norm).default
}

/// The largest ε worth offering on a slider, for models of this data set.
pub fn largest_epsilon(data: &str, norm: Norm) -> f64 {
    range(data, norm).largest
}
