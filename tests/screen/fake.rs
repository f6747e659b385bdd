//! A dashboard with the real registries and a scripted engine: data and results are made up here.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use epsiloscope::attack::{self, AttackConfig, AttackSpec, AttackStage, Bound, Knowledge, Norm};
use epsiloscope::config::Config;
use epsiloscope::dashboard::StartOptions;
use epsiloscope::data::{Dataset, Image};
use epsiloscope::defence::Stance;
use epsiloscope::engine::{JobId, ModelInfo, Request, RunJob, Update};
use epsiloscope::experiment::{
    AttackCost, CleanPrediction, DefenceRow, DeviceInfo, Norms, Outcome, Prediction, Report,
    SampleRef, Similarity, TracePoint,
};
use epsiloscope::metrics::checks::{AttackedDefence, Evidence, RestartHistory};
use epsiloscope::model::Card;
use epsiloscope::tui::action::Action;
use epsiloscope::tui::app::App;
use epsiloscope::tui::session::Effect;
use epsiloscope::tui::theme::ThemeKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How the dashboard starts here, whatever the user's configuration says.
pub fn start() -> StartOptions {
    let config = "device = 'cpu'\ntheme = 'dark'\ngraphics = 'blocks'\n";
    StartOptions {
        config: Config::of_file(config, Path::new("config.toml")).expect("a good configuration"),
        model: Some("mnist-cnn".into()),
        dataset: Some("mnist".into()),
        sample: None,
        picture: None,
        plan: None,
        first_run_marker: None,
    }
}

/// A dashboard that has asked for nothing yet.
pub fn begin(theme: ThemeKind) -> (App, Vec<Effect>) {
    App::new(&start(), theme, false)
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

/// A few of the embedded models, in name only: which are there depends on how it was built.
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

/// An attack of the registry by its identifier.
pub fn attack(id: &str) -> &'static AttackSpec {
    attack::find(id).expect("an attack")
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
        '\u{8}' => KeyCode::Backspace,
        c => KeyCode::Char(c),
    };
    let event = |c| KeyEvent::new(code(c), KeyModifiers::NONE);
    text.chars().flat_map(|c| app.key(event(c))).collect()
}

/// Sends the effects' requests as the loop would; answers with the runs asked for.
pub fn send(app: &mut App, next: &mut JobId, effects: Vec<Effect>) -> Vec<(JobId, RunJob)> {
    let mut runs = Vec::new();
    for effect in effects {
        if let Effect::Request(request) = effect {
            *next += 1;
            app.on_sent(*next, &request);
            if let Request::Run(job) = request {
                runs.push((*next, RunJob::clone(&job)));
            }
        }
    }
    runs
}

/// Takes an attack at its defaults.
pub fn choose_attack(app: &mut App, attack: &'static AttackSpec) -> Vec<Effect> {
    app.session.choose_attack(attack);
    app.settle()
}

/// Closes everything that stands above the first screen.
pub fn close_all(app: &mut App) {
    while !app.stack().is_empty() {
        app.act(Action::Back);
    }
}

/// The same dashboard with another attack and its result.
pub fn with_attack(theme: ThemeKind, size: (u16, u16), id: &str) -> App {
    let mut app = app(theme, size);
    let effects = choose_attack(&mut app, attack(id));
    let mut next = 10;
    for (id, job) in send(&mut app, &mut next, effects) {
        answers(id, &job).into_iter().for_each(|update| drop(app.on_update(update)));
    }
    app
}

/// A dashboard before anything is there, and what it asks for.
pub fn fresh(theme: ThemeKind, size: (u16, u16)) -> (App, Vec<Effect>) {
    let (mut app, effects) = begin(theme);
    app.session.size = size;
    app.session.cards = cards();
    app.session.plan = AttackConfig {
        norm: Norm::Linf,
        ..AttackConfig::new(attack("pgd"), app.session.plan.epsilon)
    };
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
    app.session.tick(Duration::from_millis(10));
    for update in answers(id, &job) {
        app.on_update(update);
    }
    app
}
