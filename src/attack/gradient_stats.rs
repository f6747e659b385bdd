//! What an attack saw of the gradients of each image.

/// A smaller share of the largest value moves nothing that the largest does not move much more.
const FAINT: f32 = 1e-6;

/// A larger share of idle pixels is rare: robust networks have up to a third.
const MOST: f64 = 0.9;

/// The gradients that an attack asked for of one image, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GradientStats {
    /// How many it asked for.
    pub queries: u64,
    /// How many of them were dead: zero or not a number in every pixel, so that no step follows from
    /// them.
    pub dead: u64,
    /// The sum over all of them of the share of idle pixels: those whose value is zero, not a finite
    /// number, or less than a millionth of the largest one.
    idle: f64,
}

impl GradientStats {
    /// Counts a gradient, and makes finite numbers of what is none: 0 of NaN, the largest number of
    /// infinity.
    pub(super) fn record(&mut self, gradient: &mut [f32]) {
        let size = |g: &f32| if g.is_finite() { g.abs() } else { 0.0 };
        let top = gradient.iter().map(size).fold(0.0, f32::max);
        // Nothing is below a least that rounds to 0.
        let least = (FAINT * top).max(f32::from_bits(1));
        let idle = gradient.iter().filter(|g| size(g) < least).count();
        self.queries += 1;
        self.dead += u64::from(gradient.iter().all(|g| *g == 0.0 || g.is_nan()));
        self.idle += idle as f64 / gradient.len().max(1) as f64;
        for g in gradient.iter_mut().filter(|g| !g.is_finite()) {
            *g = if g.is_nan() { 0.0 } else { f32::MAX.copysign(*g) };
        }
    }

    /// Adds what another part of the attack saw of the same image.
    pub(super) fn add(&mut self, other: &Self) {
        self.queries += other.queries;
        self.dead += other.dead;
        self.idle += other.idle;
    }

    /// The mean share of idle pixels, 0..1; none where it asked for no gradient.
    pub fn idle(&self) -> Option<f64> {
        (self.queries > 0).then(|| self.idle / self.queries as f64)
    }

    /// Whether nearly all values were idle, so that something flat (a quantisation, a steep sigmoid) may
    /// stand before the network.
    pub fn mostly_zero(&self) -> bool {
        self.idle().is_some_and(|idle| idle >= MOST)
    }

    /// Whether every gradient led nowhere.
    pub fn all_dead(&self) -> bool {
        self.queries > 0 && self.dead == self.queries
    }

    /// Whether the gradients led nowhere at least every other time, so that the image stood still.
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
