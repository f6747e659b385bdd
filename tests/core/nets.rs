//! Small networks made on the spot.

use burn_tensor::{Device, Tensor, TensorData};
use epsiloscope::attack::{Budget, Goal, ImageBatch, Norm, Problem};
use epsiloscope::model::{Card, Classifier, Network};
use std::path::Path;

/// A two-layer network with weights from a fixed formula, times `gain`, plus `bias` on the logits.
pub fn network(
    shape: [usize; 3],
    classes: usize,
    gain: f32,
    bias: f32,
    device: &Device,
) -> Network {
    let [c, h, w] = shape;
    let text = format!(
        "name = 'test'\nnum_classes = {classes}\n[input]\nshape = [{c}, {h}, {w}]\n\
         [[layers]]\nop = 'conv2d'\nparam = 'a'\nin = {c}\nout = 4\nkernel = 3\npadding = 1\n\
         [[layers]]\nop = 'relu'\n[[layers]]\nop = 'maxpool2d'\nkernel = 2\n\
         [[layers]]\nop = 'flatten'\n\
         [[layers]]\nop = 'linear'\nparam = 'b'\nin = {}\nout = {classes}\n",
        4 * (h / 2) * (w / 2)
    );
    let card = Card::parse(&text, Path::new("test")).unwrap();
    Network::build(&card, device, &mut |name, shape| {
        let n: usize = shape.iter().product();
        let value = |i: usize| {
            let mixed = ((i as u64 + 1) * 2_654_435_761 % 1_000_003) as f32 / 1_000_003.0 - 0.5;
            match name {
                "b.bias" => bias,
                "a.bias" => 0.1 * gain.signum(),
                _ => gain * mixed,
            }
        };
        let values: Vec<f32> = (0..n).map(value).collect();
        Ok(Tensor::from_data(TensorData::new(values, [n]), device))
    })
    .unwrap()
}

/// N pictures of a fixed formula in 0..1, some pixels exactly 0 or 1.
pub fn pictures(n: usize, [c, h, w]: [usize; 3], device: &Device) -> Tensor<4> {
    let value = |i: usize| match i % 7 {
        0 => 0.0,
        1 => 1.0,
        _ => ((i as u64 * 48_271) % 65_537) as f32 / 65_537.0,
    };
    let values: Vec<f32> = (0..n * c * h * w).map(value).collect();
    Tensor::from_data(TensorData::new(values, [n, c, h, w]), device)
}

/// The problem of attacking these pictures away from the network's own answers.
pub fn problem(
    net: &Network,
    images: Tensor<4>,
    norm: Norm,
    epsilon: f64,
    targeted: bool,
) -> Problem {
    let size: usize = images.dims()[1..].iter().product();
    let logits = values(&net.forward(images.clone()).unwrap());
    let classes = net.classes();
    let goals = logits
        .chunks(classes)
        .map(|row| {
            let best = |skip: Option<usize>| {
                let open = (0..classes).filter(|k| Some(*k) != skip);
                open.max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap()
            };
            let truth = best(None);
            match targeted {
                true => Goal::Targeted { target: best(Some(truth)) },
                false => Goal::Untargeted { truth },
            }
        })
        .collect();
    Problem {
        budget: Budget::new(norm, epsilon, size).unwrap(),
        samples: (0..images.dims()[0] as u64).collect(),
        images: ImageBatch::from_tensor(images).unwrap(),
        goals,
        seed: 7,
        training_images: None,
    }
}

/// Something with numbers in it.
pub trait Numbers {
    fn numbers(&self) -> Vec<f32>;
}

impl<const D: usize> Numbers for Tensor<D> {
    fn numbers(&self) -> Vec<f32> {
        self.clone().try_into_vec_as::<f32>().unwrap()
    }
}

impl Numbers for ImageBatch {
    fn numbers(&self) -> Vec<f32> {
        self.values().to_vec()
    }
}

/// The values of a tensor or of a batch of images.
pub fn values(of: &impl Numbers) -> Vec<f32> {
    of.numbers()
}

/// A size that does something to pictures of some 64 values.
pub fn epsilon(norm: Norm) -> f64 {
    match norm {
        Norm::Linf => 0.2,
        Norm::L2 => 1.5,
        Norm::L1 => 8.0,
        Norm::L0 => 6.0,
    }
}
