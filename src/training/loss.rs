//! The losses of training, as functions of logits with closed-form gradients, in `f64` and without
//! cancellation where a confident answer would bring it. Training needs no other derivative than
//! these and the network's own.

use crate::attack::{CrossEntropy, Goal, Objective, softmax};

/// log softmax in `f64`.
fn log_softmax(row: &[f32]) -> Vec<f64> {
    let top = row.iter().fold(f64::NEG_INFINITY, |a, b| a.max(f64::from(*b)));
    let sum: f64 = row.iter().map(|z| (f64::from(*z) - top).exp()).sum();
    row.iter().map(|z| f64::from(*z) - top - sum.ln()).collect()
}

/// Cross-entropy with the true class; its gradient is added to `slope`.
pub fn cross_entropy(row: &[f32], truth: usize, slope: &mut [f64]) -> f64 {
    let mut away = vec![0.0; row.len()];
    let loss = CrossEntropy.evaluate(0, row, Goal::Untargeted { truth }, &mut away);
    slope.iter_mut().zip(away).for_each(|(s, a)| *s += a);
    loss
}

/// Cross-entropy −Σ t log softmax(z) with soft labels `wanted`, which sum to 1.
pub fn soft_cross_entropy(row: &[f32], wanted: &[f64], slope: &mut [f64]) -> f64 {
    let logs = log_softmax(row);
    for ((slope, log), wanted) in slope.iter_mut().zip(&logs).zip(wanted) {
        *slope += log.exp() - wanted;
    }
    -logs.iter().zip(wanted).map(|(log, t)| t * log).sum::<f64>()
}

/// The labels that label smoothing wants: 1 − α + α/K for the true class, α/K for the others.
pub fn smoothed(truth: usize, alpha: f64, classes: usize) -> Vec<f64> {
    let mut wanted = vec![alpha / classes as f64; classes];
    wanted[truth] += 1.0 - alpha;
    wanted
}

/// The softmax of logits over a temperature.
pub fn tempered(row: &[f32], temperature: f64) -> Vec<f64> {
    softmax(&cooled(row, temperature))
}

/// Logits over a temperature.
pub fn cooled(row: &[f32], temperature: f64) -> Vec<f32> {
    row.iter().map(|z| (f64::from(*z) / temperature) as f32).collect()
}

/// KL(p ‖ q) of the softmaxes of clean and attacked logits, with both gradients, scaled by `weight`.
pub fn divergence(
    clean: &[f32],
    attacked: &[f32],
    weight: f64,
    [on_clean, on_attacked]: [&mut [f64]; 2],
) -> f64 {
    let (log_p, log_q) = (log_softmax(clean), log_softmax(attacked));
    let apart = |k: usize| log_p[k] - log_q[k];
    let value: f64 = (0..clean.len()).map(|k| log_p[k].exp() * apart(k)).sum();
    for k in 0..clean.len() {
        let (p, q) = (log_p[k].exp(), log_q[k].exp());
        on_clean[k] += weight * p * (apart(k) - value);
        on_attacked[k] += weight * (q - p);
    }
    value
}

/// TRADES (Zhang et al. 2019): cross-entropy on the clean image, and β times the divergence of the
/// attacked answer from the clean one.
pub fn trades(
    [clean, attacked]: [&[f32]; 2],
    truth: usize,
    beta: f64,
    [on_clean, on_attacked]: [&mut [f64]; 2],
) -> f64 {
    let loss = cross_entropy(clean, truth, on_clean);
    loss + beta * divergence(clean, attacked, beta, [on_clean, on_attacked])
}

/// MART (Wang et al. 2020): boosted cross-entropy on the attacked image, −log q_y − log(1 − max of
/// the others), and λ times the divergence of its answer from the clean one, weighted by 1 − p_y.
pub fn mart(
    [clean, attacked]: [&[f32]; 2],
    truth: usize,
    lambda: f64,
    [on_clean, on_attacked]: [&mut [f64]; 2],
) -> f64 {
    let mut loss = cross_entropy(attacked, truth, on_attacked);
    // −log(1 − q_m) is the cross-entropy of "not m": its gradient is q_m at m, and −q_m of each
    // other class's share among those that are not m.
    let rival = crate::attack::best_other(attacked, truth);
    let q = softmax(attacked);
    let rest: f64 = q.iter().enumerate().filter(|(k, _)| *k != rival).map(|(_, q)| q).sum();
    let rest = rest.max(f64::MIN_POSITIVE);
    loss -= rest.ln();
    for k in 0..q.len() {
        on_attacked[k] += if k == rival { q[k] } else { -q[rival] * (q[k] / rest) };
    }
    let p = softmax(clean);
    let doubt: f64 = p.iter().enumerate().filter(|(k, _)| *k != truth).map(|(_, p)| p).sum();
    let kl = divergence(clean, attacked, lambda * doubt, [&mut *on_clean, on_attacked]);
    for k in 0..p.len() {
        let slope = p[truth] * if k == truth { -doubt } else { p[k] };
        on_clean[k] += lambda * kl * slope;
    }
    loss + lambda * doubt * kl
}

/// Keeps the determinant of two equal directions from 0.
const APART: f64 = 1e-6;

/// What the adaptive diversity promoting regulariser (Pang et al. 2019) takes off the loss of a pair:
/// α times the entropy of the mean answer, and β times the logarithm of the squared area that the
/// answers to all classes but the true one span, each of length 1. The gradient of its *negative*
/// with respect to the first member's logits is added to `slope`.
pub fn diversity(
    own: &[f32],
    other: &[f32],
    truth: usize,
    [alpha, beta]: [f64; 2],
    slope: &mut [f64],
) -> f64 {
    let (p, q) = (softmax(own), softmax(other));
    let others = || (0..p.len()).filter(|k| *k != truth);
    let mean = |k: usize| (0.5 * (p[k] + q[k])).max(f64::MIN_POSITIVE);
    let entropy: f64 = -(0..p.len()).map(|k| mean(k) * mean(k).ln()).sum::<f64>();
    let dot = |a: &[f64], b: &[f64]| others().map(|k| a[k] * b[k]).sum::<f64>();
    let lengths = [dot(&p, &p), dot(&q, &q)].map(|s| s.sqrt().max(f64::MIN_POSITIVE));
    let cosine = dot(&p, &q) / lengths[0] / lengths[1];
    let area = 1.0 - cosine * cosine + APART;
    // With respect to the probabilities, then through the softmax.
    let mut on_p: Vec<f64> = (0..p.len()).map(|k| -0.5 * alpha * (mean(k).ln() + 1.0)).collect();
    for k in others() {
        let turn = q[k] / lengths[1] - cosine * p[k] / lengths[0];
        on_p[k] += beta * (-2.0 * cosine / area) * turn / lengths[0];
    }
    let level: f64 = on_p.iter().zip(&p).map(|(g, p)| g * p).sum();
    for k in 0..p.len() {
        slope[k] -= p[k] * (on_p[k] - level);
    }
    alpha * entropy + beta * area.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: [f32; 4] = [1.25, -0.5, 0.75, 0.0];
    const ATTACKED: [f32; 4] = [0.5, 1.0, -0.25, 0.125];

    /// A loss of two rows of logits, with the gradient to both.
    type Loss = fn(&[f32], &[f32], [&mut [f64]; 2]) -> f64;

    const LOSSES: [(&str, Loss); 7] = [
        ("cross-entropy", |a, _, [s, _]| cross_entropy(a, 2, s)),
        ("label smoothing", |a, _, [s, _]| soft_cross_entropy(a, &smoothed(2, 0.1, 4), s)),
        ("divergence", |a, b, s| divergence(a, b, 1.0, s)),
        ("trades", |a, b, s| trades([a, b], 0, 6.0, s)),
        ("mart", |a, b, s| mart([a, b], 0, 5.0, s)),
        ("mart, wrong", |a, b, s| mart([a, b], 3, 5.0, s)),
        ("diversity", |a, b, [s, t]| {
            diversity(b, a, 0, [2.0, 0.5], t);
            -diversity(a, b, 0, [2.0, 0.5], s)
        }),
    ];

    #[test]
    fn every_slope_is_that_of_differences() {
        for (name, loss) in LOSSES {
            let value = |a: &[f32], b: &[f32]| loss(a, b, [&mut [0.0; 4], &mut [0.0; 4]]);
            let (mut on_clean, mut on_attacked) = ([0.0; 4], [0.0; 4]);
            loss(&CLEAN, &ATTACKED, [&mut on_clean, &mut on_attacked]);
            for k in 0..4 {
                // A power of two: exact in f32.
                let step = 1.0_f32 / 512.0;
                let moved = |row: [f32; 4], by: f32| {
                    let mut row = row;
                    row[k] += by;
                    row
                };
                let differ = |up: f64, down: f64| (up - down) / (2.0 * f64::from(step));
                let clean = differ(
                    value(&moved(CLEAN, step), &ATTACKED),
                    value(&moved(CLEAN, -step), &ATTACKED),
                );
                let attacked = differ(
                    value(&CLEAN, &moved(ATTACKED, step)),
                    value(&CLEAN, &moved(ATTACKED, -step)),
                );
                let close = |a: f64, b: f64| (a - b).abs() < 1e-4 * (1.0 + b.abs());
                assert!(close(on_clean[k], clean), "{name} {k}: {} {clean}", on_clean[k]);
                assert!(
                    close(on_attacked[k], attacked),
                    "{name} {k}: {} {attacked}",
                    on_attacked[k]
                );
            }
        }
    }

    #[test]
    fn the_values_are_those_of_the_definitions() {
        let none = || [[0.0; 4], [0.0; 4]];
        let (p, q) = (softmax(&CLEAN), softmax(&ATTACKED));
        let kl: f64 = p.iter().zip(&q).map(|(p, q)| p * (p / q).ln()).sum();
        let [mut a, mut b] = none();
        let trades = trades([&CLEAN, &ATTACKED], 0, 6.0, [&mut a, &mut b]);
        assert!((trades - (-p[0].ln() + 6.0 * kl)).abs() < 1e-9);
        let mart = mart([&CLEAN, &ATTACKED], 0, 5.0, [&mut a, &mut b]);
        let boosted = -q[0].ln() - (1.0 - q[1]).ln();
        assert!((mart - (boosted + 5.0 * (1.0 - p[0]) * kl)).abs() < 1e-9);
        let diversity = diversity(&CLEAN, &ATTACKED, 0, [2.0, 0.5], &mut a);
        let mean: Vec<f64> = p.iter().zip(&q).map(|(p, q)| (p + q) / 2.0).collect();
        let entropy: f64 = mean.iter().map(|m| -m * m.ln()).sum();
        let dot =
            |a: &[f64], b: &[f64]| a[1..].iter().zip(&b[1..]).map(|(a, b)| a * b).sum::<f64>();
        let area = 1.0 - dot(&p, &q).powi(2) / (dot(&p, &p) * dot(&q, &q));
        assert!((diversity - (2.0 * entropy + 0.5 * area.ln())).abs() < 1e-4);
    }

    #[test]
    fn confident_answers_give_finite_slopes() {
        let (sure, wrong) = ([900.0, 0.0, -3.0, 1.0], [-900.0, 0.0, 5.0, 800.0]);
        for (name, loss) in LOSSES {
            for [a, b] in [[sure, wrong], [wrong, sure], [sure, sure], [wrong, wrong]] {
                let (mut s, mut t) = ([0.0; 4], [0.0; 4]);
                let value = loss(&a, &b, [&mut s, &mut t]);
                let all = s.iter().chain(&t).chain([&value]);
                assert!(all.into_iter().all(|v| v.is_finite()), "{name} {a:?} {b:?}: {s:?} {t:?}");
            }
        }
    }
}
