//! What the commands compute and print.

use crate::{User, data};
use safetensors::SafeTensors;
use serde_json::Value;
use std::fs;

/// The fields that the clock writes.
const CLOCK: [&str; 4] = ["seconds", "ms", "extra_ms", "date"];

/// The figures alone: without what depends on the clock, and without the command line.
pub fn figures(mut value: Value) -> String {
    value.as_object_mut().unwrap().shift_remove("provenance");
    timeless(value)
}

/// The JSON without what depends on the clock.
pub fn timeless(mut value: Value) -> String {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                CLOCK.iter().for_each(|key| drop(map.shift_remove(*key)));
                map.values_mut().for_each(strip);
            }
            Value::Array(list) => list.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut value);
    value.to_string()
}

/// Fails where one of these is missing.
pub fn has(value: &Value, keys: &[&str]) {
    for key in keys {
        assert!(value.pointer(key).is_some(), "{key} is missing in {value:#}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let user = User::new();
    let line = "attack --model {mlp} --dataset mnist --sample 0 --attack pgd --eps 0.3 --seed 1 --defence median --json";
    let first = user.json(line);
    has(
        &first,
        &[
            "/version",
            "/model",
            "/sample",
            "/label",
            "/attack",
            "/parameters/steps",
            "/epsilon",
            "/seed",
            "/device",
            "/clean/label",
            "/clean/confidence",
            "/adversarial/label",
            "/adversarial/confidence",
            "/success",
            "/norms/l0",
            "/norms/l1",
            "/norms/l2",
            "/norms/linf",
            "/cost/forward",
            "/cost/backward",
            "/cost/seconds",
            "/defences/0/stance",
            "/defences/1/stance",
        ],
    );
    assert_eq!(
        (&first["label"], &first["epsilon"], &first["seed"]),
        (&7.into(), &0.3.into(), &1.into())
    );
    assert_eq!(first["success"], true);
    assert!(first["norms"]["linf"].as_f64().unwrap() <= 0.300_001);
    assert_eq!(first["defences"][0]["stance"], "naive");
    let stances: Vec<_> =
        first["defences"].as_array().unwrap().iter().map(|row| row["stance"].clone()).collect();
    assert_eq!(stances.last().unwrap(), "adaptive", "{stances:?}");
    assert_eq!(timeless(first.clone()), timeless(user.json(line)));
    let other = user.json(&line.replace("--seed 1", "--seed 2"));
    assert_ne!(first["norms"], other["norms"]);
}

#[test]
fn a_failed_attack_is_a_result() {
    let user = User::new();
    let report = user.json("attack --model {mlp} --dataset mnist --eps 0 --json");
    assert_eq!((&report["success"], &report["norms"]["l0"]), (&false.into(), &0.into()));
    let text = user.succeeds("attack --model {mlp} --dataset mnist --attack noise --eps 0.01");
    assert!(text.contains("holds") && text.contains("seed 0"), "{text}");
    assert!(!text.contains('\x1b'), "no colours in a pipe: {text:?}");
}

#[test]
fn pictures_are_printed_where_they_are_asked_for() {
    let user = User::new();
    let line = "attack --model {mlp} --dataset mnist --attack fgsm --eps 0.2";
    let plain = user.succeeds(line);
    let printed = user.succeeds(&format!("{line} --graphics ascii"));
    assert!(printed.lines().count() > plain.lines().count() + 5, "{printed}");
}

#[test]
fn fractions_targets_and_parameters_are_understood() {
    let user = User::new();
    let report = user.json(
        "attack --model {mlp} --dataset mnist --eps 51/255 --target 3 --norm linf --set steps=20 --set step-size=0.02 --json",
    );
    assert_eq!((&report["epsilon"], &report["target"]), (&0.2.into(), &3.into()));
    assert_eq!(report["parameters"]["steps"], 20);
    assert_eq!(report["parameters"]["step-size"], 0.02);
}

#[test]
fn results_are_saved() {
    let user = User::new();
    let line = "attack --model {mlp} --dataset mnist --attack pgd --eps 0.2 --json --save";
    user.succeeds(&format!("{line} a.png"));
    let png = image::open(user.path("a.png")).unwrap();
    assert_eq!((png.width(), png.height()), (28, 28));
    user.succeeds(&format!("{line} a.npy"));
    let npy = fs::read(user.path("a.npy")).unwrap();
    assert!(npy.starts_with(b"\x93NUMPY") && npy.len() >= 4 * 28 * 28);
    // The saved picture is one that the program reads again.
    let again = user.json("attack --model {mlp} --image a.png --eps 0.1 --json");
    assert_eq!(
        (&again["sample"]["dataset"], &again["label_is_truth"]),
        (&"file".into(), &false.into())
    );
}

#[test]
fn a_batch_stays_in_its_ball() {
    let user = User::new();
    let inputs = data("peers/mlp/golden.safetensors");
    let line = format!(
        "attack --model {{mlp}} --inputs {inputs} --batch-size 5 --eps 0.3 --seed 1 --json --save out.safetensors"
    );
    let summary = user.json(&line);
    assert_eq!(summary["n"], 16);
    let (before, after) =
        (fs::read(inputs).unwrap(), fs::read(user.path("out.safetensors")).unwrap());
    let (before, after) =
        (SafeTensors::deserialize(&before).unwrap(), SafeTensors::deserialize(&after).unwrap());
    let floats = |file: &SafeTensors<'_>, name: &str| -> Vec<f32> {
        let bytes = file.tensor(name).unwrap().data().to_vec();
        bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
    };
    let (x, adv) = (floats(&before, "x"), floats(&after, "adv"));
    assert_eq!(after.tensor("adv").unwrap().shape(), [16, 1, 28, 28]);
    let linf = floats(&after, "linf");
    assert_eq!((linf.len(), floats(&after, "l2").len()), (16, 16));
    for (picture, (x, adv)) in x.chunks(784).zip(adv.chunks(784)).enumerate() {
        let largest = x.iter().zip(adv).fold(0.0_f32, |top, (a, b)| top.max((a - b).abs()));
        assert!(
            largest <= 0.300_001 && (largest - linf[picture]).abs() < 1e-6,
            "{picture}: {largest}"
        );
        assert!(adv.iter().all(|v| (0.0..=1.0).contains(v)));
    }
    let success = after.tensor("success").unwrap().data().iter().filter(|s| **s != 0).count();
    assert_eq!(summary["success"], success);
    // The size of the pieces changes nothing but rounding.
    user.succeeds(&line.replace("--batch-size 5", "--batch-size 16").replace("out.", "other."));
    let other = fs::read(user.path("other.safetensors")).unwrap();
    let other = floats(&SafeTensors::deserialize(&other).unwrap(), "adv");
    let far = adv.iter().zip(&other).filter(|(a, b)| (*a - *b).abs() > 1e-3).count();
    assert!(far * 100 < adv.len(), "{far} of {} pixels differ", adv.len());
}

#[test]
fn accuracies_come_with_their_interval() {
    let user = User::new();
    let line = "evaluate --model {mlp} --dataset mnist --attack pgd --eps 0.05 --n 40 --set steps=5 --seed 3 --json";
    let report = user.json(line);
    has(
        &report,
        &[
            "/version",
            "/model",
            "/seed",
            "/device",
            "/cost/seconds",
            "/attacks/0/attack",
            "/attacks/0/parameters/steps",
            "/attacks/0/epsilon",
            "/attacks/0/median_queries",
            "/samples/39/clean",
            "/samples/0/attacks/0/distance",
        ],
    );
    let share = |key: &str| report[key].as_f64().unwrap();
    let (clean, robust) = (share("clean_accuracy"), share("robust_accuracy"));
    assert!(report["n"] == 40 && robust <= clean && clean > 0.9, "{report}");
    let [low, high] = [0, 1].map(|side| report["interval"][side].as_f64().unwrap());
    assert!(0.0 <= low && low <= robust && robust <= high && high <= 1.0, "{report}");
    assert_eq!(timeless(report.clone()), timeless(user.json(line)));
    let text = user.succeeds(&line.replace(" --json", ""));
    assert!(text.contains("robust") && text.contains("n=40") && text.contains("seed 3"), "{text}");
}

#[test]
fn lists_are_had_as_text_and_as_json() {
    let user = User::new();
    for (line, key) in [
        ("models", "/models/0/name"),
        ("samples", "/datasets/0/id"),
        ("samples --dataset photos", "/samples/7/label_name"),
        ("attacks", "/attacks/0/parameters"),
        ("attacks pgd", "/attacks/0/about"),
        ("defences", "/defences/0/id"),
        ("defences jpeg", "/defences/0/parameters/0/default"),
        ("devices", "/devices/0/name"),
    ] {
        has(&user.json(&format!("{line} --json")), &["/version", key]);
        let text = user.succeeds(line);
        assert!(text.lines().count() > 1 && !text.contains('\x1b'), "{text}");
    }
}

#[test]
fn settings_come_from_file_environment_and_flags() {
    let user = User::new();
    user.write(
        "config/epsiloscope/config.toml",
        "seed = 3\ntheme = 'light'\ngraphics = 'blocks'\n",
    );
    let mut command = user.command("--print-config --theme dark");
    let output = command.env("EPSILOSCOPE_SEED", "4").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "seed = 4  # environment variable EPSILOSCOPE_SEED",
        "theme = \"dark\"  # command line",
        "device = \"cpu\"  # environment variable EPSILOSCOPE_DEVICE",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.contains("graphics = \"blocks\"") && text.contains("config.toml:3"), "{text}");
}

#[test]
fn the_software_adapter_agrees_and_keeps_quiet() {
    let user = User::new();
    let adapters = user.json("devices --json");
    let found = adapters["devices"].as_array().unwrap().iter().any(|d| d["device"] == "wgpu");
    if !found {
        let required = std::env::var_os("EPSILOSCOPE_REQUIRE_WGPU").is_some();
        assert!(!required, "an adapter is required here, and there is none: {adapters}");
        eprintln!("left out: no adapter");
        return;
    }
    let line = "attack --model {mlp} --dataset mnist --attack fgsm --eps 0.1 --json";
    let cpu = user.json(line);
    let output = user.run(&format!("{line} --device wgpu"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.lines().all(|line| line.starts_with("note: ")), "{errors}");
    let wgpu: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(wgpu["device"]["kind"], "wgpu");
    assert_eq!(cpu["adversarial"]["label"], wgpu["adversarial"]["label"]);
    let confidence = |report: &Value| report["adversarial"]["confidence"].as_f64().unwrap();
    assert!((confidence(&cpu) - confidence(&wgpu)).abs() < 1e-3);
}

#[test]
fn what_the_machine_lacks_is_told_once() {
    let user = User::new();
    let told = |line: &str| {
        let output = user.run(line);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        errors.lines().filter(|line| line.starts_with("note: ")).map(str::to_string).collect()
    };
    let line = "attack --model {mlp} --dataset mnist --attack fgsm --device auto --json";
    let first: Vec<String> = told(line);
    let devices = user.json("devices --json");
    let hardware = devices["auto"]["kind"] == "wgpu";
    assert_eq!(first.len(), usize::from(!hardware), "{first:?}");
    assert_eq!(told(line), Vec::<String>::new());
    // `devices` tells it always.
    if let Some(note) = first.first() {
        let listed = user.succeeds("devices --device auto");
        assert!(listed.contains(note.trim_start_matches("note: ")), "{listed}");
    }
}

#[test]
fn the_dashboards_worker_and_the_command_line_say_the_same() {
    use epsiloscope::attack::{AttackConfig, find};
    use epsiloscope::data::Dataset;
    use epsiloscope::engine::{DeviceChoice, Engine, Request, RunJob, Update};
    let user = User::new();
    let line = "attack --model mnist-cnn --sample 0 --attack pgd --eps 0.3 --seed 1 --json";
    let headless = user.json(&format!("{line} --device cpu"));
    let (sender, updates) = std::sync::mpsc::channel();
    let engine = Engine::start(DeviceChoice::Cpu, move |update| {
        let _ = sender.send(update);
    });
    engine.request(Request::Model("mnist-cnn".into()));
    let mut plan = AttackConfig::new(find("pgd").unwrap(), 0.3);
    plan.seed = 1;
    let sample = Dataset::load("mnist").unwrap().sample(0);
    let job = RunJob { sample, plan, surrogate: None, defences: Vec::new(), draws: 10 };
    engine.request(Request::Run(std::sync::Arc::new(job)));
    let wait = std::time::Duration::from_mins(1);
    let mut report = None;
    loop {
        match updates.recv_timeout(wait).unwrap() {
            Update::Finished(_, found) => report = Some(found),
            // What the lamps found out since.
            Update::CheckEvidence(_, None, found) => {
                report = report.map(|report| std::sync::Arc::new(report.knowing(&found)));
            }
            Update::Done(_) => break,
            _ => {}
        }
    }
    // By way of the text: the same digits.
    let shown = serde_json::to_string(&*report.unwrap()).unwrap();
    // Only the command line knows how it was called.
    assert_eq!(timeless(serde_json::from_str(&shown).unwrap()), figures(headless));
}

#[test]
fn lamps_stand_under_every_result() {
    let user = User::new();
    let line = "attack --model mnist-cnn --attack pgd:steps=10 --eps 0.02 --defence bits:2";
    let text = user.succeeds(line);
    assert!(text.contains("✗ naive stance on a defended pipeline"), "{text}");
    assert!(text.contains("→ see the adaptive row") && !text.contains("not asked"), "{text}");
    let report = user.json(&format!("{line} --lamps --json"));
    let lamps = |at: &str| {
        let list = report.pointer(at).unwrap().as_array().unwrap().clone();
        move |id: &str| list.iter().find(|row| row["lamp"] == id).unwrap()["colour"].clone()
    };
    assert_eq!(lamps("/lamps")("black-box"), "green");
    assert_eq!(lamps("/lamps")("stance"), "unlit");
    assert_eq!(lamps("/defences/0/lamps")("stance"), "red");
    assert_eq!(lamps("/defences/1/lamps")("gradient-path"), "red");
    assert_eq!(lamps("/defences/2/lamps")("stance"), "green");
    let text = user.succeeds("evaluate --model mnist-cnn --attack fgsm --eps 0.1 --n 5");
    assert!(text.contains("✗ one attack only") && text.contains("→ --attack autoattack"), "{text}");
    let text = user.succeeds("evaluate --model mnist-cnn --eps 0.01 --n 3 --lamps");
    assert!(text.contains("● black box") && text.contains("nothing on 3"), "{text}");
}
