//! Rates with confidence intervals.

use serde::Serialize;

/// A rate: `hits` of `n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rate {
    /// How many.
    pub hits: usize,
    /// Of how many.
    pub n: usize,
}

impl Rate {
    /// hits / n; not a number where n = 0.
    pub fn value(self) -> f64 {
        self.hits as f64 / self.n as f64
    }

    /// The 95 % Wilson score interval.
    pub fn interval(self) -> [f64; 2] {
        wilson(self.hits, self.n)
    }
}

/// The 95 % Wilson score interval (Wilson 1927) of `hits` of `n`; 0..1 where n = 0.
///
/// ```
/// let [low, high] = epsiloscope::metrics::wilson(178, 200);
/// assert!((low - 0.839).abs() < 1e-3 && (high - 0.926).abs() < 1e-3);
/// ```
pub fn wilson(hits: usize, n: usize) -> [f64; 2] {
    /// The 97.5 % quantile of the standard normal distribution.
    const Z: f64 = 1.959_963_984_540_054;
    if n == 0 {
        return [0.0, 1.0];
    }
    let (n, p) = (n as f64, hits as f64 / n as f64);
    let z2 = Z * Z / n;
    let centre = (p + z2 / 2.0) / (1.0 + z2);
    let half = Z / (1.0 + z2) * (p * (1.0 - p) / n + z2 / (4.0 * n)).sqrt();
    // At the ends the bound is exact, whatever rounding says.
    let low = if hits == 0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if hits as f64 == n { 1.0 } else { (centre + half).min(1.0) };
    [low, high]
}

/// The median: the mean of the middle two where their number is even. None where there are no
/// values, and where the middle is infinite.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let n = values.len();
    let middle = (values.get(n.checked_sub(1)? / 2)? + values.get(n / 2)?) / 2.0;
    middle.is_finite().then_some(middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median([1.0, f64::INFINITY, f64::INFINITY]), None);
        assert_eq!(median([]), None);
    }

    #[test]
    fn wilson_is_scipys() {
        // scipy.stats.binomtest(hits, n).proportion_ci(method="wilson")
        for (hits, n, low, high) in [
            (9, 10, 0.595_850, 0.982_124),
            (0, 10, 0.0, 0.277_533),
            (829, 1000, 0.804_416, 0.851_066),
        ] {
            let [a, b] = wilson(hits, n);
            assert!((a - low).abs() < 1e-5 && (b - high).abs() < 1e-5, "{hits}/{n}: {a} {b}");
        }
        assert_eq!(wilson(0, 0), [0.0, 1.0]);
    }
}
