//! A second process that outlives the dashboard. Where that is killed without a chance to tidy up
//! (`kill -9`, an abort, no memory left), it brings the terminal back as it was.
//!
//! It is this program again, waiting at the end of a pipe, in a session of its own: no key, hang-up or
//! signal to the dashboard's group reaches it, and nothing stops it from setting the terminal's mode.

use super::LEAVE;
use rustix::termios::{
    ControlModes, InputModes, LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Termios,
    tcgetattr, tcsetattr,
};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write, stderr, stdin, stdout};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The argument that makes a process a guardian.
const ARGUMENT: &str = "--guard-terminal";
/// Its name in lists of processes: who ends all that is called as the program is, spares it.
const NAME: &str = "tty-guardian";
/// What it is told when it has nothing to do any more.
const GIVEN_BACK: u8 = b'.';
/// How long its end is waited for.
const FAREWELL: Duration = Duration::from_millis(200);

/// The guardian process, as the dashboard sees it.
pub(super) struct TerminalWatchdog(Child);

impl TerminalWatchdog {
    /// Starts it; `before` is the mode to bring back. None where that cannot be: the dashboard then
    /// does without.
    pub fn start(before: &Termios) -> Option<Self> {
        let terminal = stdin().as_fd().try_clone_to_owned().ok()?;
        let mut child = Command::new(program()?)
            .arg0(NAME)
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::inherit())
            // Through this one it sets the mode.
            .stderr(Stdio::from(terminal))
            .spawn()
            .ok()?;
        let told = child.stdin.as_mut().map(|pipe| pipe.write_all(written(before).as_bytes()));
        told.is_some_and(|told| told.is_ok()).then_some(Self(child))
    }

    /// The terminal is given back: there is nothing to guard.
    pub fn dismiss(mut self) {
        if let Some(mut pipe) = self.0.stdin.take() {
            let _ = pipe.write_all(&[GIVEN_BACK]);
        }
        let end = Instant::now() + FAREWELL;
        while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// This program, even where its file was replaced meanwhile.
fn program() -> Option<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if running.exists() { Some(running.into()) } else { std::env::current_exe().ok() }
}

/// The parts of a mode that raw mode changes, in a line.
fn written(mode: &Termios) -> String {
    let code = |index| mode.special_codes[index];
    format!(
        "{} {} {} {} {} {}\n",
        mode.input_modes.bits(),
        mode.output_modes.bits(),
        mode.control_modes.bits(),
        mode.local_modes.bits(),
        code(SpecialCodeIndex::VMIN),
        code(SpecialCodeIndex::VTIME),
    )
}

/// Puts what [`written`] wrote into `mode`.
fn read(line: &str, mode: &mut Termios) -> Option<()> {
    let numbers: Option<Vec<u64>> =
        line.split_whitespace().map(|number| number.parse().ok()).collect();
    let [input, output, control, local, min, time] = numbers?.try_into().ok()?;
    mode.input_modes = InputModes::from_bits_retain(input.try_into().ok()?);
    mode.output_modes = OutputModes::from_bits_retain(output.try_into().ok()?);
    mode.control_modes = ControlModes::from_bits_retain(control.try_into().ok()?);
    mode.local_modes = LocalModes::from_bits_retain(local.try_into().ok()?);
    mode.special_codes[SpecialCodeIndex::VMIN] = min.try_into().ok()?;
    mode.special_codes[SpecialCodeIndex::VTIME] = time.try_into().ok()?;
    Some(())
}

/// Does a guardian's work where this process is meant to be one; false where it is not.
pub fn run_watchdog(mut args: impl Iterator<Item = impl AsRef<OsStr>>) -> bool {
    let guards = args.nth(1).is_some_and(|first| first.as_ref() == ARGUMENT);
    if guards {
        guard();
    }
    guards
}

fn guard() {
    let _ = rustix::process::setsid();
    let _ = std::fs::write("/proc/self/comm", NAME);
    let (mut pipe, mut before, mut last) = (BufReader::new(stdin()), String::new(), Vec::new());
    let heard = pipe.read_line(&mut before).and_then(|_| pipe.read_to_end(&mut last));
    if heard.is_err() || before.is_empty() || last.contains(&GIVEN_BACK) {
        return;
    }
    let mut out = stdout();
    let _ = out.write_all(LEAVE.as_bytes()).and_then(|()| out.flush());
    let Ok(mut mode) = tcgetattr(stderr()) else {
        return;
    };
    // A shell may have set a mode of its own already.
    let ours = !mode.local_modes.intersects(LocalModes::ISIG | LocalModes::ICANON)
        && !mode.output_modes.contains(OutputModes::OPOST);
    if ours && read(&before, &mut mode).is_some() {
        let _ = tcsetattr(stderr(), OptionalActions::Now, &mode);
    }
}
