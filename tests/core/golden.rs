//! Agreement with torchattacks, foolbox, ART and fra31/auto-attack on the first eight of the
//! reference pictures, attack by attack (see `tests/data/README.md`; the whole comparison, on three
//! networks and 32 pictures, is made with the reference harness).

use crate::conformance::{Golden, SIZE, differing, golden};
use epsiloscope::attack::{AttackConfig, Bound, Flow, Norm, TargetChoice, find};
use epsiloscope::experiment::{BatchTask, attack_batch};

const PICTURES: usize = 8;

/// What agreement means for an attack.
#[derive(Clone, Copy)]
enum Same {
    /// No larger a share of the pixels differs by more than 1e-4, and every success is the same.
    Pixels(f64),
    /// Every picture that the peer breaks is broken, and the median distance is at most this many
    /// times the peer's.
    Distance(f64),
}
use Same::{Distance, Pixels};

/// (network, tensor, attack, norm, ε, settings, agreement)
type Line = (&'static str, &'static str, &'static str, Norm, f64, &'static [&'static str], Same);

const FIXED: &[&str] = &["random-start=false"];
const MOMENTUM: &[&str] = &["steps=40", "step-size=0.01"];
const CW_ONCE: &[&str] =
    &["searches=1", "steps=100", "learning-rate=0.01", "initial-c=10", "abort-early=false"];
const CW_SEARCH: &[&str] = &["searches=9", "steps=100", "learning-rate=0.1"];

const LINES: &[Line] = &[
    ("mlp", "apgd_ce_linf_0.3.autoattack", "apgd-ce", Norm::Linf, 0.3, FIXED, Pixels(0.01)),
    ("mlp", "apgd_dlr_linf_0.3.autoattack", "apgd-dlr", Norm::Linf, 0.3, FIXED, Pixels(0.01)),
    (
        "mlp",
        "apgd_dlrt2_linf_0.3.autoattack",
        "apgd-t",
        Norm::Linf,
        0.3,
        &["random-start=false", "targets=1"],
        Pixels(0.01),
    ),
    ("mlp", "apgd_ce_l2_2.0.autoattack", "apgd-ce", Norm::L2, 2.0, FIXED, Pixels(0.01)),
    (
        "mlp",
        "mifgsm_linf_0.3.torchattacks_f64",
        "mi-fgsm",
        Norm::Linf,
        0.3,
        MOMENTUM,
        Pixels(0.001),
    ),
    (
        "cnn_at",
        "mifgsm_linf_0.3.torchattacks_f64",
        "mi-fgsm",
        Norm::Linf,
        0.3,
        MOMENTUM,
        Pixels(0.01),
    ),
    ("mlp", "nifgsm_linf_0.3.torchattacks", "ni-fgsm", Norm::Linf, 0.3, MOMENTUM, Pixels(0.025)),
    ("mlp", "deepfool_l2.foolbox_f64", "deepfool", Norm::L2, 28.0, &[], Pixels(0.006)),
    ("mlp", "deepfool_linf.foolbox", "deepfool", Norm::Linf, 1.0, &[], Pixels(0.006)),
    ("mlp", "fab_linf.autoattack", "fab", Norm::Linf, 1.0, &[], Pixels(0.01)),
    ("mlp", "fab_linf.autoattack_t2", "fab-t", Norm::Linf, 1.0, &["targets=1"], Pixels(0.01)),
    ("mlp", "fab_l2.autoattack", "fab", Norm::L2, 28.0, &[], Pixels(0.01)),
    ("mlp", "cw_l2_c10.torchattacks", "cw", Norm::L2, 28.0, CW_ONCE, Pixels(0.0)),
    ("mlp", "cw_l2_bs9_lr0.1.foolbox", "cw", Norm::L2, 28.0, CW_SEARCH, Distance(1.01)),
    ("mlp", "ead_enrule.foolbox", "ead", Norm::L1, 784.0, &["searches=9", "rule=en"], Pixels(0.0)),
    ("mlp", "ddn_l2.foolbox_f64", "ddn", Norm::L2, 28.0, &[], Pixels(0.0)),
    ("cnn_at", "ddn_l2.foolbox_f64", "ddn", Norm::L2, 28.0, &[], Distance(1.01)),
    ("mlp", "fmn_linf.foolbox", "fmn", Norm::Linf, 1.0, &[], Distance(1.01)),
    ("mlp", "newtonfool.art", "newtonfool", Norm::L2, 28.0, &[], Distance(1.0)),
    ("mlp", "jsma.torchattacks", "jsma", Norm::L0, 784.0, &[], Distance(1.0)),
    (
        "mlp",
        "jsma.torchattacks",
        "jsma",
        Norm::L0,
        784.0,
        &["rule=pair", "outputs=logits"],
        Pixels(0.03),
    ),
];

fn ours(golden: &Golden, line: &Line) -> (Vec<f32>, Vec<bool>) {
    let (_, _, id, norm, epsilon, settings, _) = *line;
    let spec = find(id).unwrap();
    let mut plan = AttackConfig::new(spec, epsilon);
    plan.norm = norm;
    // The references' saliency attacks aim at the next class.
    plan.target = if id == "jsma" { TargetChoice::Next } else { TargetChoice::Untargeted };
    for text in settings {
        plan.settings.assign(spec.params, id, text).unwrap();
    }
    let batch = BatchTask {
        model: golden.model.clone(),
        images: golden.tensors["x"][..PICTURES * SIZE].to_vec(),
        shape: [PICTURES, 1, 28, 28],
        labels: golden.labels[..PICTURES].to_vec(),
        plan,
        batch_size: PICTURES,
        surrogate: None,
    };
    let found = attack_batch(&batch, &mut |_, _| Flow::Continue).unwrap();
    (found.adversarial, found.success)
}

#[test]
fn every_family_agrees_with_its_reference() {
    let mut failures = Vec::new();
    for line in LINES {
        let (model, tensor, id, norm, epsilon, _, same) = *line;
        let golden = golden(model);
        let x = &golden.tensors["x"];
        let (found, success) = ours(&golden, line);
        let theirs = &golden.tensors[tensor];
        let reached = golden.broken(theirs, PICTURES);
        let sizes = |images: &[f32]| {
            let rows = images.chunks(SIZE).zip(x.chunks(SIZE)).zip(&reached);
            let broken = rows.filter(|(_, reached)| **reached);
            let mut sizes: Vec<f32> = broken.map(|((a, b), _)| norm.distance(a, b)).collect();
            sizes.sort_by(f32::total_cmp);
            sizes.get(sizes.len() / 2).copied().unwrap_or_default()
        };
        let all = reached.iter().zip(&success).all(|(theirs, ours)| *ours || !theirs);
        let told = match same {
            Pixels(floor) => {
                let share = differing(&found, theirs);
                (share > floor || success != reached).then(|| format!("{share:.4} of the pixels"))
            }
            Distance(most) => {
                let ratio = sizes(&found) / sizes(theirs);
                (f64::from(ratio) > most || !all)
                    .then(|| format!("median {ratio:.4} of the peer's"))
            }
        };
        if let Some(told) = told {
            failures.push(format!("{model} {tensor}: {told}, {success:?} for {reached:?}"));
        }
        if find(id).unwrap().bound == Bound::FixedEpsilon {
            let widest = found.chunks(SIZE).zip(x.chunks(SIZE)).map(|(a, b)| norm.distance(a, b));
            assert!(
                widest.fold(0.0, f32::max) <= epsilon as f32 * (1.0 + 1e-6),
                "{model} {tensor}"
            );
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
