//! Rotations and translations (Engstrom et al. 2019): no pixel is made up, the image is only
//! turned and moved, with black coming in from outside and bilinear interpolation.
//!
//! By a search through a grid or a few random draws, which sees scores only; and by descent on angle
//! and shift through the interpolation. The paper finds what we find: the landscape over three
//! numbers is so rugged that the search beats the gradient.
//!
//! The paper keeps the transformation of the largest loss among those that work; here the settings
//! are tried mildest first and the first that works is kept. Which images are fooled is the same,
//! and what is shown is the least that it takes. Where none works it is the one of the largest loss.

use crate::attack::context::AttackContext;
use crate::attack::methods::bilinear::{BilinearSampler, Border, Position};
use crate::attack::methods::grid_search::{
    TransformSetting, Transformation, grid_search, report, strength,
};
use crate::attack::norm::Norm;
use crate::attack::observer::Observer;
use crate::attack::oracle::ScoreOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{ChoiceParam, FloatParam, IntParam, Settings};

/// Largest angle.
pub(super) const ANGLE: FloatParam =
    FloatParam::new("angle", (0.0, 180.0), 30.0, "largest turn to either side, in degrees");

/// Largest shift.
pub(super) const SHIFT: FloatParam = FloatParam::new(
    "shift",
    (0.0, 1.0),
    0.1,
    "largest shift in each direction, as a share of the side",
);

const SEARCH: ChoiceParam<bool> = ChoiceParam::new(
    "search",
    &["grid", "random"],
    &[false, true],
    "every point of a grid, or a few drawn from the seed (the paper's worst of 10)",
);
const ANGLES: IntParam = IntParam::new("angles", (1, 361), 31, "angles of the grid");
const SHIFTS: IntParam =
    IntParam::new("shifts", (1, 101), 5, "shifts of the grid in each direction");
const REPEATS: IntParam = IntParam::new("repeats", (1, 10_000), 10, "number of random draws");

/// Rotation and translation, by search over a grid or random draws.
///
/// L2; logits (black box); bounded by its own parameters; targeted or untargeted.
///
/// Engstrom, Tran, Tsipras, Schmidt, Madry: Exploring the Landscape of Spatial Robustness, ICML
/// 2019.
pub const ROTATE: AttackSpec = AttackSpec {
    id: "rotate-translate",
    name: "rotation and translation",
    family: "spatial and semantic",
    norms: &[Norm::L2],
    bound: Bound::Own,
    targeted: true,
    random: false,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[SEARCH.param, ANGLE.param, SHIFT.param, ANGLES.param, SHIFTS.param, REPEATS.param],
    summary: "the picture is turned and moved a little, and nothing else",
    about: "A grid of 31 angles and 5 × 5 shifts is tried, from the mildest to the strongest, until \
            the answer is wrong. People see the same object; networks, trained on upright and \
            centred pictures, often do not. Such a picture is far away in every Lp norm, so no \
            ε-ball holds it, and training against small ε does not help: a model that is robust \
            inside a ball is robust there only.",
    paper: "Engstrom, Tran, Tsipras, Schmidt, Madry: Exploring the Landscape of Spatial Robustness, ICML 2019",
    run: Algorithm::Score(search),
};

/// Turns and moves images: a setting is (angle, down, right) as shares of their bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct RotateTranslate {
    /// `[C, H, W]`.
    shape: [usize; 3],
    /// Largest angle, in degrees.
    angle: f64,
    /// Largest shift, as a share of the side.
    shift: f64,
}

impl RotateTranslate {
    /// With the bounds of these settings.
    pub fn new(shape: [usize; 3], settings: &Settings) -> Self {
        let (angle, shift) = (ANGLE.get(settings), SHIFT.get(settings));
        Self { shape, angle, shift }
    }

    fn sampler(&self) -> BilinearSampler {
        BilinearSampler { shape: self.shape, border: Border::Black }
    }

    /// Angle to the left in radians; shift down and right in pixels.
    fn amounts(&self, [angle, down, right]: TransformSetting<3>) -> (f64, f64, f64) {
        let [_, height, width] = self.shape.map(|s| s as f64);
        let angle = (angle * self.angle).to_radians();
        (angle, down * self.shift * height, right * self.shift * width)
    }

    /// Where each pixel comes from: back by the shift, then back by the angle around the middle.
    fn places(&self, setting: TransformSetting<3>) -> Vec<Position> {
        let (angle, down, right) = self.amounts(setting);
        let (sin, cos) = angle.sin_cos();
        let [_, height, width] = self.shape;
        let middle = [(height as f64 - 1.0) / 2.0, (width as f64 - 1.0) / 2.0];
        let place = |pixel: usize| {
            let y = (pixel / width) as f64 - middle[0] - down;
            let x = (pixel % width) as f64 - middle[1] - right;
            [x * sin + y * cos + middle[0], x * cos - y * sin + middle[1]]
        };
        (0..height * width).map(place).collect()
    }

    /// The derivative with respect to the setting, from the gradient with respect to the pixels.
    pub fn gradient(
        &self,
        picture: &[f32],
        setting: TransformSetting<3>,
        gradient: &[f32],
    ) -> TransformSetting<3> {
        let (angle, ..) = self.amounts(setting);
        let (sin, cos) = angle.sin_cos();
        let [_, height, width] = self.shape.map(|s| s as f64);
        let middle = [(height - 1.0) / 2.0, (width - 1.0) / 2.0];
        let places = self.places(setting);
        let gradients = self.sampler().place_gradient(picture, &places, gradient);
        let mut sum = [0.0; 3];
        for (place, [by_row, by_column]) in places.iter().zip(gradients) {
            let (y, x) = (place[0] - middle[0], place[1] - middle[1]);
            sum[0] += by_row * x - by_column * y;
            sum[1] += -by_row * cos + by_column * sin;
            sum[2] += -by_row * sin - by_column * cos;
        }
        let unit = [self.angle.to_radians(), self.shift * height, self.shift * width];
        std::array::from_fn(|d| sum[d] * unit[d])
    }
}

impl Transformation<3> for RotateTranslate {
    fn apply(&self, picture: &[f32], setting: &TransformSetting<3>) -> Vec<f32> {
        self.sampler().sample(picture, &self.places(*setting))
    }

    fn sizes(&self, setting: &TransformSetting<3>) -> TransformSetting<3> {
        let (angle, down, right) = self.amounts(*setting);
        [angle.to_degrees(), down, right].map(f64::abs)
    }

    fn mean(&self) -> &'static str {
        "turned {0:.1}°, moved {1:.1} px up or down and {2:.1} px sideways"
    }

    fn describe(&self, setting: &TransformSetting<3>) -> String {
        let (angle, down, right) = self.amounts(*setting);
        let side = |amount: f64, names: [&'static str; 2]| names[usize::from(amount < 0.0)];
        format!(
            "turned {:.1}° {}, moved {:.1} px {} and {:.1} px {}",
            angle.to_degrees().abs(),
            side(angle, ["left", "right"]),
            down.abs(),
            side(down, ["down", "up"]),
            right.abs(),
            side(right, ["right", "left"]),
        )
    }
}

fn search(
    oracle: &mut dyn ScoreOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let mut context = AttackContext::new(problem, observer);
    let turn = RotateTranslate::new(context.x.shape(), settings);
    let lists = match SEARCH.get(settings) {
        true => {
            let n = REPEATS.count(settings);
            let draw = |draws: &mut crate::rng::KeyedRng| {
                let points = (0..n).map(|_| std::array::from_fn(|_| f64::from(draws.signed())));
                mildest_first(points.collect())
            };
            problem.draws(0).iter_mut().map(draw).collect()
        }
        false => vec![grid(ANGLES.get(settings), SHIFTS.get(settings)); problem.len()],
    };
    let found = grid_search(&mut context, oracle, &turn, &lists, 0)?;
    Ok(report(context, &turn, &found))
}

/// The clean image, then these settings in order of their strength.
fn mildest_first(mut settings: Vec<TransformSetting<3>>) -> Vec<TransformSetting<3>> {
    settings.retain(|s| strength(s) > 0.0);
    settings.sort_by(|a, b| strength(a).total_cmp(&strength(b)));
    settings.insert(0, [0.0; 3]);
    settings
}

/// Every combination of so many angles and shifts, evenly spaced from bound to bound.
fn grid(angles: i64, shifts: i64) -> Vec<TransformSetting<3>> {
    let line = |n: i64| -> Vec<f64> {
        let at = |k: i64| if n > 1 { (2 * k - (n - 1)) as f64 / (n - 1) as f64 } else { 0.0 };
        (0..n).map(at).collect()
    };
    let mut all = Vec::new();
    for angle in line(angles) {
        for down in line(shifts) {
            all.extend(line(shifts).into_iter().map(|right| [angle, down, right]));
        }
    }
    mildest_first(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::KeyedRng;

    #[test]
    fn a_quarter_turn_and_a_whole_pixel_move_exactly() {
        let turn = RotateTranslate { shape: [1, 3, 3], angle: 90.0, shift: 1.0 / 3.0 };
        let picture: Vec<f32> = (1..10).map(|v| v as f32 / 9.0).collect();
        assert_eq!(turn.apply(&picture, &[0.0; 3]), picture);
        let left = turn.apply(&picture, &[1.0, 0.0, 0.0]);
        let expected = [3, 6, 9, 2, 5, 8, 1, 4, 7].map(|v| v as f32 / 9.0);
        assert!(left.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{left:?}");
        let down = turn.apply(&picture, &[0.0, 1.0, 0.0]);
        let expected = [0, 0, 0, 1, 2, 3, 4, 5, 6].map(|v| v as f32 / 9.0);
        assert!(down.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{down:?}");
        assert_eq!(
            turn.describe(&[1.0, -1.0, 0.5]),
            "turned 90.0° left, moved 1.0 px up and 0.5 px right"
        );
    }

    #[test]
    fn the_grid_is_the_papers_and_begins_with_the_clean_picture() {
        let all = grid(31, 5);
        assert_eq!(all.len(), 775);
        assert_eq!(all[0], [0.0; 3]);
        assert!(all.windows(2).all(|pair| strength(&pair[0]) <= strength(&pair[1])));
        for corner in [[-1.0, -1.0, 1.0], [1.0, 0.5, -0.5]] {
            assert!(all.contains(&corner));
        }
        // An even grid has no middle: the clean image comes on top.
        assert_eq!(grid(2, 1), [[0.0; 3], [-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]);
    }

    #[test]
    fn the_derivative_by_angle_and_shift_is_that_of_differences() {
        let draws = &mut KeyedRng::new(0, 0, 0);
        let turn = RotateTranslate { shape: [2, 7, 9], angle: 25.0, shift: 0.2 };
        let picture: Vec<f32> = (0..126).map(|_| draws.unit()).collect();
        let weights: Vec<f32> = (0..126).map(|_| draws.signed()).collect();
        for _ in 0..10 {
            let at: TransformSetting<3> = std::array::from_fn(|_| f64::from(draws.signed()));
            let slope = turn.gradient(&picture, at, &weights);
            for d in 0..3 {
                let value = |by: f64| {
                    let mut moved = at;
                    moved[d] += by;
                    let found = turn.apply(&picture, &moved);
                    found.iter().zip(&weights).map(|(p, w)| f64::from(p * w)).sum::<f64>()
                };
                let difference = (value(1e-4) - value(-1e-4)) / 2e-4;
                assert!((difference - slope[d]).abs() < 0.02, "{d}: {difference} {}", slope[d]);
            }
        }
    }
}
