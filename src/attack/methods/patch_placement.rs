//! Where a patch lies in an image: turned, scaled and moved, by bilinear interpolation, with the
//! exact adjoint for its gradient.

use crate::attack::methods::bilinear::{BilinearSampler, Border, Position};
use crate::rng::KeyedRng;

/// Which part of an image a patch may lie in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum PatchPlace {
    /// Anywhere.
    Random,
    /// The middle.
    Centre,
    /// One of the four corners.
    Corner,
}

/// A patch's form and the placements it must work under.
#[derive(Clone, Debug)]
pub(super) struct PatchGeometry {
    /// `[C, H, W]` of the images it is laid on.
    pub picture: [usize; 3],
    /// Its side or diameter at full scale, in pixels of the image.
    pub side: f64,
    /// A circle, or else a square.
    pub round: bool,
    /// Which part of the image it may lie in: `random`, `centre` or `corner`.
    pub spot: PatchPlace,
    /// Largest turn to either side, in degrees.
    pub turn: f64,
    /// Smallest scale; the largest is 1.
    pub smallest: f64,
}

/// One pixel under a patch.
pub(super) struct CoveredPixel {
    /// Its number in a channel of the image.
    pixel: usize,
    /// Where it looks in the patch.
    place: Position,
    /// How much of it is covered.
    share: f64,
}

impl PatchGeometry {
    /// A patch of this share of the image's area at full scale.
    pub fn new(picture: [usize; 3], area: f64, round: bool) -> Self {
        let pixels = area * (picture[1] * picture[2]) as f64;
        let side = if round { (4.0 * pixels / std::f64::consts::PI).sqrt() } else { pixels.sqrt() };
        Self { picture, side, round, spot: PatchPlace::Random, turn: 0.0, smallest: 1.0 }
    }

    /// `[C, S, S]`: a patch has about one value for each pixel that it covers at full scale.
    pub fn canvas(&self) -> [usize; 3] {
        let side = (self.side.round() as usize).max(2);
        [self.picture[0], side, side]
    }

    fn sampler(&self) -> BilinearSampler {
        BilinearSampler { shape: self.canvas(), border: Border::Edge }
    }

    /// Draws a placement: the same number of random numbers each time.
    pub fn draw(&self, draws: &mut KeyedRng) -> Vec<CoveredPixel> {
        let scale = self.smallest + (1.0 - self.smallest) * f64::from(draws.unit());
        let angle = (self.turn * f64::from(draws.signed())).to_radians();
        let (down, right) = (f64::from(draws.unit()), f64::from(draws.unit()));
        let reach = match self.round {
            true => scale * self.side / 2.0,
            false => scale * self.side / 2.0 * (angle.cos().abs() + angle.sin().abs()),
        };
        let along = |size: usize, draw: f64| {
            let (first, last) = (reach - 0.5, size as f64 - 0.5 - reach);
            let share = match self.spot {
                PatchPlace::Centre => 0.5,
                PatchPlace::Corner => draw.round(),
                PatchPlace::Random => draw,
            };
            // One that is larger than the image lies in the middle.
            if first > last { (first + last) / 2.0 } else { first + (last - first) * share }
        };
        let [_, height, width] = self.picture;
        self.cover([along(height, down), along(width, right)], angle, scale)
    }

    /// What a patch covers with its middle at `middle`, turned to the left by `angle` (radians).
    fn cover(&self, middle: Position, angle: f64, scale: f64) -> Vec<CoveredPixel> {
        let [_, height, width] = self.picture;
        let (sin, cos) = angle.sin_cos();
        let half = scale * self.side / 2.0;
        let canvas = self.canvas()[1] as f64;
        let mut covers = Vec::new();
        for pixel in 0..height * width {
            let down = (pixel / width) as f64 - middle[0];
            let right = (pixel % width) as f64 - middle[1];
            let at = [right * sin + down * cos, right * cos - down * sin];
            let inside = match self.round {
                true => half - at[0].hypot(at[1]),
                false => half - at[0].abs().max(at[1].abs()),
            };
            // The edge falls off over one pixel, so that the covered area is the patch's.
            let share = (inside + 0.5).clamp(0.0, 1.0);
            if share > 0.0 {
                let place = at.map(|a| (a / (2.0 * half) + 0.5) * canvas - 0.5);
                covers.push(CoveredPixel { pixel, place, share });
            }
        }
        covers
    }

    /// Lays a patch on an image.
    pub fn apply(&self, patch: &[f32], covers: &[CoveredPixel], picture: &mut [f32]) {
        let places: Vec<Position> = covers.iter().map(|c| c.place).collect();
        let values = self.sampler().sample(patch, &places);
        let plane = self.picture[1] * self.picture[2];
        for (channel, values) in values.chunks(covers.len().max(1)).enumerate() {
            for (cover, value) in covers.iter().zip(values) {
                let old = &mut picture[channel * plane + cover.pixel];
                let mixed = f64::from(*old) * (1.0 - cover.share) + f64::from(*value) * cover.share;
                *old = mixed as f32;
            }
        }
    }

    /// The gradient with respect to the patch, from that with respect to the image it lies on.
    pub fn patch_gradient(&self, covers: &[CoveredPixel], gradient: &[f32]) -> Vec<f64> {
        let places: Vec<Position> = covers.iter().map(|c| c.place).collect();
        let plane = self.picture[1] * self.picture[2];
        let channels = (0..self.picture[0]).flat_map(|channel| {
            covers
                .iter()
                .map(move |c| (f64::from(gradient[channel * plane + c.pixel]) * c.share) as f32)
        });
        self.sampler().pixel_gradient(&places, &channels.collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(round: bool, spot: PatchPlace) -> PatchGeometry {
        PatchGeometry {
            spot,
            turn: 40.0,
            smallest: 0.6,
            ..PatchGeometry::new([2, 20, 24], 0.15, round)
        }
    }

    #[test]
    fn the_gradient_of_a_laid_patch_is_that_of_differences() {
        for round in [true, false] {
            let (geometry, draws) =
                (geometry(round, PatchPlace::Random), &mut KeyedRng::new(0, 0, 0));
            let covers = geometry.draw(draws);
            let n: usize = geometry.canvas().iter().product();
            let patch: Vec<f32> = (0..n).map(|_| draws.unit()).collect();
            let weights: Vec<f32> = (0..960).map(|_| draws.signed()).collect();
            let slope = geometry.patch_gradient(&covers, &weights);
            let value = |patch: &[f32]| {
                let mut picture = vec![0.5; 960];
                geometry.apply(patch, &covers, &mut picture);
                picture
                    .iter()
                    .zip(&weights)
                    .map(|(p, w)| f64::from(*p) * f64::from(*w))
                    .sum::<f64>()
            };
            for k in 0..n {
                let mut moved = patch.clone();
                moved[k] += 0.25;
                let difference = (value(&moved) - value(&patch)) / 0.25;
                assert!((difference - slope[k]).abs() < 1e-4, "{k}: {difference} {}", slope[k]);
            }
            assert!(slope.iter().any(|s| s.abs() > 0.1));
        }
    }

    #[test]
    fn a_patch_covers_its_share_of_the_area_and_nothing_else() {
        for round in [true, false] {
            for spot in [PatchPlace::Random, PatchPlace::Centre, PatchPlace::Corner] {
                let geometry = PatchGeometry { smallest: 1.0, ..geometry(round, spot) };
                let draws = &mut KeyedRng::new(3, 0, 0);
                let patch = vec![1.0; geometry.canvas().iter().product()];
                for _ in 0..20 {
                    let mut picture = vec![0.0; 960];
                    geometry.apply(&patch, &geometry.draw(draws), &mut picture);
                    let area = picture.iter().sum::<f32>() / 960.0;
                    assert!((area - 0.15).abs() < 0.01, "{round} {spot:?}: {area}");
                }
            }
        }
    }

    #[test]
    fn corners_are_corners_and_the_middle_is_the_middle() {
        let touched = |spot: PatchPlace| {
            let geometry = PatchGeometry { turn: 0.0, smallest: 1.0, ..geometry(false, spot) };
            let draws = &mut KeyedRng::new(1, 0, 0);
            let corners = [0, 23, 480 - 24, 479];
            let mut seen = [false; 4];
            for _ in 0..30 {
                let mut picture = vec![0.0; 960];
                let patch = vec![1.0; geometry.canvas().iter().product()];
                geometry.apply(&patch, &geometry.draw(draws), &mut picture);
                let now = corners.map(|c| picture[c] > 0.9);
                if spot == PatchPlace::Corner {
                    assert_eq!(now.iter().filter(|c| **c).count(), 1);
                }
                (0..4).for_each(|c| seen[c] |= now[c]);
            }
            seen
        };
        assert_eq!(touched(PatchPlace::Corner), [true; 4]);
        assert_eq!(touched(PatchPlace::Centre), [false; 4]);
    }

    #[test]
    fn an_upright_patch_of_full_size_is_seen_as_it_is() {
        let geometry = PatchGeometry::new([1, 4, 4], 1.0, false);
        let patch: Vec<f32> = (0..16).map(|i| i as f32 / 16.0).collect();
        let mut picture = vec![0.0; 16];
        geometry.apply(&patch, &geometry.cover([1.5, 1.5], 0.0, 1.0), &mut picture);
        assert_eq!(picture, patch);
        // A quarter turn to the left brings the right column to the top.
        geometry.apply(&patch, &geometry.cover([1.5, 1.5], 90_f64.to_radians(), 1.0), &mut picture);
        for (x, value) in picture[..4].iter().enumerate() {
            assert!((value - patch[4 * x + 3]).abs() < 1e-6, "{picture:?}");
        }
    }
}
