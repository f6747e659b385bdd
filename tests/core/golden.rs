//! Agreement with torchattacks, foolbox, ART and fra31/auto-attack on the first eight reference images:
//! every deterministic attack that a peer has, on each of the reference networks (see
//! `tests/data/README.md`).

use crate::conformance::{Golden, SIZE, differing, golden};
use epsiloscope::attack::{AttackConfig, Bound, Flow, Goal, Norm, TargetChoice, find, softmax};
use epsiloscope::experiment::{BatchTask, attack_batch};

const IMAGES: usize = 8;

/// What agreement means for an attack on a network.
#[derive(Clone, Copy)]
enum Same {
    /// No larger a share of the pixels differs by more than 1e-4, and every success is the same.
    Pixels(f64),
    /// Every image that the peer breaks is broken, and their median distance is at most so many times
    /// the peer's: for searches for the least perturbation.
    Distance(f64),
    /// Every image that the peer breaks is broken, and the mean cross-entropy is at least 0.99 of the
    /// peer's: for attacks within ε whose pixels rounding decides (APGD halves its step by a
    /// comparison of losses, and `cnn` is so sure that its float32 gradients are rough).
    AsStrong,
    /// The peer was not run on this network.
    NotRun,
}
use Same::{AsStrong, Distance, NotRun, Pixels};

/// The reference networks.
const NETWORKS: [&str; 3] = ["mlp", "cnn", "cnn_at"];

/// An attack and a peer's result for it.
struct Line {
    /// The tensor of the peer's images.
    tensor: &'static str,
    attack: &'static str,
    norm: Norm,
    epsilon: f64,
    settings: &'static [&'static str],
    /// On each of [`NETWORKS`].
    same: [Same; 3],
}

const fn line(
    tensor: &'static str,
    (attack, norm, epsilon): (&'static str, Norm, f64),
    settings: &'static [&'static str],
    same: [Same; 3],
) -> Line {
    Line { tensor, attack, norm, epsilon, settings, same }
}

const FIXED: &[&str] = &["random-start=false"];
const STEPS: &[&str] = &["steps=40", "step-size=0.01"];
const STEPS_L2: &[&str] = &["steps=40", "step-size=0.2"];
const CW_ONCE: &[&str] =
    &["searches=1", "steps=100", "learning-rate=0.01", "initial-c=10", "abort-early=false"];
const CW_ONE: &[&str] =
    &["searches=1", "steps=100", "learning-rate=0.01", "initial-c=1", "abort-early=false"];
const CW_SEARCH: &[&str] = &["searches=9", "steps=100", "learning-rate=0.1"];
const EAD_EN: &[&str] = &["searches=9", "rule=en"];
const EAD_L1: &[&str] = &["searches=9", "rule=l1", "beta=0.001"];

use Norm::{L0, L1, L2, Linf};
const LINES: &[Line] = &[
    line(
        "fgsm_linf_0.1.torchattacks_f64",
        ("fgsm", Linf, 0.1),
        &[],
        [Pixels(0.001), Pixels(0.001), Pixels(0.0)],
    ),
    line("fgm_l2_2.0.foolbox", ("fgsm", L2, 2.0), &[], [Pixels(0.014), AsStrong, Pixels(0.014)]),
    line(
        "pgd_linf_0.3.torchattacks_f64",
        ("bim", Linf, 0.3),
        STEPS,
        [Pixels(0.006), AsStrong, Pixels(0.021)],
    ),
    line("pgd_l2_2.0.art", ("bim", L2, 2.0), STEPS_L2, [Pixels(0.025), AsStrong, Pixels(0.09)]),
    line(
        "mifgsm_linf_0.3.torchattacks_f64",
        ("mi-fgsm", Linf, 0.3),
        STEPS,
        [Pixels(0.001), Pixels(0.01), Pixels(0.01)],
    ),
    line(
        "nifgsm_linf_0.3.torchattacks",
        ("ni-fgsm", Linf, 0.3),
        STEPS,
        [Pixels(0.025), AsStrong, AsStrong],
    ),
    line(
        "apgd_ce_linf_0.3.autoattack",
        ("apgd-ce", Linf, 0.3),
        FIXED,
        [Pixels(0.01), AsStrong, AsStrong],
    ),
    line(
        "apgd_ce_l2_2.0.autoattack",
        ("apgd-ce", L2, 2.0),
        FIXED,
        [Pixels(0.01), AsStrong, AsStrong],
    ),
    line(
        "apgd_dlr_linf_0.3.autoattack",
        ("apgd-dlr", Linf, 0.3),
        FIXED,
        [Pixels(0.01), Pixels(0.01), AsStrong],
    ),
    line(
        "apgd_dlrt2_linf_0.3.autoattack",
        ("apgd-t", Linf, 0.3),
        &["random-start=false", "targets=1"],
        [Pixels(0.01), AsStrong, AsStrong],
    ),
    line(
        "deepfool_l2.foolbox_f64",
        ("deepfool", L2, 28.0),
        &[],
        [Pixels(0.006), Pixels(0.006), Pixels(0.006)],
    ),
    line(
        "deepfool_linf.foolbox",
        ("deepfool", Linf, 1.0),
        &[],
        [Pixels(0.006), Pixels(0.006), Pixels(0.006)],
    ),
    line(
        "fab_linf.autoattack",
        ("fab", Linf, 1.0),
        &[],
        [Pixels(0.01), Distance(1.01), Pixels(0.01)],
    ),
    line(
        "fab_linf.autoattack_t2",
        ("fab-t", Linf, 1.0),
        &["targets=1"],
        [Pixels(0.01), Distance(1.01), NotRun],
    ),
    line(
        "fab_l2.autoattack",
        ("fab", L2, 28.0),
        &[],
        [Pixels(0.01), Distance(1.01), Distance(1.01)],
    ),
    line("cw_l2_c10.torchattacks", ("cw", L2, 28.0), CW_ONCE, [Pixels(0.0), NotRun, Pixels(0.0)]),
    // With c = 10 torchattacks breaks one image more on `cnn` by masking a logit with 0.
    line("cw_l2_c1.torchattacks", ("cw", L2, 28.0), CW_ONE, [NotRun, Pixels(0.0), NotRun]),
    line(
        "cw_l2_bs9_lr0.1.foolbox",
        ("cw", L2, 28.0),
        CW_SEARCH,
        [Distance(1.01), Distance(1.01), Distance(1.01)],
    ),
    line("ead_enrule.foolbox", ("ead", L1, 784.0), EAD_EN, [Pixels(0.0), Distance(1.01), NotRun]),
    line(
        "ead_l1rule.foolbox",
        ("ead", L1, 784.0),
        EAD_L1,
        [Distance(1.01), Distance(1.01), Distance(1.01)],
    ),
    line(
        "ddn_l2.foolbox_f64",
        ("ddn", L2, 28.0),
        &[],
        [Pixels(0.0), Distance(1.01), Distance(1.01)],
    ),
    line(
        "fmn_linf.foolbox",
        ("fmn", Linf, 1.0),
        &[],
        [Distance(1.01), Distance(1.01), Distance(1.05)],
    ),
    line(
        "fmn_l2.foolbox",
        ("fmn", L2, 28.0),
        &[],
        [Distance(1.01), Distance(1.01), Distance(1.01)],
    ),
    line("newtonfool.art", ("newtonfool", L2, 28.0), &[], [Distance(1.0), NotRun, NotRun]),
    line(
        "newtonfool.foolbox",
        ("newtonfool", L2, 28.0),
        &[],
        [NotRun, Distance(1.0), Distance(1.0)],
    ),
    line(
        "jsma.torchattacks",
        ("jsma", L0, 784.0),
        &[],
        [Distance(1.0), Distance(1.0), Distance(1.0)],
    ),
    line(
        "jsma.torchattacks",
        ("jsma", L0, 784.0),
        &["rule=pair", "outputs=logits"],
        [Pixels(0.03), NotRun, NotRun],
    ),
];

fn ours(golden: &Golden, line: &Line) -> (Vec<f32>, Vec<bool>) {
    let spec = find(line.attack).unwrap();
    let mut plan = AttackConfig::new(spec, line.epsilon);
    plan.norm = line.norm;
    // The references' saliency attacks are targeted at the next class.
    let next = line.attack == "jsma";
    plan.target = if next { TargetChoice::Next } else { TargetChoice::Untargeted };
    for text in line.settings {
        plan.settings.assign(spec.params, line.attack, text).unwrap();
    }
    let batch = BatchTask {
        model: golden.model.clone(),
        images: golden.tensors["x"][..IMAGES * SIZE].to_vec(),
        shape: [IMAGES, 1, 28, 28],
        labels: golden.labels[..IMAGES].to_vec(),
        plan,
        batch_size: IMAGES,
        surrogate: None,
    };
    let found = attack_batch(&batch, &mut |_, _| Flow::Continue).unwrap();
    (found.adversarial, found.success)
}

/// What the attack aims at, for each image: the references' saliency attacks at the next class.
fn goals(golden: &Golden, line: &Line) -> Vec<Goal> {
    let goal = |truth: &usize| match line.attack {
        "jsma" => Goal::Targeted { target: (truth + 1) % 10 },
        _ => Goal::Untargeted { truth: *truth },
    };
    golden.labels[..IMAGES].iter().map(goal).collect()
}

/// In what way our images differ from the peer's by more than is allowed, if they do.
fn differs(network: &str, golden: &Golden, line: &Line, same: Same) -> Option<String> {
    let Line { tensor, norm, epsilon, .. } = *line;
    let x = &golden.tensors["x"];
    let (found, success) = ours(golden, line);
    let theirs = &golden.tensors[tensor];
    let labels = golden.logits(theirs, IMAGES).labels();
    let goals = goals(golden, line);
    let reached: Vec<bool> =
        labels.iter().zip(&goals).map(|(label, goal)| goal.reached(*label)).collect();
    let median = |images: &[f32]| {
        let rows = images.chunks(SIZE).zip(x.chunks(SIZE)).zip(&reached);
        let broken = rows.filter(|(_, reached)| **reached);
        let mut sizes: Vec<f32> = broken.map(|((a, b), _)| norm.distance(a, b)).collect();
        sizes.sort_by(f32::total_cmp);
        sizes.get(sizes.len() / 2).copied().unwrap_or_default()
    };
    if find(line.attack).unwrap().bound == Bound::FixedEpsilon {
        let distances = found.chunks(SIZE).zip(x.chunks(SIZE)).map(|(a, b)| norm.distance(a, b));
        let most = distances.fold(0.0, f32::max);
        assert!(most <= epsilon as f32 * (1.0 + 1e-6), "{network} {tensor}: {most}");
    }
    let (share, ratio) = (differing(&found, theirs), f64::from(median(&found) / median(theirs)));
    let all = reached.iter().zip(&success).all(|(theirs, ours)| *ours || !theirs);
    let loss = |images: &[f32]| -> f64 {
        let logits = golden.logits(images, IMAGES);
        let rows = logits.rows().zip(&golden.labels);
        rows.map(|(row, truth)| -softmax(row)[*truth].ln()).sum()
    };
    let fails = match same {
        Pixels(most) => share > most || success != reached,
        // Where the peer breaks nothing there is nothing to compare, and the ratio is not a number.
        Distance(most) => ratio > most || !all,
        AsStrong => !all || loss(&found) < 0.99 * loss(theirs),
        NotRun => return None,
    };
    let told = format!("{share:.4} of the pixels differ, median {ratio:.4} of the peer's");
    fails.then(|| format!("{network} {tensor}: {told}, {success:?} for {reached:?}"))
}

#[test]
fn every_deterministic_attack_agrees_with_its_references() {
    let mut failures = Vec::new();
    for (at, network) in NETWORKS.into_iter().enumerate() {
        let golden = golden(network);
        let lines = LINES.iter().filter(|line| !matches!(line.same[at], NotRun));
        failures.extend(lines.filter_map(|line| differs(network, &golden, line, line.same[at])));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
