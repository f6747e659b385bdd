//! Whatever is wrong gets one line: what, where, what to do; and the exit status that belongs to it.

use crate::{User, data};
use std::fs;
use std::io::Cursor;

#[test]
fn wrong_requests() {
    let user = User::new();
    for (line, words) in [
        ("attack --model lite0", &["lite0", "--model", "epsiloscope models"][..]),
        ("attack --model photo-efficientnet-lite", &["did you mean 'photo-efficientnet-lite0'"]),
        ("attack --model {mlp} --dataset mnsit", &["mnsit", "--dataset", "'mnist'"]),
        ("attack --model {mlp} --dataset mnist --sample 10000", &["10000", "--sample", "0..9999"]),
        ("attack --model {mlp}", &["names no data set", "--dataset"]),
        ("attack --model {mlp} --dataset mnist --attack pdg", &["pdg", "--attack", "'pgd'"]),
        ("attack --model {mlp} --dataset mnist --eps -0.1", &["-0.1", "--eps", "0..1"]),
        ("attack --model {mlp} --dataset mnist --eps 1.5", &["1.5", "--eps", "0..1"]),
        ("attack --model {mlp} --dataset mnist --eps nan", &["nan", "--eps", "8/255"]),
        ("attack --model {mlp} --dataset mnist --eps 0,3", &["0,3", "--eps", "8/255"]),
        ("attack --model {mlp} --dataset mnist --norm l0", &["L0", "--norm", "linf"]),
        ("attack --model {mlp} --dataset mnist --set steps=0", &["steps", "1..10000"]),
        ("attack --model {mlp} --dataset mnist --set step=1", &["step", "--set", "steps"]),
        ("attack --model {mlp} --dataset mnist --target 7", &["7", "--target", "own class"]),
        ("attack --model {mlp} --dataset mnist --target cat", &["cat", "--target", "0..9"]),
        ("attack --model {mlp} --defence jpg", &["jpg", "--defence", "'jpeg'"]),
        ("attack --save out.gif", &["out.gif", "--save", ".png or .npy"]),
        ("attack --inputs a.safetensors --save b.npy", &["b.npy", "--save", ".safetensors"]),
        ("evaluate --model {mlp} --dataset mnist --n 0", &["0", "--n", "1..10000"]),
        ("evaluate --model {mlp} --dataset mnist --n 10001", &["10001", "--n", "1..10000"]),
        ("samples --dataset mnits", &["mnits", "'mnist'"]),
        ("attacks fgms", &["fgms", "'fgsm'"]),
        ("defences medain", &["medain", "'median'"]),
        ("train --recipe nope --data . --out out", &["nope", "--recipe", "train --help"]),
        ("man atack", &["atack", "'attack'"]),
    ] {
        user.fails(line, 2, words);
    }
}

#[test]
fn usage_errors_of_the_command_line_itself() {
    let user = User::new();
    for line in [
        "attack --nope",
        "nope",
        "attack --device gpu",
        "attack --seed -1",
        "attack --sample x",
        "attack --image a.png --sample 3",
        "attack --inputs a.safetensors",
        "--model mnist-cnn attack",
        "train --recipe mnist-cnn",
    ] {
        let output = user.run(line);
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(output.stdout.is_empty() && output.stderr.starts_with(b"error: "), "{line}");
    }
}

#[test]
fn the_dashboard_needs_a_terminal_and_names_what_does_not() {
    User::new().fails("", 2, &["terminal", "epsiloscope attack"]);
}

#[test]
fn pictures_that_are_none() {
    let user = User::new();
    let mut png = Vec::new();
    let picture =
        image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([x as u8, y as u8, (x * y) as u8]));
    picture.write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
    let mut giant = png.clone();
    giant[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    user.write("empty.png", "");
    user.write("text.png", "this is no picture");
    user.write("cut.png", &png[..png.len() / 2]);
    user.write("giant.png", giant);
    user.write("folder/inside", "");
    for (name, word) in [
        ("empty.png", "empty"),
        ("text.png", "not a PNG, JPEG or WebP"),
        ("cut.png", "cut short"),
        ("giant.png", ""),
        ("none.png", "check the path"),
        ("folder", "name a file"),
    ] {
        user.fails(&format!("attack --model {{mlp}} --image {name}"), 1, &[name, word]);
    }
}

#[test]
fn models_that_are_none() {
    let user = User::new();
    let card = fs::read_to_string(data("peers/mlp/card.toml")).unwrap();
    let weights = fs::read(data("peers/mlp/weights.safetensors")).unwrap();
    let model = |name: &str, card: &str, weights: Option<&[u8]>| {
        user.write(&format!("{name}/card.toml"), card);
        weights.map(|bytes| user.write(&format!("{name}/weights.safetensors"), bytes));
    };
    model("no-weights", &card, None);
    model("cut", &card, Some(&weights[..1000]));
    model(
        "shape",
        &card.replace("out = 256", "out = 255").replace("in = 256", "in = 255"),
        Some(&weights),
    );
    model("name", &card.replace("\"fc2\"", "\"fc9\""), Some(&weights));
    model("line", &card.replace("op = \"relu\"", "op = \"rleu\""), Some(&weights));
    model("sum", &card.replace("[input]", "sha256 = '00'\n[input]"), Some(&weights));
    user.write("no-card/x", "");
    for (name, words) in [
        ("no-weights", &["weights.safetensors", "check the path"][..]),
        ("cut", &["weights.safetensors", "not a safetensors file"]),
        ("shape", &["fc1.weight", "[256, 784]", "[255, 784]"]),
        ("name", &["fc9.weight", "missing"]),
        ("line", &["card.toml", "rleu"]),
        ("sum", &["sha256"]),
        ("no-card", &["card.toml", "check the path"]),
        ("./nowhere", &["nowhere", "card.toml"]),
    ] {
        user.fails(&format!("attack --dataset mnist --model {name}"), 1, words);
    }
}

#[test]
fn places_that_cannot_be_saved_to() {
    let user = User::new();
    let attack = "attack --model {mlp} --dataset mnist --attack fgsm --eps 0.1 --save";
    user.fails(&format!("{attack} none/a.png"), 1, &["none/a.png", "check the path"]);
    fs::create_dir(user.path("folder.npy")).unwrap();
    user.fails(&format!("{attack} folder.npy"), 1, &["folder.npy", "name a file"]);
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::{PermissionsExt, symlink};
        symlink("/dev/full", user.path("full.png")).unwrap();
        user.fails(&format!("{attack} full.png"), 1, &["full.png", "a device is no plain file"]);
        fs::create_dir(user.path("locked")).unwrap();
        fs::set_permissions(user.path("locked"), fs::Permissions::from_mode(0o555)).unwrap();
        // Nothing is locked to root.
        if fs::write(user.path("locked/probe"), "").is_err() {
            user.fails(
                &format!("{attack} locked/a.png"),
                1,
                &["locked/a.png", "check the permissions"],
            );
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn standard_output_that_is_full_or_closed() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let user = User::new();
    let program = |line: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_epsiloscope"));
        command.args(line.split(' ')).env("HOME", user.path("")).stderr(Stdio::piped());
        command
    };
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = program("samples").stdout(full).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("standard output") && errors.lines().count() == 1, "{errors}");

    let mut child = program("samples --dataset mnist").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(line.starts_with("sample"), "{line}");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn configurations_that_are_wrong() {
    let user = User::new();
    user.write("config/epsiloscope/config.toml", "seed = 3\ndevize = 'cpu'\n");
    user.fails("models", 2, &["config.toml:2", "devize", "'device'"]);
    user.write("config/epsiloscope/config.toml", "graphics = 'crt'\n");
    user.fails("models", 2, &["config.toml:1", "graphics", "crt", "kitty"]);
    user.write("config/epsiloscope/config.toml", "seed = 3\n");
    let output = user.command("models").env("EPSILOSCOPE_SEED", "x").output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("EPSILOSCOPE_SEED") && errors.lines().count() == 1, "{errors}");
    user.write("plain", "");
    user.fails("models --log plain/a.log", 1, &["plain/a.log", "log"]);
}

#[test]
fn batches_that_are_none() {
    let user = User::new();
    user.write("text.safetensors", "this is no batch");
    let weights = data("peers/mlp/weights.safetensors");
    for (inputs, words) in [
        ("none.safetensors", &["none.safetensors", "check the path"][..]),
        ("text.safetensors", &["text.safetensors", "not a safetensors file"]),
        (&weights, &["weights.safetensors", "'x' is missing"]),
    ] {
        let line =
            format!("attack --model {{mlp}} --eps 0.1 --inputs {inputs} --save out.safetensors");
        user.fails(&line, 1, words);
    }
    assert!(!user.path("out.safetensors").exists());
}

#[test]
fn training_without_its_data() {
    let user = User::new();
    user.fails(
        "train --recipe mnist-cnn --data nowhere --out out",
        1,
        &["nowhere", "train-images"],
    );
}
