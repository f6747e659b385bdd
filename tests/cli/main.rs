//! The program as a user starts it: arguments in; standard output, standard error and exit status out.

mod compare;
mod documents;
mod errors;
mod files;
mod kills;
mod many;
mod models;
mod provenance;
mod results;
mod states;
mod training;

use assert_cmd::Command;
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;

/// A user with an empty home, computing on the CPU.
struct User {
    home: TempDir,
}

impl User {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    /// A path in the home.
    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Writes a file into the home.
    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path.to_string_lossy().into_owned()
    }

    /// The program with these arguments, split at spaces. `{mlp}` is a small MNIST network.
    fn command(&self, line: &str) -> Command {
        Command::from_std(self.program(line))
    }

    /// The same, to be started and ended by hand.
    fn program(&self, line: &str) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_epsiloscope"));
        let mlp = data("peers/mlp");
        command.args(line.split_whitespace().map(|word| word.replace("{mlp}", &mlp)));
        for name in ["SEED", "THEME", "GRAPHICS", "MEMORY"] {
            command.env_remove(format!("EPSILOSCOPE_{name}"));
        }
        command
            .env("EPSILOSCOPE_DEVICE", "cpu")
            .env("HOME", self.home.path())
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("XDG_DATA_HOME", self.path("data"))
            .env("COLUMNS", "100")
            .env_remove("NO_COLOR")
            .current_dir(self.home.path());
        command
    }

    /// Runs it.
    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// Runs it, which must succeed, and gives its standard output.
    fn succeeds(&self, line: &str) -> String {
        let output = self.run(line);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {:?} {errors}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs it, which must succeed, and gives the JSON object that it prints.
    fn json(&self, line: &str) -> serde_json::Value {
        serde_json::from_str(&self.succeeds(line)).unwrap()
    }

    /// Runs it, which must fail with this status, nothing on standard output and one line on
    /// standard error that has all these words in it.
    fn fails(&self, line: &str, status: i32, words: &[&str]) {
        let output = self.run(line);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{line}: {errors}");
        assert!(output.stdout.is_empty(), "{line}: {}", String::from_utf8_lossy(&output.stdout));
        assert!(errors.starts_with("error: ") && errors.lines().count() == 1, "{line}: {errors}");
        for word in words {
            assert!(errors.contains(word), "{line}: '{word}' is not in: {errors}");
        }
    }
}

/// A file or folder of the tests' data.
fn data(name: &str) -> String {
    root().join("tests/data").join(name).to_string_lossy().into_owned()
}

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
