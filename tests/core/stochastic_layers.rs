//! Random and sparse layers, in a card and put into a network after the fact: on the CPU engine, on burn's
//! graph, and what each of them is said to do.

use crate::nets::{pictures, values};
use burn_tensor::{Device, Tensor, TensorData};
use epsiloscope::model::{ActivationSwap, Card, Classifier, Model, Network};
use epsiloscope::rng::RngKey;

const NET: &str = "{op='conv2d',param='a',in=3,out=6,kernel=3,padding=1},{op='relu'},\
    {op='residual',body=[{op='conv2d',param='b',in=6,out=6,kernel=3,padding=1},{op='relu6'}]},\
    {op='maxpool2d',kernel=2},{op='flatten'},{op='linear',param='l',in=54,out=9},{op='relu'},\
    {op='linear',param='m',in=9,out=4}";

const RULES: [ActivationSwap; 4] = [
    ActivationSwap::RandomSlope { low: 0.1, high: 0.9 },
    ActivationSwap::Sap { share: 0.5 },
    ActivationSwap::Kwta { share: 0.2 },
    ActivationSwap::Dropout { p: 0.3 },
];

/// A network with weights from a fixed formula.
fn network(layers: &str, device: &Device) -> Network {
    let text = format!("name='t'\nnum_classes=4\nlayers=[{layers}]\n[input]\nshape=[3,6,6]\n");
    let card = Card::parse(&text, std::path::Path::new("t")).unwrap();
    Network::build(&card, device, &mut |name, shape| {
        let n: usize = shape.iter().product();
        let value = |i: usize| ((i * 7919 + name.len() * 31) % 997) as f32 / 997.0 - 0.5;
        let values: Vec<f32> = (0..n).map(value).collect();
        Ok(Tensor::from_data(TensorData::new(values, [n]), device))
    })
    .unwrap()
}

fn frozen(layers: &str, device: &Device) -> Network {
    let mut host = network(layers, device);
    host.freeze();
    assert!(host.on_cpu_engine());
    host
}

fn rng_keys(n: usize, draw: u64) -> Vec<RngKey> {
    (0..n as u64).map(|seed| RngKey { seed, draw }).collect()
}

fn gap(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let top = b.iter().fold(1e-12_f32, |top, v| top.max(v.abs()));
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / top
}

fn cosines(logits: &[f32]) -> Vec<f32> {
    logits.iter().map(|z| z.cos()).collect()
}

#[test]
fn every_rule_answers_on_the_host_as_on_the_graph() {
    let device = Device::flex();
    let images = pictures(20, [3, 6, 6], &device);
    let rng_keys = rng_keys(20, 3);
    let (plain, fast) = (network(NET, &device), frozen(NET, &device));
    for rule in RULES {
        let (graph, host) =
            (plain.with_activations(rule).unwrap(), fast.with_activations(rule).unwrap());
        assert!(host.on_cpu_engine() && !graph.on_cpu_engine(), "{rule:?}");
        let mut found = Vec::new();
        for network in [&graph, &host] {
            let (logits, gradient) =
                network.input_gradient_with(&images, &rng_keys, &mut cosines).unwrap();
            assert_eq!(logits, network.logits_with(&images, &rng_keys).unwrap(), "{rule:?}");
            let (again, weights) =
                network.weight_gradients(&images, &rng_keys, &mut cosines).unwrap();
            assert_eq!(logits, again, "{rule:?}");
            found.push((logits, values(&gradient), weights.concat()));
        }
        let ((a, b, c), (x, y, z)) = (&found[1], &found[0]);
        assert!(gap(a, x) < 2e-5, "{rule:?}: logits {}", gap(a, x));
        assert!(gap(b, y) < 2e-4, "{rule:?}: gradient {}", gap(b, y));
        assert!(gap(c, z) < 2e-4, "{rule:?}: weight gradients {}", gap(c, z));
        assert!(gap(a, &fast.logits(&images).unwrap()) > 1e-3, "{rule:?} changes nothing");
        // Shared weights, packed anew, are the same weights.
        let mut anew = plain.with_activations(rule).unwrap();
        anew.freeze();
        assert_eq!(anew.logits_with(&images, &rng_keys).unwrap(), *a, "{rule:?}");
    }
}

#[test]
fn a_chance_decides_and_the_batch_does_not() {
    let device = Device::flex();
    let images = pictures(20, [3, 6, 6], &device);
    for base in [network(NET, &device), frozen(NET, &device)] {
        for rule in RULES {
            let network = base.with_activations(rule).unwrap();
            let random = !matches!(rule, ActivationSwap::Kwta { .. });
            assert_eq!(network.is_random(), random, "{rule:?}");
            let by = |draw| network.logits_with(&images, &rng_keys(20, draw)).unwrap();
            assert_eq!(by(1), by(1), "{rule:?}");
            assert_eq!(by(1) != by(2), random, "{rule:?}");
            let one = images.clone().slice(17..18);
            let alone = network.logits_with(&one, &rng_keys(20, 1)[17..18]).unwrap();
            assert!(gap(&alone, &by(1)[17 * 4..18 * 4]) < 1e-5, "{rule:?}");
            let default = network.logits_with(&images, &[RngKey::default(); 20]).unwrap();
            assert_eq!(network.logits(&images).unwrap(), default, "{rule:?}");
            assert!(network.logits_with(&images, &rng_keys(3, 1)).is_err(), "{rule:?}");
        }
        assert!(!base.is_random());
    }
}

/// What layers that do not change the size make of values `[1, 1, 8, 16]`, through one linear layer
/// of the identity.
fn through(layers: &str, values: &[f32], rng_key: RngKey) -> Vec<f32> {
    let device = Device::flex();
    let n = values.len();
    let text = format!(
        "name='t'\nnum_classes={n}\nlayers=[{{op='flatten'}},{layers},\
         {{op='linear',param='l',in={n},out={n},bias=false}}]\n[input]\nshape=[1,8,16]\n"
    );
    let card = Card::parse(&text, std::path::Path::new("t")).unwrap();
    let mut network = Network::build(&card, &device, &mut |_, _| {
        Ok(Tensor::<2>::eye(n, &device).reshape([n * n]))
    })
    .unwrap();
    network.freeze();
    let images = Tensor::from_data(TensorData::new(values.to_vec(), [1, 1, 8, 16]), &device);
    network.logits_with(&images, &[rng_key]).unwrap()
}

fn ramp() -> Vec<f32> {
    (0..128).map(|i| ((i * 37) % 128) as f32 / 64.0 - 1.0).collect()
}

#[test]
fn winners_take_all_keeps_exactly_the_largest() {
    for (share, kept) in [(0.1, 13), (0.5, 64), (1.0, 128), (0.001, 1)] {
        let values = ramp();
        let found = through(&format!("{{op='kwta',share={share}}}"), &values, RngKey::default());
        let mut sorted = values.clone();
        sorted.sort_by(|a, b| b.total_cmp(a));
        for (before, after) in values.iter().zip(&found) {
            let wins = *before >= sorted[kept - 1];
            assert_eq!(*after, if wins { *before } else { 0.0 }, "{share}");
        }
    }
    // Equals do not make more winners.
    let same = through("{op='kwta',share=0.25}", &[1.0; 128], RngKey::default());
    assert_eq!(same.iter().filter(|v| **v == 1.0).count(), 32);
    let bounded = through("{op='kwta',share=0.5,top=0.25}", &ramp(), RngKey::default());
    assert_eq!(bounded.iter().copied().fold(f32::MIN, f32::max), 0.25);
}

#[test]
fn random_slopes_fill_their_range_below_zero_only() {
    let found = through("{op='randomslope',low=0.25,high=0.75}", &ramp(), RngKey::default());
    let mut slopes = Vec::new();
    for (before, after) in ramp().iter().zip(&found) {
        match *before > 0.0 {
            true => assert_eq!(before, after),
            false => slopes.push(after / before),
        }
    }
    slopes.retain(|s| s.is_finite());
    assert!(slopes.iter().all(|s| (0.25..0.750_01).contains(s)), "{slopes:?}");
    let mean = slopes.iter().sum::<f32>() / slopes.len() as f32;
    assert!((mean - 0.5).abs() < 0.06, "{mean}");
    assert!(slopes.iter().any(|s| *s < 0.3) && slopes.iter().any(|s| *s > 0.7));
}

/// Means over draws of what a layer makes of positive values, and how often it zeroes each.
fn means(layers: &str) -> (Vec<f32>, Vec<f64>, Vec<f64>) {
    let values: Vec<f32> = ramp().iter().map(|v| v + 1.0).collect();
    let (mut sums, mut zeros) = (vec![0.0; 128], vec![0.0; 128]);
    const DRAWS: u64 = 2000;
    for draw in 0..DRAWS {
        let found = through(layers, &values, RngKey { seed: 5, draw });
        for (i, v) in found.iter().enumerate() {
            sums[i] += f64::from(*v) / DRAWS as f64;
            zeros[i] += f64::from(u8::from(*v == 0.0)) / DRAWS as f64;
        }
    }
    (values, sums, zeros)
}

#[test]
fn pruning_and_dropout_keep_the_mean() {
    for layers in ["{op='sap',share=0.5}", "{op='mcdropout',p=0.4}"] {
        let (values, sums, zeros) = means(layers);
        let total: f64 = values.iter().map(|v| f64::from(*v)).sum();
        for (i, value) in values.iter().enumerate().filter(|(_, v)| **v > 0.2) {
            let gone = match layers.contains("sap") {
                true => (1.0 - f64::from(*value) / total).powi(64),
                false => 0.4,
            };
            // Five standard errors.
            let off = 5.0 * (gone * (1.0 - gone) / 2000.0).sqrt();
            assert!((zeros[i] - gone).abs() < off, "{layers}: {value} is gone {}", zeros[i]);
            let wide = f64::from(*value) * off / (1.0 - gone);
            assert!((sums[i] - f64::from(*value)).abs() < wide, "{layers}: {value} {}", sums[i]);
        }
    }
}

#[test]
fn dropout_sleeps_outside_training_unless_asked() {
    let device = Device::flex();
    let layers = NET.replace("{op='flatten'}", "{op='flatten'},{op='dropout',p=0.5}");
    let images = pictures(4, [3, 6, 6], &device);
    for network in [network(&layers, &device), frozen(&layers, &device)] {
        let (bare, awake) = (
            frozen(NET, &device),
            network.with_activations(ActivationSwap::Dropout { p: 0.1 }).unwrap(),
        );
        let logits = network.logits_with(&images, &rng_keys(4, 1)).unwrap();
        assert!(!network.is_random() && awake.is_random());
        assert!(gap(&logits, &bare.logits(&images).unwrap()) < 1e-5);
        let (trained, _) =
            network.weight_gradients(&images, &rng_keys(4, 1), &mut cosines).unwrap();
        assert!(gap(&trained, &logits) > 1e-3);
        // Its own p, not the rule's.
        assert_eq!(awake.logits_with(&images, &rng_keys(4, 1)).unwrap(), trained);
    }
}

#[test]
fn rules_that_do_not_fit_say_so() {
    let device = Device::flex();
    let net = network("{op='linear',param='l',in=108,out=4}", &device);
    let error = net.with_activations(RULES[0]).err().unwrap().to_string();
    assert!(error.contains("no ReLU to replace"), "{error}");
    let net = network(NET, &device);
    for rule in [
        ActivationSwap::Sap { share: 0.0 },
        ActivationSwap::Kwta { share: 1.5 },
        ActivationSwap::Dropout { p: 1.0 },
        ActivationSwap::RandomSlope { low: 0.5, high: 0.1 },
    ] {
        assert!(net.with_activations(rule).is_err(), "{rule:?}");
    }
}

#[test]
fn photographs_take_every_rule() {
    let device = Device::flex();
    let model = Model::load("photo-efficientnet-lite0", &device).unwrap();
    let images = pictures(1, [3, 224, 224], &device);
    for rule in RULES {
        let ruled = model.network.with_activations(rule).unwrap();
        assert!(ruled.on_cpu_engine(), "{rule:?}");
        let (logits, gradient) = ruled.input_gradient_with(&images, &[], &mut cosines).unwrap();
        assert!(logits.iter().chain(&values(&gradient)).all(|v| v.is_finite()), "{rule:?}");
        assert_ne!(logits, model.network.logits(&images).unwrap(), "{rule:?}");
    }
}
