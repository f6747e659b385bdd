//! Total-variation minimisation.

use crate::data::Image;
use crate::defence::input::clipped;
use crate::defence::spec::DefenceSpec;
use crate::defence::transform::{BackwardRule, Transform};
use crate::error::Result;
use crate::parameter::FloatParam;
use crate::rng::KeyedRng;
use rayon::prelude::*;

const WEIGHT: FloatParam =
    FloatParam::new("weight", (0.001, 1.0), 0.03, "λ: how much smoothness counts, 0.001..1");

const DROP: FloatParam =
    FloatParam::new("drop", (0.0, 0.9), 0.5, "share of the pixels forgotten at random, 0..0.9");

/// Total-variation minimisation.
pub const TV: DefenceSpec = DefenceSpec {
    id: "tv",
    aliases: &["total-variation"],
    name: "total variation",
    family: "input",
    params: &[WEIGHT.param, DROP.param],
    backward: BackwardRule::StraightThrough,
    randomised: true,
    summary: "forgets pixels at random and paints the smoothest picture through the others",
    about: "Drops pixels at random and looks for the picture z with the least ½‖z − x‖² over the pixels \
            kept + λ·TV(z), the total variation (sum of gradient lengths) being small for flat areas \
            with sharp edges and large for noise. A perturbation loses what lay on dropped pixels and \
            much of the rest. Neither the chance nor the minimisation helps against an attack that \
            knows them: the identity on the way back (BPDA), averaged over draws (EOT), brought the \
            published defence to nothing.",
    paper: "Guo, Rana, Cissé, van der Maaten: Countering Adversarial Images Using Input \
            Transformations, ICLR 2018; TV by Rudin, Osher, Fatemi 1992, minimised as in Chambolle, \
            Pock 2011; broken by Athalye, Carlini, Wagner, ICML 2018",
    build: |settings, builder| {
        let weight = WEIGHT.get(settings) as f32;
        let drop = DROP.get(settings) as f32;
        builder.stage_if(Box::new(TotalVariation { weight, drop, steps: STEPS }), drop > 0.0)
    },
};

/// After so many the image is what it will be, within about a level of 8 bits.
const STEPS: usize = 60;

struct TotalVariation {
    weight: f32,
    drop: f32,
    steps: usize,
}

impl Transform for TotalVariation {
    fn apply(&self, image: &Image, rng: &mut KeyedRng) -> Result<Image> {
        let shape @ [_, h, w] = image.shape();
        let pixels = image.pixels();
        let kept: Vec<bool> = pixels.iter().map(|_| rng.unit() >= self.drop).collect();
        let planes = pixels.par_chunks(h * w).zip(kept.par_chunks(h * w));
        let smooth = |(x, kept)| Plane::new(x, kept, w, self.weight).minimised(self.steps);
        Ok(clipped(shape, planes.flat_map_iter(smooth).collect()))
    }
}

/// One channel on its way: the primal-dual method of Chambolle and Pock, whose dual variable is a
/// flow between neighbours, downwards and to the right, never longer than λ. The edges of its arrays
/// are such that no pixel is a special case.
struct Plane {
    shape: [usize; 2],
    weight: f32,
    /// How far a step goes towards what the pixel was, and that times what it was; zero if dropped.
    hold: Vec<[f32; 2]>,
    z: Vec<f32>,
    /// 2·z − the z before, `[H, W + 1]`: the last column twice.
    ahead: Vec<f32>,
    /// The flow into each row from above, `[H + 1, W]`.
    down: Vec<f32>,
    /// The flow into each column from the left, `[H, W + 1]`.
    right: Vec<f32>,
}

impl Plane {
    fn new(x: &[f32], kept: &[bool], width: usize, weight: f32) -> Self {
        let height = x.len() / width;
        // What is dropped must not be known: it begins as the mean of what is kept.
        let seen = x.iter().zip(kept).filter(|(_, kept)| **kept).map(|(v, _)| *v);
        let n = seen.clone().count();
        let mean = if n == 0 { 0.5 } else { seen.sum::<f32>() / n as f32 };
        let step = primal(weight);
        let hold = |(x, kept): (&f32, &bool)| if *kept { [step, step * x] } else { [0.0; 2] };
        let z = x.iter().zip(kept).map(|(x, kept)| if *kept { *x } else { mean });
        let mut plane = Self {
            shape: [height, width],
            weight,
            hold: x.iter().zip(kept).map(hold).collect(),
            z: z.collect(),
            ahead: vec![0.0; height * (width + 1)],
            down: vec![0.0; (height + 1) * width],
            right: vec![0.0; height * (width + 1)],
        };
        for (ahead, z) in plane.ahead.chunks_mut(width + 1).zip(plane.z.chunks(width)) {
            ahead[..width].copy_from_slice(z);
            ahead[width] = z[width - 1];
        }
        plane
    }

    fn minimised(mut self, steps: usize) -> Vec<f32> {
        for _ in 0..steps {
            self.raise(0.125 / primal(self.weight));
            self.lower(primal(self.weight));
        }
        self.z
    }

    /// A step of the flow, up, cut to length λ.
    fn raise(&mut self, step: f32) {
        let [h, w] = self.shape;
        for y in 0..h {
            let here = &self.ahead[y * (w + 1)..][..w];
            let next = &self.ahead[y * (w + 1) + 1..][..w];
            // Nothing flows out of the last row.
            let below = &self.ahead[(y + 1).min(h - 1) * (w + 1)..][..w];
            let down = &mut self.down[(y + 1) * w..][..w];
            let right = &mut self.right[y * (w + 1) + 1..][..w];
            for x in 0..w {
                let to =
                    [down[x] + step * (below[x] - here[x]), right[x] + step * (next[x] - here[x])];
                let length = (to[0] * to[0] + to[1] * to[1]).sqrt();
                let share = 1.0 / (length / self.weight).max(1.0);
                (down[x], right[x]) = (share * to[0], share * to[1]);
            }
        }
    }

    /// A step of the image, down.
    fn lower(&mut self, step: f32) {
        let [h, w] = self.shape;
        for y in 0..h {
            let (above, down) = (&self.down[y * w..][..w], &self.down[(y + 1) * w..][..w]);
            let (left, right) =
                (&self.right[y * (w + 1)..][..w], &self.right[y * (w + 1) + 1..][..w]);
            let (hold, z) = (&self.hold[y * w..][..w], &mut self.z[y * w..][..w]);
            let ahead = &mut self.ahead[y * (w + 1)..][..=w];
            for x in 0..w {
                let moved = z[x] + step * (down[x] - above[x] + right[x] - left[x]);
                let next = (moved + hold[x][1]) / (1.0 + hold[x][0]);
                ahead[x] = 2.0 * next - z[x];
                z[x] = next;
            }
            ahead[w] = ahead[w - 1];
        }
    }
}

/// The image's step; the flow's is an eighth of its inverse. Any such pair converges; this one is
/// quick for λ = 0.01 to 0.3.
fn primal(weight: f32) -> f32 {
    0.05 / weight
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defence::input::{listed, uneven};

    #[test]
    fn it_is_the_minimum() {
        // skimage.restoration.denoise_tv_chambolle(uneven, weight=0.1), run to convergence.
        let exact = TotalVariation { weight: 0.1, drop: 0.0, steps: 20_000 };
        let image = uneven([1, 4, 5]);
        let out = exact.apply(&image, &mut KeyedRng::new(0, 0, 0)).unwrap();
        let list =
            [(0, 0.138_289), (3, 0.347_629), (7, 0.622_684), (12, 0.371_255), (16, 0.289_938)];
        assert!(out.pixels().iter().all(|v| *v > 0.0) && listed(out.pixels(), &list), "{out:?}");
        let quick = TotalVariation { steps: STEPS, ..exact };
        let quick = quick.apply(&image, &mut KeyedRng::new(0, 0, 0)).unwrap();
        let pairs = quick.pixels().iter().zip(out.pixels());
        assert!(pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) < 4e-3, "{quick:?}");
    }

    #[test]
    fn what_is_dropped_is_painted_over() {
        let image = uneven([1, 4, 5]);
        let kept: Vec<bool> = (0..20).map(|at| at % 3 != 1).collect();
        let minimised = |x: &[f32]| Plane::new(x, &kept, 5, 0.1).minimised(20_000);
        let out = minimised(image.pixels());
        let mut value = 0.0;
        for at in 0..20 {
            let to = |by: usize, inside: bool| if inside { out[at + by] - out[at] } else { 0.0 };
            value += 0.1 * to(1, at % 5 < 4).hypot(to(5, at < 15));
            value += if kept[at] { (out[at] - image.pixels()[at]).powi(2) / 2.0 } else { 0.0 };
        }
        // The least value, found by SciPy's L-BFGS-B on ever less rounded TV.
        assert!((value - 0.386_225).abs() < 1e-5, "{value}");
        // And it does not depend on what was there.
        let other: Vec<f32> =
            image.pixels().iter().zip(&kept).map(|(v, k)| if *k { *v } else { 0.9 }).collect();
        assert_eq!(minimised(&other), out);
    }
}
