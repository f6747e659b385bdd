//! The geometry of L1 inside the box of pixels: the exact projection onto both at once, and the steps
//! along which a linear loss grows fastest.
//!
//! Clipping what was projected onto the ball alone wastes budget on pixels that cannot move any
//! further (Croce & Hein 2021); here what they cannot use goes to the others.

/// How far a pixel can move in the direction of `sign` before it leaves 0..1.
fn room(pixel: f32, sign: f32) -> f32 {
    match sign < 0.0 {
        true => pixel,
        false => 1.0 - pixel,
    }
    .max(0.0)
}

/// The point of the L1 ball of `radius` around `x`, and of the box, that is nearest to `at`.
pub(super) fn nearest(x: &[f32], at: &[f32], radius: f32) -> Vec<f32> {
    let mut delta: Vec<f32> = at.iter().zip(x).map(|(at, x)| at - x).collect();
    project(x, &mut delta, f64::from(radius));
    x.iter().zip(delta).map(|(x, d)| (x + d).clamp(0.0, 1.0)).collect()
}

/// Projects δ onto {δ : ‖δ‖₁ ≤ `radius`, 0 ≤ x + δ ≤ 1}, the nearest point in the Euclidean sense:
/// every |δᵢ| shrinks by one threshold and is cut at its pixel's room.
fn project(x: &[f32], delta: &mut [f32], radius: f64) {
    let pairs: Vec<(f64, f64)> = x
        .iter()
        .zip(delta.iter())
        .map(|(x, d)| (f64::from(d.abs()), f64::from(room(*x, *d))))
        .collect();
    let threshold = threshold(&pairs, radius);
    for (d, (size, room)) in delta.iter_mut().zip(pairs) {
        *d = ((size - threshold).clamp(0.0, room) as f32).copysign(*d);
    }
}

/// The smallest θ ≥ 0 for which Σ min(max(size − θ, 0), room) ≤ `radius`. The sum falls along straight
/// pieces: Newton's method on them finds θ exactly in a few rounds, and halving a bracket now and then
/// keeps it from running in circles.
fn threshold(pairs: &[(f64, f64)], radius: f64) -> f64 {
    let mut low = 0.0;
    let mut high = pairs.iter().fold(0.0_f64, |top, (size, _)| top.max(*size));
    let mut theta = 0.0;
    for round in 0..200 {
        let (mut sum, mut moving) = (0.0, 0.0);
        for (size, room) in pairs {
            let left = size - theta;
            sum += left.clamp(0.0, *room);
            moving += f64::from(u8::from(left > 0.0 && left < *room));
        }
        if sum > radius {
            low = theta;
        } else {
            high = theta;
        }
        if high == 0.0 || (sum - radius).abs() <= 1e-12 * radius {
            break;
        }
        let newton = theta + (sum - radius) / moving;
        let inside = newton > low && newton < high && round % 3 < 2;
        theta = if inside { newton } else { f64::midpoint(low, high) };
        if theta <= low || theta >= high {
            theta = high;
            break;
        }
    }
    theta
}

/// The value that `rank` values of `values` are no larger than, by size (0: the smallest).
pub(super) fn quantile(values: &[f32], rank: usize) -> f32 {
    let mut sizes: Vec<f32> = values.iter().map(|v| v.abs()).collect();
    let rank = rank.min(sizes.len() - 1);
    *sizes.select_nth_unstable_by(rank, f32::total_cmp).1
}

/// Makes a gradient a sparse step of unit L1 size: the sign where |g| reaches `least`, shared equally.
pub(super) fn sparse(gradient: &mut [f32], least: f32) {
    let stays = |g: f32| g != 0.0 && g.abs() >= least;
    let count = gradient.iter().filter(|g| stays(**g)).count() as f32;
    for g in gradient {
        *g = if stays(*g) { g.signum() / count } else { 0.0 };
    }
}

/// Moves `at` from `x` along the best step there is for a linear loss of this gradient: the largest
/// slopes first, each pixel as far as it can go, until `radius` is used up.
pub(super) fn fill(at: &mut [f32], x: &[f32], gradient: &[f32], radius: f32) {
    let mut order: Vec<usize> = (0..x.len()).filter(|p| gradient[*p] != 0.0).collect();
    order.sort_by(|a, b| gradient[*b].abs().total_cmp(&gradient[*a].abs()));
    at.copy_from_slice(x);
    let mut left = f64::from(radius);
    for p in order {
        let by = f64::from(room(x[p], gradient[p])).min(left);
        at[p] = (f64::from(x[p]) + by.copysign(f64::from(gradient[p]))).clamp(0.0, 1.0) as f32;
        left -= by;
        if left <= 0.0 {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The nearest point by sorting all places where the sum bends.
    fn slow(x: &[f32], delta: &[f32], radius: f64) -> Vec<f64> {
        let at = |theta: f64| -> Vec<f64> {
            let one = |(x, d): (&f32, &f32)| {
                let room = if *d < 0.0 { *x } else { 1.0 - x };
                (f64::from(d.abs()) - theta).clamp(0.0, f64::from(room)) * f64::from(d.signum())
            };
            x.iter().zip(delta).map(one).collect()
        };
        let size = |values: &[f64]| values.iter().map(|v| v.abs()).sum::<f64>();
        let mut bends = vec![0.0];
        for (x, d) in x.iter().zip(delta) {
            let room = if *d < 0.0 { *x } else { 1.0 - x };
            bends.push(f64::from(d.abs()));
            bends.push(f64::from(d.abs() - room).max(0.0));
        }
        bends.sort_by(f64::total_cmp);
        let first = bends.iter().position(|b| size(&at(*b)) <= radius).unwrap();
        if first == 0 {
            return at(0.0);
        }
        let (a, b) = (bends[first - 1], bends[first]);
        let (above, below) = (size(&at(a)), size(&at(b)));
        at(a + (b - a) * (above - radius) / (above - below))
    }

    proptest! {
        #[test]
        fn the_projection_is_the_nearest_point_of_ball_and_box(
            pairs in proptest::collection::vec((0.0_f32..=1.0, -2.0_f32..2.0), 1..40),
            corners in proptest::collection::vec(0..4, 40),
            radius in 0.0_f64..4.0,
        ) {
            // Some pixels at the ends of the box.
            let x: Vec<f32> = pairs.iter().zip(corners).map(|((x, _), c)| match c {
                0 => 0.0,
                1 => 1.0,
                _ => *x,
            }).collect();
            let delta: Vec<f32> = pairs.iter().map(|(_, d)| *d).collect();
            let mut found = delta.clone();
            project(&x, &mut found, radius);
            for (found, wanted) in found.iter().zip(slow(&x, &delta, radius)) {
                prop_assert!((f64::from(*found) - wanted).abs() < 1e-5, "{found} {wanted}");
            }
            let size: f64 = found.iter().map(|d| f64::from(d.abs())).sum();
            prop_assert!(size <= radius + 1e-5);
            for (x, d) in x.iter().zip(&found) {
                prop_assert!((-1e-6..=1.0 + 1e-6).contains(&(x + d)));
            }
        }
    }

    proptest! {
        #[test]
        fn no_step_of_the_same_size_raises_a_linear_loss_more(
            pixels in proptest::collection::vec((0.0_f32..=1.0, -2.0_f32..2.0, -2.0_f32..2.0), 1..30),
            radius in 0.0_f32..4.0,
        ) {
            let x: Vec<f32> = pixels.iter().map(|p| p.0).collect();
            let gradient: Vec<f32> = pixels.iter().map(|p| p.1).collect();
            let other: Vec<f32> = pixels.iter().map(|p| p.0 + p.2).collect();
            let rise = |at: &[f32]| -> f32 {
                at.iter().zip(&x).zip(&gradient).map(|((at, x), g)| (at - x) * g).sum()
            };
            let mut at = x.clone();
            fill(&mut at, &x, &gradient, radius);
            let size: f32 = at.iter().zip(&x).map(|(at, x)| (at - x).abs()).sum();
            prop_assert!(size <= radius + 1e-5 && at.iter().all(|p| (0.0..=1.0).contains(p)));
            prop_assert!(rise(&at) >= rise(&nearest(&x, &other, radius)) - 1e-4);
        }
    }

    #[test]
    fn sparse_steps_have_unit_size_and_keep_the_steepest() {
        let mut g = [0.5, -3.0, 0.0, 2.0, -0.1];
        assert_eq!(quantile(&g, 3), 2.0);
        sparse(&mut g, 2.0);
        assert_eq!(g, [0.0, -0.5, 0.0, 0.5, 0.0]);
        let mut dead = [0.0; 3];
        sparse(&mut dead, 0.0);
        assert_eq!(dead, [0.0; 3]);
    }
}
