//! Total-variation minimisation.

use crate::data::Picture;
use crate::defence::input::cut_off;
use crate::defence::registry::{DefenceSpec, Passage};
use crate::defence::transform::Transform;
use crate::draws::Draws;
use crate::error::Result;
use crate::parameter::Param;
use rayon::prelude::*;

/// Total-variation minimisation.
pub const TV: DefenceSpec = DefenceSpec {
    id: "tv",
    aliases: &["total-variation"],
    name: "total variation",
    family: "input",
    params: &[
        Param::float("weight", (0.001, 1.0), 0.03, "λ: how much smoothness counts, 0.001..1"),
        Param::float("drop", (0.0, 0.9), 0.5, "share of the pixels forgotten at random, 0..0.9"),
    ],
    passage: Passage::StraightThrough,
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
    build: |settings, draft| {
        let weight = settings.float("weight", 0.03) as f32;
        let drop = settings.float("drop", 0.5) as f32;
        draft.stage_if(Box::new(TotalVariation { weight, drop, steps: STEPS }), drop > 0.0)
    },
};

/// After so many the picture is what it will be, within about a level of 8 bits.
const STEPS: usize = 60;

struct TotalVariation {
    weight: f32,
    drop: f32,
    steps: usize,
}

impl Transform for TotalVariation {
    fn apply(&self, picture: &Picture, draws: &mut Draws) -> Result<Picture> {
        let shape @ [_, h, w] = picture.shape();
        let pixels = picture.pixels();
        let kept: Vec<bool> = pixels.iter().map(|_| draws.unit() >= self.drop).collect();
        let planes = pixels.par_chunks(h * w).zip(kept.par_chunks(h * w));
        let smooth = |(x, kept)| Plane::new(x, kept, w, self.weight).minimised(self.steps);
        Ok(cut_off(shape, planes.flat_map_iter(smooth).collect()))
    }
}

/// One channel on its way: the primal-dual method of Chambolle and Pock, whose dual variable is a
/// flow between neighbours, downwards and to the right, never longer than λ.
struct Plane<'a> {
    x: &'a [f32],
    kept: &'a [bool],
    width: usize,
    weight: f32,
    z: Vec<f32>,
    /// 2·z − the z before.
    ahead: Vec<f32>,
    down: Vec<f32>,
    right: Vec<f32>,
}

impl<'a> Plane<'a> {
    fn new(x: &'a [f32], kept: &'a [bool], width: usize, weight: f32) -> Self {
        // What is dropped must not be known: it begins as the mean of what is kept.
        let seen = x.iter().zip(kept).filter(|(_, kept)| **kept).map(|(v, _)| *v);
        let n = seen.clone().count();
        let mean = if n == 0 { 0.5 } else { seen.sum::<f32>() / n as f32 };
        let z: Vec<f32> =
            x.iter().zip(kept).map(|(v, kept)| if *kept { *v } else { mean }).collect();
        let zero = vec![0.0; z.len()];
        Self { x, kept, width, weight, ahead: z.clone(), z, down: zero.clone(), right: zero }
    }

    fn minimised(mut self, steps: usize) -> Vec<f32> {
        // Any steps with product 1/8 converge; these are quick for λ = 0.01 to 0.3.
        let primal = 0.05 / self.weight;
        for _ in 0..steps {
            self.raise(0.125 / primal);
            self.lower(primal);
        }
        self.z
    }

    /// A step of the dual variable, up, cut to length λ.
    fn raise(&mut self, step: f32) {
        let w = self.width;
        let rows = self.ahead.len() / w;
        for y in 0..rows {
            // The last row and column have no neighbour: nothing flows out of the picture.
            let here = &self.ahead[y * w..][..w];
            let below = &self.ahead[(y + 1).min(rows - 1) * w..][..w];
            let flows = self.down[y * w..][..w].iter_mut().zip(&mut self.right[y * w..][..w]);
            for (x, (down, right)) in flows.enumerate() {
                *down += step * (below[x] - here[x]);
                *right += step * (here[(x + 1).min(w - 1)] - here[x]);
                let over = ((*down * *down + *right * *right).sqrt() / self.weight).max(1.0);
                (*down, *right) = (*down / over, *right / over);
            }
        }
    }

    /// A step of the picture, down.
    fn lower(&mut self, step: f32) {
        let w = self.width;
        for at in 0..self.z.len() {
            let above = if at >= w { self.down[at - w] } else { 0.0 };
            let left = if at % w > 0 { self.right[at - 1] } else { 0.0 };
            let inflow = self.down[at] - above + self.right[at] - left;
            let moved = self.z[at] + step * inflow;
            let next = match self.kept[at] {
                true => (moved + step * self.x[at]) / (1.0 + step),
                false => moved,
            };
            self.ahead[at] = 2.0 * next - self.z[at];
            self.z[at] = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defence::input::{listed, uneven};

    #[test]
    fn it_is_the_minimum() {
        // skimage.restoration.denoise_tv_chambolle(uneven, weight=0.1), run to convergence.
        let exact = TotalVariation { weight: 0.1, drop: 0.0, steps: 20_000 };
        let picture = uneven([1, 4, 5]);
        let out = exact.apply(&picture, &mut Draws::new(0, 0, 0)).unwrap();
        let list =
            [(0, 0.138_289), (3, 0.347_629), (7, 0.622_684), (12, 0.371_255), (16, 0.289_938)];
        assert!(out.pixels().iter().all(|v| *v > 0.0) && listed(out.pixels(), &list), "{out:?}");
        let quick = TotalVariation { steps: STEPS, ..exact };
        let quick = quick.apply(&picture, &mut Draws::new(0, 0, 0)).unwrap();
        let pairs = quick.pixels().iter().zip(out.pixels());
        assert!(pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) < 4e-3, "{quick:?}");
    }

    #[test]
    fn what_is_dropped_is_painted_over() {
        let picture = uneven([1, 4, 5]);
        let kept: Vec<bool> = (0..20).map(|at| at % 3 != 1).collect();
        let minimised = |x: &[f32]| Plane::new(x, &kept, 5, 0.1).minimised(20_000);
        let out = minimised(picture.pixels());
        let mut value = 0.0;
        for at in 0..20 {
            let to = |by: usize, inside: bool| if inside { out[at + by] - out[at] } else { 0.0 };
            value += 0.1 * to(1, at % 5 < 4).hypot(to(5, at < 15));
            value += if kept[at] { (out[at] - picture.pixels()[at]).powi(2) / 2.0 } else { 0.0 };
        }
        // The least value, found by SciPy's L-BFGS-B on ever less rounded TV.
        assert!((value - 0.386_225).abs() < 1e-5, "{value}");
        // And it does not depend on what was there.
        let other: Vec<f32> =
            picture.pixels().iter().zip(&kept).map(|(v, k)| if *k { *v } else { 0.9 }).collect();
        assert_eq!(minimised(&other), out);
    }
}
