//! Replays the corpus of `fuzz/`, and feeds every target inputs that are made of it by a seeded
//! mutator: the same ones on every machine. `EPSILOSCOPE_FUZZ=1000000` makes it that many of each
//! target, `EPSILOSCOPE_FUZZ_SEED=7` makes it others.

#[path = "../fuzz/src/lib.rs"]
mod targets;

#[path = "corpus/mutate.rs"]
mod mutate;

use mutate::{Mutator, TOKENS};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many made-up inputs of each target, where the environment does not say otherwise.
const RUNS: u64 = 2000;
/// No input takes longer.
const LONGEST: Duration = Duration::from_secs(10);
/// No target takes the program's memory beyond this.
const MOST_KIB: u64 = 1 << 20;

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

fn environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a whole number"))
}

/// The inputs of a target's corpus, by name.
fn seeds_of(target: &str) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(corpus(target)).expect("every target has a corpus");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), std::fs::read(path).expect("a file"))).collect()
}

/// The largest memory that this process has had so far; none where the system does not say.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// Feeds one input; what it fails on stays in a file. What ends the process stays in the file that
/// `EPSILOSCOPE_FUZZ_KEEP` names: the same input comes again.
fn feed(target: &str, name: &str, input: &[u8]) -> bool {
    if let Some(path) = std::env::var_os("EPSILOSCOPE_FUZZ_KEEP") {
        std::fs::write(path, input).expect("a file");
    }
    let begin = Instant::now();
    let fed = catch_unwind(AssertUnwindSafe(|| targets::run(target, input)));
    let took = begin.elapsed();
    let taken = fed.ok().filter(|_| took <= LONGEST);
    taken.unwrap_or_else(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz").join(target);
        std::fs::create_dir_all(&folder).expect("a folder");
        let kept = folder.join(name);
        std::fs::write(&kept, input).expect("a file");
        panic!("target '{target}' fails on '{}' ({took:.1?}); see above", kept.display())
    })
}

fn campaign(target: &str) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let seeds = seeds_of(target);
    let before = peak_kib();
    let frugal = |what: &str| {
        if let (Some(before), Some(now)) = (before, peak_kib()) {
            assert!(
                before > MOST_KIB || now <= MOST_KIB,
                "'{target}' took {now} KiB, in {what} at the latest"
            );
        }
    };
    let mut taken = 0;
    for (name, input) in &seeds {
        taken += usize::from(feed(target, name, input));
        frugal(name);
    }
    // A corpus that is only refused tests nothing but the first check.
    assert!(taken > 0, "'{target}' takes none of its {} inputs", seeds.len());
    let seed = environment("EPSILOSCOPE_FUZZ_SEED").unwrap_or(1);
    let runs = environment("EPSILOSCOPE_FUZZ").unwrap_or(RUNS);
    let mut mutator = Mutator::new(seed, TOKENS.iter().find(|(name, _)| *name == target));
    for number in 0..runs {
        let input = mutator.make(&seeds);
        feed(target, &format!("{seed}-{number}"), &input);
        if number % 64 == 63 {
            frugal(&format!("{seed}-{number}"));
        }
    }
}

macro_rules! campaigns {
    ($($target:ident),* $(,)?) => {
        $(#[test]
        fn $target() {
            campaign(stringify!($target));
        })*

        #[test]
        fn every_target_has_its_campaign() {
            let names: Vec<&str> = targets::TARGETS.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, [$(stringify!($target)),*]);
            for name in names {
                let text = format!("{name}.rs");
                let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets").join(text);
                let text = std::fs::read_to_string(file).expect("its binary");
                assert!(text.contains(&format!("run(\"{name}\", data)")), "{text}");
            }
        }
    };
}

campaigns!(
    card, weights, model, inputs, state, config, hybrids, picture, npy, idx, pickle, keys, terminal
);
