//! [`BilinearSampler`]: bilinear interpolation of an image at any positions, its derivative with respect
//! to the positions, and its adjoint, which carries a gradient back to the pixels.

/// A position in an image: row and column, in pixels from the centre of the first one.
pub(super) type Position = [f64; 2];

/// The values outside an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Border {
    /// Black (zero padding).
    Black,
    /// The nearest pixel of the frame.
    Edge,
}

/// Interpolates images of one shape.
#[derive(Clone, Copy, Debug)]
pub(super) struct BilinearSampler {
    /// `[C, H, W]` of the image.
    pub shape: [usize; 3],
    /// The values outside.
    pub border: Border,
}

/// One of the four pixels around a place: its number in a channel, its weight, and the weight's
/// derivative with respect to the place.
type Corner = (usize, f64, Position);

impl BilinearSampler {
    /// The first of the two neighbours along an axis of `size` pixels, and by how much the second
    /// is mixed in; whether moving along the axis changes anything.
    fn between(&self, at: f64, size: usize) -> (isize, f64, f64) {
        match self.border {
            Border::Black => {
                // Far outside everything is black alike; the cast must not wrap.
                let at = at.clamp(-2.0, size as f64 + 1.0);
                (at.floor() as isize, at - at.floor(), 1.0)
            }
            Border::Edge => {
                let last = (size - 1) as f64;
                let inside = at.clamp(0.0, last);
                let first = inside.floor().min((last - 1.0).max(0.0));
                (first as isize, inside - first, if inside == at { 1.0 } else { 0.0 })
            }
        }
    }

    fn corners(&self, place: Position) -> impl Iterator<Item = Corner> + use<> {
        let [_, height, width] = self.shape;
        let (top, down, row_moves) = self.between(place[0], height);
        let (left, right, column_moves) = self.between(place[1], width);
        let border = self.border;
        [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().filter_map(move |(y, x)| {
            let mut at = [top + y, left + x];
            if border == Border::Edge {
                at = [at[0].min(height as isize - 1), at[1].min(width as isize - 1)];
            }
            let inside =
                (0..height as isize).contains(&at[0]) && (0..width as isize).contains(&at[1]);
            let (row, row_slope) = if y == 1 { (down, 1.0) } else { (1.0 - down, -1.0) };
            let (column, column_slope) = if x == 1 { (right, 1.0) } else { (1.0 - right, -1.0) };
            let slope = [row_slope * row_moves * column, row * column_slope * column_moves];
            inside.then(|| (at[0] as usize * width + at[1] as usize, row * column, slope))
        })
    }

    /// The image's values at P positions, `[C, P]`.
    pub fn sample(&self, picture: &[f32], places: &[Position]) -> Vec<f32> {
        let plane = self.shape[1] * self.shape[2];
        let mut found = vec![0.0; self.shape[0] * places.len()];
        for (p, place) in places.iter().enumerate() {
            for (pixel, weight, _) in self.corners(*place).filter(|(_, weight, _)| *weight != 0.0) {
                for c in 0..self.shape[0] {
                    found[c * places.len() + p] += weight * f64::from(picture[c * plane + pixel]);
                }
            }
        }
        found.into_iter().map(|v: f64| v as f32).collect()
    }

    /// The gradient with respect to the places, from that with respect to the values, `[C, P]`.
    pub fn place_gradient(
        &self,
        picture: &[f32],
        places: &[Position],
        gradient: &[f32],
    ) -> Vec<Position> {
        let plane = self.shape[1] * self.shape[2];
        let at = |(p, place): (usize, &Position)| {
            let mut sum = [0.0; 2];
            for (pixel, _, slope) in self.corners(*place) {
                let channels = (0..self.shape[0]).map(|c| {
                    f64::from(picture[c * plane + pixel])
                        * f64::from(gradient[c * places.len() + p])
                });
                let product: f64 = channels.sum();
                sum = [sum[0] + slope[0] * product, sum[1] + slope[1] * product];
            }
            sum
        };
        places.iter().enumerate().map(at).collect()
    }

    /// The gradient with respect to the image's pixels, `[C, H, W]`, from that with respect to
    /// the values, `[C, P]`.
    pub fn pixel_gradient(&self, places: &[Position], gradient: &[f32]) -> Vec<f64> {
        let plane = self.shape[1] * self.shape[2];
        let mut sum = vec![0.0; self.shape[0] * plane];
        for (p, place) in places.iter().enumerate() {
            for (pixel, weight, _) in self.corners(*place) {
                for c in 0..self.shape[0] {
                    sum[c * plane + pixel] += weight * f64::from(gradient[c * places.len() + p]);
                }
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::KeyedRng;

    const SHAPE: [usize; 3] = [2, 4, 5];

    /// Places inside and outside of a 4×5 image, none of them on a pixel's centre line.
    fn places(draws: &mut KeyedRng) -> Vec<Position> {
        let mut off = |size: f32| loop {
            let at = f64::from(draws.signed() * size + 1.5);
            if (at - at.round()).abs() > 0.01 {
                return at;
            }
        };
        (0..60).map(|_| [off(4.0), off(5.0)]).collect()
    }

    fn values(draws: &mut KeyedRng, n: usize) -> Vec<f32> {
        (0..n).map(|_| draws.unit()).collect()
    }

    fn dot(a: impl Iterator<Item = f64>, b: &[f32]) -> f64 {
        a.zip(b).map(|(a, b)| a * f64::from(*b)).sum()
    }

    #[test]
    fn pixels_are_found_where_they_are_and_mixed_in_between() {
        let draws = &mut KeyedRng::new(0, 0, 0);
        let picture = values(draws, 40);
        let centres: Vec<Position> =
            (0..20).map(|i| [f64::from(i / 5), f64::from(i % 5)]).collect();
        let all: [Position; 3] = [[0.5, 1.0], [-0.25, 0.0], [9.0, -7e18]];
        for border in [Border::Black, Border::Edge] {
            let sampler = BilinearSampler { shape: SHAPE, border };
            assert_eq!(sampler.sample(&picture, &centres), picture);
            let found = sampler.sample(&picture, &all);
            assert!((found[0] - (picture[1] + picture[6]) / 2.0).abs() < 1e-6);
            let (outside, far) = match border {
                Border::Black => (0.75 * picture[0], 0.0),
                Border::Edge => (picture[0], picture[15]),
            };
            assert!((found[1] - outside).abs() < 1e-6 && (found[2] - far).abs() < 1e-6);
        }
    }

    #[test]
    fn the_derivative_by_place_is_that_of_the_samples() {
        for border in [Border::Black, Border::Edge] {
            let draws = &mut KeyedRng::new(1, 0, 0);
            let sampler = BilinearSampler { shape: SHAPE, border };
            let (picture, places) = (values(draws, 40), places(draws));
            let weights = values(draws, 2 * places.len());
            let slope = sampler.place_gradient(&picture, &places, &weights);
            let n = places.len();
            for p in 0..n {
                for axis in 0..2 {
                    let at = |by: f64| {
                        let mut moved = places[p];
                        moved[axis] += by;
                        let found = sampler.sample(&picture, &[moved]);
                        f64::from(found[0] * weights[p]) + f64::from(found[1] * weights[n + p])
                    };
                    let difference = (at(4e-3) - at(-4e-3)) / 8e-3;
                    assert!((difference - slope[p][axis]).abs() < 1e-3, "{border:?} {p} {axis}");
                }
            }
        }
    }

    #[test]
    fn the_adjoint_is_the_adjoint() {
        for border in [Border::Black, Border::Edge] {
            let draws = &mut KeyedRng::new(2, 0, 0);
            let sampler = BilinearSampler { shape: SHAPE, border };
            let (picture, places) = (values(draws, 40), places(draws));
            let weights = values(draws, 2 * places.len());
            let there = sampler.sample(&picture, &places);
            let there = dot(there.iter().map(|v| f64::from(*v)), &weights);
            let back = dot(sampler.pixel_gradient(&places, &weights).into_iter(), &picture);
            assert!((there - back).abs() < 1e-5, "{there} {back}");
        }
    }
}
