//! The state of an evaluation: whose it is, whether it is whole, and who may write it.

use crate::results::figures;
use crate::{User, data};
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

const MLP: &str = "--model {mlp} --dataset mnist";

/// A network of the user's own: the small one, by another name and with more in its card.
fn network(user: &User, name: &str, input: &str) {
    let card = fs::read_to_string(data("peers/mlp/card.toml")).unwrap();
    let name_at = card.lines().find(|line| line.starts_with("name")).unwrap();
    let card = card.replace(name_at, &format!("name = \"{name}\""));
    user.write(&format!("{name}/card.toml"), card.replace("[input]", &format!("[input]\n{input}")));
    let weights = fs::read(data("peers/mlp/weights.safetensors")).unwrap();
    user.write(&format!("{name}/weights.safetensors"), weights);
}

const SCALED: &str = "normalisation = { mean = [0.5], std = [0.25] }";

#[test]
fn a_state_knows_its_networks_by_their_whole_cards() {
    let user = User::new();
    network(&user, "base", "");
    network(&user, "twin", "");
    let attack = "--dataset mnist --attack fgsm --eps 0.1 --n 12";
    for (model, state) in [("base", "a.json"), ("base --defence model:twin", "b.json")] {
        let line = format!("evaluate --model {model} {attack} --state {state} --json");
        user.succeeds(&line);
        let changed = if model == "base" { "base" } else { "twin" };
        network(&user, changed, SCALED);
        let told = format!("the card of '{changed}' changed");
        user.fails(&line, 2, &[state, &told, "another evaluation's"]);
        // With its old card it goes on.
        network(&user, changed, "");
        user.succeeds(&line);
    }
    let weights = user.path("twin/weights.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(weights, bytes).unwrap();
    let line = format!("evaluate --model base --defence model:twin {attack} --state b.json");
    user.fails(&line, 2, &["b.json", "the weights of 'twin' changed"]);
}

#[test]
fn a_flipped_bit_is_told_in_a_line() {
    let user = User::new();
    let line = format!("evaluate {MLP} --attack fgsm --eps 0.1 --n 3 --state s.json");
    user.succeeds(&line);
    let text = fs::read(user.path("s.json")).unwrap();
    let state: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert!(state["attacks"][0]["fates"].is_object());
    // Every bit is flipped in a test of the ledger; here, some of a whole state.
    let bits = text.len() * 8;
    for bit in (0..40).map(|i| (i * 7_919_777 + 13) % bits) {
        let mut flipped = text.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        user.write("s.json", flipped);
        user.fails(&line, 1, &["s.json", "damaged", "remove it"]);
    }
    user.write("s.json", &text);
    user.succeeds(&line);
}

#[test]
#[cfg(unix)]
fn what_is_no_plain_file_holds_no_state() {
    let user = User::new();
    let line = format!("evaluate {MLP} --attack fgsm --eps 0.1 --n 3 --state");
    user.write("folder/inside", "");
    let made = std::process::Command::new("mkfifo").arg(user.path("pipe")).status().unwrap();
    assert!(made.success());
    for place in ["pipe", "folder", "/dev/zero", "/dev/full"] {
        user.fails(&format!("{line} {place}"), 1, &[place, "not a plain file"]);
    }
    user.fails(&format!("{line} none/s.json"), 1, &["none/s.json", "check the path"]);
}

#[test]
#[cfg(unix)]
fn one_state_has_one_writer() {
    use rustix::process::{Pid, Signal, kill_process};
    let user = User::new();
    let line = format!(
        "evaluate {MLP} --attack square:queries=400 --eps 0.05 --n 200 --batch-size 4 --state s.json"
    );
    let mut first = user.program(&line).stdout(Stdio::null()).spawn().unwrap();
    let begin = Instant::now();
    while !user.path("s.json").exists() {
        assert!(begin.elapsed() < Duration::from_mins(2), "no state is written");
        assert!(first.try_wait().unwrap().is_none(), "it ended before");
        std::thread::sleep(Duration::from_millis(2));
    }
    // It stands still, and so is there for as long as the other one takes.
    kill_process(Pid::from_child(&first), Signal::STOP).unwrap();
    assert!(first.try_wait().unwrap().is_none(), "it ended before it was stopped");
    let number = format!("process {}", first.id());
    user.fails(&line, 1, &["s.json", "another run", &number]);
    first.kill().unwrap();
    first.wait().unwrap();
    // What the killed one leaves behind keeps nobody away, and does not stay.
    assert!(user.path("s.json.lock").exists());
    user.succeeds(&line);
    assert!(!user.path("s.json.lock").exists());
}

/// A disk without room: no file may grow beyond so many KiB.
#[cfg(target_os = "linux")]
fn limited(user: &User, line: &str, kib: u64) -> std::process::Output {
    let program = user.program(line);
    let mut shell = std::process::Command::new("bash");
    let script = format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" \"$@\"");
    shell.args(["-c", &script]).arg(program.get_program()).args(program.get_args());
    for (key, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(key, value),
            None => shell.env_remove(key),
        };
    }
    shell.current_dir(user.path("")).output().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_costs_nothing_that_was_done() {
    let user = User::new();
    let line = format!("evaluate {MLP} --attack fgsm --eps 0.06 --n 60 --batch-size 4 --json");
    let whole = figures(user.json(&line));
    let line = format!("{line} --state s.json");
    let output = limited(&user, &line, 3);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.starts_with("error: ") && errors.lines().count() == 1, "{errors}");
    assert!(errors.contains("s.json") && output.stdout.is_empty(), "{errors}");
    let state: serde_json::Value =
        serde_json::from_slice(&fs::read(user.path("s.json")).unwrap()).unwrap();
    let done = state["attacks"][0]["fates"].as_object().unwrap().len();
    assert!((1..60).contains(&done), "{done}");
    assert_eq!(figures(user.json(&line)), whole);
}

#[test]
#[cfg(target_os = "linux")]
fn a_read_only_folder_is_told_before_anything_is_computed() {
    use std::os::unix::fs::PermissionsExt;
    let user = User::new();
    let line =
        format!("evaluate {MLP} --attack fgsm --eps 0.06 --n 6 --json --state locked/s.json");
    fs::create_dir(user.path("locked")).unwrap();
    fs::set_permissions(user.path("locked"), fs::Permissions::from_mode(0o555)).unwrap();
    // Nothing is locked to root: /proc is.
    match fs::write(user.path("locked/probe"), "") {
        Err(_) => user.fails(&line, 1, &["locked/s.json", "check the permissions"]),
        Ok(()) => {
            user.fails(&line.replace("locked/s.json", "/proc/s.json"), 1, &["/proc/s.json"]);
        }
    }
}
