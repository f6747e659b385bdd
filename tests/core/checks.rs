//! Evaluation lamps: each must light where it should and must not where it should not, by real attacks
//! on real networks; and what is asked by itself costs little.

use crate::defended::Cpu;
use burn_tensor::Device;
use epsiloscope::attack::{
    Algorithm, AttackConfig, AttackOutput, AttackSpec, Bound, Flow, GradientOracle, NoObserver,
    Norm, Observer, Problem, find,
};
use epsiloscope::data::{Dataset, Image};
use epsiloscope::defence::{
    BackwardRule, DefenceSpec, DefenceStack, Pipeline, PipelineBuilder, Stance, Transform,
};
use epsiloscope::error::Result;
use epsiloscope::experiment::{
    self, DefendedAttack, EvaluatedDefence, Evaluation, EvaluationReport, Experiment,
    FinishedAttack,
};
use epsiloscope::metrics::checks::{
    CHECKS, CheckResult, CheckStatus, Evidence, Probe, check_dataset, run_checks,
};
use epsiloscope::model::{
    Model, Normalisation, Weights, find_card, floats, read_tensors, write_tensors,
};
use epsiloscope::parameter::{FloatParam, IntParam, Settings};
use epsiloscope::rng::KeyedRng;
use safetensors::Dtype;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What shows a lamp.
#[allow(clippy::large_enum_variant, reason = "there are a few dozen of them")]
enum Show {
    /// One attack on one picture, the lamp's probe asked.
    One(Case),
    /// Attacks on many pictures.
    Many(Box<Evaluation>),
}

/// One attack on one picture, defended or not.
pub struct Case {
    pub experiment: Experiment,
    /// A stack, a stance and EOT's draws.
    defence: Option<(DefenceStack, Stance, u64)>,
}

fn cpu() -> experiment::DeviceInfo {
    experiment::DeviceInfo { kind: "cpu".into(), name: "test".into() }
}

pub fn model(name: &str) -> Arc<Model> {
    Model::load(name, &Device::flex()).unwrap()
}

pub fn plan(attack: &str, epsilon: f64) -> AttackConfig {
    let mut words = attack.split(':');
    let spec = find(words.next().unwrap()).unwrap();
    let mut plan = AttackConfig::new(spec, epsilon);
    words.for_each(|text| plan.settings.assign(spec.params, spec.id, text).unwrap());
    plan
}

pub fn on(model: Arc<Model>, sample: usize, plan: AttackConfig) -> Case {
    let sample = Dataset::load(&model.card.data).unwrap().sample(sample);
    let experiment = Experiment { model, surrogate: None, sample, plan, device: cpu() };
    Case { experiment, defence: None }
}

fn case(name: &str, sample: usize, attack: &str, epsilon: f64) -> Case {
    on(model(name), sample, plan(attack, epsilon))
}

impl Case {
    fn behind(self, stack: &str, stance: Stance) -> Self {
        Self { defence: Some((DefenceStack::parse(stack).unwrap(), stance, 10)), ..self }
    }

    fn behind_row(self, row: &'static DefenceSpec, stance: Stance, draws: u64) -> Self {
        Self { defence: Some((DefenceStack::of(row), stance, draws)), ..self }
    }

    /// Attacks, and lets `see` see what was attacked and what came of it.
    fn with<T>(&self, see: impl FnOnce(FinishedAttack<'_>) -> T) -> T {
        let (experiment, observer) = (&self.experiment, &mut NoObserver);
        let report = experiment::attack_sample(experiment, observer).unwrap();
        assert!(report.attacked || report.clean.confidence.is_nan());
        let Some((stack, stance, draws)) = &self.defence else {
            return see(FinishedAttack { experiment, report: &report, row: None });
        };
        let pipeline = Pipeline::build(stack, experiment.model.clone(), 0, &mut Cpu).unwrap();
        let known = experiment::defence_baseline(&pipeline, &report.original).unwrap();
        let (stance, draws) = (*stance, *draws);
        let against = DefendedAttack { pipeline: &pipeline, surrogate: None, stance, draws };
        let row = experiment::defend(experiment, &report, against, &known, observer).unwrap();
        see(FinishedAttack { experiment, report: &report, row: Some((against, &row)) })
    }

    /// Everything known after what is asked by itself.
    pub fn watched(&self) -> Evidence {
        self.with(|scene| {
            let mut evidence = scene.evidence().clone();
            let mut told = |found: &Evidence| evidence = found.clone();
            experiment::run_auto_checks(&scene, &mut NoObserver, &mut told).unwrap();
            evidence
        })
    }

    /// Everything known once these probes were asked; all of them where none are named.
    fn evidence(&self, probes: &[Probe]) -> Evidence {
        self.with(|scene| {
            let mut evidence = scene.evidence().clone();
            let mut told = |found: &Evidence| evidence = found.clone();
            experiment::run_probes(&scene, probes, &mut NoObserver, &mut told).unwrap();
            evidence
        })
    }
}

/// Attacks on the first `n` samples of the model's data set, every one on each.
fn many(model: Arc<Model>, n: usize, plans: Vec<AttackConfig>) -> Evaluation {
    let dataset = Dataset::load(&model.card.data).unwrap();
    let one = Evaluation::new(model, dataset, n, plans[0].clone(), cpu());
    Evaluation { plans, every: true, ..one }
}

fn defended(task: Evaluation, stack: DefenceStack, stance: Stance, draws: u64) -> Evaluation {
    let pipeline = Pipeline::build(&stack, task.model.clone(), 0, &mut Cpu).unwrap();
    Evaluation {
        defence: Some(EvaluatedDefence { pipeline: Arc::new(pipeline), stance, draws }),
        ..task
    }
}

impl Show {
    /// What the lamp shows where nobody asks for more than is asked by itself.
    fn unasked(&self, id: &str) -> CheckResult {
        let all = match self {
            Self::One(case) => run_checks(&case.watched()),
            Self::Many(_) => return self.of(id),
        };
        all.into_iter().find(|verdict| verdict.check.id == id).unwrap()
    }

    fn of(&self, id: &str) -> CheckResult {
        let lamp = CHECKS.iter().find(|lamp| lamp.id == id).unwrap();
        let all = match self {
            Self::One(case) => run_checks(&case.evidence(lamp.probe.as_slice())),
            Self::Many(task) => {
                check_dataset(&experiment::evaluate(task, &mut |_| Flow::Continue).unwrap().checks)
            }
        };
        all.into_iter().find(|verdict| verdict.check == lamp).unwrap()
    }
}

/// A stage that adds noise.
struct Noise;

impl Transform for Noise {
    fn apply(&self, picture: &Image, draws: &mut KeyedRng) -> Result<Image> {
        let noisy = picture.pixels().iter().map(|p| (p + 0.3 * draws.normal()).clamp(0.0, 1.0));
        Ok(Image::new(picture.shape(), noisy.collect::<Vec<_>>()))
    }

    fn vjp(&self, _: &Image, gradient: Vec<f32>, _: &mut KeyedRng) -> Result<Vec<f32>> {
        Ok(gradient)
    }
}

/// A defence that does nothing: what is left is the stance.
static NOTHING: DefenceSpec = DefenceSpec {
    id: "nothing",
    aliases: &[],
    name: "nothing",
    family: "test",
    params: &[],
    backward: BackwardRule::Exact,
    randomised: false,
    summary: "",
    about: "",
    paper: "",
    build: |_, _| Ok(()),
};

/// A defence by chance alone.
static CHANCE: DefenceSpec = DefenceSpec {
    id: "chance",
    aliases: &[],
    name: "chance",
    family: "test",
    params: &[],
    backward: BackwardRule::Exact,
    randomised: true,
    summary: "",
    about: "",
    paper: "",
    build: |_: &Settings, builder: &mut PipelineBuilder<'_>| builder.stage(Box::new(Noise)),
};

/// PGD that hands back the clean picture, whatever it found.
static FORGETFUL: AttackSpec = AttackSpec {
    id: "forgetful",
    name: "forgetful",
    family: "test",
    norms: &[Norm::Linf],
    bound: Bound::FixedEpsilon,
    targeted: false,
    random: true,
    universal: false,
    training_images: None,
    repetitions: &[],
    stages: None,
    params: &[
        IntParam::new("steps", (1, 100), 10, "steps").param,
        FloatParam::new("step-size", (0.0, 1.0), 0.1, "length").param,
    ],
    summary: "",
    about: "",
    paper: "",
    run: Algorithm::Gradient(forget),
};

fn forget(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    watcher: &mut dyn Observer,
) -> Result<AttackOutput> {
    let Algorithm::Gradient(run) = find("bim")?.run else { panic!("BIM asks for gradients") };
    let attempt = run(oracle, problem, settings, watcher)?;
    Ok(AttackOutput { images: problem.images.clone(), ..attempt })
}

/// `mnist-cnn` with its logits so many times as large: what distillation does to a network.
fn louder(gain: f32) -> Arc<Model> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/sample_models/mnist-cnn/weights.safetensors");
    let bytes = std::fs::read(path).unwrap();
    let tensors: Vec<_> = read_tensors(&bytes, path)
        .unwrap()
        .iter()
        .map(|(name, view)| {
            let gain = if name.starts_with("fc2") { gain } else { 1.0 };
            let values = floats(view).unwrap();
            let raw = values.iter().flat_map(|v| (v * gain).to_le_bytes()).collect();
            (name.clone(), view.shape().to_vec(), raw, Dtype::F32)
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weights.safetensors");
    write_tensors(&file, &tensors).unwrap();
    let weights = Weights::parse(&std::fs::read(&file).unwrap(), "louder").unwrap();
    let (card, _) = find_card("mnist-cnn").unwrap();
    Arc::new(Model::build(card, &weights, &Device::flex()).unwrap())
}

/// `mnist-cnn` behind a sigmoid so steep that grey values are black or white: nearly no pixel has a
/// gradient, and a step from black or white changes nothing.
fn quantised(steepness: f32) -> Arc<Model> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/sample_models/mnist-cnn/weights.safetensors");
    let weights = Weights::parse(&std::fs::read(path).unwrap(), "quantised").unwrap();
    let (mut card, _) = find_card("mnist-cnn").unwrap();
    card.input.normalisation = Some(Normalisation { mean: vec![0.5], std: vec![1.0 / steepness] });
    card.layers.insert(0, epsiloscope::model::ops::Sigmoid {}.into());
    Arc::new(Model::build(card, &weights, &Device::flex()).unwrap())
}

const LAZY: &str = "pgd:step-size=0.0001:random-start=false";

/// For each lamp what must light it, and what must not.
fn shows() -> Vec<(&'static str, [Show; 2])> {
    use Show::One;
    let many = |name: &str, n: usize, attacks: &[&str], epsilon: f64| {
        let plans = attacks.iter().map(|attack| plan(attack, epsilon)).collect();
        many(model(name), n, plans)
    };
    let all = |task: Evaluation| Show::Many(Box::new(task));
    let behind = |task: Evaluation, stack: &str, stance: Stance| {
        all(defended(task, DefenceStack::parse(stack).unwrap(), stance, 10))
    };
    let digit = |attack: &str, epsilon: f64| case("mnist-cnn", 0, attack, epsilon);
    let easy = || digit("pgd", 0.02);
    let steps = "pgd:steps=10";
    vec![
        (
            "stance",
            [
                One(digit(steps, 0.1).behind("bits:2", Stance::Naive)),
                One(digit(steps, 0.1).behind("bits:2", Stance::Adaptive)),
            ],
        ),
        (
            "stance",
            [
                behind(many("mnist-cnn", 5, &[steps], 0.1), "bits:2", Stance::Gradient),
                behind(many("mnist-cnn", 5, &[steps], 0.1), "bits:2", Stance::Bpda),
            ],
        ),
        ("gradient-path", [One(easy().behind("jpeg", Stance::Gradient)), One(easy())]),
        (
            "gradient-path",
            [
                One(digit(steps, 0.1).behind("noise+jpeg", Stance::Eot)),
                One(digit(steps, 0.1).behind_row(&CHANCE, Stance::Gradient, 1)),
            ],
        ),
        ("vanishing-gradient", [One(easy().behind("median", Stance::Gradient)), One(easy())]),
        (
            "vanishing-gradient",
            [
                One(on(louder(10.0), 0, plan(steps, 0.1)).behind_row(
                    &NOTHING,
                    Stance::Gradient,
                    1,
                )),
                One(on(louder(10.0), 0, plan(steps, 0.1)).behind_row(
                    &NOTHING,
                    Stance::Adaptive,
                    1,
                )),
            ],
        ),
        // A distilled network answers so surely that its loss is flat in single precision.
        (
            "vanishing-gradient",
            [Stance::Gradient, Stance::Adaptive]
                .map(|stance| One(digit(steps, 0.1).behind("distilled", stance))),
        ),
        ("vanishing-gradient", [One(on(quantised(1000.0), 0, plan("pgd", 0.1))), One(easy())]),
        (
            "vanishing-gradient",
            [Stance::Gradient, Stance::Adaptive]
                .map(|stance| behind(many("mnist-cnn", 5, &[steps], 0.1), "median", stance)),
        ),
        (
            "overconfidence",
            [
                One(case("mnist-distilled", 0, steps, 0.05)),
                One(case("mnist-cnn-at", 0, steps, 0.1)),
            ],
        ),
        (
            "overconfidence",
            [
                all(many("mnist-distilled", 5, &[steps], 0.3)),
                all(many("mnist-cnn-at", 5, &[steps], 0.3)),
            ],
        ),
        // The logits are beyond what a number can hold.
        ("non-finite-logits", [One(on(louder(1e38), 0, plan(steps, 0.3))), One(digit(steps, 0.3))]),
        (
            "non-finite-logits",
            [
                all(self::many(louder(1e38), 5, vec![plan(steps, 0.3)])),
                all(many("mnist-cnn", 5, &[steps], 0.3)),
            ],
        ),
        (
            "draws",
            [Stance::Gradient, Stance::Adaptive].map(|stance| {
                One(case("mnist-cnn-at", 0, "pgd:steps=3", 0.1).behind("resize-pad", stance))
            }),
        ),
        (
            "noisy-loss",
            [One(digit(steps, 0.1).behind_row(&CHANCE, Stance::Gradient, 1)), One(easy())],
        ),
        ("single-step", [One(digit(LAZY, 0.3)), One(easy())]),
        (
            "single-step",
            [
                all(many("mnist-cnn", 10, &["fgsm", LAZY], 0.3)),
                all(many("mnist-cnn", 10, &["fgsm", "pgd"], 0.3)),
            ],
        ),
        (
            "black-box",
            [
                One(case("fashion-cnn-at", 0, "pgd", 0.1).behind("bits", Stance::Gradient)),
                One(easy()),
            ],
        ),
        (
            "black-box",
            [
                all(many("mnist-cnn", 5, &["square:queries=300", LAZY], 0.3)),
                all(many("mnist-cnn", 5, &["square:queries=300", "pgd"], 0.3)),
            ],
        ),
        ("unbounded", [One(easy().behind("jpeg", Stance::Gradient)), One(easy())]),
        // What catastrophic overfitting looks like: the full step misses what half of it finds.
        ("monotone", [One(case("mnist-fgsm-at", 73, "fgsm", 0.3)), One(easy())]),
        (
            "converged",
            [
                One(case("mnist-cnn-at", 0, "pgd:step-size=0.0005", 0.1)),
                One(case("mnist-cnn-at", 0, "pgd", 0.1)),
            ],
        ),
        (
            "step-size",
            [
                One(case("mnist-cnn-at", 0, "pgd:step-size=0.2", 0.1)),
                One(case("mnist-cnn-at", 0, "pgd", 0.1)),
            ],
        ),
        (
            "restarts",
            [One(case("mnist-cnn-at", 6, "pgd", 0.3)), One(case("mnist-cnn-at", 0, "pgd", 0.05))],
        ),
        (
            "silent-success",
            [
                One(on(model("mnist-cnn"), 0, AttackConfig::new(&FORGETFUL, 0.3))),
                One(digit("pgd", 0.3)),
            ],
        ),
        (
            "draws",
            [
                One(case("mnist-cnn-at", 1, steps, 0.1).behind_row(&CHANCE, Stance::Gradient, 1)),
                One(case("mnist-cnn-at", 1, steps, 0.1).behind_row(&CHANCE, Stance::Adaptive, 20)),
            ],
        ),
        (
            "draws",
            [Stance::Gradient, Stance::Adaptive].map(|stance| {
                let task = many("mnist-cnn-at", 3, &["pgd:steps=3"], 0.1);
                all(defended(task, DefenceStack::of(&CHANCE), stance, 10))
            }),
        ),
        ("eight-bit", [One(digit("ddn", 5.0)), One(digit("pgd", 0.3))]),
        (
            "sample-size",
            [
                One(digit(steps, 0.1).behind_row(&CHANCE, Stance::Adaptive, 5)),
                One(case("mnist-cnn-at", 1, steps, 0.1).behind_row(&CHANCE, Stance::Adaptive, 5)),
            ],
        ),
        (
            "sample-size",
            [all(many("mnist-cnn", 20, &[steps], 0.1)), all(many("mnist-cnn", 100, &[steps], 0.3))],
        ),
        (
            "attacks",
            [
                all(many("mnist-cnn", 5, &["fgsm"], 0.1)),
                all(many("mnist-cnn", 5, &["fgsm", "pgd"], 0.1)),
            ],
        ),
        (
            "clean-accuracy",
            [
                behind(many("fashion-cnn", 40, &["fgsm"], 0.001), "bits:1", Stance::Adaptive),
                all(many("mnist-cnn", 40, &["fgsm"], 0.3)),
            ],
        ),
    ]
}

#[test]
fn every_lamp_lights_where_it_must_and_only_there() {
    let (mut complaints, mut seen) = (Vec::new(), BTreeSet::new());
    for (id, [lit, dark]) in shows() {
        let (lit, dark) = (lit.of(id), dark.of(id));
        if !lit.status.warns() || dark.status != CheckStatus::Green {
            let told = |v: &CheckResult| format!("{} {}", v.status.glyph(), v.reason);
            complaints.push(format!("{id}: {} | {}", told(&lit), told(&dark)));
        }
        assert!(!lit.reason.is_empty() && !lit.reason.contains('\n'));
        seen.insert(id);
    }
    let without: Vec<_> = CHECKS.iter().filter(|lamp| !seen.contains(lamp.id)).collect();
    assert!(without.is_empty(), "lamps without a test: {without:?}");
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// Whoever does not know what to ask for is warned as well.
#[test]
fn every_fault_lights_its_lamp_without_being_asked_for() {
    let dark = shows().into_iter().filter_map(|(id, [lit, _])| {
        let verdict = lit.unasked(id);
        (!verdict.status.warns()).then(|| format!("{id}: {}", verdict.reason))
    });
    let dark: Vec<String> = dark.collect();
    assert!(dark.is_empty(), "\n{}\n", dark.join("\n"));
}

#[test]
fn what_is_asked_by_itself_takes_a_tenth_of_the_attack() {
    let digit = |attack: &str| case("mnist-cnn", 0, attack, 0.02);
    let mut asked = 0;
    for case in [
        digit("fgsm"),
        digit("pgd"),
        digit("pgd:steps=100"),
        case("mnist-cnn", 0, "pgd", 0.3),
        digit("square:queries=2000"),
        digit("autoattack:steps=20:queries=500"),
        digit("pgd").behind("jpeg", Stance::Adaptive),
        digit("pgd").behind("jpeg", Stance::Naive),
        digit("pgd:steps=100").behind("bits:1", Stance::Gradient),
        digit("pgd").behind_row(&CHANCE, Stance::Adaptive, 10),
        digit("pgd").behind_row(&CHANCE, Stance::Bpda, 10),
    ] {
        case.with(|scene| {
            let mut tells = 0;
            let spent =
                experiment::run_auto_checks(&scene, &mut NoObserver, &mut |_| tells += 1).unwrap();
            assert!(10 * spent <= scene.passes(), "{spent} of {}", scene.passes());
            asked += tells;
        });
    }
    assert!(asked >= 12, "{asked} probes were asked");
}

#[test]
fn a_probe_can_be_stopped_and_a_success_needs_none() {
    let case = case("mnist-cnn-at", 0, "pgd", 0.3);
    case.with(|scene| {
        let mut left = 30;
        let mut stop = |_: &epsiloscope::attack::StepEvent<'_>| {
            left -= 1;
            if left < 0 { Flow::Stop } else { Flow::Continue }
        };
        let stopped = experiment::run_probes(&scene, &[Probe::Restarts], &mut stop, &mut |_| ());
        assert!(stopped.unwrap_err().is_cancelled());
    });
    let open =
        |evidence: &Evidence| run_checks(evidence).iter().filter(|v| v.ask.is_some()).count();
    let fooled = self::case("mnist-cnn", 0, "pgd", 0.3);
    fooled.with(|scene| assert!(open(scene.evidence()) <= 3, "{:?}", run_checks(scene.evidence())));
    let evidence = fooled.evidence(&[]);
    assert_eq!(open(&evidence), 0);
    let warns: Vec<_> = run_checks(&evidence).into_iter().filter(|v| v.status.warns()).collect();
    assert!(warns.is_empty(), "{warns:?}");
}

/// A photograph has so many pixels that small changes of all of them add up to a long way.
#[test]
fn nothing_is_called_broken_on_an_undefended_photograph() {
    for sample in [0, 7] {
        let photograph = case("photo-efficientnet-lite0", sample, "pgd:steps=3", 2.0 / 255.0);
        let path = Show::One(photograph).of("gradient-path");
        assert_eq!(path.status, CheckStatus::Green, "{}", path.reason);
    }
}

#[test]
fn an_evaluation_looks_at_single_samples_too() {
    let plans = vec![plan("pgd:steps=10", 0.1)];
    let task = many(model("mnist-cnn"), 6, plans);
    let task = defended(task, DefenceStack::parse("jpeg").unwrap(), Stance::Gradient, 1);
    let mut report = experiment::evaluate(&task, &mut |_| Flow::Continue).unwrap();
    let path = |report: &EvaluationReport| -> CheckResult {
        let all = check_dataset(&report.checks);
        all.into_iter().find(|verdict| verdict.check.id == "gradient-path").unwrap()
    };
    assert_eq!(path(&report).status, CheckStatus::Unlit);
    experiment::probe_robust_samples(&task, &mut report, 2, &mut |_| Flow::Continue).unwrap();
    let path = path(&report);
    assert_eq!(path.status, CheckStatus::Red);
    assert!(path.reason.starts_with("2 of 2 samples"), "{}", path.reason);
    let json = serde_json::to_value(&report).unwrap();
    let lamps = json["lamps"].as_array().unwrap();
    assert!(lamps.iter().any(|row| row["lamp"] == "stance" && row["colour"] == "red"));
    assert!(report.caveat.contains("one attack alone"), "{}", report.caveat);
}
