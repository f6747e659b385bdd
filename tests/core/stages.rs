//! One table over every defence that puts stages before a network: what must hold for each of them.

use crate::defended::Cpu;
use burn_tensor::Device;
use epsiloscope::data::Image;
use epsiloscope::defence::{
    BackwardRule, DEFENCES, DefenceSpec, DefenceStack, Pipeline, PipelineStage, backward, forward,
};
use epsiloscope::error::Result;
use epsiloscope::model::Model;
use epsiloscope::rng::{KeyedRng, RngKey};
use std::sync::Arc;

/// A stack before a network of this shape, of which only the card is looked at here.
fn pipeline(stack: &str, shape: [usize; 3], data: &str) -> Result<Pipeline> {
    let mut model = Arc::into_inner(Model::load("mnist-cnn", &Device::flex())?).unwrap();
    model.card.input.shape = shape;
    model.card.data = data.into();
    Pipeline::build(&DefenceStack::parse(stack)?, Arc::new(model), 0, &mut Cpu)
}

fn stages(stack: &str, shape: [usize; 3]) -> Pipeline {
    let data = match shape {
        [1, ..] => "mnist",
        [_, _, 224] => "photos",
        _ => "cifar10",
    };
    pipeline(stack, shape, data).unwrap()
}

/// Every row that transforms the picture.
fn rows() -> impl Iterator<Item = &'static DefenceSpec> {
    DEFENCES.iter().filter(|row| row.family == "input")
}

const SHAPES: [[usize; 3]; 6] =
    [[1, 28, 28], [3, 32, 32], [3, 224, 224], [1, 5, 9], [3, 13, 2], [1, 1, 1]];

/// Smooth pictures with areas next to both ends of 0..1, none like the other.
fn picture(shape @ [c, h, w]: [usize; 3], seed: u64) -> Image {
    let mut draws = KeyedRng::new(seed, 0, 0);
    let waves: Vec<[f32; 4]> = (0..4 * c).map(|_| [0; 4].map(|_| draws.signed())).collect();
    let value = |at: usize| {
        let (plane, y, x) = (at / (h * w), at / w % h, at % w);
        let (y, x) = (y as f32 / h as f32, x as f32 / w as f32);
        let wave = |k: &[f32; 4]| (6.0 * (k[0] * y + k[1] * x) + 3.0 * k[2]).sin() * k[3];
        let sum: f32 = waves[4 * plane..][..4].iter().map(wave).sum();
        (0.5 + 0.6 * sum).clamp(0.01, 0.99)
    };
    Image::new(shape, (0..c * h * w).map(value).collect::<Vec<_>>())
}

fn apply(stage: &PipelineStage, picture: &Image, draw: u64) -> Image {
    let mut draws = RngKey { seed: 3, draw }.rng(0);
    stage.transform.apply(picture, &mut draws).unwrap()
}

fn vjp(stage: &PipelineStage, picture: &Image, gradient: &[f32], draw: u64) -> Vec<f32> {
    let mut draws = RngKey { seed: 3, draw }.rng(0);
    stage.transform.vjp(picture, gradient.to_vec(), &mut draws).unwrap()
}

#[test]
fn pictures_keep_their_shape_and_stay_in_the_box() {
    for row in rows() {
        for shape in SHAPES {
            let pipeline = stages(row.id, shape);
            let stage = &pipeline.stages()[0];
            assert_eq!(stage.backward, row.backward, "{}", row.id);
            for seed in 0..2 {
                let out = apply(stage, &picture(shape, seed), seed);
                assert_eq!(out.shape(), shape, "{}", row.id);
                let inside = out.pixels().iter().all(|p| (0.0..=1.0).contains(p));
                assert!(inside, "{} {shape:?}", row.id);
            }
        }
    }
}

#[test]
fn the_draws_alone_decide_what_is_random() {
    for row in rows() {
        for shape in [[1, 28, 28], [3, 13, 9]] {
            let pipeline = stages(row.id, shape);
            let (stage, picture) = (&pipeline.stages()[0], picture(shape, 1));
            assert_eq!(stage.randomised, row.randomised, "{}", row.id);
            let gradient: Vec<f32> = picture.pixels().iter().map(|p| p - 0.4).collect();
            let outs: Vec<Image> = (0..4).map(|draw| apply(stage, &picture, draw)).collect();
            for (draw, out) in outs.iter().enumerate() {
                assert_eq!(apply(stage, &picture, draw as u64), *out, "{}", row.id);
                let (stages, key) =
                    (std::slice::from_ref(stage), RngKey { seed: 3, draw: draw as u64 });
                let inputs = forward(stages, 0, &picture, key).unwrap();
                let back = |_| backward(stages, 0, &inputs, gradient.clone(), (key, true)).unwrap();
                assert_eq!(back(0), back(1), "{}", row.id);
            }
            let same = outs[1..].iter().filter(|out| **out == outs[0]).count();
            match row.randomised {
                true => assert!(same < 3, "{} is not random", row.id),
                false => assert_eq!(same, 3, "{} is random", row.id),
            }
        }
    }
}

/// Settings other than the defaults in which a stage is looked at as well.
const OTHERS: &[&str] =
    &["nlm:4:patch=2:strength=60", "blur:3", "resize-pad:0.5", "noise:0.3", "dct:0.05", "pca:0.05"];

/// For single pixels, by how much Σ gradient·(what comes out) rises where the pixel rises: found by
/// central differences, and said by the stage's way back. What bends in between is left out.
fn slopes(stage: &PipelineStage, picture: &Image, gradient: &[f32], draw: u64) -> Vec<[f64; 3]> {
    let said = vjp(stage, picture, gradient, draw);
    let n = picture.pixels().len();
    let mut found = Vec::new();
    for at in (0..n).step_by((n / 23).max(1)) {
        let sum = |by: f32| -> f64 {
            let mut moved = picture.pixels().to_vec();
            moved[at] += by;
            let out = apply(stage, &Image::new(picture.shape(), moved), draw);
            let terms = out.pixels().iter().zip(gradient);
            terms.map(|(v, g)| f64::from(*v) * f64::from(*g)).sum()
        };
        let [up, here, down] = [2e-3, 0.0, -2e-3].map(sum);
        if (up - 2.0 * here + down).abs() < 5e-6 {
            found.push([(up - down) / 4e-3, f64::from(said[at]), f64::from(gradient[at])]);
        }
    }
    found
}

#[test]
fn what_is_called_exact_agrees_with_finite_differences_and_the_identity_would_not() {
    let exact = rows().filter(|row| row.backward == BackwardRule::Exact).map(|row| row.id);
    for stack in exact.chain(OTHERS.iter().copied()) {
        let (mut seen, mut unlike) = (0, 0);
        for (k, shape) in [[1, 28, 28], [3, 32, 32], [3, 13, 9], [1, 5, 3]].into_iter().enumerate()
        {
            let pipeline = stages(stack, shape);
            let stage = &pipeline.stages()[0];
            assert_eq!(stage.backward, BackwardRule::Exact, "{stack}");
            let picture = picture(shape, k as u64);
            let mut draws = KeyedRng::new(9, k as u64, 0);
            let gradient: Vec<f32> = picture.pixels().iter().map(|_| draws.signed()).collect();
            for draw in 0..2 {
                for [found, said, identity] in slopes(stage, &picture, &gradient, draw) {
                    assert!(
                        (found - said).abs() < 4e-3,
                        "{stack} {shape:?}: {said}, found {found}"
                    );
                    seen += 1;
                    unlike += usize::from((found - identity).abs() > 2e-2);
                }
            }
        }
        assert!(seen >= 60, "{stack}: only {seen} slopes could be measured");
        assert!(unlike >= seen / 10, "{stack}: the identity would pass, too");
    }
}

#[test]
fn what_is_called_straight_through_is_the_identity_backwards() {
    let mut count = 0;
    for row in rows().filter(|row| row.backward == BackwardRule::StraightThrough) {
        let pipeline = stages(row.id, [3, 13, 9]);
        let (stage, picture) = (&pipeline.stages()[0], picture([3, 13, 9], 2));
        let gradient: Vec<f32> = picture.pixels().iter().map(|p| p - 0.4).collect();
        let (stages, key) = (std::slice::from_ref(stage), RngKey { seed: 3, draw: 0 });
        let inputs = forward(stages, 0, &picture, key).unwrap();
        let through = |bpda| backward(stages, 0, &inputs, gradient.clone(), (key, bpda)).unwrap();
        assert_eq!(through(true), gradient, "{}", row.id);
        assert!(through(false).iter().all(|g| *g == 0.0), "{}", row.id);
        assert!(pipeline.is_broken());
        count += 1;
    }
    assert!(count >= 4);
}

#[test]
fn a_stage_is_random_only_where_its_settings_make_it_so() {
    for (stack, random) in
        [("tv", true), ("tv:drop=0", false), ("resize-pad", true), ("resize-pad:1", false)]
    {
        assert_eq!(stages(stack, [1, 28, 28]).is_random(), random, "{stack}");
    }
}

#[test]
fn what_cannot_be_learned_is_said() {
    let error = pipeline("pca", [1, 8, 8], "elsewhere").err().unwrap();
    assert!(error.to_string().contains("'elsewhere'"), "{error}");
}
