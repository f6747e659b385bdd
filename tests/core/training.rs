//! Training is repeatable to the last bit, interrupted or not.

use burn_tensor::Device;
use epsiloscope::attack::Flow;
use epsiloscope::data::Dataset;
use epsiloscope::experiment;
use epsiloscope::training::{self, TrainOptions};
use std::path::Path;

/// The first 300 test digits as a training set in IDX files.
fn write_data(folder: &Path) {
    let digits = Dataset::load("mnist").unwrap();
    let mut images = vec![0, 0, 8, 3, 0, 0, 1, 44, 0, 0, 0, 28, 0, 0, 0, 28];
    let mut labels = vec![0, 0, 8, 1, 0, 0, 1, 44];
    for i in 0..300 {
        images.extend_from_slice(digits.bytes(i).unwrap());
        labels.push(digits.label(i).unwrap() as u8);
    }
    std::fs::write(folder.join("train-images-idx3-ubyte"), images).unwrap();
    std::fs::write(folder.join("train-labels-idx1-ubyte"), labels).unwrap();
}

/// Trains until `steps` steps are done in all, and hands back the checkpoint.
fn train(recipe: &str, data: &Path, out: &Path, seed: u64, steps: usize) -> Vec<u8> {
    let options = TrainOptions {
        recipe: recipe.into(),
        data: data.into(),
        out: out.into(),
        seed,
        epochs: Some(2),
    };
    let info = experiment::DeviceInfo { kind: "cpu".into(), name: "test".into() };
    let stopped = training::run(&options, &Device::flex(), &info, &mut |progress| match progress
        .epoch
        * progress.batches
        + progress.batch
        >= steps
    {
        true => Flow::Stop,
        false => Flow::Continue,
    });
    assert!(stopped.is_err_and(|e| e.is_cancelled()));
    std::fs::read(out.join("checkpoint.safetensors")).unwrap()
}

#[test]
fn a_resumed_training_ends_in_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    // Three steps an epoch and two epochs: a distillation's student begins after six steps.
    for (recipe, before, steps) in [
        ("mnist-cnn", 1, 4),
        ("mnist-cnn", 4, 5),
        ("mnist-cnn-at", 2, 4),
        ("mnist-trades-awp", 2, 4),
        ("mnist-mart", 2, 4),
        ("mnist-spectral", 2, 5),
        ("mnist-distilled", 5, 8),
        ("mnist-distilled", 7, 8),
        ("mnist-gaussian", 2, 4),
        ("mnist-bayes", 2, 5),
        ("mnist-dropout", 2, 5),
        ("mnist-adp", 2, 5),
    ] {
        let out = |name: &str| folder.path().join(format!("{recipe}-{before}-{name}"));
        let whole = train(recipe, folder.path(), &out("whole"), 5, steps);
        assert!(train(recipe, folder.path(), &out("parts"), 5, before) != whole, "{recipe}");
        let resumed = train(recipe, folder.path(), &out("parts"), 5, steps);
        assert!(resumed == whole, "{recipe} after {before} of {steps} steps");
        assert!(train(recipe, folder.path(), &out("other"), 6, steps) != whole, "another seed");
    }
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    let out = folder.path().join("out");
    train("mnist-cnn-at", folder.path(), &out, 5, 1);
    let mut options = TrainOptions {
        recipe: "mnist-cnn-at".into(),
        data: folder.path().into(),
        out: out.clone(),
        seed: 6,
        epochs: Some(2),
    };
    let info = experiment::DeviceInfo { kind: "cpu".into(), name: "test".into() };
    let run = |options: &TrainOptions| {
        training::run(options, &Device::flex(), &info, &mut |_| Flow::Stop).unwrap_err()
    };
    assert!(run(&options).to_string().contains("another run"));
    options.seed = 5;
    // The same network by another method.
    options.recipe = "mnist-fast-at".into();
    assert!(run(&options).to_string().contains("another run"));
    options.recipe = "mnist-cnn-at".into();
    // The same files with one other label.
    let labels = folder.path().join("train-labels-idx1-ubyte");
    let old = std::fs::read(&labels).unwrap();
    let mut new = old.clone();
    new[8] = (new[8] + 1) % 10;
    std::fs::write(&labels, new).unwrap();
    assert!(run(&options).to_string().contains("another run"));
    std::fs::write(&labels, old).unwrap();
    assert!(run(&options).is_cancelled());
    std::fs::write(out.join("checkpoint.safetensors"), b"rubbish").unwrap();
    assert!(run(&options).to_string().contains("checkpoint.safetensors"));
}
