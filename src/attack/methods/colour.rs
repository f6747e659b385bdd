//! Hue, saturation, brightness and contrast: changes with a meaning, of any size in pixels.
//!
//! Hosseini and Poovendran 2018 draw hue and saturation at random, the later the stronger, and stop
//! at the first draw that works; the bounds, and brightness and contrast besides, are those of Hsiung
//! et al. 2023. What is found is then made milder: each change that is not needed is left out, and
//! the rest shrinks as long as it works. Needs scores only to keep the nearest failure.

use crate::attack::context::AttackContext;
use crate::attack::methods::grid_search::{
    TransformSetting, Transformation, grid_search, report, soften, softening,
};
use crate::attack::norm::Norm;
use crate::attack::note::Note;
use crate::attack::observer::Observer;
use crate::attack::oracle::ScoreOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{ChoiceParam, FloatParam, IntParam, Settings};
use crate::rng::KeyedRng;

/// Which changes may be made: hue, saturation, brightness, contrast. They are made in this order.
const WHAT: ChoiceParam<[bool; 4]> = ChoiceParam::new(
    "what",
    &["all", "hue", "saturation", "brightness", "contrast"],
    &[
        [true; 4],
        [true, false, false, false],
        [false, true, false, false],
        [false, false, true, false],
        [false, false, false, true],
    ],
    "which of them may change; grey pictures have no hue and no saturation",
);
const HUE: FloatParam =
    FloatParam::new("hue", (0.0, 180.0), 180.0, "largest turn of the hue, in degrees");
const SATURATION: FloatParam =
    FloatParam::new("saturation", (0.0, 1.0), 0.3, "largest change of the saturation, as a share");
const BRIGHTNESS: FloatParam =
    FloatParam::new("brightness", (0.0, 1.0), 0.2, "largest amount added, in pixel units");
const CONTRAST: FloatParam =
    FloatParam::new("contrast", (0.0, 1.0), 0.3, "largest change of the contrast, as a share");
const QUERIES: IntParam =
    IntParam::new("queries", (1, 10_000), 500, "number of draws, each stronger than the last");

/// Changes of hue, saturation, brightness and contrast, by random search.
///
/// L2; logits (black box); bounded by its own parameters; targeted or untargeted.
///
/// Hosseini, Poovendran: Semantic Adversarial Examples, CVPR workshops 2018; Hsiung, Tsai, Chen,
/// Ho: Towards Compositional Adversarial Robustness, CVPR 2023.
pub const COLOUR: AttackSpec = AttackSpec {
    id: "colour",
    name: "hue, saturation, brightness, contrast",
    family: "spatial and semantic",
    norms: &[Norm::L2],
    bound: Bound::Own,
    targeted: true,
    random: true,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[
        WHAT.param,
        HUE.param,
        SATURATION.param,
        BRIGHTNESS.param,
        CONTRAST.param,
        QUERIES.param,
    ],
    summary: "the picture's colours or light change, its shapes stay",
    about: "A person who sees a blue apple sees an apple. Hue, saturation, brightness and contrast \
            are drawn at random, weakly at first and then up to their bounds, until the answer is \
            wrong; then what was found is made as mild as possible. In pixels such changes are huge, \
            in meaning nothing happens. Grey pictures only have brightness and contrast, which \
            networks mostly stand: a failure is an answer too.",
    paper: "Hosseini, Poovendran: Semantic Adversarial Examples, CVPR workshops 2018; \
            Hsiung, Tsai, Chen, Ho: Towards Compositional Adversarial Robustness, CVPR 2023",
    run: Algorithm::Score(colour),
};

/// Changes the colours: a setting is (hue, saturation, brightness, contrast) as shares of their
/// bounds.
struct ColourShift {
    /// Whether the image has colours (3 channels).
    coloured: bool,
    /// The bounds: degrees, share, pixel units, share.
    bounds: [f64; 4],
}

impl Transformation<4> for ColourShift {
    fn apply(&self, picture: &[f32], setting: &TransformSetting<4>) -> Vec<f32> {
        let [hue, saturation, light, contrast] = self.amounts(setting);
        let mut values: Vec<f64> = picture.iter().map(|v| f64::from(*v)).collect();
        if self.coloured && (hue != 0.0 || saturation != 0.0) {
            let plane = values.len() / 3;
            for p in 0..plane {
                let pixel = [values[p], values[plane + p], values[2 * plane + p]];
                let [h, s, v] = hsv(pixel);
                let turned = [h + hue / 360.0, (s * (1.0 + saturation)).clamp(0.0, 1.0), v];
                for (c, value) in rgb(turned).into_iter().enumerate() {
                    values[c * plane + p] = value;
                }
            }
        }
        if light != 0.0 {
            values.iter_mut().for_each(|v| *v = (*v + light).clamp(0.0, 1.0));
        }
        if contrast != 0.0 {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let stretch = |v: f64| (mean + (v - mean) * (1.0 + contrast)).clamp(0.0, 1.0);
            values.iter_mut().for_each(|v| *v = stretch(*v));
        }
        values.into_iter().map(|v| v as f32).collect()
    }

    fn sizes(&self, setting: &TransformSetting<4>) -> TransformSetting<4> {
        let [hue, saturation, light, contrast] = self.amounts(setting).map(f64::abs);
        [hue, 100.0 * saturation, light, 100.0 * contrast]
    }

    fn mean(&self) -> &'static str {
        "hue {0:.0}°, saturation {1:.0} %, brightness {2:.3}, contrast {3:.0} %"
    }

    fn describe(&self, setting: &TransformSetting<4>) -> String {
        let [hue, saturation, light, contrast] = self.amounts(setting);
        let mut parts = Vec::new();
        if hue != 0.0 {
            parts.push(format!("hue {hue:+.0}°"));
        }
        if saturation != 0.0 {
            parts.push(format!("saturation {:+.0} %", 100.0 * saturation));
        }
        if light != 0.0 {
            parts.push(format!("brightness {light:+.3}"));
        }
        if contrast != 0.0 {
            parts.push(format!("contrast {:+.0} %", 100.0 * contrast));
        }
        if parts.is_empty() { "unchanged".into() } else { parts.join(", ") }
    }
}

impl ColourShift {
    fn amounts(&self, setting: &TransformSetting<4>) -> TransformSetting<4> {
        std::array::from_fn(|d| setting[d] * self.bounds[d])
    }

    /// Which changes may be made and are possible: a grey image has no hue and no saturation.
    fn free(&self, what: [bool; 4]) -> [bool; 4] {
        std::array::from_fn(|d| what[d] && (self.coloured || d > 1))
    }
}

fn colour(
    oracle: &mut dyn ScoreOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let mut context = AttackContext::new(problem, observer);
    let tint = ColourShift {
        coloured: context.x.shape()[0] == 3,
        bounds: [HUE, SATURATION, BRIGHTNESS, CONTRAST].map(|bound| bound.get(settings)),
    };
    let free = tint.free(WHAT.get(settings));
    let n = if free.contains(&true) { QUERIES.get(settings) } else { 0 };
    let list = |draws: &mut KeyedRng| -> Vec<TransformSetting<4>> {
        let mut point = |k: i64| {
            let share = k as f64 / n as f64;
            free.map(|free| if free { f64::from(draws.signed()) * share } else { 0.0 })
        };
        std::iter::once([0.0; 4]).chain((1..=n).map(&mut point)).collect()
    };
    let lists: Vec<_> = problem.draws(0).iter_mut().map(list).collect();
    let mut found = grid_search(&mut context, oracle, &tint, &lists, softening::<4>())?;
    soften(&mut context, oracle, &tint, &mut found)?;
    let mut output = report(context, &tint, &found);
    if n == 0 {
        let text = format!("a grey picture has no {}", settings.get(WHAT.param.id));
        output.notes.push(Note::line(text));
    }
    Ok(output)
}

/// Hue (in turns), saturation and value of red, green and blue, all in 0..1.
fn hsv([r, g, b]: [f64; 3]) -> [f64; 3] {
    let (top, bottom) = (r.max(g).max(b), r.min(g).min(b));
    let range = top - bottom;
    if range == 0.0 {
        return [0.0, 0.0, top];
    }
    let sixths = if top == r {
        (g - b) / range
    } else if top == g {
        2.0 + (b - r) / range
    } else {
        4.0 + (r - g) / range
    };
    [(sixths / 6.0).rem_euclid(1.0), range / top, top]
}

/// The way back; the hue may have gone round.
fn rgb([h, s, v]: [f64; 3]) -> [f64; 3] {
    let sixths = 6.0 * h.rem_euclid(1.0);
    [5.0, 3.0, 1.0].map(|shift: f64| {
        let k = (shift + sixths) % 6.0;
        v - v * s * k.min(4.0 - k).clamp(0.0, 1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED_AND_OLIVE: [f32; 6] = [1.0, 0.4, 0.0, 0.4, 0.0, 0.2];

    fn tint(coloured: bool) -> ColourShift {
        ColourShift { coloured, bounds: [180.0, 0.5, 0.2, 0.5] }
    }

    fn near(a: &[f32], b: &[f32]) -> bool {
        a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6)
    }

    #[test]
    fn colours_go_to_hsv_and_back() {
        let draws = &mut KeyedRng::new(0, 0, 0);
        for _ in 0..500 {
            let pixel: [f64; 3] = std::array::from_fn(|_| f64::from(draws.unit()));
            let back = rgb(hsv(pixel));
            assert!(
                back.iter().zip(pixel).all(|(a, b)| (a - b).abs() < 1e-9),
                "{pixel:?} {back:?}"
            );
        }
        for (pixel, expected) in [
            ([1.0, 0.0, 0.0], [0.0, 1.0, 1.0]),
            ([0.0, 0.5, 0.0], [1.0 / 3.0, 1.0, 0.5]),
            ([0.5, 0.5, 1.0], [2.0 / 3.0, 0.5, 1.0]),
            ([0.3, 0.3, 0.3], [0.0, 0.0, 0.3]),
        ] {
            assert_eq!(hsv(pixel), expected);
        }
    }

    #[test]
    fn each_change_does_what_it_is_called() {
        let (tint, x) = (tint(true), &RED_AND_OLIVE);
        assert_eq!(tint.apply(x, &[0.0; 4]), x);
        // Half a turn: red becomes cyan.
        let turned = tint.apply(x, &[1.0, 0.0, 0.0, 0.0]);
        assert!(near(&turned, &[0.0, 0.2, 1.0, 0.2, 1.0, 0.4]), "{turned:?}");
        let faded = tint.apply(x, &[0.0, -1.0, 0.0, 0.0]);
        assert!(near(&faded, &[1.0, 0.4, 0.5, 0.4, 0.5, 0.3]), "{faded:?}");
        let lighter = tint.apply(x, &[0.0, 0.0, 1.0, 0.0]);
        assert!(near(&lighter, &[1.0, 0.6, 0.2, 0.6, 0.2, 0.4]), "{lighter:?}");
        let flatter = tint.apply(x, &[0.0, 0.0, 0.0, -1.0]);
        let mean = 2.0 / 6.0;
        assert!(near(&flatter, &x.map(|v| (v + mean) / 2.0)), "{flatter:?}");
        assert_eq!(tint.describe(&[0.5, 0.0, -1.0, 0.0]), "hue +90°, brightness -0.200");
    }

    #[test]
    fn grey_pictures_have_no_hue() {
        let grey = tint(false);
        assert_eq!(grey.free([true; 4]), [false, false, true, true]);
        assert_eq!(grey.free([true, false, false, false]), [false; 4]);
        assert_eq!(tint(true).free([true, false, false, false]), [true, false, false, false]);
        assert_eq!(grey.apply(&RED_AND_OLIVE, &[1.0, 1.0, 0.0, 0.0]), RED_AND_OLIVE);
    }
}
