//! Customary budgets, so that the first look at a data set shows something worth seeing.

use crate::attack::norm::Norm;

/// (data set, norm, suggested ε, upper end of the slider); pixel units.
const TABLE: &[(&str, Norm, f64, f64)] = &[
    ("mnist", Norm::Linf, 0.3, 0.5),
    ("mnist", Norm::L2, 2.0, 6.0),
    ("mnist", Norm::L1, 10.0, 40.0),
    ("mnist", Norm::L0, 15.0, 100.0),
    ("fashion", Norm::Linf, 0.1, 0.3),
    ("fashion", Norm::L2, 1.5, 5.0),
    ("fashion", Norm::L1, 8.0, 40.0),
    ("fashion", Norm::L0, 15.0, 100.0),
    ("cifar10", Norm::Linf, 8.0 / 255.0, 32.0 / 255.0),
    ("cifar10", Norm::L2, 0.5, 3.0),
    ("cifar10", Norm::L1, 12.0, 48.0),
    ("cifar10", Norm::L0, 12.0, 100.0),
    ("photos", Norm::Linf, 2.0 / 255.0, 16.0 / 255.0),
    ("photos", Norm::L2, 2.0, 10.0),
    ("photos", Norm::L1, 255.0, 1000.0),
    ("photos", Norm::L0, 150.0, 1000.0),
];

fn row(data: &str, norm: Norm) -> (f64, f64) {
    let find = |name: &str| TABLE.iter().find(|(d, n, ..)| *d == name && *n == norm);
    let found = find(data).or_else(|| find("photos"));
    found.map_or((1.0, 10.0), |(_, _, default_epsilon, largest_epsilon)| {
        (*default_epsilon, *largest_epsilon)
    })
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
    row(data, norm).0
}

/// The largest ε worth offering on a slider, for models of this data set.
pub fn largest_epsilon(data: &str, norm: Norm) -> f64 {
    row(data, norm).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DATASETS;

    #[test]
    fn every_data_set_has_a_row_for_every_norm() {
        for (data, norm) in DATASETS.iter().flat_map(|d| Norm::ALL.map(|norm| (d.id, norm))) {
            assert_eq!(TABLE.iter().filter(|(d, n, ..)| *d == data && *n == norm).count(), 1);
            assert!(default_epsilon(data, norm) < largest_epsilon(data, norm), "{data} {norm}");
        }
    }
}
