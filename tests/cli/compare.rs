//! `compare`: the cells of `attack`, the shares of `evaluate`, in every format; saved hybrids.

use crate::User;
use crate::results::has;

const MLP: &str = "--model {mlp} --dataset mnist";

#[test]
fn cells_are_those_of_an_attack_on_the_defence() {
    let user = User::new();
    let defences = "--defence jpeg:60 --defence bits:3+median";
    let line = format!("compare {MLP} --sample 4 {defences} --seed 3");
    let compared =
        user.json(&format!("{line} --attack bim:steps=5 --attack square:queries=30 --json"));
    for (column, set) in [("bim", "steps=5"), ("square", "queries=30")].into_iter().enumerate() {
        let line = format!("attack {MLP} --sample 4 {defences} --seed 3");
        let alone = user.json(&format!("{line} --attack {} --set {} --json", set.0, set.1));
        assert_eq!(compared["rows"][0]["cells"][column]["adversarial"], alone["adversarial"]);
        let rows: Vec<_> = alone["defences"].as_array().unwrap().iter().collect();
        assert!(rows.len() >= 4, "{alone}");
        let mut met = 0;
        for row in compared["rows"].as_array().unwrap() {
            let cell = &row["cells"][column];
            let same = |other: &&&serde_json::Value| {
                other["defence"] == row["defence"] && other["stance"] == row["stance"]
            };
            let Some(other) = rows.iter().find(same) else { continue };
            for key in ["clean", "adversarial", "outcome", "held", "distance"] {
                assert_eq!(cell[key], other[key], "{key} of {row}");
            }
            met += 1;
        }
        assert_eq!(met, 4);
    }
}

#[test]
fn shares_have_intervals_and_a_worst_case() {
    let user = User::new();
    let line = format!(
        "compare {MLP} --n 12 --defence median --attack fgsm --attack fgsm:l2 --eps 0.1 --eps l2=0.5"
    );
    let report = user.json(&format!("{line} --json"));
    has(&report, &["/rows/2/many/worst/interval", "/rows/0/ms", "/attacks/1/epsilon"]);
    assert_eq!(
        (&report["attacks"][0]["epsilon"], &report["attacks"][1]["epsilon"]),
        (&0.1.into(), &0.5.into())
    );
    assert_eq!(report["rows"].as_array().unwrap().len(), 3);
    let hits = |at: &str| report.pointer(at).unwrap().as_u64().unwrap();
    assert!(hits("/rows/2/many/worst/hits") <= hits("/rows/2/many/attacks/0/hits"));
    let evaluated = user
        .json(&format!("evaluate {MLP} --n 12 --defence median --attack fgsm --eps 0.1 --json"));
    assert_eq!(report["rows"][2]["many"]["attacks"][0], evaluated["attacks"][0]["robust_alone"]);
    let text = user.succeeds(&line);
    for word in ["worst case", "n = 12", "seed 0", "ε L2 0.500", "not robustness", "median 2"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let adaptive = user.succeeds(&format!("{line} --stance adaptive --sort worst --format md"));
    assert!(
        !adaptive.contains("naive") && adaptive.contains("| median 2 | adaptive |"),
        "{adaptive}"
    );
}

#[test]
fn the_defaults_are_the_strip_and_a_hybrid_and_files_are_written() {
    let user = User::new();
    let line = "compare --model mnist-cnn --sample 1 --stance naive --attack fgsm";
    let csv = user.succeeds(&format!("{line} --format csv --save table.md"));
    assert!(csv.starts_with("model,dataset,sample,seed,defence"), "{csv}");
    for row in ["bit-depth,", "median,", "jpeg,", "pgd-at,", "jpeg+pgd-at,"] {
        assert!(csv.contains(&format!(",{row}")), "{row}: {csv}");
    }
    let saved = std::fs::read_to_string(user.path("table.md")).unwrap();
    assert!(saved.contains("| JPEG 75 + PGD-AT | naive |"), "{saved}");
    let fails = |more: &str, words: &[&str]| user.fails(&format!("{line} {more}"), 2, words);
    fails("--save table.txt", &["table.txt", "--save", ".csv"]);
    fails("--defence jepg", &["jepg", "'jpeg'"]);
    fails("--attack pgd:l7", &["l7", "pgd:l7"]);
    fails("--eps l9=1", &["l9", "--eps"]);
    fails("--n 0", &["--n", "1.."]);
}

#[test]
fn a_hybrid_saved_by_name_is_known_to_every_command() {
    let user = User::new();
    user.write("config/epsiloscope/config.toml", "[hybrids]\ntough = 'jpeg:50+bits:3'\n");
    user.write("data/epsiloscope/hybrids.toml", "tough = \"jpeg\"\nother = \"median\"\n");
    let line = format!("{MLP} --attack fgsm --eps 0.1");
    let report = user.json(&format!("attack {line} --defence tough --json"));
    assert_eq!(report["defences"][0]["defence"], "jpeg:quality=50+bit-depth");
    assert!(report["defences"][0]["name"].as_str().unwrap().starts_with("tough (JPEG 50"));
    let report = user.json(&format!("evaluate {line} --n 3 --defence other --json"));
    assert_eq!(report["defence"]["stack"], "median");
    let both = "compare --sample 0 --stance naive --defence tough+other --defence other";
    let text = user.succeeds(&format!("{both} {MLP} --attack fgsm"));
    assert!(text.contains("JPEG 50 + bit depth 3 + median 2") && text.contains("other (median 2)"));
    assert!(user.succeeds("--print-config").contains("\"tough\" = \"jpeg:quality=50+bit-depth\""));
    user.write("config/epsiloscope/config.toml", "[hybrids]\njpeg = 'median'\n");
    user.fails("models", 2, &["config.toml:2", "'jpeg'", "already"]);
}
