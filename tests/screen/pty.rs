//! The real program in a pseudo-terminal that answers no questions, drawn by vt100.

use super::console::Pty;
use portable_pty::CommandBuilder;

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
    pty.wait_for("probabilities %");
    // Another size.
    pty.resize(80, 24);
    pty.wait_for(" pictures ");
    pty.keys("\t");
    pty.wait_for("▸#   1");
    pty.resize(120, 36);
    pty.wait_for("probabilities %");
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
    pty.wait_for("probabilities %");
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
    pty.wait_until_gone("any key goes on");
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
