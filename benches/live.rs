//! What the live view stands on: `cargo bench`.
//!
//! - `step/bare`: one forward pass and one input gradient of the network, by burn alone.
//! - `step/pgd`: one step of PGD on the same network (40 steps, divided). It may cost at most half as
//!   much again: there is no hidden work in it.
//! - `attack/pgd-40`: from the picture to the judged and measured report.
//! - `batch/…`: one step of PGD on the first 100 digits, as evaluations take it, for a small network,
//!   where the attack's own work counts, and for the usual one.
//! - `lamps/attack`, `lamps/watch`: an attack that fails, and what its evaluation lamps ask by
//!   themselves. The second takes at most a tenth of the first.
//!
//! Criterion shows the steps as elements a second: `step/bare` over `step/pgd` is the factor.
//!
//! The start-up time is measured from outside, over ten starts, and the drawing in the dashboard's own
//! tests:
//!
//! ```text
//! cargo build --release
//! time (for i in $(seq 10); do target/release/epsiloscope models >/dev/null; done)
//! ```

use burn_tensor::{Tensor, TensorData};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use epsiloscope::attack::{
    AttackConfig, Budget, Goal, ImageBatch, NoObserver, Norm, Problem, TargetModel, find, generate,
    generate_and_judge,
};
use epsiloscope::data::{Dataset, Sample};
use epsiloscope::engine::{ChosenDevice, DeviceChoice, choose};
use epsiloscope::experiment::{self, Experiment, FinishedAttack};
use epsiloscope::model::{Classifier, Model};
use epsiloscope::parameter::Value;
use std::hint::black_box;
use std::sync::Arc;

const STEPS: usize = 40;
/// Steps of the attacks on 100 images.
const BATCH_STEPS: u64 = 10;
const EPSILON: f64 = 0.1;

/// The first digit, the usual network, the CPU.
fn setting() -> (Sample, Arc<Model>, ChosenDevice) {
    let chosen = choose(DeviceChoice::Cpu);
    let model = Model::load("mnist-cnn", &chosen.device).expect("the model loads");
    let sample = Dataset::load("mnist").expect("the data loads").sample(0);
    (sample, model, chosen)
}

fn pgd() -> AttackConfig {
    let mut plan = AttackConfig::new(find("pgd").expect("there is PGD"), EPSILON);
    plan.settings.set("steps", Value::Int(STEPS as i64));
    plan.settings.set("random-start", Value::Bool(false));
    plan
}

fn step(criterion: &mut Criterion) {
    let (sample, model, chosen) = setting();
    let [c, h, w] = sample.image.shape();
    let pixels = TensorData::new(sample.image.pixels().to_vec(), [1, c, h, w]);
    let images: Tensor<4> = Tensor::from_data(pixels, &chosen.device);
    let network = &model.network;
    let classes = network.classes();
    let start = TensorData::new(vec![0.1_f32; classes], [1, classes]);
    let start: Tensor<2> = Tensor::from_data(start, &chosen.device).autodiff();
    let mut group = criterion.benchmark_group("step");
    group.throughput(Throughput::Elements(1));
    group.bench_function("bare", |bencher| {
        bencher.iter(|| {
            let tracked = images.clone().autodiff().require_grad();
            let logits = network.forward(tracked.clone()).expect("logits");
            let mut gradients = (logits * start.clone()).sum().backward();
            let gradient = tracked.grad_remove(&mut gradients).expect("a gradient");
            black_box(gradient.try_into_vec_as::<f32>().expect("values"))
        });
    });
    let problem = Problem {
        images: ImageBatch::of(&sample.image),
        goals: vec![Goal::Untargeted { truth: sample.label.expect("a digit has a label") }],
        budget: Budget::new(Norm::Linf, EPSILON, c * h * w).expect("ε is in range"),
        seed: 0,
        samples: vec![0],
        training_images: None,
    };
    let plan = pgd();
    let settings = plan.resolved();
    group.throughput(Throughput::Elements(STEPS as u64));
    group.bench_function("pgd", |bencher| {
        bencher.iter(|| {
            let mut victim = TargetModel::new(network);
            let verdict =
                generate_and_judge(plan.attack, &settings, &mut victim, &problem, &mut NoObserver);
            black_box(verdict.expect("the attack runs").success)
        });
    });
    group.finish();
}

fn attack(criterion: &mut Criterion) {
    let (sample, model, chosen) = setting();
    let experiment =
        Experiment { model, surrogate: None, sample, plan: pgd(), device: chosen.info };
    criterion.bench_function("attack/pgd-40", |bencher| {
        bencher.iter(|| {
            let report = experiment::attack_sample(&experiment, &mut NoObserver);
            black_box(report.expect("the attack runs").success)
        });
    });
}

fn lamps(criterion: &mut Criterion) {
    let (sample, _, chosen) = setting();
    let model = Model::load("mnist-cnn-at", &chosen.device).expect("the model loads");
    let experiment =
        Experiment { model, surrogate: None, sample, plan: pgd(), device: chosen.info };
    let run = || experiment::attack_sample(&experiment, &mut NoObserver).expect("the attack runs");
    let report = run();
    assert!(!report.success, "an attack that reached its goal has little left to ask");
    let scene = FinishedAttack { experiment: &experiment, report: &report, row: None };
    let watch =
        || experiment::run_auto_checks(&scene, &mut NoObserver, &mut |_| ()).expect("the lamps");
    assert!(watch() > 0, "something is asked");
    let mut group = criterion.benchmark_group("lamps");
    group.bench_function("attack", |bencher| bencher.iter(|| black_box(run().success)));
    group.bench_function("watch", |bencher| bencher.iter(|| black_box(watch())));
    group.finish();
}

fn batch(criterion: &mut Criterion) {
    let (chosen, data) =
        (choose(DeviceChoice::Cpu), Dataset::load("mnist").expect("the data loads"));
    let mut group = criterion.benchmark_group("batch");
    group.sample_size(10).throughput(Throughput::Elements(BATCH_STEPS));
    for name in ["mnist-mlp", "mnist-cnn"] {
        let model = Model::load(name, &chosen.device).expect("the model loads");
        let samples: Vec<Sample> = (0..100).map(|i| data.sample(i)).collect();
        let truth = |s: &Sample| Goal::Untargeted { truth: s.label.expect("digits have labels") };
        let pixels = samples.iter().flat_map(|s| s.image.pixels().to_vec()).collect();
        let images = ImageBatch::new(model.card.input.shape, pixels);
        let problem = Problem {
            budget: Budget::new(Norm::Linf, EPSILON, images.size()).expect("ε is in range"),
            images,
            goals: samples.iter().map(truth).collect(),
            seed: 0,
            samples: (0..100).collect(),
            training_images: None,
        };
        let mut plan = pgd();
        plan.settings.set("steps", Value::Int(BATCH_STEPS as i64));
        let settings = plan.resolved();
        group.bench_function(format!("{name}-100"), |bencher| {
            bencher.iter(|| {
                let mut model = TargetModel::new(&model.network);
                let output =
                    generate(plan.attack, &settings, &mut model, &problem, &mut NoObserver);
                black_box(output.expect("the attack runs").images)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, step, attack, batch, lamps);
criterion_main!(benches);
