//! Random resizing and padding.

use crate::data::Image;
use crate::defence::input::clipped;
use crate::defence::input::separable::{Axis, Separable};
use crate::defence::spec::DefenceSpec;
use crate::defence::transform::{BackwardRule, Transform};
use crate::error::Result;
use crate::parameter::FloatParam;
use crate::rng::KeyedRng;

const SHARE: FloatParam = FloatParam::new(
    "share",
    (0.3, 1.0),
    0.9,
    "the smallest size, as a share of the picture's own, 0.3..1",
);

/// Random resizing and padding.
pub const RESIZE_PAD: DefenceSpec = DefenceSpec {
    id: "resize-pad",
    aliases: &["random-resize"],
    name: "resize and pad",
    family: "input",
    params: &[SHARE.param],
    backward: BackwardRule::Exact,
    randomised: true,
    summary: "shrinks the picture at random and puts it at random on black",
    about: "For every answer the picture is shrunk to a random size (bilinear) and put at a random place \
            on black, so that the pixels fall differently on the network's grid each time and a \
            perturbation made for one grid misses the next. Shrinking and placing are linear, and the \
            mean of their gradients over draws (EOT) gives a perturbation that works wherever it \
            lands: the published defence fell to nothing. The original enlarges 299 pixels to at most \
            331, since its network takes any size; here the size is the network's own.",
    paper: "Xie, Wang, Zhang, Ren, Yuille: Mitigating Adversarial Effects Through Randomization, ICLR \
            2018; broken by Athalye, Carlini, Wagner, ICML 2018",
    build: |settings, builder| {
        let share = SHARE.get(settings);
        builder.stage_if(Box::new(ResizePad { share }), share < 1.0)
    },
};

struct ResizePad {
    share: f64,
}

impl ResizePad {
    fn draw(&self, [_, h, w]: [usize; 3], rng: &mut KeyedRng) -> Separable {
        let least = ((self.share * h as f64).round() as usize).clamp(1, h);
        let high = least + rng.below(h - least + 1);
        let wide = ((high * w) as f64 / h as f64).round().max(1.0) as usize;
        let (top, left) = (rng.below(h - high + 1), rng.below(w - wide + 1));
        Separable { down: placed(h, high, top), across: placed(w, wide, left) }
    }
}

/// `n` values shrunk to `size`, linearly between the two nearest ones, put at `start`; zero around.
fn placed(n: usize, size: usize, start: usize) -> Axis {
    let row = |at: usize| match at.checked_sub(start).filter(|at| *at < size) {
        None => (0, Vec::new()),
        Some(at) => {
            let place = (at as f64 + 0.5) * n as f64 / size as f64 - 0.5;
            let place = place.clamp(0.0, (n - 1) as f64);
            let share = (place - place.floor()) as f32;
            let weights = if share > 0.0 { vec![1.0 - share, share] } else { vec![1.0] };
            (place as usize, weights)
        }
    };
    Axis((0..n).map(row).collect())
}

impl Transform for ResizePad {
    fn apply(&self, image: &Image, rng: &mut KeyedRng) -> Result<Image> {
        let map = self.draw(image.shape(), rng);
        Ok(clipped(image.shape(), map.map(image.pixels())))
    }

    fn vjp(&self, image: &Image, gradient: Vec<f32>, rng: &mut KeyedRng) -> Result<Vec<f32>> {
        Ok(self.draw(image.shape(), rng).vjp(&gradient))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defence::input::ramp;

    #[test]
    fn the_whole_share_is_the_identity() {
        for shape in [[1, 28, 28], [3, 7, 5], [1, 1, 1]] {
            let whole = ResizePad { share: 1.0 };
            let out = whole.apply(&ramp(shape), &mut KeyedRng::new(0, 0, 0)).unwrap();
            assert_eq!(out, ramp(shape));
        }
    }

    #[test]
    fn sizes_and_places_are_those_allowed() {
        let white = Image::new([1, 28, 28], vec![1.0; 784]);
        let mut sizes = Vec::new();
        let mut corners = Vec::new();
        for seed in 0..60 {
            let rng = &mut KeyedRng::new(seed, 0, 0);
            let out = ResizePad { share: 0.9 }.apply(&white, rng).unwrap();
            let lit: Vec<usize> = (0..784).filter(|p| out.pixels()[*p] > 0.0).collect();
            assert!(lit.iter().all(|p| (out.pixels()[*p] - 1.0).abs() < 1e-6));
            let side = lit.len().isqrt();
            assert_eq!(side * side, lit.len());
            sizes.push(side);
            corners.push(lit[0]);
        }
        for list in [&mut sizes, &mut corners] {
            list.sort_unstable();
            list.dedup();
        }
        assert_eq!(sizes, [25, 26, 27, 28]);
        assert!(corners.len() > 12, "{corners:?}");
    }

    #[test]
    fn it_is_pytorchs_bilinear() {
        // torch.nn.functional.interpolate((0, 1, 2, 3, 4), size=3, mode='linear').
        let map = Separable { down: placed(1, 1, 0), across: placed(5, 3, 1) };
        let out = map.map(&[0.0, 1.0, 2.0, 3.0, 4.0]);
        let listed = [0.0, 0.333_333, 2.0, 3.666_667, 0.0];
        assert!(out.iter().zip(listed).all(|(a, b)| (a - b).abs() < 1e-5), "{out:?}");
    }
}
