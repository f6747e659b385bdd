//! Logits, input gradients and weight gradients of the CPU engine against burn's autodiff.

use crate::nets::{pictures, values};
use burn_tensor::{Device, Tensor, TensorData};
use epsiloscope::model::{Card, Classifier, Network, catalogue};

/// One of everything: strides, uneven padding, groups of one, pools with and without padding,
/// residuals, every activation, batch norm that cannot be folded, a map flattened before a linear
/// layer.
const LAYERS: &[&str] = &[
    "{op='conv2d',param='a',in=3,out=6,kernel=5,padding=2},{op='relu'},{op='maxpool2d',kernel=2},\
     {op='flatten'},{op='linear',param='l',in=150,out=7},{op='tanh'},{op='linear',param='m',in=7,out=4}",
    "{op='conv2d',param='a',in=3,out=6,kernel=3,stride=2,padding=[0,1,1,0]},{op='silu'},\
     {op='conv2d',param='d',in=6,out=6,kernel=3,padding=1,groups=6},{op='relu6'},\
     {op='residual',body=[{op='conv2d',param='b',in=6,out=6,kernel=3,padding=1,bias=false},\
     {op='batchnorm2d',param='n',features=6},{op='elu'}]},{op='leakyrelu'},{op='globalavgpool2d'},\
     {op='flatten'},{op='linear',param='l',in=6,out=4}",
    "{op='batchnorm2d',param='n',features=3},{op='conv2d',param='a',in=3,out=8,kernel=1},\
     {op='softplus'},{op='maxpool2d',kernel=3,stride=2,padding=1},{op='sigmoid'},\
     {op='avgpool2d',kernel=2,padding=1},{op='dropout',p=0.5},\
     {op='linear',param='l',in=72,out=4}",
    "{op='conv2d',param='a',in=3,out=20,kernel=2,stride=3},{op='relu'},\
     {op='conv2d',param='b',in=20,out=43,kernel=3,stride=2,padding=[1,2,0,1]},{op='relu6'},\
     {op='conv2d',param='c',in=43,out=5,kernel=1,stride=2},{op='relu'},{op='flatten'},\
     {op='linear',param='l',in=5,out=4}",
];

fn network(layers: &str, device: &Device) -> Network {
    changed(layers, device, usize::MAX, 0, 0.0)
}

/// The network with one weight of one of its tensors moved.
fn changed(layers: &str, device: &Device, tensor: usize, index: usize, by: f32) -> Network {
    let text = format!(
        "name='t'\nnum_classes=4\nlayers=[{layers}]\n[input]\nshape=[3,10,10]\n\
         normalisation={{mean=[0.4,0.5,0.6],std=[0.2,0.3,0.4]}}\n"
    );
    let card = Card::parse(&text, std::path::Path::new("t")).unwrap();
    let mut count = 0;
    Network::build(&card, device, &mut |name, shape| {
        let n: usize = shape.iter().product();
        let lift = if name.ends_with("running_var") { 0.6 } else { 0.0 };
        let value = |i: usize| ((i * 7919 + name.len() * 31) % 997) as f32 / 997.0 - 0.5 + lift;
        let mut values: Vec<f32> = (0..n).map(value).collect();
        if count == tensor {
            values[index] += by;
        }
        count += 1;
        Ok(Tensor::from_data(TensorData::new(values, [n]), device))
    })
    .unwrap()
}

fn slope(network: &Network, images: &Tensor<4>) -> (Vec<f32>, Vec<f32>) {
    let mut start = |logits: &[f32]| logits.iter().map(|z| z.cos()).collect();
    let (shown, gradient) = network.input_gradient(images, &mut start).unwrap();
    (shown.logits, values(&gradient))
}

/// The largest difference, as a share of the largest value.
fn gap(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let top = b.iter().fold(1e-12_f32, |top, v| top.max(v.abs()));
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / top
}

fn agree(graph: &Network, host: &Network, images: &Tensor<4>, name: &str) {
    let (theirs, ours) = (slope(graph, images), slope(host, images));
    assert!(gap(&ours.0, &theirs.0) < 2e-5, "{name}: logits {}", gap(&ours.0, &theirs.0));
    assert!(gap(&ours.1, &theirs.1) < 2e-4, "{name}: gradient {}", gap(&ours.1, &theirs.1));
    assert_eq!(host.logits(images).unwrap(), ours.0, "{name}");
    assert_ne!(ours.1, vec![0.0; ours.1.len()], "{name}");
}

#[test]
fn every_layer_agrees_with_autodiff() {
    let device = Device::flex();
    for (i, layers) in LAYERS.iter().enumerate() {
        let graph = network(layers, &device);
        let host = frozen(layers, &device);
        for n in [1, 5] {
            agree(&graph, &host, &pictures(n, [3, 10, 10], &device), &format!("{i}, batch {n}"));
        }
    }
}

#[test]
fn every_shipped_model_runs_on_the_host() {
    let device = Device::flex();
    for card in catalogue() {
        let model = epsiloscope::model::Model::load(&card.name, &device).unwrap();
        assert!(model.network.on_cpu_engine(), "{}", card.name);
        let images = pictures(2, card.input.shape, &device);
        let graph = values(&model.network.forward(images.clone()).unwrap());
        assert!(gap(&model.network.logits(&images).unwrap(), &graph) < 1e-4, "{}", card.name);
    }
}

/// Layers whose weights can be trained.
const TRAINED: &[&str] = &[
    LAYERS[0],
    LAYERS[3],
    "{op='conv2d',param='a',in=3,out=6,kernel=3,stride=2,padding=[0,1,1,0]},{op='silu'},\
     {op='residual',body=[{op='conv2d',param='b',in=6,out=6,kernel=3,padding=1,bias=false},\
     {op='elu'},{op='conv2d',param='c',in=6,out=6,kernel=1}]},{op='leakyrelu'},\
     {op='avgpool2d',kernel=2,padding=1},{op='globalavgpool2d'},\
     {op='linear',param='l',in=6,out=4,bias=false}",
];

/// Σ cos(logits)·logits, with the cosines held fixed at `at`.
fn sum(network: &Network, images: &Tensor<4>, at: &[f32]) -> f64 {
    let logits = network.logits(images).unwrap();
    logits.iter().zip(at).map(|(z, s)| f64::from(*z) * f64::from(*s)).sum()
}

fn weight_gradients(network: &Network, images: &Tensor<4>) -> (Vec<f32>, Vec<Vec<f32>>) {
    let mut start = |logits: &[f32]| logits.iter().map(|z| z.cos()).collect();
    network.weight_gradients(images, &[], &mut start).unwrap()
}

fn frozen(layers: &str, device: &Device) -> Network {
    let mut host = network(layers, device);
    host.freeze();
    assert!(host.on_cpu_engine(), "{layers} has no kernel on the CPU engine");
    host
}

#[test]
fn weight_gradients_agree_with_finite_differences_and_with_autodiff() {
    let device = Device::flex();
    for (i, layers) in TRAINED.iter().enumerate() {
        let images = pictures(3, [3, 10, 10], &device);
        let (logits, gradients) = weight_gradients(&network(layers, &device), &images);
        let at: Vec<f32> = logits.iter().map(|z| z.cos()).collect();
        let top = gradients.iter().flatten().fold(0.0_f32, |top, g| top.max(g.abs()));
        for (tensor, gradient) in gradients.iter().enumerate() {
            for index in [0, gradient.len() / 2, gradient.len() - 1] {
                let moved =
                    |by: f32| sum(&changed(layers, &device, tensor, index, by), &images, &at);
                let found = (moved(2e-3) - moved(-2e-3)) / 4e-3;
                let off = (found as f32 - gradient[index]).abs() / top;
                assert!(off < 5e-3, "{i}: tensor {tensor}, weight {index}: {off}");
            }
        }
        let tensors = layers.matches("param").count() * 2 - layers.matches("bias=false").count();
        assert_eq!(gradients.len(), tensors, "{i}");
        let host = frozen(layers, &device);
        for n in [3, 40] {
            let images = pictures(n, [3, 10, 10], &device);
            let (theirs, ours) = (
                weight_gradients(&network(layers, &device), &images),
                weight_gradients(&host, &images),
            );
            assert_eq!(ours.0, host.logits(&images).unwrap());
            assert!(gap(&ours.0, &theirs.0) < 2e-5, "{i}");
            for (tensor, (ours, theirs)) in ours.1.iter().zip(&theirs.1).enumerate() {
                assert!(gap(ours, theirs) < 2e-4, "{i}: tensor {tensor}, {}", gap(ours, theirs));
            }
        }
    }
}

#[test]
fn a_batch_changes_no_bit_of_a_picture_s_answer() {
    let device = Device::flex();
    for (i, layers) in LAYERS.iter().enumerate() {
        let host = frozen(layers, &device);
        let images = pictures(40, [3, 10, 10], &device);
        let (logits, gradients) = slope(&host, &images);
        for at in [0, 17, 39] {
            let one = slope(&host, &images.clone().slice(at..at + 1));
            assert_eq!(one.0, logits[at * 4..][..4], "{i}, picture {at}");
            assert_eq!(one.1, gradients[at * 300..][..300], "{i}, picture {at}");
        }
    }
}

#[test]
fn batch_norm_is_not_trained_and_said_so() {
    let device = Device::flex();
    let net = network(LAYERS[1], &device);
    let images = pictures(1, [3, 10, 10], &device);
    let error = net.weight_gradients(&images, &[], &mut |logits| logits.to_vec()).unwrap_err();
    assert!(error.to_string().contains("batchnorm2d 'n'"), "{error}");
}

/// However many pictures go through at once, and on however many threads: each gets the answer and
/// the gradient that it gets alone.
#[test]
fn batch_and_threads_change_nothing() {
    let device = Device::flex();
    for (i, layers) in LAYERS.iter().enumerate() {
        let host = frozen(layers, &device);
        let most = 35;
        let images = pictures(most, [3, 10, 10], &device);
        let alone: Vec<_> =
            (0..most).map(|k| slope(&host, &images.clone().slice(k..k + 1))).collect();
        for threads in [1, 2, 3, 5, 16] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            for n in [1, 2, 3, 4, 5, 8, 15, 16, 17, 31, 32, 33, 35] {
                let part = images.clone().slice(0..n);
                let (logits, gradient) = pool.install(|| slope(&host, &part));
                let name = format!("layers {i}, {n} pictures, {threads} threads");
                let (each, ways): (Vec<_>, Vec<_>) = alone[..n].iter().cloned().unzip();
                let gaps = [gap(&logits, &each.concat()), gap(&gradient, &ways.concat())];
                assert!(gaps[0] < 2e-5 && gaps[1] < 2e-4, "{name}: {gaps:?}");
            }
        }
    }
}

/// Pictures of another network's size are refused. As many values could be taken for more pictures,
/// or fewer, and the way back then had more logits to go through than slopes.
#[test]
fn pictures_of_another_size_are_refused_in_one_line() {
    let device = Device::flex();
    for network in [frozen(LAYERS[0], &device), network(LAYERS[0], &device)] {
        for shape in [[3, 20, 20], [3, 5, 5], [1, 10, 10], [1, 28, 28], [3, 32, 32]] {
            let images = pictures(1, shape, &device);
            let mut start = |_: &[f32]| vec![1.0; 4];
            let told = [
                network.logits(&images).map(drop),
                network.input_gradient(&images, &mut start).map(drop),
                network.weight_gradients(&images, &[], &mut start).map(drop),
            ];
            for told in told {
                let told = told.unwrap_err().to_string();
                assert!(told.contains("for a network of [3, 10, 10]"), "{told}");
            }
        }
    }
}
