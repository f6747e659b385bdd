//! The real program on a pseudo-terminal, drawn by vt100, and what it leaves behind there.

use portable_pty::{
    Child, CommandBuilder, ExitStatus, MasterPty, PtySize, SlavePty, native_pty_system,
};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Long enough for a slow machine; nothing here waits that long when it works.
pub const LIMIT: Duration = Duration::from_mins(1);

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("not zero")
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

/// Variables that would change what is shown.
const LEFT_OUT: &[&str] = &[
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_CACHE_HOME",
    "XDG_STATE_HOME",
    "NO_COLOR",
    "TMUX",
    "TERM_PROGRAM",
    "LC_TERMINAL",
    "KONSOLE_VERSION",
];

/// The terminal's mode at rest: lines are edited and echoed, Ctrl-C is a signal.
const COOKED: u32 = libc::ICANON | libc::ECHO | libc::ISIG;

pub struct Pty {
    pub child: Box<dyn Child + Send + Sync>,
    pub home: TempDir,
    parser: Arc<Mutex<vt100::Parser>>,
    /// All that the program wrote.
    written: Arc<Mutex<Vec<u8>>>,
    /// The reading thread shall let go of the terminal.
    closing: Arc<AtomicBool>,
    writer: Option<Box<dyn Write + Send>>,
    master: Option<Box<dyn MasterPty + Send>>,
    /// As a shell does, this holds the terminal open beyond the program's end.
    slave: Option<Box<dyn SlavePty + Send>>,
}

impl Pty {
    /// The dashboard, on the CPU.
    pub fn start(columns: u16, rows: u16, args: &[&str]) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_epsiloscope"));
        command.args(["--device", "cpu"]);
        command.args(args);
        Self::spawn(columns, rows, command)
    }

    /// Any command. It gets a home of its own, and a terminal of 24-bit colours where it does not
    /// name another.
    pub fn spawn(columns: u16, rows: u16, mut command: CommandBuilder) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows)).expect("a pseudo-terminal");
        let home = tempfile::tempdir().expect("a folder");
        command.env("HOME", home.path());
        // What is exported by chance lands there, too.
        command.cwd(home.path());
        for name in LEFT_OUT {
            command.env_remove(name);
        }
        let inherited = |name: &str| command.get_env(name) == std::env::var_os(name).as_deref();
        if inherited("TERM") {
            command.env("TERM", "xterm-256color");
            command.env("COLORTERM", "truecolor");
        } else {
            command.env_remove("COLORTERM");
        }
        let child = pair.slave.spawn_command(command).expect("the program starts");
        let parser = Arc::new(Mutex::new(vt100::Parser::new(cells(rows), cells(columns), 0)));
        let (written, closing) = (Arc::<Mutex<Vec<u8>>>::default(), Arc::<AtomicBool>::default());
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let (screen, copy, close) = (parser.clone(), written.clone(), closing.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 1 << 16];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                copy.lock().expect("no panic").extend_from_slice(&buffer[..n]);
                screen.lock().expect("no panic").process(&buffer[..n]);
                if close.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        let writer = pair.master.take_writer().expect("a writer");
        let (master, slave) = (Some(pair.master), Some(pair.slave));
        Self { child, home, parser, written, closing, writer: Some(writer), master, slave }
    }

    pub fn keys(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        let writer = self.writer.as_mut().expect("the terminal is open");
        writer.write_all(bytes).and_then(|()| writer.flush()).expect("keys arrive");
    }

    pub fn contents(&self) -> String {
        self.parser.lock().expect("no panic").screen().contents()
    }

    /// All that the program wrote until now.
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().expect("no panic")).into_owned()
    }

    pub fn wait(&self, what: &str, good: impl Fn(&vt100::Screen) -> bool) {
        let began = Instant::now();
        while !good(self.parser.lock().expect("no panic").screen()) {
            assert!(began.elapsed() < LIMIT, "waiting for {what}:\n{}", self.contents());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn wait_for(&self, text: &str) {
        self.wait(text, |screen| screen.contents().contains(text));
    }

    pub fn wait_until_gone(&self, text: &str) {
        self.wait(&format!("no {text}"), |screen| !screen.contents().contains(text));
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        let mut parser = self.parser.lock().expect("no panic");
        parser.screen_mut().set_size(cells(rows), cells(columns));
        drop(parser);
        let master = self.master.as_ref().expect("the terminal is open");
        master.resize(size(columns, rows)).expect("a new size");
    }

    /// Sends a signal to the program.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = self.child.process_id().expect("a process") as i32;
        let pid = rustix::process::Pid::from_raw(pid).expect("a number");
        rustix::process::kill_process(pid, signal).expect("it arrives");
    }

    /// The window is closed: the terminal is gone.
    pub fn close(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        // Whatever the program says to that is the last thing that is read.
        self.keys("?");
        self.slave = None;
        self.writer = None;
        self.master = None;
    }

    pub fn is_cooked(&self) -> bool {
        let mode = self.master.as_ref().and_then(|master| master.get_termios());
        mode.is_some_and(|mode| mode.local_flags.bits() & COOKED == COOKED)
    }

    /// Waits for the end of the process.
    pub fn status(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(began.elapsed() < LIMIT, "it does not end:\n{}", self.contents());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the terminal is as it was, and nothing of the program is left.
    pub fn given_back(&self) {
        self.wait("the terminal as it was", |screen| {
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
        });
        let began = Instant::now();
        while !self.is_cooked() || !self.processes().is_empty() {
            let (cooked, left) = (self.is_cooked(), self.processes());
            assert!(began.elapsed() < LIMIT, "cooked {cooked}, left {left:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for the end; the terminal must be as it was.
    pub fn ended(&mut self) {
        let status = self.status();
        assert!(status.success(), "{status:?}");
        self.given_back();
    }

    /// The processes that were started with this home and still live, by their command lines.
    pub fn processes(&self) -> Vec<String> {
        let home = format!("HOME={}\0", self.home.path().display());
        let found =
            std::fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| {
                let environment = std::fs::read(entry.path().join("environ")).ok()?;
                let line = std::fs::read(entry.path().join("cmdline")).ok()?;
                let ours =
                    String::from_utf8_lossy(&environment).contains(&home) && !line.is_empty();
                ours.then(|| String::from_utf8_lossy(&line).replace('\0', " "))
            });
        found.collect()
    }

    /// The program's log.
    pub fn log(&self) -> String {
        let path: PathBuf = self.home.path().join(".local/state/epsiloscope/epsiloscope.log");
        std::fs::read_to_string(path).unwrap_or_default()
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
