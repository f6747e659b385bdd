//! [`GradientStats`]: whether the gradients that an attack saw of an image were of any use to it.

/// A pixel whose gradient is a smaller share of the largest one is idle: a step hardly moves it.
const FAINT: f32 = 1e-6;

/// With a larger share of idle pixels a gradient is mostly zero: robust networks have up to a third.
const MOST: f64 = 0.9;

/// Statistics of the gradients that an attack queried of one image.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GradientStats {
    /// Number of gradients.
    pub queries: u64,
    /// Number of dead ones: zero or not a number in every pixel, so that no step follows.
    pub dead: u64,
    /// Sum of the shares of idle pixels: those whose value is zero, not a finite number, or less than
    /// a millionth of the largest one.
    idle: f64,
}

impl GradientStats {
    /// Counts a gradient, C·H·W values, and replaces those that are no finite numbers: NaN by 0,
    /// infinity by the largest number.
    pub(super) fn record(&mut self, gradient: &mut [f32]) {
        let size = |g: f32| if g.is_finite() { g.abs() } else { 0.0 };
        // Lane by lane, which the compiler turns into vector instructions.
        let (mut tops, mut finite) = ([0.0_f32; 16], true);
        for chunk in gradient.chunks(16) {
            for (top, g) in tops.iter_mut().zip(chunk) {
                *top = if size(*g) > *top { size(*g) } else { *top };
                finite &= g.is_finite();
            }
        }
        let top = tops.into_iter().fold(0.0, f32::max);
        // Nothing is below a least that rounds to 0.
        let least = (FAINT * top).max(f32::from_bits(1));
        let idle: u32 = gradient.iter().map(|g| u32::from(size(*g) < least)).sum();
        self.queries += 1;
        self.dead += u64::from(top == 0.0 && !gradient.iter().any(|g| g.is_infinite()));
        self.idle += f64::from(idle) / gradient.len().max(1) as f64;
        if !finite {
            for g in gradient.iter_mut().filter(|g| !g.is_finite()) {
                *g = if g.is_nan() { 0.0 } else { f32::MAX.copysign(*g) };
            }
        }
    }

    /// Adds the statistics of another part of the attack for the same image.
    pub(super) fn add(&mut self, other: &Self) {
        self.queries += other.queries;
        self.dead += other.dead;
        self.idle += other.idle;
    }

    /// The mean share of idle pixels, 0..1; `None` without gradients.
    pub fn idle(&self) -> Option<f64> {
        (self.queries > 0).then(|| self.idle / self.queries as f64)
    }

    /// Whether nearly all pixels were idle: something flat, such as a quantisation or a steep sigmoid,
    /// may stand before the network.
    pub fn mostly_zero(&self) -> bool {
        self.idle().is_some_and(|idle| idle >= MOST)
    }

    /// Whether every gradient was dead.
    pub fn all_dead(&self) -> bool {
        self.queries > 0 && self.dead == self.queries
    }

    /// Whether at least half of the gradients were dead, so that the image could hardly move.
    pub fn mostly_dead(&self) -> bool {
        self.dead > 0 && 2 * self.dead >= self.queries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_and_idle_are_counted_and_what_is_no_number_becomes_one() {
        let mut count = GradientStats::default();
        assert_eq!((count.idle(), count.mostly_dead(), count.all_dead()), (None, false, false));
        let mut mixed = [1.0, -1e-7, 0.0, f32::NAN, -0.5, f32::NEG_INFINITY, 1e-3, 2e-6];
        count.record(&mut mixed);
        assert_eq!(mixed, [1.0, -1e-7, 0.0, 0.0, -0.5, -f32::MAX, 1e-3, 2e-6]);
        assert_eq!((count.queries, count.dead, count.idle()), (1, 0, Some(0.5)));
        for mut dead in [[0.0, -0.0], [f32::NAN, 0.0], [f32::NAN, f32::NAN]] {
            let mut count = count;
            count.record(&mut dead);
            assert_eq!((count.dead, count.idle(), count.mostly_dead()), (1, Some(0.75), true));
            assert!(!count.all_dead());
        }
        // Infinity is a way to go.
        let mut count = GradientStats::default();
        count.record(&mut [f32::INFINITY, f32::NAN]);
        assert_eq!((count.dead, count.idle()), (0, Some(1.0)));
        // So small that the millionth part of it is 0.
        let mut steep = [0.0; 20];
        (steep[0], steep[1]) = (1.0, 1e-7);
        let mut count = GradientStats::default();
        count.record(&mut steep);
        assert!(count.mostly_zero() && !count.mostly_dead());
        let mut tiny = [f32::from_bits(1), f32::from_bits(2)];
        let mut count = GradientStats::default();
        count.record(&mut tiny);
        assert_eq!((count.dead, count.idle()), (0, Some(0.0)));
        let mut count = GradientStats::default();
        count.record(&mut [0.0; 3]);
        assert!(count.all_dead() && count.mostly_dead() && count.mostly_zero());
    }
}
