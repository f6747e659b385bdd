//! What the person at the keyboard feels, measured on the real program in a pseudo-terminal:
//! `cargo bench --bench screen`. Figures only; nothing here passes or fails.

use epsiloscope::attack::{AttackConfig, NoObserver, find};
use epsiloscope::data::Dataset;
use epsiloscope::engine::{DeviceChoice, choose};
use epsiloscope::experiment::{self, Experiment};
use epsiloscope::model::Model;
use epsiloscope::parameter::Value;
use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const ROWS: NonZeroU16 = NonZeroU16::new(36).expect("not zero");
const COLUMNS: NonZeroU16 = NonZeroU16::new(120).expect("not zero");

/// The program in a pseudo-terminal that answers no queries.
struct Terminal {
    screen: vt100::Parser,
    output: Receiver<(Instant, Vec<u8>)>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    begin: Instant,
}

impl Terminal {
    fn start(args: &[&str]) -> Self {
        let size =
            PtySize { rows: ROWS.get(), cols: COLUMNS.get(), pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_epsiloscope"));
        command.args(["--device", "cpu"]);
        command.args(args);
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        let begin = Instant::now();
        let child = pair.slave.spawn_command(command).expect("the program starts");
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let keys = pair.master.take_writer().expect("a writer");
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let _master = pair.master;
            let mut buffer = [0; 65_536];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                if sender.send((Instant::now(), buffer[..n].to_vec())).is_err() {
                    break;
                }
            }
        });
        Self { screen: vt100::Parser::new(ROWS, COLUMNS, 0), output, keys, child, begin }
    }

    fn press(&mut self, key: &str) -> Instant {
        self.keys.write_all(key.as_bytes()).and_then(|()| self.keys.flush()).expect("a key");
        Instant::now()
    }

    /// Waits until the screen's text fulfils `wanted`; answers when the bytes came that did it.
    fn until(&mut self, limit: Duration, wanted: impl Fn(&str) -> bool) -> Option<Instant> {
        let end = Instant::now() + limit;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let (at, bytes) = self.output.recv_timeout(left).ok()?;
            self.screen.process(&bytes);
            if wanted(&self.screen.screen().contents()) {
                return Some(at);
            }
        }
    }

    /// A line of `/proc/PID/status`, in kB; or of `stat`'s CPU ticks.
    fn status(&self, key: &str) -> Option<u64> {
        let path = format!("/proc/{}/status", self.child.process_id()?);
        let text = std::fs::read_to_string(path).ok()?;
        let line = text.lines().find(|l| l.starts_with(key))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }

    /// CPU time so far, in ticks of 10 ms.
    fn ticks(&self) -> Option<u64> {
        let path = format!("/proc/{}/stat", self.child.process_id()?);
        let text = std::fs::read_to_string(path).ok()?;
        let fields: Vec<&str> = text.rsplit(')').next()?.split_whitespace().collect();
        Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.press("q");
        let _ = self.child.wait();
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The ε that the slider shows: "0.3000 (76.5/255)".
fn epsilon(screen: &str) -> Option<String> {
    let line = screen.lines().find(|l| l.trim_start().starts_with("ε ") && l.contains("/255"))?;
    line.split_whitespace().find(|w| w.starts_with("0.")).map(str::to_string)
}

fn judged(screen: &str) -> bool {
    screen.contains("becomes") || screen.contains("holds")
}

fn start_up() {
    let (mut first, mut result) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        let mut terminal = Terminal::start(&["--model", "mnist-cnn"]);
        let begin = terminal.begin;
        let drawn = terminal.until(Duration::from_secs(10), |s| s.contains("epsiloscope"));
        let shown = terminal.until(Duration::from_secs(30), judged);
        first.extend(drawn.map(|at| ms(at - begin)));
        result.extend(shown.map(|at| ms(at - begin)));
    }
    report("start to the first frame", &mut first);
    report("start to the first judged adversarial picture", &mut result);
}

fn report(what: &str, laps: &mut [f64]) {
    laps.sort_by(f64::total_cmp);
    let at = |share: f64| laps[((laps.len() - 1) as f64 * share) as usize];
    match laps.is_empty() {
        true => println!("{what}: nothing came"),
        false => println!(
            "{what}: median {:.1} ms, 95 % {:.1} ms, worst {:.1} ms (n = {})",
            at(0.5),
            at(0.95),
            at(1.0),
            laps.len()
        ),
    }
}

/// Holds an arrow key for five seconds, 30 presses a second, PGD-40 running under it.
fn drag() {
    let mut terminal = Terminal::start(&["--model", "mnist-cnn"]);
    terminal.until(Duration::from_secs(30), judged);
    std::thread::sleep(Duration::from_secs(1));
    let mut laps = Vec::new();
    for press in 0..150 {
        let before = epsilon(&terminal.screen.screen().contents());
        let key = if (press / 30) % 2 == 0 { "\x1b[D" } else { "\x1b[C" };
        let pressed = terminal.press(key);
        let moved = terminal.until(Duration::from_secs(2), |s| epsilon(s) != before);
        laps.extend(moved.map(|at| ms(at.saturating_duration_since(pressed))));
        let rest = Duration::from_millis(33).saturating_sub(pressed.elapsed());
        std::thread::sleep(rest);
    }
    report("dragging ε: key to its frame", &mut laps);
    std::thread::sleep(Duration::from_secs(4));
    let before = terminal.ticks();
    std::thread::sleep(Duration::from_secs(5));
    if let (Some(before), Some(after)) = (before, terminal.ticks()) {
        println!("idle: {} ms of CPU time in 5 s", (after - before) * 10);
    }
}

fn memory_of_the_dashboard() {
    let mut terminal = Terminal::start(&["--model", "photo-efficientnet-lite0"]);
    terminal.until(Duration::from_mins(2), judged);
    std::thread::sleep(Duration::from_secs(20));
    if let (Some(now), Some(peak)) = (terminal.status("VmRSS"), terminal.status("VmHWM")) {
        println!("memory with Lite0: {} MB, at most {} MB", now / 1024, peak / 1024);
    }
}

fn resident_mb() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(text.split_whitespace().nth(1)?.parse::<f64>().ok()? * 4096.0 / 1e6)
}

fn ten_thousand_attacks() {
    let chosen = choose(DeviceChoice::Cpu);
    let model = Model::load("mnist-cnn", &chosen.device).expect("the model loads");
    let data = Dataset::load("mnist").expect("the data set loads");
    let mut plan = AttackConfig::new(find("pgd").expect("pgd is there"), 0.3);
    plan.settings.set("steps", Value::Int(2));
    for done in 0..=10_000 {
        if done % 2_500 == 0 {
            println!("memory after {done} attacks: {:.1} MB", resident_mb().unwrap_or(f64::NAN));
        }
        let sample = data.sample(done);
        let (model, plan, device) = (model.clone(), plan.clone(), chosen.info.clone());
        let task = Experiment { model, surrogate: None, sample, plan, device };
        experiment::attack_sample(&task, &mut NoObserver).expect("the attack runs");
    }
}

fn main() {
    start_up();
    drag();
    memory_of_the_dashboard();
    ten_thousand_attacks();
}
