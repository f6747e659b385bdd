//! `train`, on made-up digits.

use crate::User;
#[cfg(target_os = "linux")]
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
#[cfg(target_os = "linux")]
use std::io::{Read, Write};

/// A folder with a training set in IDX files: `n` pictures whose top shows the class as a bar.
pub fn digits(user: &User, n: u32) {
    let mut pictures = [0, 0, 8, 3].to_vec();
    for size in [n, 28, 28] {
        pictures.extend(size.to_be_bytes());
    }
    let mut labels = [0, 0, 8, 1].to_vec();
    labels.extend(n.to_be_bytes());
    for index in 0..n {
        let class = index % 10;
        labels.push(class as u8);
        pictures.extend((0..784).map(|at| if at / 28 / 2 == class { 255 } else { (at % 7) as u8 }));
    }
    user.write("digits/train-images-idx3-ubyte", pictures);
    user.write("digits/train-labels-idx1-ubyte", labels);
}

/// Trains on a pseudo-terminal until an epoch is done, and lets `stop` stop it: exit status and text.
#[cfg(target_os = "linux")]
fn stopped(user: &User, stop: impl Fn(&mut dyn Write, u32)) -> (u32, String) {
    let size = PtySize { rows: 24, cols: 100, pixel_width: 0, pixel_height: 0 };
    let pty = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_epsiloscope"));
    command.args(["train", "--recipe", "mnist-cnn", "--device", "cpu", "--epochs", "9999"]);
    command.args(["--data", "digits", "--out", "out"]);
    command.cwd(user.path(""));
    command.env("HOME", user.path(""));
    let mut child = pty.slave.spawn_command(command).unwrap();
    drop(pty.slave);
    let mut reader = pty.master.try_clone_reader().unwrap();
    let mut writer = pty.master.take_writer().unwrap();
    let mut seen = String::new();
    let mut asked = false;
    let mut piece = [0; 4096];
    // The terminal's end is the program's end; on Linux it is told as an error.
    while let Ok(length @ 1..) = reader.read(&mut piece) {
        seen.push_str(&String::from_utf8_lossy(&piece[..length]));
        if !asked && seen.contains("epoch ") {
            stop(&mut writer, child.process_id().unwrap());
            asked = true;
        }
    }
    (child.wait().unwrap().exit_code(), seen)
}

#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_keeps_what_was_learnt() {
    let user = User::new();
    digits(&user, 200);
    let (status, seen) = stopped(&user, |keys, _| keys.write_all(b"\x03").unwrap());
    assert_eq!(status, 130, "{seen}");
    assert!(seen.contains("goes on from the checkpoint"), "{seen}");
    assert!(
        user.path("out/checkpoint.safetensors").exists() && !user.path("out/card.toml").exists()
    );
    // Another seed does not go on from it.
    let line = "train --recipe mnist-cnn --data digits --out out --epochs 9999 --seed 5";
    user.fails(line, 1, &["checkpoint.safetensors", "another run"]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_polite_kill_is_told_by_its_own_number() {
    use rustix::process::{Pid, Signal, kill_process};
    let user = User::new();
    digits(&user, 200);
    let (status, seen) = stopped(&user, |_, process| {
        kill_process(Pid::from_raw(process as i32).unwrap(), Signal::TERM).unwrap();
    });
    assert_eq!(status, 143, "{seen}");
    assert!(seen.contains("goes on from the checkpoint"), "{seen}");
}
