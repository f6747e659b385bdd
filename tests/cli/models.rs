//! Models of the user's own: what is read, what is refused, and what is said about either.

use crate::{User, data};
use epsiloscope::model::write_tensors;
use safetensors::Dtype;

/// A tensor by name: shape, bytes, kind of numbers.
type Tensor = (String, Vec<usize>, Vec<u8>, Dtype);

fn tensor(name: &str, shape: &[usize], value: impl Fn(usize) -> f32) -> Tensor {
    let bytes = (0..shape.iter().product()).flat_map(|i| value(i).to_le_bytes()).collect();
    (name.into(), shape.to_vec(), bytes, Dtype::F32)
}

/// The tensors of a small network for MNIST, as PyTorch would name them.
fn tensors() -> Vec<Tensor> {
    let mixed = |seed: usize| move |i: usize| ((i * 7919 + seed * 131) % 997) as f32 / 997.0 - 0.5;
    let counter = ("bn1.num_batches_tracked".into(), Vec::new(), vec![0; 8], Dtype::I64);
    vec![
        tensor("conv1.weight", &[2, 1, 3, 3], mixed(1)),
        tensor("conv1.bias", &[2], mixed(2)),
        tensor("bn1.weight", &[2], |_| 1.5),
        tensor("bn1.bias", &[2], mixed(3)),
        tensor("bn1.running_mean", &[2], mixed(4)),
        tensor("bn1.running_var", &[2], |i| 0.5 + i as f32),
        counter,
        tensor("fc.weight", &[10, 162], mixed(5)),
        tensor("fc.bias", &[10], mixed(6)),
    ]
}

/// Its card.
const CARD: &str = "name = 'small'\ndata = 'mnist'\nnum_classes = 10\n\n[input]\nshape = [1, 28, 28]\n\n\
[[layers]]\nop = 'conv2d'\nparam = 'conv1'\nin = 1\nout = 2\nkernel = 3\nstride = 3\n\n\
[[layers]]\nop = 'batchnorm2d'\nparam = 'bn1'\nfeatures = 2\n\n[[layers]]\nop = 'relu'\n\n\
[[layers]]\nop = 'flatten'\n\n[[layers]]\nop = 'linear'\nparam = 'fc'\nin = 162\nout = 10\n";

/// A folder with a card and weights.
fn model(user: &User, name: &str, card: &str, tensors: &[Tensor]) {
    user.write(&format!("{name}/card.toml"), card);
    write_tensors(&user.path(&format!("{name}/weights.safetensors")), tensors).unwrap();
}

/// The network with one tensor changed.
fn with(name: &str, value: impl Fn(usize) -> f32) -> Vec<Tensor> {
    let mut all = tensors();
    let found = all.iter_mut().find(|tensor| tensor.0 == name).unwrap();
    *found = tensor(name, &found.1.clone(), value);
    all
}

const ATTACK: &str = "attack --dataset mnist --attack fgsm --eps 0.1 --json --model";

#[test]
fn tensors_that_no_layer_uses_are_named() {
    let user = User::new();
    model(&user, "base", CARD, &tensors());
    user.succeeds(&format!("{ATTACK} base"));
    let without =
        CARD.replace("[[layers]]\nop = 'batchnorm2d'\nparam = 'bn1'\nfeatures = 2\n\n", "");
    model(&user, "norm", &without, &tensors());
    let words = ["4 tensors", "'bn1.bias'", "'bn1.running_var'", "batchnorm2d", "norm/weights"];
    user.fails(&format!("{ATTACK} norm"), 1, &words);
    model(&user, "bias", &CARD.replace("stride = 3\n", "stride = 3\nbias = false\n"), &tensors());
    user.fails(&format!("{ATTACK} bias"), 1, &["no layer uses: 'conv1.bias'"]);
    let mut many = tensors();
    many.extend((0..9).map(|i| tensor(&format!("head.{i}"), &[2], |k| (k + i) as f32)));
    model(&user, "many", CARD, &many);
    user.fails(&format!("{ATTACK} many"), 1, &["9 tensors", "'head.5' and 3 more"]);
    // Numbers of a kind that is not read are no counters only because they are not read.
    let mut table = tensors();
    table.push(("table".into(), vec![4], vec![0; 32], Dtype::I64));
    model(&user, "table", CARD, &table);
    user.fails(&format!("{ATTACK} table"), 1, &["'table' (I64)"]);
}

#[test]
fn counters_and_tied_weights_may_be_there() {
    let user = User::new();
    let mut tied = tensors();
    let copy = tied.iter().find(|tensor| tensor.0 == "fc.weight").unwrap().clone();
    tied.push(("decoder.weight".into(), copy.1, copy.2, copy.3));
    model(&user, "tied", CARD, &tied);
    user.succeeds(&format!("{ATTACK} tied"));
}

#[test]
fn numbers_that_are_not_read_are_named_by_their_kind() {
    let user = User::new();
    let mut whole = tensors();
    let found = whole.iter_mut().find(|tensor| tensor.0 == "fc.weight").unwrap();
    *found = ("fc.weight".into(), vec![10, 162], vec![1; 1620], Dtype::I8);
    model(&user, "whole", CARD, &whole);
    user.fails(&format!("{ATTACK} whole"), 1, &["'fc.weight'", "I8", "F32, F16, BF16"]);
}

#[test]
fn a_network_that_gives_no_number_is_refused_and_one_that_gives_some_is_told_of() {
    let user = User::new();
    model(&user, "variance", CARD, &with("bn1.running_var", |_| -0.25));
    user.fails(&format!("{ATTACK} variance"), 1, &["'bn1.running_var' holds -0.25", "NaN"]);
    let mut never = with("fc.weight", |_| 3e38);
    never.retain(|tensor| tensor.0 != "bn1.bias");
    never.push(tensor("bn1.bias", &[2], |_| 1e30));
    model(&user, "never", CARD, &never);
    user.fails(&format!("{ATTACK} never"), 1, &["never gives a number", "fc.weight", "3e38"]);

    // Bright pictures are beyond what f32 holds; the white one of the probe is.
    let flat = "name = 'bright'\ndata = 'mnist'\nnum_classes = 10\n[input]\nshape = [1, 28, 28]\n\
                [[layers]]\nop = 'flatten'\n[[layers]]\nop = 'linear'\nparam = 'fc'\nin = 784\nout = 10\n";
    let mixed = |i: usize| if i / 784 == 7 { 1e36 } else { (i % 7) as f32 };
    let weights = [tensor("fc.weight", &[10, 784], mixed), tensor("fc.bias", &[10], |i| i as f32)];
    model(&user, "bright", flat, &weights);
    let output = user.run(&format!("{ATTACK} bright"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("no number"), "{told}");
    let text = user.succeeds("attack --dataset mnist --attack fgsm --eps 0.1 --model bright");
    assert!(!text.contains("NaN"), "{text}");
    let report =
        user.json("evaluate --dataset mnist --attack fgsm --eps 0.1 --n 4 --json --model bright");
    assert_eq!(
        (&report["clean_accuracy"], &report["samples"][0]["clean"]),
        (&0.25.into(), &7.into())
    );
    let brighter = |i: usize| if i / 784 == 7 { 1e37 } else { 1.0 };
    let weights = [tensor("fc.weight", &[10, 784], brighter), tensor("fc.bias", &[10], |_| 0.0)];
    model(&user, "brighter", flat, &weights);
    for format in ["", "--format csv"] {
        let line = "compare --sample 0 --attack fgsm --defence median --model brighter";
        let text = user.succeeds(&format!("{line} {format}"));
        assert!(text.contains("no number") && !text.contains("NaN"), "{text}");
    }
    let text = user.succeeds("compare --n 30 --attack fgsm --defence median --model brighter");
    assert!(text.contains("'no defence': of 30 of 30 clean pictures"), "{text}");
}

#[test]
fn a_common_prefix_is_left_out_with_a_word() {
    let user = User::new();
    model(&user, "base", CARD, &tensors());
    let told = |name: &str| {
        let output = user.run(&format!("{ATTACK} {name}"));
        let [out, err] = [output.stdout, output.stderr].map(|b| String::from_utf8(b).unwrap());
        assert!(output.status.success(), "{err}");
        let mut report: serde_json::Value = serde_json::from_str(&out).unwrap();
        report["cost"]["seconds"] = 0.into();
        (report["adversarial"].clone(), report["norms"].clone(), err)
    };
    let base = told("base");
    for prefix in ["module.", "_orig_mod.", "model.", "module._orig_mod."] {
        let mut named = tensors();
        named.iter_mut().for_each(|tensor| tensor.0.insert_str(0, prefix));
        model(&user, "named", CARD, &named);
        let found = told("named");
        assert_eq!((&found.0, &found.1), (&base.0, &base.1), "{prefix}");
        assert!(
            found.2.contains(&format!("'{prefix}'")) && found.2.lines().count() == 1,
            "{}",
            found.2
        );
    }
    // A prefix that the card names itself is the file's own.
    let mut named = tensors();
    named.iter_mut().for_each(|tensor| tensor.0.insert_str(0, "model."));
    model(&user, "own", &CARD.replace("param = '", "param = 'model."), &named);
    assert_eq!(told("own").2, "");
    // One tensor without it is no common prefix.
    named.push(tensor("other", &[1], |_| 0.0));
    model(&user, "mixed", CARD, &named);
    user.fails(&format!("{ATTACK} mixed"), 1, &["'conv1.weight' is missing", "model.bn1.bias"]);
}

/// Cards that aborted, hung or ended in an internal error, and the words that name the field.
#[test]
fn cards_that_ask_for_too_much_get_one_line() {
    let user = User::new();
    let conv = |padding: &str| {
        format!(
            "name = 'x'\ndata = 'mnist'\nnum_classes = 10\n[input]\nshape = [1, 28, 28]\n[[layers]]\n\
             op = 'conv2d'\nparam = 'c'\nin = 1\nout = 1\nkernel = 3\n{padding}\n[[layers]]\nop = \
             'globalavgpool2d'\n[[layers]]\nop = 'flatten'\n[[layers]]\nop = 'linear'\nparam = 'fc'\n\
             in = 1\nout = 10\n"
        )
    };
    let weights = [
        tensor("c.weight", &[1, 1, 3, 3], |_| 0.1),
        tensor("c.bias", &[1], |_| 0.0),
        tensor("fc.weight", &[10, 1], |i| i as f32),
        tensor("fc.bias", &[10], |_| 0.0),
    ];
    let resize = |n: &str| CARD.replace("[1, 28, 28]\n", &format!("[1, 28, 28]\nresize = {n}\n"));
    let huge = "name = 'x'\ndata = 'mnist'\nnum_classes = 10\n[input]\nshape = [1, 4294967296, 4294967296]\n\
                [[layers]]\nop = 'flatten'\n[[layers]]\nop = 'linear'\nparam = 'fc'\nin = 0\nout = 10\n";
    let wide = CARD
        .replace("out = 2", "out = 1000000000")
        .replace("features = 2", "features = 1000000000")
        .replace("in = 162", "in = 81000000000");
    let path =
        |path: &str| CARD.replace("num_classes", &format!("weights = '{path}'\nnum_classes"));
    for (card, words) in [
        (conv("padding = 20000"), &["layer 1", "conv2d 'c'", "padding 20000"][..]),
        (conv("padding = 9223372036854775807"), &["layer 1", "conv2d 'c'", "padding"]),
        (conv("padding = [0, 0, 0, 4000000]"), &["layer 1", "padding 4000000"]),
        (conv("stride = 0"), &["layer 1", "conv2d 'c'"]),
        (conv("stride = 100000000"), &["layer 1", "conv2d 'c'"]),
        (CARD.replace("op = 'relu'", "op = 'dropout'\np = 1.5"), &["layer 3", "dropout", "1.5"]),
        (resize("100000"), &["line 7", "input.resize 100000"]),
        (resize("4294967296"), &["line 7", "input.resize"]),
        (resize("0"), &["line 7", "input.resize 0"]),
        (huge.into(), &["line 5", "input.shape"]),
        (wide, &["layer 1", "conv2d 'conv1'", "--memory"]),
        (path("/dev/zero"), &["line 3", "/dev/zero", "beside the card"]),
        (path("../secret.safetensors"), &["line 3", "..", "beside the card"]),
        (path(""), &["line 3", "weights"]),
    ] {
        model(&user, "hostile", &card, &weights);
        user.fails(&format!("{ATTACK} hostile"), 1, words);
    }
}

#[test]
#[cfg(unix)]
fn weights_that_are_no_plain_file_are_refused_at_once() {
    let user = User::new();
    for (name, what) in [("zero", "a device"), ("pipe", "a pipe")] {
        user.write(&format!("{name}/card.toml"), CARD);
        let weights = user.path(&format!("{name}/weights.safetensors"));
        match name {
            "zero" => std::os::unix::fs::symlink("/dev/zero", &weights).unwrap(),
            _ => assert!(
                std::process::Command::new("mkfifo").arg(&weights).status().unwrap().success()
            ),
        }
        user.fails(&format!("{ATTACK} {name}"), 1, &[what, "weights.safetensors"]);
        user.fails(&format!("{ATTACK} {name}/weights.safetensors"), 1, &["weights without a card"]);
    }
}

#[test]
fn memory_can_be_allowed_and_is_held_to() {
    let user = User::new();
    model(&user, "base", CARD, &tensors());
    for (model, given) in [("base", "10k"), ("cifar-resnet", "0.5M")] {
        let line = format!("attack --model {model} --memory {given}");
        user.fails(&line, 1, &["of memory, and there are", "allow more by --memory"]);
    }
    user.fails(&format!("{ATTACK} base --memory much"), 2, &["'much'", "'memory'", "2G"]);
    user.succeeds(&format!("{ATTACK} base --memory 100M"));
    user.write("config/epsiloscope/config.toml", "memory = '10k'\n");
    user.fails(&format!("{ATTACK} base"), 1, &["--memory"]);
    let mut command = user.command(&format!("{ATTACK} base"));
    assert!(command.env("EPSILOSCOPE_MEMORY", "1G").output().unwrap().status.success());
}

#[test]
fn files_of_other_tools_are_told_apart() {
    let user = User::new();
    user.write("net.onnx", "\x08\x07");
    user.write("net.pth", "PK\x03\x04");
    user.write("net.keras", "PK\x03\x04");
    user.write("net.h5", b"\x89HDF\r\n");
    user.write("net.zip", "PK\x03\x04");
    user.write("unnamed", b"\x80\x02}q\x00.");
    user.write("folder/net.onnx", "");
    user.write("weights/model.safetensors", "");
    user.write("named/mine.toml", CARD);
    let weights = data("peers/mlp/weights.safetensors");
    for (name, words) in [
        ("net.onnx", &["ONNX", "safetensors", "card.toml"][..]),
        ("net.pth", &["PyTorch", "safetensors.torch.save_file", "card.toml"]),
        ("net.keras", &["Keras", "card.toml"]),
        ("net.h5", &["Keras", "card.toml"]),
        ("net.zip", &["archive", "unpack"]),
        ("unnamed", &["PyTorch", "card.toml"]),
        (&weights, &["weights without a card", "card.toml"]),
        ("folder", &["no card.toml", "'net.onnx'", "ONNX"]),
        ("weights", &["no card.toml", "'model.safetensors'", "weights without a card"]),
        ("named", &["no card.toml", "'mine.toml'"]),
        ("missing.onnx", &["no such model", "missing.onnx"]),
    ] {
        user.fails(&format!("{ATTACK} {name}"), 1, words);
    }
}

#[test]
fn networks_with_one_answer_or_a_last_sigmoid_are_told_what_to_do() {
    let user = User::new();
    model(&user, "one", &CARD.replace("num_classes = 10", "num_classes = 1"), &tensors());
    user.fails(&format!("{ATTACK} one"), 1, &["num_classes is 1", "sigmoid", "2 classes"]);
    model(&user, "sigmoid", &format!("{CARD}\n[[layers]]\nop = 'sigmoid'\n"), &tensors());
    user.fails(&format!("{ATTACK} sigmoid"), 1, &["sigmoid", "logits", "leave out"]);
}

/// The line and the field, in words of people who write cards.
#[test]
fn errors_of_cards_name_the_line_and_the_field() {
    let user = User::new();
    let cases: [(&str, &str, &[&str]); 10] = [
        (
            "kernel = 3",
            "kernel = 'x'",
            &["line 13", "layer 1 (conv2d), 'kernel'", "the text 'x'", "whole"],
        ),
        (
            "kernel = 3",
            "kernel = -3",
            &["line 13", "layer 1 (conv2d), 'kernel'", "-3", "0 or more"],
        ),
        ("kernel = 3", "kernel = 3.5", &["line 13", "'kernel'", "3.5", "whole number"]),
        ("kernel = 3", "kernal = 3", &["line 13", "layer 1 (conv2d)", "'kernal'", "'kernel'"]),
        ("kernel = 3", "kernel = 99999999999999999999", &["line 13", "the number 9", "too large"]),
        ("kernel = 3\n", "", &["layer 1 (conv2d)", "'kernel' is missing"]),
        ("op = 'relu'", "op = 'rleu'", &["line 22", "layer 3", "'rleu'", "'relu'"]),
        ("shape = [1, 28, 28]", "shape = [1, 28]", &["line 6", "'input.shape'", "a list of 3"]),
        ("num_classes = 10", "num_classes = 'ten'", &["line 3", "'num_classes'", "the text 'ten'"]),
        ("num_classes = 10\n", "", &["'num_classes' is missing"]),
    ];
    for (old, new, words) in cases {
        assert!(CARD.contains(old), "{old}");
        let card = CARD.replacen(old, new, 1);
        model(&user, "wrong", &card, &tensors());
        user.fails(&format!("{ATTACK} wrong"), 1, words);
        let output = user.run(&format!("{ATTACK} wrong"));
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        for word in ["usize", "invalid type", "variant", "untagged", "struct"] {
            assert!(!told.contains(word), "{told}");
        }
        // The same as JSON, one field a line.
        let Ok(value) = toml::from_str::<serde_json::Value>(&card) else { continue };
        let json = serde_json::to_string_pretty(&value).unwrap();
        user.write("wrong.json", &json);
        let told = user.run(&format!("{ATTACK} wrong.json"));
        let told = String::from_utf8_lossy(&told.stderr).into_owned();
        for word in words.iter().filter(|word| !word.starts_with("line")) {
            assert!(told.contains(word), "{told}");
        }
        let key = new.split(" = ").next().unwrap();
        let at = |line: &str| line.trim_start().starts_with(&format!("\"{key}\""));
        let last = new.split(" = ").last().unwrap().trim_matches(['\'', '[', ']']);
        let line = json.lines().position(|line| at(line) && (key != "op" || line.contains(last)));
        if let Some(line) = line.filter(|_| !new.is_empty()) {
            assert!(told.contains(&format!("line {}:", line + 1)), "{told}\n{json}");
        }
    }
    for (bad, words) in [
        ("name = 'a\n", &["line 1"][..]),
        ("name = 'a'\nname = 'b'\n", &["line 2", "duplicate"]),
        ("{\"name\": \"a\",\n \"num_classes\" 3}", &["line 2"]),
    ] {
        user.write("bad", bad);
        user.fails(&format!("{ATTACK} bad"), 1, words);
    }
    model(&user, "wrong", &CARD.replacen("data = 'mnist'", "data = 'mnits'", 1), &tensors());
    let words = &["'mnits'", "'data' in the card of 'small'", "'mnist'"];
    user.fails("attack --attack fgsm --eps 0.1 --model wrong", 1, words);
}

#[test]
fn so_many_threads_are_not_started() {
    let user = User::new();
    model(&user, "base", CARD, &tensors());
    let output = user.command(&format!("{ATTACK} base")).env("RAYON_NUM_THREADS", "5000").output();
    let output = output.unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("instead of the 5000"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
}

/// With few addresses (`ulimit -v`, in kB) there is a result or one line, and never an abort.
#[test]
#[cfg(target_os = "linux")]
fn few_addresses_end_in_a_result_or_in_one_line() {
    let user = User::new();
    model(&user, "base", CARD, &tensors());
    let program = env!("CARGO_BIN_EXE_epsiloscope");
    // The program itself lies among them.
    let own = std::fs::metadata(program).unwrap().len() / 1024;
    // How much is enough depends on the machine; the first is too little anywhere, and the last enough.
    let limits = [20_000, 60_000, 110_000, 140_000, 170_000, 200_000, 300_000, 400_000, 8_000_000];
    for more in limits {
        for line in [
            format!("{ATTACK} base"),
            "evaluate --model base --dataset mnist --attack pgd --n 4 --eps 0.1".into(),
            "attack --model photo-efficientnet-lite0 --attack fgsm --eps 0.01".into(),
        ] {
            let mut shell = std::process::Command::new("sh");
            let limit = own + more;
            shell.arg("-c").arg(format!("ulimit -v {limit}; exec {program} {line}"));
            shell.env("HOME", user.path("")).env_remove("EPSILOSCOPE_DEVICE");
            let output = shell.current_dir(user.path("")).output().unwrap();
            let told = String::from_utf8_lossy(&output.stderr);
            let said = told.lines().filter(|line| !line.starts_with("note: ")).count();
            match output.status.code() {
                Some(0) if more != limits[0] => {}
                Some(1) if more != limits[8] && said == 1 && told.contains("error: ") => {}
                _ => panic!("{limit} kB, {line}: {:?} {told}", output.status),
            }
        }
    }
}
