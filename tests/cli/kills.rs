//! A campaign of `kill -9` at random moments: no result that was written down is lost, and what goes on
//! ends in the same figures. A few kills by default; `EPSILOSCOPE_KILLS=50 cargo test --release --test
//! cli kills` for a long one.

use crate::User;
use crate::results::figures;
use serde_json::Value;
use std::fs::{self, File};
use std::process::Child;
use std::time::{Duration, Instant};

/// How often each command is killed.
fn kills() -> usize {
    let wanted = std::env::var("EPSILOSCOPE_KILLS").ok();
    wanted.map_or(3, |text| text.parse().expect("EPSILOSCOPE_KILLS is a number"))
}

/// Numbers that look random, the same in every run.
struct Moments(u64);

impl Moments {
    /// One between nothing and `longest`.
    fn next(&mut self, longest: Duration) -> Duration {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        longest.mul_f64((self.0 >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

/// Starts a command whose standard output goes to the file `out`.
fn start(user: &User, line: &str) -> Child {
    let out = File::create(user.path("out")).unwrap();
    let errors = File::create(user.path("errors")).unwrap();
    user.program(line).stdout(out).stderr(errors).spawn().unwrap()
}

/// Waits for its own end, which must be a good one.
fn ended(user: &User, mut child: Child) -> String {
    let status = child.wait().unwrap();
    let errors = fs::read_to_string(user.path("errors")).unwrap();
    assert!(status.success(), "{status}: {errors}");
    fs::read_to_string(user.path("out")).unwrap()
}

/// Kills `line` as often as [`kills`] says and lets it go on each time, at moments up to `longest`
/// after its start. `killed` looks at what is left after each kill; `done` hears of each run that came
/// to its end before, and makes way for the next. Then it runs to its end.
fn campaign(
    user: &User,
    line: &str,
    longest: Duration,
    killed: &mut dyn FnMut(&mut Child),
    done: &mut dyn FnMut(String),
) {
    let (mut moments, mut count) = (Moments(7), 0);
    while count < kills() {
        let mut child = start(user, line);
        std::thread::sleep(moments.next(longest));
        if child.try_wait().unwrap().is_some() {
            done(ended(user, child));
            continue;
        }
        killed(&mut child);
        count += 1;
    }
    done(ended(user, start(user, line)));
}

/// Runs a command, which must succeed, and tells how long it took.
fn timed(user: &User, line: &str) -> (String, Duration) {
    let begin = Instant::now();
    (ended(user, start(user, line)), begin.elapsed())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn an_evaluation_loses_nothing() {
    let user = User::new();
    let line = "evaluate --model {mlp} --dataset mnist --attack pgd,square:queries=150 --eps 0.06 \
                --n 60 --batch-size 4 --json";
    let (whole, longest) = timed(&user, line);
    let whole = figures(json(&whole));
    let path = user.path("s.json");
    // Attack by attack, what came of each sample.
    let fates = || -> Vec<serde_json::Map<String, Value>> {
        let Ok(text) = fs::read_to_string(&path) else {
            return vec![serde_json::Map::default(); 2];
        };
        let attacks = json(&text)["attacks"].as_array().unwrap().clone();
        attacks.iter().map(|attack| attack["fates"].as_object().unwrap().clone()).collect()
    };
    let known = std::cell::RefCell::new(fates());
    let mut killed = |child: &mut Child| {
        child.kill().unwrap();
        child.wait().unwrap();
        let now = fates();
        for (before, now) in known.borrow().iter().zip(&now) {
            for (sample, fate) in before {
                assert_eq!(now.get(sample), Some(fate), "the result of sample {sample} is lost");
            }
        }
        *known.borrow_mut() = now;
    };
    let mut done = |out: String| {
        assert_eq!(figures(json(&out)), whole);
        fs::remove_file(&path).unwrap();
        *known.borrow_mut() = fates();
    };
    campaign(&user, &format!("{line} --state s.json"), longest, &mut killed, &mut done);
}

#[test]
fn a_comparison_leaves_the_table_before_it_or_a_whole_one() {
    let user = User::new();
    let line = "compare --model {mlp} --dataset mnist --n 20 --defence median --attack fgsm \
                --attack square:queries=100 --save table.json";
    let (_, longest) = timed(&user, line);
    let table = || {
        let mut table = json(&fs::read_to_string(user.path("table.json")).unwrap());
        // Some of the sentences tell milliseconds.
        table.as_object_mut().unwrap().shift_remove("words");
        figures(table)
    };
    let whole = table();
    let mut killed = |child: &mut Child| {
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(table(), whole);
    };
    campaign(&user, line, longest, &mut killed, &mut |_| assert_eq!(table(), whole));
}

#[test]
#[cfg(unix)]
fn a_training_ends_in_the_same_bytes() {
    use rustix::process::{Pid, Signal, kill_process};
    let user = User::new();
    crate::training::digits(&user, 300);
    let line = |out: &str| {
        format!("train --recipe mnist-mlp --epochs 60 --data digits --seed 3 --out {out}")
    };
    let (_, longest) = timed(&user, &line("whole"));
    let made = |out: &str| {
        ["card.toml", "weights.safetensors"]
            .map(|name| fs::read(user.path(out).join(name)).unwrap())
    };
    let whole = made("whole");
    // Every other time it is asked to stop first, which writes a checkpoint down at once; a killed one
    // falls back to the last.
    let mut polite = false;
    let mut killed = |child: &mut Child| {
        polite = !polite;
        let number = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
        if polite {
            let _ = kill_process(number, Signal::INT);
        } else {
            child.kill().unwrap();
        }
        child.wait().unwrap();
    };
    let mut done = |_: String| {
        assert!(made("parts") == whole, "other bytes");
        assert!(!user.path("parts/checkpoint.safetensors").exists());
        fs::remove_dir_all(user.path("parts")).unwrap();
    };
    campaign(&user, &line("parts"), longest, &mut killed, &mut done);
}
