//! The proposals of Square Attack: where its windows lie and what they put there.

use crate::attack::l1::nearest;
use crate::attack::norm::{Budget, Norm};
use crate::rng::KeyedRng;
use std::fmt;

/// The shape of an image.
#[derive(Clone, Copy)]
pub(super) struct ImageShape {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

impl ImageShape {
    pub fn new([channels, height, width]: [usize; 3]) -> Self {
        Self { channels, height, width }
    }
}

/// A square of pixels in all channels.
#[derive(Clone, Copy)]
pub(super) struct SquareWindow {
    side: usize,
    top: usize,
    left: usize,
}

impl fmt::Display for SquareWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "window {0}×{0} at {1},{2}", self.side, self.left, self.top)
    }
}

impl SquareWindow {
    /// One anywhere in the image.
    fn draw(side: usize, shape: ImageShape, draws: &mut KeyedRng) -> Self {
        let top = draws.below(shape.height - side + 1);
        Self { side, top, left: draws.below(shape.width - side + 1) }
    }

    /// The places of its pixels in one channel of an image's values, row by row.
    fn places(self, channel: usize, shape: ImageShape) -> impl Iterator<Item = usize> {
        let corner = (channel * shape.height + self.top) * shape.width + self.left;
        (0..self.side * self.side)
            .map(move |n| corner + n / self.side * shape.width + n % self.side)
    }

    /// The same in all channels.
    fn contains(self, other: Self, n: usize) -> bool {
        let (row, column) = (other.top + n / other.side, other.left + n % other.side);
        (self.top..self.top + self.side).contains(&row)
            && (self.left..self.left + self.side).contains(&column)
    }
}

fn sign(draws: &mut KeyedRng) -> f32 {
    1.0_f32.copysign(draws.signed())
}

/// The start in L∞: vertical stripes of ±ε, each channel its own.
pub(super) fn stripes(image: &mut [f32], shape: ImageShape, epsilon: f32, draws: &mut KeyedRng) {
    for channel in image.chunks_mut(shape.height * shape.width) {
        let signs: Vec<f32> = (0..shape.width).map(|_| sign(draws) * epsilon).collect();
        for row in channel.chunks_mut(shape.width) {
            row.iter_mut().zip(&signs).for_each(|(p, s)| *p = (*p + s).clamp(0.0, 1.0));
        }
    }
}

/// In L∞: sets a window to x ± ε, one sign a channel. Where the image already is so, the signs
/// are drawn again: asking about the same image twice would waste a query.
pub(super) fn repaint(
    x: &[f32],
    image: &mut [f32],
    shape: ImageShape,
    side: usize,
    epsilon: f32,
    draws: &mut KeyedRng,
) -> SquareWindow {
    let window = SquareWindow::draw(side, shape, draws);
    let mut changed = false;
    // Bounded, because at ε = 0 no sign changes anything.
    for _ in 0..64 {
        for channel in 0..shape.channels {
            let step = sign(draws) * epsilon;
            for at in window.places(channel, shape) {
                let value = (x[at] + step).clamp(0.0, 1.0);
                changed |= (value - image[at]).abs() > 1e-7;
                image[at] = value;
            }
        }
        if changed {
            break;
        }
    }
    window
}

/// The pattern that L2 and L1 windows add: two peaks of opposite sign side by side, falling off
/// from their middles, of size 1.
pub(super) struct Bump {
    pub side: usize,
    values: Vec<f32>,
}

impl Bump {
    /// The pattern for windows of this side.
    pub fn new(side: usize, norm: Norm) -> Self {
        let mut values = peak(side / 2, side, norm);
        values.extend(peak(side - side / 2, side, norm).iter().map(|v| -v));
        let size = length(norm, values.iter().copied());
        values.iter_mut().for_each(|v| *v = (f64::from(*v) / size) as f32);
        Self { side, values }
    }

    /// Value `n`, row by row; the peaks lie one over the other, or side by side.
    fn value(&self, n: usize, beside: bool) -> f32 {
        let (row, column) = (n / self.side, n % self.side);
        self.values[if beside { column * self.side + row } else { n }]
    }
}

/// One peak of size 1, row by row: at k pixels (the larger of both offsets) from the middle it is
/// worth Σ 1/(j+1)² over j ≥ k.
fn peak(height: usize, width: usize, norm: Norm) -> Vec<f32> {
    let (middle, centre) = (height / 2, width / 2);
    let rings = middle.max(centre) + 1;
    let ring = |k: usize| (k..rings).map(|j| ((j + 1) as f64).powi(-2)).sum::<f64>() as f32;
    let losses_or_margins: Vec<f32> = (0..=rings).map(ring).collect();
    let place = |n: usize| (n / width).abs_diff(middle).max((n % width).abs_diff(centre));
    let values: Vec<f32> = (0..height * width).map(|n| losses_or_margins[place(n)]).collect();
    let size = length(norm, values.iter().copied());
    values.iter().map(|v| (f64::from(*v) / size) as f32).collect()
}

fn length(norm: Norm, values: impl Iterator<Item = f32>) -> f64 {
    unpowered(norm, values.map(|v| powered(norm, v)).sum())
}

fn powered(norm: Norm, value: f32) -> f64 {
    let value = f64::from(value.abs());
    if norm == Norm::L1 { value } else { value * value }
}

fn unpowered(norm: Norm, sum: f64) -> f64 {
    if norm == Norm::L1 { sum } else { sum.sqrt() }
}

/// The start in L2 and L1: a tiling of bumps, five to a side, each channel its own signs.
pub(super) fn bumps(image: &mut [f32], shape: ImageShape, budget: &Budget, draws: &mut KeyedRng) {
    let side = (shape.height.min(shape.width) / 5).max(1);
    let bump = Bump::new(side, budget.norm);
    let (down, across) = (shape.height / side, shape.width / side);
    let (top, left) = ((shape.height - down * side) / 2, (shape.width - across * side) / 2);
    let mut delta = vec![0.0; image.len()];
    for tile in 0..down * across {
        let (row, column) = (tile / across, tile % across);
        let window = SquareWindow { side, top: top + row * side, left: left + column * side };
        let beside = draws.signed() > 0.0;
        for channel in 0..shape.channels {
            let sign = sign(draws);
            for (n, at) in window.places(channel, shape).enumerate() {
                delta[at] = sign * bump.value(n, beside);
            }
        }
    }
    let x = image.to_vec();
    fit(&x, &delta, image, budget);
}

/// In L2 and L1: takes what one window holds of the perturbation, with what of ε is left unused,
/// and gives it to another window, bent by a bump.
pub(super) fn shift(
    x: &[f32],
    image: &mut [f32],
    shape: ImageShape,
    bump: &Bump,
    budget: &Budget,
    draws: &mut KeyedRng,
) -> SquareWindow {
    let norm = budget.norm;
    let to = SquareWindow::draw(bump.side, shape, draws);
    let from = SquareWindow::draw(bump.side, shape, draws);
    let beside = draws.signed() > 0.0;
    let mut delta: Vec<f32> = image.iter().zip(x).map(|(a, b)| a - b).collect();
    let used: f64 = delta.iter().map(|d| powered(norm, *d)).sum();
    let unused = (powered(norm, budget.epsilon) - used).max(0.0);
    let channels = shape.channels as f64;
    for channel in 0..shape.channels {
        let held: f64 = to.places(channel, shape).map(|at| powered(norm, delta[at])).sum();
        let other = from.places(channel, shape).enumerate();
        let other = other.filter(|(n, _)| !to.contains(from, *n));
        let other: f64 = other.map(|(_, at)| powered(norm, delta[at])).sum();
        let share = unused / channels + held + other;
        // In L1 it is more than there is: the projection takes the smallest changes back.
        let size = unpowered(norm, if norm == Norm::L1 { share * channels } else { share });
        let (sign, held) = (sign(draws), unpowered(norm, held) as f32 + 1e-12);
        let bent = to.places(channel, shape).enumerate();
        let bent = bent.map(|(n, at)| sign * bump.value(n, beside) + delta[at] / held);
        let bent: Vec<f32> = bent.collect();
        let scale = size / (length(norm, bent.iter().copied()) + 1e-12);
        from.places(channel, shape).for_each(|at| delta[at] = 0.0);
        for (at, value) in to.places(channel, shape).zip(bent) {
            delta[at] = (f64::from(value) * scale) as f32;
        }
    }
    fit(x, &delta, image, budget);
    to
}

/// Writes x + δ, fitted to budget and box: in L2 δ is scaled to ε and then clipped, in L1 it is
/// projected onto ball and box together.
fn fit(x: &[f32], delta: &[f32], image: &mut [f32], budget: &Budget) {
    let epsilon = f64::from(budget.epsilon);
    if budget.norm == Norm::L1 {
        let at: Vec<f32> = x.iter().zip(delta).map(|(x, d)| x + d).collect();
        return image.copy_from_slice(&nearest(x, &at, budget.epsilon * (1.0 - 1e-6)));
    }
    let scale = epsilon / (length(budget.norm, delta.iter().copied()) + 1e-12);
    for ((p, x), d) in image.iter_mut().zip(x).zip(delta) {
        *p = (f64::from(*x) + f64::from(*d) * scale).clamp(0.0, 1.0) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: ImageShape = ImageShape { channels: 3, height: 20, width: 24 };

    fn grey() -> Vec<f32> {
        vec![0.5; 3 * 20 * 24]
    }

    #[test]
    fn stripes_put_every_pixel_at_its_limit() {
        let x: Vec<f32> = (0..3 * 20 * 24).map(|i| (i % 11) as f32 / 10.0).collect();
        let mut image = x.clone();
        stripes(&mut image, FRAME, 0.2, &mut KeyedRng::new(1, 2, 3));
        for (at, (p, x)) in image.iter().zip(&x).enumerate() {
            let limits = [(x + 0.2).clamp(0.0, 1.0), (x - 0.2).clamp(0.0, 1.0)];
            assert!(limits.contains(p), "{at}: {x} → {p}");
        }
        let mut image = grey();
        stripes(&mut image, FRAME, 0.2, &mut KeyedRng::new(1, 2, 3));
        for channel in image.chunks(20 * 24) {
            assert!(channel.chunks(24).all(|row| row == &channel[..24]), "stripes are vertical");
        }
        let (first, second) = (&image[..24], &image[480..504]);
        assert!(first != second && first.contains(&0.3) && first.contains(&0.7));
    }

    #[test]
    fn a_window_always_changes_the_picture_and_nothing_else() {
        let (x, mut image) = (grey(), grey());
        let mut draws = KeyedRng::new(0, 0, 0);
        let mut corners = [false; 4];
        for _ in 0..2000 {
            let before = image.clone();
            let window = repaint(&x, &mut image, FRAME, 3, 0.25, &mut draws);
            let inside: Vec<usize> = (0..3).flat_map(|c| window.places(c, FRAME)).collect();
            assert_eq!(inside.len(), 27);
            assert!(inside.iter().any(|at| before[*at] != image[*at]), "{window}");
            assert!(inside.iter().all(|at| (image[*at] - 0.5).abs() == 0.25));
            let changed = (0..image.len()).filter(|at| before[*at] != image[*at]);
            assert!(changed.into_iter().all(|at| inside.contains(&at)), "{window}");
            let (down, right) = (window.top == 17, window.left == 21);
            corners[0] |= window.top == 0;
            corners[1] |= window.left == 0;
            corners[2] |= down;
            corners[3] |= right;
        }
        assert_eq!(corners, [true; 4], "every edge is reached");
        // At ε = 0 nothing can change, and the search for a change ends.
        let before = x.clone();
        repaint(&x, &mut image, FRAME, 20, 0.0, &mut draws);
        assert_eq!(before[..480], x[..480]);
    }

    #[test]
    fn bumps_are_two_equal_peaks_of_size_one() {
        for norm in [Norm::L1, Norm::L2] {
            for side in [1, 3, 5, 17] {
                let bump = Bump::new(side, norm);
                let size = length(norm, bump.values.iter().copied());
                assert!((size - 1.0).abs() < 1e-6, "{norm} {side}: {size}");
            }
        }
        let bump = Bump::new(5, Norm::L2);
        let tops: Vec<f32> = (0..5).map(|row| bump.values[row * 5 + 2]).collect();
        // Two rows of one sign above three of the other, highest in their middles.
        assert!(tops[..2].iter().all(|v| *v > 0.0) && tops[2..].iter().all(|v| *v < 0.0));
        assert!(tops[1] > tops[0] && tops[3] < tops[2] && tops[3] < tops[4]);
        assert_eq!(bump.value(1, true), bump.value(5, false));
    }

    #[test]
    fn moving_changes_between_windows_keeps_their_size() {
        for (norm, epsilon) in [(Norm::L2, 2.0), (Norm::L1, 12.0)] {
            let budget = Budget { norm, epsilon };
            let (x, mut image) = (grey(), grey());
            let mut draws = KeyedRng::new(5, 0, 0);
            bumps(&mut image, FRAME, &budget, &mut draws);
            let start = image.clone();
            for side in [9, 5, 3, 3, 3] {
                let bump = Bump::new(side, norm);
                shift(&x, &mut image, FRAME, &bump, &budget, &mut draws);
                let size = norm.distance(&image, &x);
                assert!((size / epsilon - 1.0).abs() < 1e-4, "{norm}: {size}");
            }
            let touched = start.iter().zip(&image).filter(|(a, b)| (*a - *b).abs() > 1e-3);
            assert!(touched.count() > 20, "{norm}");
        }
    }
}
