//! Bounds of binomial probabilities and quantiles of the normal distribution, for certificates and
//! paired tests.
//!
//! The crate `statrs` has these functions, too, and the tests compare with it. What is printed
//! comes from here: p values, bounds and radii stand in JSON with every digit, and the last ones
//! differ.

/// ln Γ(x) for x > 0 (Lanczos, g = 7).
fn ln_gamma(x: f64) -> f64 {
    const SERIES: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let sum = (1..9).fold(SERIES[0], |sum, i| sum + SERIES[i] / (x + i as f64));
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// The regularised incomplete beta function I_x(a, b), by Lentz's continued fraction.
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    // The fraction converges fast on this side of the mean.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x);
    }
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    let away = |v: f64| if v.abs() < 1e-300 { 1e-300 } else { v };
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let (mut c, mut value) = (1.0, d);
    for m in 1..10_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / away(1.0 + term * d);
            c = away(1.0 + term / c);
            change = c * d;
            value *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    front.exp() * value / a
}

/// P(X ≥ hits) of a binomial X of `n` with probability `p`.
pub fn tail(hits: usize, n: usize, p: f64) -> f64 {
    match hits {
        0 => 1.0,
        _ if hits > n => 0.0,
        _ => incomplete_beta(hits as f64, (n - hits) as f64 + 1.0, p),
    }
}

/// The one-sided lower bound of a probability after `hits` of `n` (Clopper & Pearson 1934): if the
/// probability were smaller, so many hits would be seen with a chance below α.
pub fn lower_bound(hits: usize, n: usize, alpha: f64) -> f64 {
    if hits == 0 {
        return 0.0;
    }
    if hits >= n {
        return (alpha.ln() / n as f64).exp();
    }
    let (mut low, mut high) = (0.0, hits as f64 / n as f64);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        match tail(hits, n, middle) < alpha {
            true => low = middle,
            false => high = middle,
        }
    }
    low
}

/// Φ⁻¹(p), the quantile of the standard normal distribution (Wichura 1988, AS 241).
pub fn normal_quantile(p: f64) -> f64 {
    const MIDDLE: [[f64; 8]; 2] = [
        [
            2.509_080_928_730_122_7e3,
            3.343_057_558_358_813e4,
            6.726_577_092_700_87e4,
            4.592_195_393_154_987e4,
            1.373_169_376_550_946e4,
            1.971_590_950_306_551_3e3,
            1.331_416_678_917_843_8e2,
            3.387_132_872_796_366_5,
        ],
        [
            5.226_495_278_852_854e3,
            2.872_908_573_572_194_3e4,
            3.930_789_580_009_271e4,
            2.121_379_430_158_659_7e4,
            5.394_196_021_424_751e3,
            6.871_870_074_920_579e2,
            4.231_333_070_160_091e1,
            1.0,
        ],
    ];
    const OUTER: [[f64; 8]; 2] = [
        [
            7.745_450_142_783_414e-4,
            2.272_384_498_926_918_4e-2,
            2.417_807_251_774_506e-1,
            1.270_458_252_452_368_4,
            3.647_848_324_763_204_5,
            5.769_497_221_460_691,
            4.630_337_846_156_546,
            1.423_437_110_749_683_5,
        ],
        [
            1.050_750_071_644_416_9e-9,
            5.475_938_084_995_345e-4,
            1.519_866_656_361_645_7e-2,
            1.481_039_764_274_800_8e-1,
            6.897_673_349_851e-1,
            1.676_384_830_183_803_8,
            2.053_191_626_637_759,
            1.0,
        ],
    ];
    const FAR: [[f64; 8]; 2] = [
        [
            2.010_334_399_292_288_1e-7,
            2.711_555_568_743_487_6e-5,
            1.242_660_947_388_078_4e-3,
            2.653_218_952_657_612_4e-2,
            2.965_605_718_285_048_7e-1,
            1.784_826_539_917_291_3,
            5.463_784_911_164_114,
            6.657_904_643_501_103,
        ],
        [
            2.044_263_103_389_94e-15,
            1.421_511_758_316_446e-7,
            1.846_318_317_510_054_8e-5,
            7.868_691_311_456_133e-4,
            1.487_536_129_085_061_5e-2,
            1.369_298_809_227_358e-1,
            5.998_322_065_558_88e-1,
            1.0,
        ],
    ];
    let at = |[top, bottom]: &[[f64; 8]; 2], r: f64| {
        let value = |c: &[f64; 8]| c.iter().fold(0.0, |sum, c| sum * r + c);
        value(top) / value(bottom)
    };
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        return q * at(&MIDDLE, 0.180_625 - q * q);
    }
    let r = (-p.min(1.0 - p).ln()).sqrt();
    let x = if r <= 5.0 { at(&OUTER, r - 1.6) } else { at(&FAR, r - 5.0) };
    x.copysign(q)
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{ContinuousCDF, Normal};
    use statrs::function::beta::beta_reg;

    #[test]
    fn quantiles_are_pythons() {
        // statistics.NormalDist().inv_cdf(p)
        for (p, x) in [
            (0.5, 0.0),
            (0.6, 0.253_347_103_135_799_7),
            (0.975, 1.959_963_984_540_054),
            (0.999, 3.090_232_306_167_813),
            (0.000_3, -3.431_614_403_623_269_6),
            (1e-12, -7.034_483_825_301_13),
        ] {
            assert!((normal_quantile(p) - x).abs() < 1e-9, "{p}: {}", normal_quantile(p));
        }
    }

    #[test]
    fn a_library_finds_the_same() {
        let normal = Normal::standard();
        for p in [1e-9, 0.000_3, 0.07, 0.425, 0.5, 0.8, 0.999, 1.0 - 1e-9] {
            let (own, other) = (normal_quantile(p), normal.inverse_cdf(p));
            assert!((own - other).abs() < 1e-8, "{p}: {own}, {other}");
        }
        for (hits, n, p) in [(3, 10, 0.1), (60, 100, 0.5), (990, 1000, 0.97), (1, 100_000, 1e-6)] {
            let other = beta_reg(hits as f64, (n - hits) as f64 + 1.0, p);
            let own = tail(hits, n, p);
            assert!((own - other).abs() <= 1e-8 * other, "{hits} of {n}, {p}: {own}, {other}");
        }
    }

    #[test]
    fn tails_are_sums_of_the_distribution() {
        for (n, p) in [(1, 0.3), (7, 0.5), (60, 0.02), (60, 0.97)] {
            let mut term = (1.0_f64 - p).powi(n);
            let mut below = 0.0;
            for hits in 0..=n as usize {
                let found = tail(hits, n as usize, p);
                assert!((found - (1.0 - below)).abs() < 1e-12, "{hits} of {n}: {found}");
                below += term;
                let k = hits as f64;
                term *= (f64::from(n) - k) / (k + 1.0) * p / (1.0 - p);
            }
        }
        // 501 or more of 1001 heads: one half, however large the numbers.
        assert!((tail(50_001, 100_001, 0.5) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn lower_bounds_are_those_of_clopper_and_pearson() {
        // All of n: p = α^(1/n), and a certified radius of σ·Φ⁻¹(p).
        for (n, radius) in [(100, 1.50), (1000, 2.46), (100_000, 3.81)] {
            let p = lower_bound(n, n, 0.001);
            assert!((p - 0.001_f64.powf(1.0 / n as f64)).abs() < 1e-12);
            assert!((normal_quantile(p) - radius).abs() < 0.006, "{n}: {}", normal_quantile(p));
        }
        // Elsewhere the bound is where so many hits have a chance of α.
        for (hits, n, alpha) in [(90, 100, 0.001), (1, 10, 0.05), (99_000, 100_000, 0.001)] {
            let p = lower_bound(hits, n, alpha);
            assert!((tail(hits, n, p) - alpha).abs() < 1e-9, "{hits} of {n}: {p}");
        }
        let one_of_ten = 1.0 - 0.95_f64.powf(0.1);
        assert!((lower_bound(1, 10, 0.05) - one_of_ten).abs() < 1e-12);
        assert_eq!(lower_bound(0, 10, 0.05), 0.0);
    }
}
