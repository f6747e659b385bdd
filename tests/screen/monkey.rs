//! A monkey at the real program on a real pseudo-terminal: keys, mouse, pasted text, broken sequences,
//! sizes from 1×1 to 300×100. After each visit the terminal must be given back and no panic stand in
//! the log. Long: `EPSILOSCOPE_MONKEY=100000 cargo test --release --test screen monkey`; the seed of a
//! failure is told, and `EPSILOSCOPE_MONKEY_SEED` begins with it.

use super::console::Pty;
use portable_pty::CommandBuilder;
use std::time::Duration;

/// Events in continuous integration.
const FEW: u64 = 400;
/// The most events of a visit.
const VISIT: u64 = 200;

/// A stream of numbers (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

const KEYS: &[&str] = &[
    "\x1b[A",
    "\x1b[B",
    "\x1b[C",
    "\x1b[D",
    "\x1b[1;2C",
    "\x1b[5~",
    "\x1b[6~",
    "\x1b[H",
    "\x1b[F",
    "\t",
    "\x1b[Z",
    "\r",
    "\x1b",
    " ",
    "\x7f",
    "\x1b[3~",
    "\x1bOP",
    "\x1ba",
    "\0",
    "\x0c",
];
const BROKEN: &[&str] = &[
    "\x1b[",
    "\x1bO",
    "\x1b[<",
    "\x1b[<0;5",
    "\x1b[M",
    "\x1b[M !",
    "\x1b[200~",
    "\x1b_G",
    "\x1b]11;",
    "\x1bP>|",
    "\u{fffd}",
    "\x1b[?62;4c",
    "\x1b_Gi=31;OK\x1b\\",
    "\x1b[1;1R",
    "\x1b[0;0;0M",
    "\x1b[<0;0;0M",
    "\x1b[99999999999999999999~",
    "\x1b[201~",
];
const PASTES: &[&str] = &["fgsm", "0.3", "q", "\x03", "a\nb\n", "ä→😀", "../../x", "\x1b[A", ""];

/// One event; true when it may end the program.
fn event(random: &mut Random, pty: &mut Pty) {
    match random.below(100) {
        0..50 => {
            let letter = char::from(b'!' + random.below(94) as u8);
            // Quitting has a test of its own; here it may come now and then.
            if letter != 'q' || random.below(10) == 0 {
                pty.keys(&letter.to_string());
            }
        }
        50..70 => pty.keys(random.of(KEYS)),
        70..84 => {
            let button = random.of(&[0, 0, 0, 32, 32, 64, 65, 2, 66, 3, 35, 16, 4, 200]);
            let (x, y) = (random.below(310), random.below(110));
            let end = random.of(&['M', 'm']);
            pty.keys(&format!("\x1b[<{button};{x};{y}{end}"));
        }
        84..89 => {
            let text = random.of(PASTES);
            pty.keys(&format!("\x1b[200~{}\x1b[201~", text.repeat(1 + random.below(3) as usize)));
        }
        89..94 => pty.keys(random.of(BROKEN)),
        94..96 => {
            let bytes: Vec<u8> = (0..random.below(20)).map(|_| random.next() as u8).collect();
            // Ctrl-C, Ctrl-\ and Ctrl-Z have tests of their own.
            pty.bytes(
                &bytes.into_iter().filter(|b| ![3, 0x1a, 0x1c].contains(b)).collect::<Vec<_>>(),
            );
        }
        _ => {
            let (columns, rows) = match random.below(4) {
                0 => (1 + random.below(10), 1 + random.below(6)),
                1 => (1 + random.below(300), 1 + random.below(100)),
                _ => random.of(&[(80, 24), (120, 36), (160, 48), (60, 18), (66, 19)]),
            };
            pty.resize(columns as u16, rows as u16);
        }
    }
    if random.below(4) == 0 {
        std::thread::sleep(Duration::from_millis(random.below(12)));
    }
}

/// A visit of so many events at most; how many there were.
fn visit(seed: u64, most: u64) -> u64 {
    let mut random = Random(seed);
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_epsiloscope"));
    command.args([
        "--device",
        "cpu",
        "--graphics",
        random.of(&["auto", "blocks", "ascii", "sixel"]),
    ]);
    command.env("TERM", random.of(&["xterm-256color", "xterm-256color", "linux", "vt100"]));
    let mut pty = Pty::spawn(120, 36, command);
    pty.wait("the dashboard", vt100::Screen::alternate_screen);
    let mut done = 0;
    while done < most && pty.child.try_wait().expect("a child").is_none() {
        event(&mut random, &mut pty);
        done += 1;
    }
    // Whatever stands open: Ctrl-C always quits.
    std::thread::sleep(Duration::from_millis(random.below(100)));
    if !pty.is_cooked() {
        pty.keys("\x03");
    }
    pty.ended();
    let log = pty.log();
    assert!(!log.contains("panicked"), "{log}");
    done
}

#[test]
fn a_monkey_finds_nothing() {
    let number = |name: &str, usual: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
    };
    let (events, first) = (number("EPSILOSCOPE_MONKEY", FEW), number("EPSILOSCOPE_MONKEY_SEED", 1));
    let (mut done, mut seed) = (0, first);
    while done < events {
        eprintln!("seed {seed}, {done} events so far");
        done += visit(seed, VISIT.min(events - done));
        seed += 1;
    }
    eprintln!("{done} events in {} visits", seed - first);
}
