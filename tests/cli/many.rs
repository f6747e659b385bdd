//! Many samples: several attacks, a state to go on from, transfer, timing, the least ε.

use crate::results::{figures, has};
use crate::{User, data};
use safetensors::SafeTensors;
use std::time::Duration;

const MLP: &str = "--model {mlp} --dataset mnist";

#[test]
fn several_attacks_make_a_worst_case() {
    let user = User::new();
    let line = format!(
        "evaluate {MLP} --attack fgsm,noise:repeats=3 --attack pgd:steps=5:restarts=2 --eps 0.05 --n 30 --from 10"
    );
    let report = user.json(&format!("{line} --json"));
    assert_eq!((&report["first"], &report["n"]), (&10.into(), &30.into()));
    assert_eq!(report["samples"][0]["index"], 10);
    let attacks = report["attacks"].as_array().unwrap();
    let ids: Vec<_> = attacks.iter().map(|a| a["attack"].as_str().unwrap()).collect();
    assert_eq!(ids, ["fgsm", "noise", "pgd"]);
    assert_eq!(attacks[1]["parameters"]["repeats"], 3);
    assert_eq!(attacks[2]["parameters"]["restarts"], 2);
    let after: Vec<_> =
        attacks.iter().map(|a| a["robust_after"]["hits"].as_u64().unwrap()).collect();
    assert!(after[0] >= after[1] && after[1] >= after[2], "{after:?}");
    let samples = report["samples"].as_array().unwrap();
    let robust = samples.iter().filter(|s| s["robust"] == true).count() as u64;
    assert_eq!(after[2], robust);
    assert_eq!(report["robust_accuracy"], robust as f64 / 30.0);
    let text = user.succeeds(&line);
    for word in ["robust then", "upper bound", "noise", "samples 10..39"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let every = user.succeeds(&format!("{line} --every"));
    assert!(every.contains("robust alone"), "{every}");
}

#[test]
fn a_weak_evaluation_is_called_so() {
    let user = User::new();
    for (attack, word) in [
        ("fgsm", "single gradient step"),
        ("pgd:steps=1", "single gradient step"),
        ("noise", "no gradient"),
        ("bim", "one attack alone"),
    ] {
        let text = user.succeeds(&format!("evaluate {MLP} --attack {attack} --eps 0.05 --n 5"));
        assert!(text.contains("upper bound") && text.contains(word), "{attack}: {text}");
    }
}

#[test]
fn an_evaluation_that_was_killed_goes_on() {
    let user = User::new();
    let line = format!("evaluate {MLP} --attack pgd --eps 0.1 --n 60 --batch-size 4 --json");
    let whole = user.json(&line);
    let resumable = format!("{line} --state state.json");
    // The program itself, not the wrapper: it is killed as soon as it has written something down. A
    // kill that comes too late, when all is done, proves nothing: then once more.
    let all = whole["attacks"][0]["broken"]["n"].as_u64().unwrap() as usize;
    let killed_with = || {
        let null = std::process::Stdio::null();
        let mut child = user.program(&resumable).stdout(null).spawn().unwrap();
        while !user.path("state.json").exists() {
            assert!(child.try_wait().unwrap().is_none(), "it ended without a state");
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let text = std::fs::read_to_string(user.path("state.json")).unwrap();
        let state: serde_json::Value = serde_json::from_str(&text).unwrap();
        state["attacks"][0]["fates"].as_object().unwrap().len()
    };
    let in_time = (0..20).any(|_| {
        let done = killed_with();
        assert!((4..=all).contains(&done), "{done} of {all}");
        if done == all {
            std::fs::remove_file(user.path("state.json")).unwrap();
        }
        done < all
    });
    assert!(in_time, "it was done before each kill");
    assert_eq!(figures(user.json(&resumable)), figures(whole));
    user.fails(&resumable.replace("--eps 0.1", "--eps 0.2"), 2, &["state.json", "0.1, not 0.2"]);
    user.fails(&format!("{resumable} --seed 9"), 2, &["state.json", "seed is 0, not 9"]);
    user.write("state.json", "{");
    user.fails(&resumable, 1, &["state.json", "remove it"]);
}

#[test]
fn a_transfer_is_a_matrix() {
    let user = User::new();
    let line =
        "transfer --models mnist-cnn,{mlp} --dataset mnist --attack bim:steps=5 --eps 0.2 --n 12";
    let report = user.json(&format!("{line} --json"));
    assert_eq!(report["models"].as_array().unwrap().len(), 2);
    has(
        &report,
        &["/success/1/0/value", "/success/0/1/interval", "/clean/1/value", "/cost/seconds"],
    );
    assert_eq!(report["success"][0][0]["value"], 1.0);
    let text = user.succeeds(line);
    assert!(text.contains("→ mnist-cnn") && text.contains("both models"), "{text}");
    let unlike = "transfer --models mnist-cnn,fashion-cnn --dataset mnist --n 5";
    user.fails(unlike, 2, &["fashion-cnn", "--models", "same classes"]);
    user.fails("transfer --models mnist-cnn --n 5", 2, &["--models", "at least two"]);
}

#[test]
fn a_surrogate_and_the_least_epsilon() {
    let user = User::new();
    let line = format!("attack {MLP} --attack bim:steps=5");
    let least = user.json(&format!("{line} --least --json"));
    let epsilon = least["epsilon"].as_f64().unwrap();
    assert_eq!(least["report"]["epsilon"], epsilon);
    assert!(least["tried"].as_array().unwrap().len() > 4 && epsilon < 0.3, "{least}");
    let text = user.succeeds(&format!("{line} --least"));
    assert!(text.contains("least ε") && text.contains("tried"), "{text}");
    let crafted = format!("{line} --eps 0.3 --surrogate mnist-cnn");
    assert_eq!(user.json(&format!("{crafted} --json"))["surrogate"], "mnist-cnn");
    assert!(user.succeeds(&crafted).contains("crafted on mnist-cnn"));
    user.fails(&format!("{line} --surrogate fashion-cnn"), 2, &["fashion-cnn", "--surrogate"]);
    let own = format!("attack {MLP} --attack rotate-translate --least");
    user.fails(&own, 2, &["rotate-translate", "--least", "own parameters"]);
}

#[test]
fn a_search_for_the_least_has_a_distance_and_perhaps_a_threshold() {
    let user = User::new();
    let line = format!("attack {MLP} --attack deepfool --norm l2");
    let free = user.json(&format!("{line} --json"));
    let distance = free["distance"].as_f64().unwrap();
    assert_eq!((&free["epsilon"], &free["success"]), (&serde_json::Value::Null, &true.into()));
    assert!(!user.succeeds(&line).contains("ε = "), "no ε was given");
    for (epsilon, success) in [(distance * 0.9, false), (distance * 1.1, true)] {
        let bound = user.json(&format!("{line} --eps {epsilon} --json"));
        assert_eq!((&bound["success"], &bound["reached"]), (&success.into(), &true.into()));
        assert_eq!(bound["distance"], free["distance"], "ε does not change the search");
    }
    let least = user.json(&format!("{line} --least --json"));
    assert!((least["epsilon"].as_f64().unwrap() - distance).abs() < 1e-6);
}

#[test]
fn the_stages_of_an_attack_are_told_one_by_one() {
    let user = User::new();
    let line = format!(
        "evaluate {MLP} --attack fgsm,autoattack:steps=5:queries=50 --eps 0.06 --n 24 --batch-size 9"
    );
    let report = user.json(&format!("{line} --json"));
    let attack = &report["attacks"][1];
    let stages = attack["stages"].as_array().unwrap();
    assert_eq!(stages.len(), 4, "{attack}");
    let broken: u64 = stages.iter().map(|stage| stage["broken"].as_u64().unwrap()).sum();
    assert_eq!(broken, attack["broken"]["hits"]);
    assert_eq!(stages[3]["robust_after"], attack["robust_after"]);
    assert!(broken > 0 && user.succeeds(&line).contains("  apgd-ce"));
}

#[test]
fn a_batch_tells_queries_and_distances() {
    let user = User::new();
    let inputs = data("peers/mlp/golden.safetensors");
    let line =
        format!("attack --model {{mlp}} --inputs {inputs} --attack noise:repeats=3 --eps 0.1");
    let summary = user.json(&format!("{line} --save out.safetensors --json"));
    has(&summary, &["/median_queries", "/reached", "/extent"]);
    let bytes = std::fs::read(user.path("out.safetensors")).unwrap();
    let saved = SafeTensors::deserialize(&bytes).unwrap();
    let queries = saved.tensor("queries").unwrap().data().to_vec();
    let queries: Vec<i64> = queries.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)).collect();
    assert!(queries.len() == 16 && queries.iter().all(|q| (0..=3).contains(q)), "{queries:?}");
    let [reached, success] = ["reached", "success"].map(|name| saved.tensor(name).unwrap().data());
    assert_eq!(reached, success);
    assert_eq!(saved.tensor("distance").unwrap().data(), saved.tensor("linf").unwrap().data());
}

#[test]
fn a_timing_is_one_line() {
    let user = User::new();
    for (work, forward) in [("fwd", 2), ("grad", 2), ("pgd40", 0), ("noise", 0)] {
        let line = format!("bench {MLP} --attack {work} --batch 2 --threads 1 --repeats 3 --cap 5");
        let text = user.succeeds(&line);
        assert_eq!(text.lines().count(), 1, "{text}");
        let timing: serde_json::Value = serde_json::from_str(&text).unwrap();
        let seconds = timing["seconds"].as_array().unwrap();
        assert!(!seconds.is_empty() && seconds.iter().all(|s| s.as_f64().unwrap() > 0.0));
        assert!(forward == 0 || timing["forward"] == forward, "{text}");
    }
    user.fails(&format!("bench {MLP} --attack pdg"), 2, &["pdg", "'pgd'"]);
}

#[test]
fn parameters_fit_one_attack() {
    let user = User::new();
    let line = format!("evaluate {MLP} --attack fgsm,pgd");
    user.fails(&format!("{line} --set steps=3"), 2, &["--set", "pgd:steps=100"]);
    user.fails(&format!("{line}:step=3"), 2, &["step", "steps"]);
    user.fails(&format!("{line} --from 9999 --n 2"), 2, &["--n", "1..1"]);
    user.fails(&format!("evaluate {MLP} --from 10000"), 2, &["--from", "0..9999"]);
}

#[test]
fn what_is_of_the_target_class_already_is_left_out_everywhere() {
    let user = User::new();
    // The same 200 samples from the data set and from a file.
    let digits = epsiloscope::data::Dataset::load("mnist").unwrap();
    let n = 200_usize;
    let x: Vec<u8> = (0..n)
        .flat_map(|i| digits.sample(i).image.pixels().to_vec())
        .flat_map(f32::to_le_bytes)
        .collect();
    let classes: Vec<usize> = (0..n).map(|i| digits.label(i).unwrap()).collect();
    let labels: Vec<u8> = classes.iter().flat_map(|l| (*l as i64).to_le_bytes()).collect();
    let view = |kind, shape: &[usize], bytes| {
        safetensors::tensor::TensorView::new(kind, shape.to_vec(), bytes).unwrap()
    };
    let file = safetensors::serialize(
        [
            ("x", view(safetensors::Dtype::F32, &[n, 1, 28, 28], &x)),
            ("labels", view(safetensors::Dtype::I64, &[n], &labels)),
        ],
        None,
    )
    .unwrap();
    user.write("in.safetensors", file);
    let target = 7;
    let left = classes.iter().filter(|class| **class == target).count();
    assert!(left > 5);
    let how = format!("--attack pgd:steps=10 --eps 0.1 --target {target} --seed 2");
    let evaluate = format!("evaluate {MLP} --n {n} --batch-size 50 {how}");
    let found = user.json(&format!("{evaluate} --json"));
    assert_eq!((&found["n"], &found["left_out"]), (&(n - left).into(), &left.into()));
    assert_eq!(found["samples"].as_array().unwrap().len(), n - left);
    let inputs = "attack --model {mlp} --inputs in.safetensors --save out.safetensors";
    let inputs = format!("{inputs} --batch-size 50 {how}");
    let batch = user.json(&format!("{inputs} --json"));
    assert_eq!((&batch["n"], &batch["left_out"]), (&(n - left).into(), &left.into()));
    assert_eq!(batch["target"], serde_json::json!({ "class": target }));
    // The same samples are right, and the same are broken.
    let hits = |share: f64| (share * (n - left) as f64).round() as u64;
    let clean = hits(found["clean_accuracy"].as_f64().unwrap());
    assert_eq!(batch["correct"], clean);
    let broken = found["attacks"][0]["broken"].clone();
    assert_eq!((&broken["n"], &broken["hits"]), (&clean.into(), &batch["success"]));
    assert!(broken["hits"].as_u64().unwrap() > 0, "{broken}");
    let robust = found["robust_accuracy"].as_f64().unwrap();
    assert_eq!(hits(robust), clean - broken["hits"].as_u64().unwrap());
    // Clean pictures of the target class are clean all the same: a detector's curve is of all of them.
    let roc = format!("roc --model mnist-cnn --defence squeeze --n 60 {how}");
    let curve = user.json(&format!("{roc} --json"));
    let left_of_60 = classes[..60].iter().filter(|class| **class == target).count();
    assert!(left_of_60 > 0);
    assert_eq!((&curve["n"], &curve["left_out"]), (&(60 - left_of_60).into(), &left_of_60.into()));
    assert!(curve["turned"]["n"].as_u64().unwrap() <= (60 - left_of_60) as u64, "{curve}");
    let text = user.succeeds(&roc);
    let n = format!("#0…#59 n={}", 60 - left_of_60);
    assert!(text.contains("left out") && text.contains(&n), "{text}");
    user.fails(&roc.replace("--n 60", "--n 1"), 2, &["--target", "every picture"]);
    for line in [&evaluate, &inputs] {
        let text = user.succeeds(line);
        assert!(text.contains(&format!("{left} ")) && text.contains("left out"), "{text}");
    }
    assert!(user.succeeds(&evaluate).contains("samples 0..199"));
    // Where that leaves none, there is nothing to evaluate; the first digit is a seven.
    let one = format!("evaluate {MLP} --n 1 {how}");
    user.fails(&one, 2, &["--target", "every picture"]);
    // Attacks without a target leave nothing out.
    let untargeted = user.json(&format!("evaluate {MLP} --attack fgsm --eps 0.1 --n 20 --json"));
    assert_eq!((&untargeted["n"], &untargeted["left_out"]), (&20.into(), &0.into()));
}
