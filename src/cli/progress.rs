//! Progress on standard error, only where that is a terminal.

use crate::attack::Flow;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::io::IsTerminal;
use std::time::Duration;

/// A bar of `length` steps. Hidden where standard error is not a terminal.
pub fn bar(length: u64, unit: &str) -> ProgressBar {
    styled(length, &format!("{{wide_bar}} {{pos}}/{{len}} {unit} {{msg}} {{elapsed}}{{left}}"))
}

/// A bar with lines of its own under it, as the message says them.
pub fn with_lines(unit: &str) -> ProgressBar {
    styled(
        0,
        &format!("{{wide_bar}} {{pos}}/{{len}} {unit} {{prefix}} {{elapsed}}{{left}}\n{{msg}}"),
    )
}

/// A bar for work that is told in shares: see [`share`].
pub fn percent() -> ProgressBar {
    styled(0, "{wide_bar} {percent} % {msg}  {elapsed}{left}")
}

fn styled(length: u64, template: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    // Before the first step is done nobody knows how long the rest takes.
    let left = |state: &ProgressState, out: &mut dyn Write| {
        if state.pos() > 0 {
            let _ = write!(out, ", {} left", human(state.eta()));
        }
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.with_key("left", left)),
        Err(_) => bar,
    }
}

/// Moves a bar of [`percent`] to `done` of `total`.
pub fn share(bar: &ProgressBar, done: f64, total: f64) {
    const PARTS: f64 = 10_000.0;
    bar.set_length(PARTS as u64);
    bar.set_position((done / total.max(1.0) * PARTS) as u64);
}

/// Moves `bar` along; never stops the work.
pub fn follow(bar: &ProgressBar) -> impl FnMut(usize, usize) -> Flow {
    |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
        Flow::Continue
    }
}

/// "2 min 5 s"
fn human(time: Duration) -> String {
    match time.as_secs() {
        s @ ..60 => format!("{s} s"),
        s @ ..3600 => format!("{} min {} s", s / 60, s % 60),
        s => format!("{} h {} min", s / 3600, s / 60 % 60),
    }
}
