//! Every result in JSON says what it was made of, by what, when.

use crate::results::{has, timeless};
use crate::{User, data};
use serde_json::Value;

const MLP: &str = "--model {mlp} --dataset mnist";

/// The block of a result, its hashes and its date looked at; it knows so many networks.
fn block(user: &User, line: &str, networks: usize) -> Value {
    let result = user.json(line);
    let block = result["provenance"].clone();
    has(&block, &["/device/kind", "/device/name", "/seed", "/datasets/0/id", "/models/0/name"]);
    let version = format!("epsiloscope {}", env!("CARGO_PKG_VERSION"));
    assert_eq!(block["program"], version, "{line}");
    assert!(block["command"].as_str().unwrap().starts_with("epsiloscope "), "{block}");
    let models = block["models"].as_array().unwrap();
    assert_eq!(models.len(), networks, "{line}: {block:#}");
    let sums = models.iter().flat_map(|model| [&model["card_sha256"], &model["weights_sha256"]]);
    for sum in sums.chain([&block["datasets"][0]["sha256"]]) {
        let sum = sum.as_str().unwrap();
        assert!(sum.len() == 64 && sum.chars().all(|c| c.is_ascii_hexdigit()), "{sum}");
    }
    let date = block["date"].as_str().unwrap();
    let shape: String = date.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00Z");
    assert!(date > "2025", "{date}");
    block
}

#[test]
fn every_result_says_what_it_was_made_of() {
    let user = User::new();
    let inputs = data("peers/mlp/golden.safetensors");
    let batch = format!("attack --model {{mlp}} --inputs {inputs} --attack fgsm --eps 0.1");
    let twins = "--models mnist-cnn,{mlp} --dataset mnist";
    for (line, networks) in [
        (format!("attack {MLP} --attack fgsm --eps 0.1 --json"), 1),
        (format!("attack {MLP} --attack fgsm --eps 0.1 --surrogate mnist-cnn --json"), 2),
        (format!("attack {MLP} --attack fgsm --eps 0.1 --defence model:mnist-cnn --json"), 2),
        (format!("attack {MLP} --attack fgsm --least --json"), 1),
        (format!("{batch} --save out.safetensors --json"), 1),
        (format!("evaluate {MLP} --attack fgsm --eps 0.1 --n 3 --json"), 1),
        ("evaluate --model mnist-cnn --defence pgd-at --attack fgsm --n 3 --json".into(), 2),
        (format!("compare {MLP} --sample 1 --defence model:mnist-cnn --attack fgsm --json"), 2),
        (format!("compare {MLP} --n 3 --defence median --attack fgsm --format json"), 1),
        ("roc --model mnist-cnn --attack fgsm --eps 0.3 --n 20 --json".into(), 1),
        ("certify --model mnist-cnn --n 20 --n0 10 --attack fgsm --eot 2 --json".into(), 2),
        (format!("transfer {twins} --attack fgsm --eps 0.2 --n 4 --json"), 2),
        ("lessons fgsm-at --n 2 --json".into(), 2),
        (format!("bench {MLP} --attack fwd --repeats 1"), 1),
    ] {
        block(&user, &line, networks);
    }
}

#[test]
fn equal_runs_are_equal_but_for_the_clock() {
    let user = User::new();
    for line in [
        "compare --model {mlp} --dataset mnist --n 3 --sample 1 --defence median --attack fgsm --json",
        "roc --model mnist-cnn --attack fgsm --eps 0.3 --n 12 --json",
        "lessons fgsm-at --n 2 --json",
    ] {
        let run = || {
            let mut result = user.json(line);
            // Some of the sentences of a comparison tell milliseconds.
            result.as_object_mut().unwrap().shift_remove("words");
            timeless(result)
        };
        assert_eq!(run(), run(), "{line}");
    }
}

#[test]
fn a_network_is_known_by_its_card_and_weights() {
    let user = User::new();
    let card = std::fs::read_to_string(data("peers/mlp/card.toml")).unwrap();
    let weights = std::fs::read(data("peers/mlp/weights.safetensors")).unwrap();
    user.write("net/weights.safetensors", weights);
    let sums = |card: &str| {
        user.write("net/card.toml", card);
        let line = "attack --model net --dataset mnist --attack fgsm --eps 0.1 --json";
        let block = block(&user, line, 1);
        (block["models"][0]["card_sha256"].clone(), block["models"][0]["weights_sha256"].clone())
    };
    let before = sums(&card);
    assert_eq!(sums(&format!("# a remark\n{card}")), before);
    let scaled = card.replace("[input]", "[input]\nnormalisation = { mean = [0.5], std = [0.25] }");
    let after = sums(&scaled);
    assert!(after.0 != before.0 && after.1 == before.1);
    // What `sha256sum` says of the file.
    let path = user.path("net/weights.safetensors");
    let wanted = epsiloscope::data::sha256(&std::fs::read(path).unwrap());
    assert_eq!(before.1, wanted);
}
