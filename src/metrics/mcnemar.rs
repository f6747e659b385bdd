//! McNemar's exact test: two rates over the same samples, compared pair by pair.

use crate::metrics::binomial::tail;
use crate::metrics::rate::Rate;
use serde::Serialize;
use std::fmt;

/// A difference is called one where chance alone would show as large a one less often.
pub const SIGNIFICANCE: f64 = 0.05;

/// Two evaluations over the same samples: on how many only one of them holds, and what chance alone
/// would make of that (McNemar's test, exact: two-sided binomial on the discordant pairs; McNemar
/// 1947).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct McNemar {
    /// Number of samples that both were evaluated on.
    pub n: usize,
    /// On how many only the first holds.
    pub only_first: usize,
    /// On how many only the second holds.
    pub only_second: usize,
    /// The two-sided p value.
    pub p: f64,
}

impl McNemar {
    /// Of outcomes in the same order of samples, as far as both go; none where no sample is in
    /// both.
    pub fn new(first: &[bool], second: &[bool]) -> Option<Self> {
        let pairs = || first.iter().zip(second);
        let n = pairs().count();
        let only_first = pairs().filter(|(first, second)| **first && !**second).count();
        let only_second = pairs().filter(|(first, second)| !**first && **second).count();
        let p = mcnemar(only_first, only_second);
        (n > 0).then_some(Self { n, only_first, only_second, p })
    }

    /// The same, with the second first.
    pub fn swapped(self) -> Self {
        Self { only_first: self.only_second, only_second: self.only_first, ..self }
    }

    /// Whether the first holds significantly more often.
    pub fn is_more(self) -> bool {
        self.only_first > self.only_second && self.p < SIGNIFICANCE
    }

    /// The p value in words: "p = 0.039", "p < 0.001".
    pub fn p_text(self) -> String {
        match self.p {
            p if p < 0.001 => "p < 0.001".into(),
            1.0 => "p = 1".into(),
            p if p < 0.01 => format!("p = {p:.4}"),
            p => format!("p = {p:.3}"),
        }
    }
}

/// "n = 20, 6:0, p = 0.031": six hold in the first only, none in the second only.
impl fmt::Display for McNemar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n, only_first, only_second, .. } = self;
        write!(f, "n = {n}, {only_first}:{only_second}, {}", self.p_text())
    }
}

/// Two rates held against each other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RateContrast {
    /// Over the same samples.
    Paired(McNemar),
    /// Over different samples, where only the intervals can be compared: stricter, and blind to
    /// what the samples have in common.
    Unpaired(Rate, Rate),
}

impl RateContrast {
    /// Whether the first rate is larger beyond doubt: significantly, or beyond both 95 % intervals.
    pub fn is_more(self) -> bool {
        match self {
            Self::Paired(paired) => paired.is_more(),
            Self::Unpaired(first, second) => first.interval()[0] > second.interval()[1],
        }
    }
}

impl fmt::Display for RateContrast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paired(paired) => paired.fmt(f),
            Self::Unpaired(first, second) => {
                let [(low, high), (a, b)] =
                    [first, second].map(|rate| (rate.interval()[0], rate.interval()[1]));
                let apart = if low > b || a > high { "do not overlap" } else { "overlap" };
                let (n, m) = (first.n, second.n);
                write!(f, "n = {n} and {m}, not the same samples: the 95 % intervals {apart}")
            }
        }
    }
}

/// The two-sided p value of McNemar's exact test, from the numbers of discordant pairs of each
/// kind: how likely they are at least so far apart where both kinds are equally likely.
pub fn mcnemar(b: usize, c: usize) -> f64 {
    match b.abs_diff(c) {
        // Nothing is nearer to even.
        0 | 1 => 1.0,
        _ => (2.0 * tail(b.max(c), b + c, 0.5)).min(1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_are_those_of_the_binomial_test() {
        // scipy.stats.binomtest(b, b + c).pvalue, and by hand for the small ones.
        for (b, c, p) in [
            (1, 8, 0.039_062_5),
            (0, 5, 0.062_5),
            (0, 6, 0.031_25),
            (0, 1, 1.0),
            (0, 0, 1.0),
            (7, 7, 1.0),
            (10, 25, 0.016_673_847_800_120_71),
            (40, 60, 0.056_887_933_640_980_84),
        ] {
            for found in [mcnemar(b, c), mcnemar(c, b)] {
                assert!((found - p).abs() < 1e-9, "{b}, {c}: {found}, not {p}");
            }
        }
    }

    #[test]
    fn large_counts_neither_overflow_nor_lose_sense() {
        assert_eq!(mcnemar(1_000_000, 1_000_000), 1.0);
        assert!(mcnemar(0, 1_000_000) < 1e-300);
        // ±1.96 standard deviations of a binomial of a million.
        let (n, far) = (1_000_000, 980);
        let p = mcnemar(n / 2 - far, n / 2 + far);
        assert!((p - 0.05).abs() < 0.001, "{p}");
        let falling: Vec<f64> =
            (0..50).map(|far| mcnemar(5000 - 4 * far, 5000 + 4 * far)).collect();
        assert!(falling.windows(2).all(|pair| pair[1] < pair[0]), "{falling:?}");
    }

    #[test]
    fn different_samples_are_compared_by_their_intervals() {
        let rates = |a, b| RateContrast::Unpaired(Rate { hits: a, n: 20 }, Rate { hits: b, n: 20 });
        assert!(rates(20, 2).is_more() && !rates(2, 20).is_more() && !rates(14, 8).is_more());
        assert!(rates(20, 2).to_string().ends_with("the 95 % intervals do not overlap"));
        assert!(rates(14, 8).to_string().ends_with("the 95 % intervals overlap"));
    }

    #[test]
    fn pairs_are_counted_as_far_as_both_go() {
        let flags = |text: &str| text.chars().map(|c| c == '1').collect::<Vec<_>>();
        let paired = McNemar::new(&flags("1110001"), &flags("100100")).unwrap();
        assert_eq!((paired.n, paired.only_first, paired.only_second), (6, 2, 1));
        assert_eq!(paired.p, 1.0);
        assert!(!paired.is_more() && !paired.swapped().is_more());
        let clear = McNemar::new(&[true; 20], &flags("00000000000000000001")).unwrap();
        assert!(clear.is_more() && !clear.swapped().is_more());
        assert_eq!(clear.to_string(), "n = 20, 19:0, p < 0.001");
        assert_eq!(McNemar::new(&[true], &[]), None);
    }
}
