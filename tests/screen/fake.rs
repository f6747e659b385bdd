//! A dashboard without worker, models or data: everything on its screen is made up here.

use epsiloscope::attack::{
    self, Algorithm, AttackConfig, AttackSpec, AttackStage, Bound, Knowledge, Norm,
};
use epsiloscope::data::{Dataset, Image};
use epsiloscope::defence::Stance;
use epsiloscope::engine::{JobId, ModelInfo, Request, RunJob, Update};
use epsiloscope::experiment::{
    AttackCost, CleanPrediction, DefenceRow, DeviceInfo, Norms, Outcome, Prediction, Report,
    SampleRef, Similarity, TracePoint,
};
use epsiloscope::metrics::checks::{AttackedDefence, Evidence, RestartHistory};
use epsiloscope::model::Card;
use epsiloscope::parameter::Param;
use epsiloscope::show::Graphics;
use epsiloscope::tui::app::{App, Effect, StartState};
use epsiloscope::tui::theme::ThemeKind;
use epsiloscope::tui::update::{key, take_attack};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub fn start(theme: ThemeKind) -> StartState {
    StartState {
        hybrids: Vec::new(),
        theme,
        graphics: Graphics::Blocks,
        model: Some("mnist-cnn".into()),
        dataset: Some("mnist".into()),
        sample: None,
        picture: None,
        plan: None,
        seed: 0,
        hint: false,
    }
}

/// Thirty samples of 28×28: a bright bar that wanders.
pub fn dataset() -> Arc<Dataset> {
    let labels: Vec<u8> = (0..30).map(|i| ((i * 7 + 7) % 10) as u8).collect();
    let mut pixels = Vec::new();
    for i in 0..30usize {
        pixels.extend((0..784).map(|at| {
            let (y, x) = (at / 28, at % 28);
            let bar = (4..24).contains(&y) && (x + i) % 28 >= 10 && (x + i) % 28 < 15;
            if bar { 255 - (y * 3) as u8 } else { 0 }
        }));
    }
    let names = (0..10).map(|i| i.to_string()).collect();
    Arc::new(Dataset::from_bytes("mnist", [1, 28, 28], pixels, labels, names))
}

pub fn model() -> ModelInfo {
    let card = r#"
        name = "mnist-cnn"
        title = "MNIST, small CNN"
        data = "mnist"
        num_classes = 10
        architecture = "made-up"
        [input]
        shape = [1, 28, 28]
        [accuracy]
        clean = 0.9921
        clean_n = 10000
    "#;
    ModelInfo {
        id: "mnist-cnn".into(),
        card: Card::parse(card, Path::new("card.toml")).expect("a good card"),
        labels: Arc::new((0..10).map(|i| i.to_string()).collect()),
        parameters: 1_199_882,
    }
}

/// The embedded models, in name only.
fn cards() -> Vec<Card> {
    let card = |name: &str, data: &str, shape: [usize; 3], classes: usize| {
        let text = format!(
            "name = '{name}'\ndata = '{data}'\nnum_classes = {classes}\narchitecture = 'made-up'\n\
             licence = 'MIT'\n[input]\nshape = {shape:?}\n[accuracy]\nclean = 0.97\nclean_n = 1000\n"
        );
        Card::parse(&text, Path::new("card.toml")).expect("a good card")
    };
    vec![
        card("mnist-cnn", "mnist", [1, 28, 28], 10),
        card("mnist-cnn-at", "mnist", [1, 28, 28], 10),
        card("fashion-cnn", "fashion", [1, 28, 28], 10),
        card("photo-efficientnet-lite0", "photos", [3, 224, 224], 1000),
    ]
}

/// The parameters of a made-up attack: more than fit into a window, of every kind.
const MANY: &[Param] = &[
    Param::int("steps", (1, 10_000), 100, "number of gradient steps"),
    Param::float("step-size", (0.0, 100.0), 0.0, "length α of one step, in pixel units").automatic(
        "2.5·ε/steps",
        Some(|given| 2.5 * given.epsilon / given.settings.int("steps", 1) as f64),
    ),
    Param::float("overshoot", (0.0, 1.0), 0.02, "how far beyond the boundary each step goes"),
    Param::int("searches", (1, 20), 9, "steps of the binary search for the constant"),
    Param::float("constant", (0.0, 1e10), 0.001, "the constant c to begin with"),
    Param::float("confidence", (0.0, 100.0), 0.0, "the margin κ that counts as success"),
    Param::choice("rule", &["elastic-net", "l1"], "which distance decides"),
    Param::flag("random-start", true, "begin at a random point"),
    Param::int("restarts", (1, 100), 1, "number of starts"),
    Param::int("queries", (1, 1_000_000), 5000, "most questions asked of the model"),
    Param::float("momentum", (0.0, 1.0), 0.75, "share of the last step that is kept"),
    Param::int("draws", (1, 100), 20, "transformed copies that a gradient is averaged over"),
];

/// The parameters of the attack that is on the screen first: few enough for one line.
const FEW: &[Param] = &[
    Param::int("steps", (1, 10_000), 40, "number of gradient steps"),
    Param::float("step-size", (0.0, 100.0), 0.0, "length α of one step, in pixel units").automatic(
        "2.5·ε/steps",
        Some(|given| 2.5 * given.epsilon / given.settings.int("steps", 1) as f64),
    ),
    Param::flag("random-start", true, "begin at a point drawn uniformly from the ball"),
    Param::int("restarts", (1, 100), 1, "number of starts; a picture leaves once one succeeds"),
];

/// A registry as long as the real one will get, made up so that screens do not change with it.
pub fn attacks() -> Vec<&'static AttackSpec> {
    let spec = |line: &'static str| {
        let words: Vec<&'static str> = line.split('|').map(str::trim).collect();
        let [family, knows, extent, id, name, norms] = words[..] else {
            panic!("six words a line")
        };
        let norms: Vec<Norm> = norms.split(' ').map(|n| Norm::parse(n).expect("a norm")).collect();
        &*Box::leak(Box::new(AttackSpec {
            id,
            name,
            family,
            norms: norms.leak(),
            bound: match extent {
                "budget" => Bound::FixedEpsilon,
                "least" => Bound::MinimumNorm,
                _ => Bound::Own,
            },
            targeted: extent != "own",
            random: knows != "gradient",
            universal: id == "uap",
            training_images: None,
            repetitions: &[],
            stages: None,
            params: if id == "pgd" { FEW } else { MANY },
            summary: "one line that says what it does",
            about: "One paragraph that says how it works and what to notice on the screen. It goes \
                    on for a while, as such paragraphs do, and says when the attack fails, which is \
                    worth as much as knowing when it works.",
            paper: "Somebody et al.: A Paper on It, ICLR 2018",
            run: match knows {
                "gradient" => Algorithm::Gradient(|_, _, _, _| unreachable!()),
                "scores" => Algorithm::Score(|_, _, _, _| unreachable!()),
                _ => Algorithm::Decision(|_, _, _, _| unreachable!()),
            },
        }))
    };
    include_str!("attacks.txt").lines().map(spec).collect()
}

/// A made-up attack by its identifier.
pub fn attack(id: &str) -> &'static AttackSpec {
    attacks().into_iter().find(|attack| attack.id == id).expect("a made-up attack")
}

pub fn prediction(label: usize, confidence: f32) -> Prediction {
    let rest = (1.0 - confidence) / 9.0;
    let probabilities = (0..10).map(|i| if i == label { confidence } else { rest }).collect();
    Prediction { label, name: label.to_string(), confidence, probabilities }
}

fn attacked(picture: &Image, share: f32) -> Image {
    let pixels: Vec<f32> = picture
        .pixels()
        .iter()
        .enumerate()
        .map(|(i, p)| {
            let sign = if (i / 3 + i / 28) % 2 == 0 { 1.0 } else { -1.0 };
            (p + sign * 0.3 * share).clamp(0.0, 1.0)
        })
        .collect();
    Image::new(picture.shape(), pixels)
}

/// The answer on the way: the one before, or not quite the one after.
fn mixed(before: &Prediction, after: &Prediction, fooled: bool) -> Vec<f32> {
    let share = if fooled { 0.8 } else { 0.2 };
    let pairs = before.probabilities.iter().zip(&after.probabilities);
    pairs.map(|(a, b)| a * (1.0 - share) + b * share).collect()
}

/// The iterations of this run, and how many its part has: forty steps; with queries where the
/// attack asks, in four stages for AutoAttack, the last of which succeeds.
fn course(job: &RunJob, before: &Prediction, after: &Prediction) -> Vec<(TracePoint, usize)> {
    const ALL: &[&str] = &["apgd-ce", "apgd-t", "fab-t", "square"];
    let asks = job.plan.attack.knowledge() != Knowledge::Gradient;
    let stages = if job.plan.attack.id == "autoattack" { ALL.len() } else { 1 };
    let mut out = Vec::new();
    for (stage, i) in (0..stages).flat_map(|stage| (0..=40usize).map(move |i| (stage, i))) {
        let share = i as f32 / 40.0;
        let lasts = stage + 1 == stages;
        let fooled = i > 22 && lasts;
        let mark = match i {
            9 | 17 | 33 if asks => Some(format!("window {0}×{0}", 13 - i / 4)),
            22 | 31 if stages > 1 => Some(format!("step halved to {}", 0.15 / i as f32)),
            _ => None,
        };
        let point = TracePoint {
            restart: 0,
            iteration: i,
            loss: if asks { f32::NAN } else { 0.01 + 9.0 * share * share },
            margin: 6.0 - if lasts { 11.0 } else { 5.0 } * share,
            size: 0.3 * share.sqrt(),
            label: if fooled { after.label } else { before.label },
            probabilities: mixed(before, after, fooled),
            step_size: 0.01,
            queries: i as u64 * if asks { 125 } else { 1 } + 1,
            stage: (stages > 1).then_some(AttackStage { all: ALL, number: stage }),
            mark,
            picture: Some(attacked(&job.sample.image, share)),
        };
        out.push((point, 41));
    }
    out
}

/// What a worker would say to this run: 7 becomes 2, and some defences help.
pub fn answers(id: JobId, job: &RunJob) -> Vec<Update> {
    let original = job.sample.image.clone();
    let truth = job.sample.label.unwrap_or(0);
    let wrong = (truth + 5) % 10;
    let (before, after) = (prediction(truth, 0.998), prediction(wrong, 0.913));
    let clean = CleanPrediction {
        picture: original.clone(),
        prediction: before.clone(),
        label: truth,
        label_is_truth: true,
        logits: Vec::new(),
    };
    let mut out = vec![Update::Started(id), Update::Clean(id, Arc::new(clean))];
    for (point, expected) in course(job, &before, &after) {
        out.push(Update::Step(id, point, expected));
    }
    let picture = attacked(&original, 1.0);
    let distance =
        if job.plan.attack.bound == Bound::MinimumNorm { 1.31 } else { job.plan.epsilon };
    let cost = AttackCost { forward: 43, backward: 40, seconds: 0.081 };
    let success = distance <= job.plan.epsilon;
    let climbed: Vec<f32> = (0..=40).map(|i| (i as f32).min(20.0)).collect();
    let checks = Evidence {
        reached: true,
        success,
        survives_8_bit: Some(true),
        histories: vec![RestartHistory::new(&climbed, &[-1.0], true)],
        ..Evidence::new(job.plan.clone(), Some(job.plan.epsilon))
    };
    let report = Report {
        version: 1,
        model: "mnist-cnn".into(),
        sample: SampleRef {
            dataset: "mnist".into(),
            index: job.sample.index,
            name: job.sample.name.clone(),
        },
        label: truth,
        label_name: truth.to_string(),
        label_is_truth: true,
        attack: job.plan.attack.id,
        extent: job.plan.attack.bound,
        surrogate: job.surrogate.clone(),
        norm: job.plan.norm,
        parameters: job.plan.settings.clone(),
        epsilon: Some(job.plan.epsilon),
        target: None,
        seed: job.plan.seed,
        device: device(),
        clean: before.clone(),
        adversarial: after.clone(),
        success,
        reached: true,
        distance: distance as f32,
        queries: 41,
        notes: Vec::new(),
        stage: None,
        attacked: true,
        norms: Norms { l0: 543, l1: 121.4, l2: 5.483, linf: 0.3 },
        similarity: Similarity {
            psnr: 12.31,
            ssim: 0.614,
            changed: 0.69,
            survives_8_bit: true,
            survives_jpeg: true,
        },
        cost,
        checks: checks.clone(),
        defences: Vec::new(),
        saved: None,
        picture: picture.clone(),
        original,
        plan: job.plan.clone(),
    };
    out.push(Update::Finished(id, Arc::new(report)));
    for stance in [Stance::Naive, Stance::Adaptive] {
        for (i, plan) in job.defences.iter().enumerate() {
            let holds = i == 1 && stance == Stance::Naive || i == 3;
            let behind = AttackedDefence {
                stance,
                broken: true,
                random: false,
                draws: None,
                held: None,
                refused: false,
            };
            let row = DefenceRow {
                defence: plan.text(),
                name: plan.to_string(),
                stance,
                draws: None,
                held: None,
                clean: before.clone(),
                adversarial: if holds { prediction(truth, 0.64) } else { after.clone() },
                outcome: if holds { Outcome::Right } else { Outcome::Fooled },
                distance: distance as f32,
                extra_ms: 0.2 + i as f64,
                cost,
                checks: Evidence {
                    reached: !holds,
                    success: !holds,
                    defence: Some(behind),
                    histories: vec![RestartHistory::new(&climbed, &[1.0], !holds)],
                    ..checks.clone()
                },
                picture: picture.clone(),
            };
            out.push(Update::Defended(id, Arc::new(row)));
        }
    }
    out.push(Update::Done(id));
    out
}

pub fn device() -> DeviceInfo {
    DeviceInfo { kind: "cpu".into(), name: "Flex, 2 threads".into() }
}

/// Presses keys: arrows, line break, tab and escape by their signs.
pub fn press(app: &mut App, text: &str) -> Vec<Effect> {
    let code = |c: char| match c {
        '\n' => KeyCode::Enter,
        '\t' => KeyCode::Tab,
        '\u{1b}' => KeyCode::Esc,
        '↓' => KeyCode::Down,
        '→' => KeyCode::Right,
        c => KeyCode::Char(c),
    };
    let event = |c| KeyEvent::new(code(c), KeyModifiers::NONE);
    text.chars().flat_map(|c| key(app, event(c))).collect()
}

/// Sends the effects' requests as the loop would; answers with the runs asked for.
pub fn send(app: &mut App, next: &mut JobId, effects: Vec<Effect>) -> Vec<(JobId, RunJob)> {
    let mut runs = Vec::new();
    for effect in effects {
        if let Effect::Request(request) = effect {
            *next += 1;
            app.note_sent(*next, &request);
            if let Request::Run(job) = request {
                runs.push((*next, RunJob::clone(&job)));
            }
        }
    }
    runs
}

/// The same dashboard with another attack and its result.
pub fn with_attack(theme: ThemeKind, size: (u16, u16), id: &str) -> App {
    let mut app = app(theme, size);
    let effects = take_attack(&mut app, attack(id));
    let mut next = 10;
    for (id, job) in send(&mut app, &mut next, effects) {
        answers(id, &job).into_iter().for_each(|update| drop(app.on_update(update)));
    }
    app
}

/// A dashboard before anything is there, and what it asks for.
pub fn fresh(theme: ThemeKind, size: (u16, u16)) -> (App, Vec<Effect>) {
    let (mut app, effects) = App::new(start(theme));
    app.size = size;
    app.cards = cards();
    app.attacks = attacks();
    app.plan =
        AttackConfig { norm: Norm::Linf, ..AttackConfig::new(attack("pgd"), app.plan.epsilon) };
    (app, effects)
}

/// A dashboard with its first result on the screen.
pub fn app(theme: ThemeKind, size: (u16, u16)) -> App {
    let (mut app, effects) = fresh(theme, size);
    let mut next = 0;
    send(&mut app, &mut next, effects);
    app.on_update(Update::Device {
        device: device(),
        note: Some("no hardware adapter found".into()),
    });
    let effects = app.on_update(Update::Data(dataset()));
    send(&mut app, &mut next, effects);
    let effects = app.on_update(Update::Model(std::sync::Arc::new(model())));
    let runs = send(&mut app, &mut next, effects);
    let (id, job) =
        runs.into_iter().next_back().expect("data and model are there: a run is asked for");
    assert_eq!((job.plan.attack.id, job.plan.norm), ("pgd", Norm::Linf));
    assert_eq!(job.plan.epsilon, attack::default_epsilon("mnist", Norm::Linf));
    app.tick(Duration::from_millis(10));
    for update in answers(id, &job) {
        app.on_update(update);
    }
    app
}
