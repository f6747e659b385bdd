//! The terminal is given back, whatever the program ends by, and nothing but the user ends it.

use super::console::{LIMIT, Pty};
use portable_pty::CommandBuilder;
use rustix::process::Signal;
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_epsiloscope");

/// An answer to both questions: kitty's graphics, and the attributes with sixel (4) among them.
const ABLE: &str = "\x1b_Gi=31;OK\x1b\\\x1b[?62;4;22c";
/// An answer that knows neither.
const UNABLE: &str = "\x1b[?62;22c";
/// Who leaves has the terminal report the mouse no more; a shell says nothing of it.
const LEAVING: &str = "\x1b[?1003l";

fn dashboard() -> CommandBuilder {
    let mut command = CommandBuilder::new(PROGRAM);
    command.args(["--device", "cpu"]);
    command
}

/// A dashboard that has shown its first result.
fn at_work(args: &[&str]) -> Pty {
    let mut pty = Pty::start(100, 30, args);
    pty.wait_for("any key goes on");
    pty.keys("\x1b");
    pty.wait_until_gone("any key goes on");
    pty.wait_for("becomes");
    pty
}

/// Waits until the program has written a sequence, which the screen does not show.
fn wait_until_written(pty: &Pty, sequence: &str) {
    pty.wait(&format!("{sequence:?}"), |_| pty.written().contains(sequence));
}

/// An interactive shell.
fn shell() -> Pty {
    let mut shell = CommandBuilder::new("bash");
    shell.args(["--norc", "--noprofile", "-i"]);
    shell.env("PS1", "ready> ");
    let pty = Pty::spawn(100, 30, shell);
    pty.wait_for("ready>");
    pty
}

/// What comes while the program ends.
fn second(pty: &mut Pty, which: usize) {
    match which % 7 {
        0 => pty.keys("q"),
        1 => pty.keys("j"),
        // Where the program is gone already, this throws away what was not read yet.
        2 if pty.is_cooked() => {}
        2 => pty.keys("\x03"),
        3 => pty.keys("\x1b[<65;10;10M\x1b[<65;10;10M"),
        4 => pty.resize(80 + (which % 40) as u16, 24),
        5 => pty.keys("\x1b[200~q quits\x1b[201~"),
        _ => pty.keys("\x1b["),
    }
}

/// Each way out is tried often: `EPSILOSCOPE_QUITS=500 cargo test --release --test screen quitting`.
#[test]
fn quitting_never_hangs() {
    let runs = std::env::var("EPSILOSCOPE_QUITS").ok().and_then(|runs| runs.parse().ok());
    for run in 0..runs.unwrap_or(21_usize) {
        let mut pty = Pty::start(100, 30, &["--graphics", "blocks"]);
        pty.wait_for("any key goes on");
        let first = match run % 3 {
            0 => ["q", "\x03"][run / 3 % 2],
            1 => {
                pty.keys("\x1b");
                pty.wait_until_gone("any key goes on");
                pty.wait_for("becomes");
                pty.keys("z");
                pty.wait_for("any key goes back");
                "\x03"
            }
            _ => {
                pty.keys("\x1b");
                pty.wait_until_gone("any key goes on");
                pty.wait_for("becomes");
                // All attacks against all defences: the worker is busy for long.
                pty.keys("2");
                ["q", "\x03"][run / 3 % 2]
            }
        };
        pty.keys(first);
        std::thread::sleep(Duration::from_millis((run * 37 % 201) as u64));
        // The program may be gone already.
        second(&mut pty, run / 3 + run);
        pty.ended();
    }
}

#[test]
fn signals_end_it_with_their_number() {
    for (signal, number) in
        [(Signal::TERM, 15), (Signal::INT, 2), (Signal::HUP, 1), (Signal::QUIT, 3)]
    {
        let mut pty = at_work(&[]);
        pty.signal(signal);
        assert_eq!(pty.status().exit_code(), 128 + number, "{signal:?}");
        pty.given_back();
    }
}

#[test]
fn who_is_killed_leaves_the_terminal_as_it_was() {
    for signal in [Signal::KILL, Signal::ABORT] {
        let mut pty = at_work(&[]);
        pty.signal(signal);
        assert!(pty.status().signal().is_some(), "{signal:?}");
        pty.given_back();
    }
}

#[test]
fn a_window_that_is_closed_ends_it() {
    for controlling in [true, false] {
        let mut command = dashboard();
        // Without a terminal of its own no hang-up arrives, only the end of the input.
        command.set_controlling_tty(controlling);
        let mut pty = Pty::spawn(100, 30, command);
        pty.wait_for("any key goes on");
        pty.close();
        assert_eq!(pty.status().exit_code(), 129, "controlling {controlling}");
        let began = Instant::now();
        while !pty.processes().is_empty() {
            assert!(began.elapsed() < LIMIT, "{:?}", pty.processes());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn unfinished_sequences_never_keep_ctrl_c() {
    for begun in ["\x1b[", "\x1b[200~some text", "\x1b[<0;12", "\x1bO", "\x1b_Gi=31;", "\x1b[M "] {
        for pause in [0, 20, 300] {
            let mut pty = Pty::start(100, 30, &[]);
            pty.wait_for("any key goes on");
            pty.keys(begun);
            std::thread::sleep(Duration::from_millis(pause));
            pty.keys("\x03");
            pty.ended();
        }
    }
}

#[test]
fn pasted_text_is_text_in_a_line_and_nothing_elsewhere() {
    let mut pty = at_work(&[]);
    pty.keys("\x1b[200~q\x1b[201~");
    pty.keys("a");
    pty.wait_for("search");
    pty.keys("\x1b[200~fg\nq\x1b[201~");
    pty.wait_for("fg q");
    pty.keys("\x7f\x7fsm\r");
    pty.wait_for("attack FGSM");
    pty.keys("q");
    pty.ended();
}

#[test]
fn while_the_terminal_is_asked_keys_and_sizes_work() {
    let mut pty = at_work(&[]);
    pty.keys("z");
    wait_until_written(&pty, "\x1b[c");
    // It gets no answer.
    pty.resize(120, 36);
    pty.keys("a");
    pty.wait_for("search");
    pty.keys("\x1b");
    pty.wait_until_gone("search");
    pty.keys("q");
    pty.ended();
}

#[test]
fn pictures_come_by_what_the_terminal_answers() {
    for (answer, graphics, begins) in
        [(ABLE, "auto", "\x1b_Gf=100,a=T"), (ABLE, "sixel", "\x1bP"), (UNABLE, "auto", "▄")]
    {
        let mut pty = at_work(&["--graphics", graphics]);
        pty.keys("z");
        wait_until_written(&pty, "\x1b[c");
        pty.keys(answer);
        pty.wait_for("any key goes back");
        pty.wait(begins, |_| pty.written().contains(begins));
        pty.keys("x");
        pty.wait_until_gone("any key goes back");
        // It is asked once only.
        pty.keys("z");
        pty.wait_for("any key goes back");
        assert_eq!(pty.written().matches("\x1b[c").count(), 1);
        pty.keys("\x03");
        pty.ended();
    }
}

#[test]
fn late_answers_do_not_reach_the_prompt() {
    assert!((0..20).any(|_| answered_late()), "this machine never lets an answer come in time");
}

/// Answers a program that waits for nothing else any more. False where this test was held up so long
/// that the program may have gone: then nothing was tried.
fn answered_late() -> bool {
    let mut pty = shell();
    pty.keys(&format!("'{PROGRAM}' --device cpu\r"));
    pty.wait_for("any key goes on");
    pty.keys("\x1b");
    pty.wait_until_gone("any key goes on");
    pty.wait_for("becomes");
    pty.keys("z");
    wait_until_written(&pty, "\x1b[c");
    let began = Instant::now();
    pty.keys("q");
    wait_until_written(&pty, LEAVING);
    // What comes sooner is thrown away whether it is waited for or not.
    std::thread::sleep(Duration::from_millis(200));
    pty.keys(ABLE);
    if began.elapsed() > Duration::from_millis(800) {
        return false;
    }
    pty.wait("the shell again", |screen| !screen.alternate_screen());
    pty.keys("echo do''ne\r");
    pty.wait_for("done");
    let shown = pty.contents();
    assert!(!["4;22", "Gi=31", "62;"].iter().any(|part| shown.contains(part)), "{shown}");
    pty.keys("exit\r");
    pty.ended();
    true
}

#[test]
fn in_the_background_nothing_stops_it() {
    let mut pty = shell();
    let command = "attack --device cpu --dataset mnist --attack fgsm --eps 0.1";
    pty.keys(&format!("'{PROGRAM}' {command} &\r"));
    pty.wait("the end", |screen| {
        let text = screen.contents();
        assert!(!text.contains("Stopped"), "{text}");
        text.contains("distance  L")
    });
    pty.keys("jobs\r");
    pty.keys("wait; echo status $?\r");
    pty.wait_for("status 0");
    let text = pty.contents();
    assert!(!text.contains("Stopped"), "{text}");
    pty.keys("exit\r");
    pty.ended();
}

#[test]
fn terminals_of_few_colours_get_what_they_can_show() {
    for (term, most) in [("linux", 16), ("vt100", 0)] {
        let mut command = dashboard();
        command.env("TERM", term);
        let mut pty = Pty::spawn(100, 30, command);
        pty.wait_for("any key goes on");
        pty.keys("\x1b");
        pty.wait_for("becomes");
        let written = pty.written();
        assert!(!written.contains("38;5") && !written.contains("38;2"), "{term}");
        pty.wait("its colours", |screen| {
            let (rows, columns) = screen.size();
            let cells = (0..rows.get()).flat_map(|y| (0..columns.get()).map(move |x| (y, x)));
            let mut colours =
                cells.filter_map(|(y, x)| screen.cell(y, x)).map(vt100::Cell::fgcolor);
            match most {
                0 => colours.all(|colour| colour == vt100::Color::Default),
                _ => colours.any(|colour| colour != vt100::Color::Default),
            }
        });
        pty.keys("q");
        pty.ended();
    }
}
