//! The user's files: how they are seen, what is never done to them, what is said of them.

use crate::{User, root};
use std::fs;
use std::io::Cursor;
use std::path::Path;

fn case(name: &str) -> String {
    root().join("tests/cases").join(name).to_string_lossy().into_owned()
}

/// Standard error of a run that succeeds.
fn notes(user: &User, line: &str) -> String {
    let output = user.run(line);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{line}: {errors}");
    errors
}

/// A digit as a grey PNG of 28×28 pixels.
fn digit(user: &User, name: &str, invert: bool) {
    let data = epsiloscope::data::Dataset::load("mnist").unwrap();
    let bytes = data.bytes(0).unwrap().iter().map(|v| if invert { 255 - v } else { *v }).collect();
    let image = image::GrayImage::from_raw(28, 28, bytes).unwrap();
    let mut png = Cursor::new(Vec::new());
    image.write_to(&mut png, image::ImageFormat::Png).unwrap();
    user.write(name, png.into_inner());
}

#[cfg(unix)]
fn pipe(user: &User, name: &str) {
    let path = user.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn nothing_that_is_read_from_files_works_on_the_terminal() {
    let user = User::new();
    let model = case("escapes-in-names/e_esc");
    digit(&user, "\u{1b}]0;x\u{7}\u{202e}.png", false);
    let hidden = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    for line in [
        "--sample 0 --target 0",
        "--sample 0 --target 4",
        "--sample 0 --target 0 --json",
        "--sample 0 --target nothing",
        "--image \u{1b}]0;x\u{7}\u{202e}.png",
        "--image \u{1b}]0;x\u{7}\u{202e}.png --json",
    ] {
        let line = format!("attack --model {model} --attack fgsm --eps 0.3 --color never {line}");
        let output = user.run(&line);
        for text in [&output.stdout, &output.stderr] {
            let text = String::from_utf8_lossy(text);
            assert!(!text.contains(hidden), "{line}: {text:?}");
        }
        assert_eq!(output.status.code(), Some(if line.ends_with("nothing") { 2 } else { 0 }));
    }
    let told =
        user.succeeds(&format!("attack --model {model} --image \u{1b}]0;x\u{7}\u{202e}.png"));
    assert!(told.contains(r"\u{1b}]0;x\u{7}\u{202e}.png"), "{told}");
    // A zero and a four: the names of their classes are told in any case.
    for (sample, name) in [(3, r"\u{1b}[31mred\u{1b}[0m"), (4, r"a\u{a}b")] {
        let told = user.succeeds(&format!("attack --model {model} --sample {sample}"));
        assert!(told.contains(name), "{told}");
    }
}

#[test]
fn the_picture_that_is_read_is_not_written_over_unless_forced() {
    let user = User::new();
    digit(&user, "a.png", false);
    fs::hard_link(user.path("a.png"), user.path("hard.png")).unwrap();
    fs::create_dir(user.path("folder")).unwrap();
    let before = fs::read(user.path("a.png")).unwrap();
    let attack = "attack --model mnist-cnn --attack fgsm --image a.png --save";
    for name in ["a.png", "./a.png", "folder/../a.png", "hard.png"] {
        user.fails(&format!("{attack} {name}"), 2, &["--save", "--force", name]);
        assert_eq!(fs::read(user.path("a.png")).unwrap(), before);
    }
    user.succeeds(&format!("{attack} a.png --force"));
    assert_ne!(fs::read(user.path("a.png")).unwrap(), before);
    assert_eq!(fs::read(user.path("hard.png")).unwrap(), before);
}

#[test]
#[cfg(unix)]
fn a_link_is_written_through_and_an_open_descriptor_written_to() {
    use std::os::unix::fs::symlink;
    let user = User::new();
    user.write("far/b.npy", "old");
    symlink("far/b.npy", user.path("link.npy")).unwrap();
    let attack = "attack --model mnist-cnn --attack fgsm --save";
    user.succeeds(&format!("{attack} link.npy"));
    assert!(user.path("link.npy").is_symlink());
    assert!(fs::read(user.path("far/b.npy")).unwrap().starts_with(b"\x93NUMPY"));
    symlink("/dev/stdout", user.path("out.npy")).unwrap();
    let output = user.run(&format!("{attack} out.npy"));
    assert!(output.status.success() && output.stdout.starts_with(b"\x93NUMPY"), "{output:?}");
    assert!(user.path("out.npy").is_symlink());
    // A file that standard output goes to has both, one after the other.
    let file = fs::File::create(user.path("both")).unwrap();
    let command = std::process::Command::new(env!("CARGO_BIN_EXE_epsiloscope"))
        .args(format!("{attack} out.npy --device cpu").split(' '))
        .current_dir(user.path(""))
        .stdout(file)
        .status();
    assert!(command.unwrap().success());
    let both = fs::read(user.path("both")).unwrap();
    assert!(both.starts_with(b"\x93NUMPY"));
    assert!(String::from_utf8_lossy(&both).contains("likeness"));
}

#[test]
#[cfg(unix)]
fn pipes_and_devices_are_refused_in_one_line() {
    let user = User::new();
    for name in ["pipe.png", "pipe.npy", "pipe.json", "pipe.safetensors", "log"] {
        pipe(&user, name);
    }
    let plain = &["plain file"][..];
    let quick = "attack --model {mlp} --dataset mnist --attack fgsm --eps 0.1";
    for line in [
        format!("{quick} --save pipe.png"),
        format!("{quick} --save pipe.npy"),
        format!("{quick} --log log"),
        format!("{quick} --log /dev/zero"),
        "attack --model {mlp} --eps 0.1 --image pipe.png".into(),
        "attack --model {mlp} --eps 0.1 --image /dev/zero".into(),
        "attack --model {mlp} --eps 0.1 --inputs pipe.safetensors --save out.safetensors".into(),
        "attack --model {mlp} --eps 0.1 --inputs a --save pipe.safetensors".into(),
        "evaluate --model {mlp} --dataset mnist --attack fgsm --eps 0.1 --n 8 --state pipe.json"
            .into(),
    ] {
        user.fails(&line, 1, plain);
    }
    pipe(&user, "config/epsiloscope/config.toml");
    user.fails("models", 1, &["config.toml", "plain file"]);
}

#[test]
fn a_saved_png_keeps_within_epsilon_and_tells_its_real_size() {
    let user = User::new();
    let data = epsiloscope::data::Dataset::load("mnist").unwrap();
    let original = data.bytes(3).unwrap();
    for (epsilon, norm) in [(0.1, "linf"), (0.019, "linf"), (1.3, "l2")] {
        let report = user.json(&format!(
            "attack --model mnist-cnn --sample 3 --attack pgd --norm {norm} --eps {epsilon} \
             --save a.png --json"
        ));
        let saved = image::open(user.path("a.png")).unwrap().to_luma8();
        let steps = || saved.as_raw().iter().zip(original).map(|(a, b)| f64::from(a.abs_diff(*b)));
        let linf = steps().fold(0.0, f64::max) / 255.0;
        let l2 = steps().map(|s| s * s).sum::<f64>().sqrt() / 255.0;
        let size = if norm == "l2" { l2 } else { linf };
        assert!(size <= epsilon && size > 0.0, "{norm} {epsilon}: {size}");
        let told = report["saved"]["norms"][norm].as_f64().unwrap();
        assert!((told - size).abs() < 1e-5, "{told} {size}");
        assert_eq!(report["saved"]["file"], "a.png");
        let again = user.json("attack --model mnist-cnn --image a.png --attack fgsm --json");
        let fooled = again["clean"]["label"] != report["label"];
        assert_eq!(report["saved"]["reached"], fooled, "{report}");
    }
}

#[test]
fn what_was_saved_as_npy_is_read_back_to_the_last_bit() {
    let user = User::new();
    let first = user.json("attack --model mnist-cnn --sample 3 --eps 0.2 --save a.npy --json");
    let second = user.json("attack --model mnist-cnn --image a.npy --attack fgsm --json");
    assert_eq!(first["adversarial"], second["clean"]);
    assert_eq!(second["notes"].as_array().unwrap().len(), 0);
    let npy = fs::read(user.path("a.npy")).unwrap();
    user.write("cut.npy", &npy[..npy.len() - 1]);
    user.fails("attack --model mnist-cnn --image cut.npy", 1, &["cut.npy", "cut short"]);
}

#[test]
fn what_the_network_does_not_see_of_a_picture_is_told() {
    let user = User::new();
    let [one, other] = ["rgba_hidden.png", "rgba_hidden_black.png"].map(|name| {
        let path = case(&format!("hidden-alpha/{name}"));
        user.json(&format!("attack --model mnist-cnn --image {path} --attack fgsm --json"))
    });
    assert_eq!(one["clean"], other["clean"]);
    let notes = one["notes"].to_string();
    assert!(notes.contains("on white") && notes.contains("shrunk"), "{notes}");
    let upright = ["exif1.jpg", "exif6.jpg"].map(|name| {
        let path = case(&format!("exif-orientation/{name}"));
        user.json(&format!("attack --model mnist-cnn --image {path} --attack fgsm --json"))
    });
    assert_eq!(upright[0]["clean"]["label"], upright[1]["clean"]["label"]);
    let coffee = fs::read(root().join("assets/photos/coffee.jpg")).unwrap();
    for percent in [10, 50] {
        user.write("cut.jpg", &coffee[..coffee.len() * percent / 100]);
        user.fails("attack --image cut.jpg", 1, &["cut.jpg", "cut short"]);
    }
}

#[test]
fn what_is_hardly_meant_so_gets_a_hint_and_is_done() {
    let user = User::new();
    digit(&user, "white.png", true);
    digit(&user, "black.png", false);
    let fgsm = "attack --model mnist-cnn --attack fgsm";
    let told = user.succeeds(&format!("{fgsm} --image white.png"));
    assert!(told.contains("note      the background is bright"), "{told}");
    for (line, word) in [
        (
            "compare --model mnist-cnn --image white.png --attack fgsm --defence median".into(),
            "invert",
        ),
        (format!("{fgsm} --dataset photos"), "does not fit"),
        (format!("{fgsm} --eps 0.6"), "plain grey"),
        (format!("{fgsm} --norm l2 --eps 0.01"), "meant for L∞"),
    ] {
        let told = notes(&user, &line);
        let hints: Vec<_> = told.lines().filter(|line| line.contains(word)).collect();
        assert!(hints.len() == 1 && hints[0].starts_with("note: "), "{line}: {told}");
    }
    for line in [format!("{fgsm} --image black.png"), fgsm.into(), format!("{fgsm} --norm l2")] {
        assert_eq!(notes(&user, &line), "", "{line}");
    }
    let data = epsiloscope::data::Dataset::load("mnist").unwrap();
    let n = 32;
    let x: Vec<u8> = (0..n)
        .flat_map(|i| data.sample(i).image.pixels().to_vec())
        .flat_map(f32::to_le_bytes)
        .collect();
    let labels = |shift: i64| -> Vec<u8> {
        let label = |i| data.label(i).unwrap() as i64;
        (0..n).flat_map(|i| ((label(i) + shift).rem_euclid(10)).to_le_bytes()).collect()
    };
    for (shift, told) in [(1, true), (0, false)] {
        let labels = labels(shift);
        let views = [
            ("x", safetensors::Dtype::F32, vec![n, 1, 28, 28], &x),
            ("labels", safetensors::Dtype::I64, vec![n], &labels),
        ]
        .map(|(name, kind, shape, bytes)| {
            (name, safetensors::tensor::TensorView::new(kind, shape, bytes).unwrap())
        });
        user.write("in.safetensors", safetensors::serialize(views, None).unwrap());
        let line = format!("{fgsm} --inputs in.safetensors --save out.safetensors");
        assert_eq!(notes(&user, &line).contains("off by one"), told);
    }
    let onto = format!("{fgsm} --inputs in.safetensors --save ./in.safetensors");
    user.fails(&onto, 2, &["--save", "--force"]);
}

#[test]
fn a_broken_file_of_hybrids_is_put_aside_with_a_word() {
    let user = User::new();
    user.write("data/epsiloscope/hybrids.toml", "tough = 'jepg'\n");
    let told = notes(&user, "models");
    assert!(told.starts_with("note: ") && told.lines().count() == 1, "{told}");
    assert!(told.contains("jepg") && told.contains("hybrids.toml.broken"), "{told}");
    assert!(Path::new(&user.path("data/epsiloscope/hybrids.toml.broken")).is_file());
    assert_eq!(notes(&user, "models"), "");
}
