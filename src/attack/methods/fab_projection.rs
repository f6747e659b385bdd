//! The nearest point of a hyperplane inside the box, in L∞, L2 and L1.
//!
//! The reference implementation sorts the values by when they reach the box and searches the sorted
//! list by bisection. Here L∞ and L2 find the same point without sorting: both move each value by
//! min(level · speed, room), the level being where a concave, piecewise linear function reaches the
//! gap, and Newton's method from below meets that exactly after a few rounds.

use crate::attack::norm::Norm;

/// The smallest δ in this norm that leads from `x` onto the hyperplane, ⟨normal, δ⟩ = −gap, inside
/// the box 0..1. Where the box does not reach that far, the corner that comes nearest.
pub(super) fn onto_plane(norm: Norm, x: &[f32], normal: &[f32], gap: f64) -> Vec<f64> {
    let side = if gap > 0.0 { -1.0 } else { 1.0 };
    let need = gap.abs();
    // Every value moves in the one direction that helps; this is how far the box lets it.
    let rooms = x.iter().zip(normal).map(|(x, w)| match f64::from(*w) * side {
        ..0.0 => f64::from(*x),
        0.0 => 0.0,
        _ => 1.0 - f64::from(*x),
    });
    let rooms: Vec<f64> = rooms.collect();
    let gains: Vec<f64> = normal.iter().map(|w| f64::from(w.abs())).collect();
    let lengths = match norm {
        Norm::Linf => {
            let level = level(&gains, |_| 1.0, &rooms, need);
            rooms.iter().map(|room| room.min(level)).collect()
        }
        Norm::L2 => {
            let level = level(&gains, |i| gains[i], &rooms, need);
            rooms.iter().zip(&gains).map(|(room, gain)| room.min(level * gain)).collect()
        }
        Norm::L1 | Norm::L0 => greedy(&gains, &rooms, need),
    };
    lengths.iter().zip(normal).map(|(length, w)| length * side * f64::from(*w).signum()).collect()
}

/// The least level at which Σ gain · min(level · speed, room) = need, infinite where none is enough.
fn level(gains: &[f64], speed: impl Fn(usize) -> f64, rooms: &[f64], need: f64) -> f64 {
    let mut level = 0.0;
    loop {
        let (mut reached, mut rate) = (0.0, 0.0);
        for (i, (gain, room)) in gains.iter().zip(rooms).enumerate() {
            match level * speed(i) >= *room {
                true => reached += gain * room,
                false => rate += gain * speed(i),
            }
        }
        if rate == 0.0 {
            return if reached < need { f64::INFINITY } else { level };
        }
        let next = (need - reached) / rate;
        if next <= level || !next.is_finite() {
            return level;
        }
        level = next;
    }
}

/// The value of the largest gain goes as far as it can, then the next, until the gap is closed.
fn greedy(gains: &[f64], rooms: &[f64], mut need: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..gains.len()).filter(|i| gains[*i] * rooms[*i] > 0.0).collect();
    order.sort_by(|a, b| gains[*b].total_cmp(&gains[*a]));
    let mut lengths = vec![0.0; gains.len()];
    for i in order {
        if need <= 0.0 {
            break;
        }
        lengths[i] = rooms[i].min(need / gains[i]);
        need -= lengths[i] * gains[i];
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dot(a: &[f64], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * f64::from(*b)).sum()
    }

    fn size(norm: Norm, delta: &[f64]) -> f64 {
        match norm {
            Norm::Linf => delta.iter().fold(0.0, |a, d| d.abs().max(a)),
            Norm::L2 => delta.iter().map(|d| d * d).sum::<f64>().sqrt(),
            _ => delta.iter().map(|d| d.abs()).sum(),
        }
    }

    /// The same by two hundred halvings of a multiplier, straight from the optimality conditions.
    fn slowly(norm: Norm, x: &[f32], normal: &[f32], gap: f64) -> Vec<f64> {
        let at = |level: f64| -> Vec<f64> {
            let step = |w: f64| match norm {
                Norm::Linf => w.signum() * level,
                Norm::L2 => w * level,
                // All or nothing: the values whose gain is above a price.
                _ => {
                    if w.abs() * level > 1.0 {
                        w.signum()
                    } else {
                        0.0
                    }
                }
            };
            let moved = x.iter().zip(normal).map(|(x, w)| {
                let (x, w) = (f64::from(*x), -gap.signum() * f64::from(*w));
                if w == 0.0 { 0.0 } else { (x + step(w)).clamp(0.0, 1.0) - x }
            });
            moved.collect()
        };
        let short = |level: f64| dot(&at(level), normal).abs() < gap.abs();
        let (mut low, mut high) = (0.0, 1e9);
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if short(middle) { low = middle } else { high = middle }
        }
        // At the price itself one value goes part of the way: a mixture of just below and above.
        let (below, above) = (at(low), at(high));
        let (a, b) = (dot(&below, normal).abs(), dot(&above, normal).abs());
        let share = if b > a { ((gap.abs() - a) / (b - a)).clamp(0.0, 1.0) } else { 1.0 };
        below.iter().zip(&above).map(|(a, b)| a + share * (b - a)).collect()
    }

    fn inputs() -> impl Strategy<Value = (Vec<f32>, Vec<f32>, f64)> {
        let value = prop_oneof![1 => Just(0.0_f32), 1 => Just(1.0), 4 => 0.0_f32..1.0];
        let weight = prop_oneof![1 => Just(0.0_f32), 6 => -2.0_f32..2.0];
        let both = proptest::collection::vec((value, weight), 1..40);
        (both, -6.0..6.0).prop_map(|(both, gap)| {
            let (x, w) = both.into_iter().unzip();
            (x, w, gap)
        })
    }

    proptest! {
        #[test]
        fn the_point_is_in_the_box_on_the_plane_and_the_nearest_one((x, w, gap) in inputs()) {
            for norm in [Norm::Linf, Norm::L2, Norm::L1] {
                let delta = onto_plane(norm, &x, &w, gap);
                for (x, d) in x.iter().zip(&delta) {
                    prop_assert!((-1e-12..=1.0 + 1e-12).contains(&(f64::from(*x) + d)));
                }
                let room = |i: usize| match f64::from(w[i]) * -gap.signum() {
                    ..0.0 => f64::from(x[i]),
                    _ => 1.0 - f64::from(x[i]),
                };
                let all = || 0..x.len();
                let reach: f64 = all().map(|i| f64::from(w[i].abs()) * room(i)).sum();
                let reach = gap.abs().min(reach);
                let found = -gap.signum() * dot(&delta, &w);
                prop_assert!((found - reach).abs() < 1e-6, "{norm}: {found} of {reach}");
                let slow = slowly(norm, &x, &w, gap);
                let (ours, theirs) = (size(norm, &delta), size(norm, &slow));
                prop_assert!((ours - theirs).abs() < 1e-6, "{norm}: {ours}, slowly {theirs}");
                // The optimality conditions, which prove that no other point is nearer.
                let free = |i: usize| w[i] != 0.0 && delta[i].abs() < room(i) - 1e-9;
                match norm {
                    // Whoever moves less than the others has nowhere to go.
                    Norm::Linf => prop_assert!(all().all(|i| !free(i) || delta[i].abs() > ours - 1e-9)),
                    // All free values move in proportion to their gain, the others less than that.
                    Norm::L2 => {
                        let pace = |i: usize| delta[i].abs() / f64::from(w[i].abs());
                        let paces: Vec<f64> = all().filter(|i| free(*i)).map(pace).collect();
                        let top = paces.iter().fold(0.0_f64, |a, b| a.max(*b));
                        prop_assert!(paces.iter().all(|p| (p - top).abs() < 1e-6 * top.max(1.0)));
                        let moved = all().filter(|i| w[*i] != 0.0 && !paces.is_empty());
                        prop_assert!(moved.into_iter().all(|i| pace(i) <= top + 1e-6 * top.max(1.0)));
                    }
                    // Nobody moves while somebody of larger gain could still.
                    _ => {
                        let idle = all().filter(|i| free(*i)).map(|i| w[i].abs());
                        let idle = idle.fold(0.0_f32, f32::max);
                        let moved = all().filter(|i| delta[*i].abs() > 1e-9);
                        prop_assert!(moved.into_iter().all(|i| w[i].abs() >= idle));
                    }
                }
            }
        }
    }

    #[test]
    fn a_plane_out_of_reach_gives_the_corner_and_a_dead_network_nothing() {
        let (x, w) = ([0.25_f32, 0.5, 1.0], [1.0_f32, -2.0, 3.0]);
        for norm in [Norm::Linf, Norm::L2, Norm::L1] {
            assert_eq!(onto_plane(norm, &x, &w, -9.0), [0.75, -0.5, 0.0], "{norm}");
            assert_eq!(onto_plane(norm, &x, &[0.0; 3], -9.0), [0.0; 3], "{norm}");
            assert_eq!(onto_plane(norm, &x, &w, 0.0), [0.0; 3], "{norm}");
        }
    }
}
