//! Progress on standard error, only where that is a terminal.

use crate::attack::Flow;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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

/// A progress bar that is given the seconds left, for work whose parts take different times.
pub struct TimedBar {
    bar: ProgressBar,
    /// The seconds that are left, and when that was said.
    left: Arc<Mutex<Option<(f64, Instant)>>>,
}

impl TimedBar {
    /// An empty bar. Hidden where standard error is not a terminal.
    pub fn new() -> Self {
        let left = Arc::new(Mutex::new(None));
        let told = left.clone();
        let key = move |_: &ProgressState, out: &mut dyn Write| {
            let told: Option<(f64, Instant)> = *told.lock().unwrap_or_else(PoisonError::into_inner);
            let left = told.map(|(left, since)| left - since.elapsed().as_secs_f64());
            let _ = write!(out, ", {}", time_left(left));
        };
        Self { bar: drawn(0, "{wide_bar} {percent} % {msg}  {elapsed}{left}", key), left }
    }

    /// Moves it to `done` of `total`, with the seconds that are left, where they are known.
    pub fn set(&self, done: f64, total: f64, left: Option<f64>) {
        const PARTS: f64 = 10_000.0;
        let left = left.map(|left| (left, Instant::now()));
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = left;
        self.bar.set_length(PARTS as u64);
        self.bar.set_position((done / total.max(1.0) * PARTS) as u64);
    }

    /// Says what is being done.
    pub fn message(&self, text: String) {
        self.bar.set_message(text);
    }

    /// Leaves the bar as it is.
    pub fn abandon(&self) {
        self.bar.abandon();
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// "12 s left", or that it is unknown.
fn time_left(seconds: Option<f64>) -> String {
    match seconds {
        Some(seconds) => match Duration::try_from_secs_f64(seconds.max(0.0)) {
            Ok(left) => format!("{} left", human(left)),
            Err(_) => "time left unknown".into(),
        },
        None => "time left unknown".into(),
    }
}

/// A bar of equal steps.
fn styled(length: u64, template: &str) -> ProgressBar {
    drawn(length, template, |state: &ProgressState, out: &mut dyn Write| {
        // Before the first step is done it is unknown how long the rest takes.
        let (done, all) = (state.pos() as f64, state.len().unwrap_or(0) as f64);
        let each = state.elapsed().as_secs_f64() / done;
        let left = (done > 0.0).then_some(each * (all - done));
        let _ = write!(out, ", {}", time_left(left));
    })
}

fn drawn(
    length: u64,
    template: &str,
    left: impl Fn(&ProgressState, &mut dyn Write) + Clone + Send + Sync + 'static,
) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.with_key("left", left)),
        Err(_) => bar,
    }
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
