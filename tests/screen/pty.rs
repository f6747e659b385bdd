//! The real program in a pseudo-terminal that answers no questions, drawn by vt100.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Long enough for a slow machine; nothing here waits that long when it works.
const LIMIT: Duration = Duration::from_secs(60);

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("not zero")
}

struct Pty {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    parser: Arc<Mutex<vt100::Parser>>,
    home: TempDir,
}

impl Pty {
    fn start(columns: u16, rows: u16, args: &[&str]) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_epsiloscope"));
        command.args(["--device", "cpu"]);
        command.args(args);
        Self::spawn(columns, rows, command)
    }

    fn spawn(columns: u16, rows: u16, mut command: CommandBuilder) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let home = tempfile::tempdir().expect("a folder");
        command.env("HOME", home.path());
        for name in [
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "XDG_CACHE_HOME",
            "XDG_STATE_HOME",
            "NO_COLOR",
            "TMUX",
        ] {
            command.env_remove(name);
        }
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        let child = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        let parser = Arc::new(Mutex::new(vt100::Parser::new(cells(rows), cells(columns), 0)));
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let screen = parser.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 1 << 16];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                screen.lock().expect("no panic").process(&buffer[..n]);
            }
        });
        let writer = pair.master.take_writer().expect("a writer");
        Self { child, master: pair.master, writer, parser, home }
    }

    fn keys(&mut self, text: &str) {
        self.writer
            .write_all(text.as_bytes())
            .and_then(|()| self.writer.flush())
            .expect("keys arrive");
    }

    fn contents(&self) -> String {
        self.parser.lock().expect("no panic").screen().contents()
    }

    fn wait(&self, what: &str, good: impl Fn(&vt100::Screen) -> bool) {
        let began = Instant::now();
        while !good(self.parser.lock().expect("no panic").screen()) {
            assert!(began.elapsed() < LIMIT, "waiting for {what}:\n{}", self.contents());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn wait_for(&self, text: &str) {
        self.wait(text, |screen| screen.contents().contains(text));
    }

    fn wait_until_gone(&self, text: &str) {
        self.wait(&format!("no {text}"), |screen| !screen.contents().contains(text));
    }

    fn resize(&mut self, columns: u16, rows: u16) {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        self.parser.lock().expect("no panic").screen_mut().set_size(cells(rows), cells(columns));
        self.master.resize(size).expect("a new size");
    }

    /// Waits for the end; the terminal must be as it was.
    fn ended(&mut self) {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(began.elapsed() < LIMIT, "it does not end:\n{}", self.contents());
            std::thread::sleep(Duration::from_millis(10));
        };
        assert!(status.success(), "{status:?}");
        self.wait("the terminal as it was", |screen| {
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
        });
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

#[test]
fn a_visit_from_start_to_quit() {
    let mut pty = Pty::start(120, 36, &["--graphics", "blocks"]);
    // A new user is greeted, and the first key is not lost.
    pty.wait_for("any key goes on");
    pty.keys("j");
    pty.wait_for("▸#   1");
    pty.wait_until_gone("any key goes on");
    pty.wait_for("survives 8 bit");
    // Another attack.
    pty.keys("a");
    pty.wait_for("search");
    pty.keys("fgsm\r");
    pty.wait_for("attack FGSM");
    // ε, by keys and typed.
    pty.keys("e0.05\r");
    pty.wait_for("0.0500");
    pty.keys("\x1b[C");
    pty.wait_for("0.0550");
    // Defences.
    pty.keys("v");
    pty.wait_for("attacks through");
    pty.keys("v");
    pty.wait_for("this is not robustness");
    // Blink.
    pty.keys("b");
    pty.wait_for("⇄ original");
    pty.wait_for("⇄ adversarial");
    pty.keys("b");
    pty.wait_until_gone("⇄");
    // Zoom and back.
    pty.keys("z");
    pty.wait_for("any key goes back");
    pty.keys("x");
    pty.wait_until_gone("any key goes back");
    pty.wait_for("prediction shift");
    // Another size.
    pty.resize(80, 24);
    pty.wait_for(" pictures ");
    pty.keys("\t");
    pty.wait_for("▸#   1");
    pty.resize(120, 36);
    pty.wait_for("prediction shift");
    pty.keys("q");
    pty.ended();
    assert!(pty.home.path().join(".local/state").exists(), "the greeting is remembered");
}

#[test]
fn the_least_epsilon_a_race_and_transfer() {
    let mut pty = Pty::start(120, 36, &["--graphics", "blocks"]);
    pty.wait_for("any key goes on");
    pty.keys("\x1b");
    pty.wait_until_gone("any key goes on");
    pty.wait_for("survives 8 bit");
    // The attacks with their cards.
    pty.keys("adeepfool");
    pty.wait_for("▸ DeepFool");
    pty.keys("\t");
    pty.wait_for("On the command line");
    pty.keys("\x1b");
    pty.wait_until_gone("On the command line");
    pty.keys("\x1b");
    pty.wait_until_gone("search");
    // The least ε, found and taken.
    pty.keys("m");
    pty.wait_for("◆ the least");
    pty.keys("\r");
    pty.wait_for("◈ least");
    // A race, over both axes.
    pty.keys("Asquare ");
    pty.wait_for("[x] Square");
    pty.keys("\r");
    pty.wait_for("margin over iterations");
    pty.wait("both lanes' end", |screen| screen.contents().matches(" ms").count() >= 2);
    pty.keys("x");
    pty.wait_for("margin over queries");
    pty.keys("\x1b");
    pty.wait_for("prediction shift");
    // Transfer, for this sample and for ten.
    pty.keys("U");
    pty.wait("the diagonal", |screen| screen.contents().matches("white box").count() >= 2);
    pty.keys("\x1b[C");
    pty.wait("rates", |screen| screen.contents().matches("% fooled").count() >= 4);
    pty.keys("\x1b");
    pty.wait_until_gone("crafted on ↓");
    // A least perturbation: ε judges it at once.
    pty.keys("adeepfool\r");
    pty.wait_for("◆ found at");
    pty.keys("e0.01\r");
    pty.wait_for("beyond ε");
    pty.keys("q");
    pty.ended();
}

#[test]
fn by_mouse() {
    let mut pty = Pty::start(120, 36, &["--graphics", "blocks"]);
    pty.wait_for("any key goes on");
    pty.keys("\x1b[<0;60;20M\x1b[<0;60;20m");
    pty.wait_until_gone("any key goes on");
    pty.wait_for("survives 8 bit");
    // A click on the fifth sample, the wheel back by one.
    pty.keys("\x1b[<0;5;7M\x1b[<0;5;7m");
    pty.wait_for("▸#   4");
    pty.keys("\x1b[<64;5;7M");
    pty.wait_for("▸#   3");
    // Pressed at the slider's left end and dragged to its right one.
    pty.keys("\x1b[<0;5;30M");
    pty.wait_for("0.0000 (0/255)");
    pty.keys("\x1b[<32;119;30M\x1b[<0;119;30m");
    pty.wait_for("0.5000 (127.5/255)");
    pty.keys("q");
    pty.ended();
}

#[test]
fn a_terminal_that_answers_nothing_gets_blocks_after_a_moment() {
    let mut pty = Pty::start(100, 30, &[]);
    pty.wait_for("any key goes on");
    pty.keys("\x1b");
    pty.wait_until_gone("any key goes on");
    pty.wait_for("becomes");
    pty.keys("z");
    pty.wait_for("any key goes back");
    pty.keys(" ");
    pty.wait_until_gone("any key goes back");
    pty.keys("\x03");
    pty.ended();
}

#[test]
fn without_colours_there_are_none() {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_epsiloscope"));
    command.args(["--device", "cpu", "--theme", "mono"]);
    let mut pty = Pty::spawn(80, 24, command);
    pty.wait_for("any key goes on");
    pty.keys("\x1b");
    pty.wait_for("becomes");
    pty.keys("z");
    pty.wait_for("any key goes back");
    pty.wait("no colours", |screen| {
        let (rows, columns) = screen.size();
        let cells = (0..rows.get()).flat_map(|y| (0..columns.get()).map(move |x| (y, x)));
        let mut plain = cells.filter_map(|(y, x)| screen.cell(y, x));
        plain.all(|c| c.fgcolor() == vt100::Color::Default && c.bgcolor() == vt100::Color::Default)
    });
    pty.keys("\x03");
    pty.ended();
}

#[test]
fn suspended_and_continued_by_a_shell() {
    let mut shell = CommandBuilder::new("bash");
    shell.args(["--norc", "--noprofile", "-i"]);
    shell.env("PS1", "ready> ");
    let mut pty = Pty::spawn(100, 30, shell);
    pty.wait_for("ready>");
    let program = env!("CARGO_BIN_EXE_epsiloscope");
    pty.keys(&format!("'{program}' --device cpu\r"));
    pty.wait_for("any key goes on");
    pty.keys("\x1b");
    pty.wait_until_gone("any key goes on");
    pty.keys("\x1a");
    pty.wait("the shell", |screen| {
        !screen.alternate_screen() && screen.contents().contains("Stopped")
    });
    pty.keys("fg\r");
    pty.wait("the dashboard", |screen| {
        screen.alternate_screen() && screen.contents().contains("epsiloscope")
    });
    pty.keys("q");
    pty.wait("the shell again", |screen| !screen.alternate_screen() && !screen.hide_cursor());
    pty.keys("exit\r");
    pty.ended();
}
