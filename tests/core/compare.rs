//! Comparisons: the same numbers as runs and evaluations, each told once; reports that can be sorted,
//! filtered and written.

use crate::defended::Cpu;
use burn_tensor::Device;
use epsiloscope::attack::{AttackConfig, Flow, Norm};
use epsiloscope::data::{Dataset, Image};
use epsiloscope::defence::{DefenceStack, EOT_DRAWS, Pipeline, Stance};
use epsiloscope::engine::{CompareJob, DeviceChoice, Engine, Request, Update};
use epsiloscope::experiment::compare::{
    CompareEvent, CompareFindings, CompareReport, Comparison, ComparisonTimeLeft, DefenceOrder,
    Format, ReportSettings, UNDEFENDED, compare_many, compare_one, default_attacks, parse_attack,
};
use epsiloscope::experiment::{
    self, AttackCost, DefenceRow, EvaluatedDefence, Evaluation, Outcome, Prediction, SampleRef,
};
use epsiloscope::metrics::checks::Evidence;
use epsiloscope::model::Model;
use epsiloscope::parameter::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

const BOTH: [Stance; 2] = [Stance::Naive, Stance::Adaptive];

fn plan(text: &str) -> AttackConfig {
    parse_attack(text, "mnist", 0).unwrap()
}

fn cpu() -> experiment::DeviceInfo {
    experiment::DeviceInfo { kind: "cpu".into(), name: "test".into() }
}

fn task(stacks: &[&str], plans: &[&str], done: CompareFindings) -> Comparison {
    let model = Model::load("mnist-cnn", &Device::flex()).unwrap();
    let build = |text: &&str| {
        let stack = DefenceStack::parse(text).unwrap();
        Arc::new(Pipeline::build(&stack, model.clone(), 0, &mut Cpu).unwrap())
    };
    Comparison {
        pipelines: stacks.iter().map(build).collect(),
        model: model.clone(),
        plans: plans.iter().map(|text| plan(text)).collect(),
        stances: BOTH.to_vec(),
        draws: EOT_DRAWS,
        device: cpu(),
        done,
    }
}

/// Everything that is told of so many samples.
fn many(task: &Comparison, n: usize) -> Vec<CompareEvent> {
    let (dataset, mut told) = (Dataset::load("mnist").unwrap(), Vec::new());
    let mut tell = |finding| told.push(finding);
    compare_many(task, &dataset, n, &mut || Flow::Continue, &mut tell).unwrap();
    told
}

/// Everything that is told of sample 0.
fn one(task: &Comparison) -> Vec<CompareEvent> {
    let (sample, mut told) = (Dataset::load("mnist").unwrap().sample(0), Vec::new());
    let mut tell = |finding| told.push(finding);
    compare_one(task, &sample, &mut || Flow::Continue, &mut tell).unwrap();
    told
}

fn findings(told: Vec<CompareEvent>) -> CompareFindings {
    let mut findings = CompareFindings::default();
    told.into_iter().for_each(|finding| findings.take(finding));
    findings
}

const STACKS: [&str; 3] = ["jpeg", "median", "jpeg+pgd-at"];
const PLANS: [&str; 4] =
    ["fgsm", "pgd:l2:steps=5", "deepfool:l2", "rotate-translate:search=random"];

#[test]
fn one_sample_of_many_is_the_sample_alone() {
    let task = task(&STACKS, &PLANS, CompareFindings::default());
    let (single, counted) = (findings(one(&task)), findings(many(&task, 1)));
    let mut outcomes = Vec::new();
    for stack in [UNDEFENDED].into_iter().chain(
        task.pipelines
            .iter()
            .map(|p| p.stack.text())
            .collect::<Vec<_>>()
            .iter()
            .map(String::as_str),
    ) {
        assert_eq!(counted.right(stack), [true], "{stack}");
        for (plan, stance) in task.plans.iter().flat_map(|plan| BOTH.map(|stance| (plan, stance))) {
            let cell = single.cell(stack, plan, stance).unwrap();
            let held = counted.held(stack, plan, stance);
            assert_eq!(held, [cell.outcome.holds()], "{stack} {} {stance}", plan.attack.id);
            outcomes.push(held[0]);
        }
    }
    assert!(outcomes.contains(&true) && outcomes.contains(&false));
}

#[test]
fn shares_are_those_of_evaluations() {
    let task = task(&["median", "pgd-at"], &["pgd:steps=5", "fgsm:l2"], CompareFindings::default());
    // More than a batch, so that batches have to be put together in order.
    let n = 25;
    let findings = findings(many(&task, n));
    for pipeline in &task.pipelines {
        for stance in BOTH {
            let defence = EvaluatedDefence { pipeline: pipeline.clone(), stance, draws: EOT_DRAWS };
            let dataset = Dataset::load("mnist").unwrap();
            let first = task.plans[0].clone();
            let base = Evaluation::new(task.model.clone(), dataset, n, first, cpu());
            let plans = task.plans.clone();
            let evaluation = Evaluation { defence: Some(defence), plans, every: true, ..base };
            let report = experiment::evaluate(&evaluation, &mut |_| Flow::Continue).unwrap();
            let text = pipeline.stack.text();
            let right: Vec<bool> = report.samples.iter().map(|s| s.correct).collect();
            assert_eq!(findings.right(&text), right);
            for (at, plan) in task.plans.iter().enumerate() {
                let held = |fate: &experiment::SampleRow| {
                    fate.correct && !fate.attacks[at].as_ref().is_some_and(|fate| fate.success)
                };
                let held: Vec<bool> = report.samples.iter().map(held).collect();
                assert_eq!(findings.held(&text, plan, stance), held, "{text} {stance}");
            }
        }
    }
}

#[test]
fn naive_cells_come_first_and_what_is_known_is_not_told_again() {
    let plans = ["fgsm", "fgsm:l2"];
    let fresh = task(&["jpeg"], &plans, CompareFindings::default());
    for told in [one(&fresh), many(&fresh, 3)] {
        let stance = |finding: &CompareEvent| match finding {
            CompareEvent::Cell(_, row) => Some(row.stance),
            CompareEvent::Held(_, _, stance, _) => Some(*stance),
            _ => None,
        };
        let stances: Vec<Stance> = told.iter().filter_map(stance).collect();
        let first = stances.iter().position(|s| *s == Stance::Adaptive).unwrap();
        assert_eq!((stances.len(), first), (6, 4), "{stances:?}");
        assert!(stances[first..].iter().all(|stance| *stance == Stance::Adaptive));
        let again = task(&["jpeg"], &plans, findings(told.clone()));
        let more = if matches!(told[1], CompareEvent::Cell(..) | CompareEvent::Clean(..)) {
            one(&again)
        } else {
            many(&again, 3)
        };
        assert!(more.is_empty(), "{more:?}");
    }
    // More samples go on where the first ones ended, another row or column begins anew.
    let three = findings(many(&fresh, 3));
    let more = task(&["jpeg", "median"], &plans, three.clone());
    let mut all = three;
    many(&more, 5).into_iter().for_each(|finding| all.take(finding));
    let whole = findings(many(&task(&["jpeg", "median"], &plans, CompareFindings::default()), 5));
    for defence in [UNDEFENDED, "jpeg", "median"] {
        assert_eq!(all.right(defence), whole.right(defence));
        for (plan, stance) in fresh.plans.iter().flat_map(|plan| BOTH.map(|s| (plan, s))) {
            let held = all.held(defence, plan, stance);
            assert!(held.len() == 5 && held == whole.held(defence, plan, stance), "{defence}");
        }
    }
}

#[test]
fn it_stops_when_it_is_told_to() {
    let task = task(&["jpeg"], &["pgd", "pgd:l2"], CompareFindings::default());
    let (dataset, sample) =
        (Dataset::load("mnist").unwrap(), Dataset::load("mnist").unwrap().sample(0));
    for most in [0, 3, 50, 90] {
        let mut asked = 0;
        let mut ask = || {
            asked += 1;
            if asked > most { Flow::Stop } else { Flow::Continue }
        };
        let ended = compare_one(&task, &sample, &mut ask, &mut |_| ());
        assert!(ended.unwrap_err().is_cancelled());
        assert_eq!(asked, most + 1);
        let mut asked = 0;
        let mut ask = || {
            asked += 1;
            if asked > most { Flow::Stop } else { Flow::Continue }
        };
        let ended = compare_many(&task, &dataset, 2, &mut ask, &mut |_| ());
        assert!(ended.unwrap_err().is_cancelled());
        assert!(asked <= most + 2, "{asked} of {most}");
    }
}

#[test]
fn an_attack_is_named_with_its_norm_and_parameters() {
    let plan = plan("pgd:l2:steps=7");
    assert_eq!((plan.norm, plan.settings.get("steps")), (Norm::L2, Value::Int(7)));
    assert_eq!(plan.epsilon, epsiloscope::attack::default_epsilon("mnist", Norm::L2));
    for (bad, word) in
        [("pdg", "'pgd'"), ("pgd:l7", "l7"), ("jsma:linf", "give l0"), ("pgd:step=3", "steps")]
    {
        let told = parse_attack(bad, "mnist", 0).unwrap_err().to_string();
        assert!(told.contains(word), "{told}");
    }
    let norms: Vec<Norm> = default_attacks("mnist", 3).iter().map(|plan| plan.norm).collect();
    assert_eq!(norms.len(), 6);
    assert!([Norm::Linf, Norm::L2, Norm::L1].iter().all(|norm| norms.contains(norm)));
}

/// A comparison whose cells take made-up times: the time left is right after the first tenth.
#[test]
fn the_time_left_is_right_after_the_first_tenth() {
    let task =
        task(&["jpeg", "resize-pad:0.7", "pgd-at"], &["pgd", "fgsm"], CompareFindings::default());
    let n = 100;
    let mut forecast = ComparisonTimeLeft::new(&task, false, n);
    let names: Vec<String> = std::iter::once(UNDEFENDED.to_string())
        .chain(task.pipelines.iter().map(|pipeline| pipeline.stack.text()))
        .collect();
    // Milliseconds of one answer; a pass through the bare network takes 0.2 ms, a gradient 0.6.
    let lap = [0.2, 0.5, 0.4, 0.2];
    let attack = |plan: &AttackConfig| if plan.attack.id == "pgd" { 40.0 } else { 1.0 };
    let mut events: Vec<(CompareEvent, f64)> = Vec::new();
    for _ in 0..5 {
        for (at, name) in names.iter().enumerate() {
            let right = CompareEvent::Right(name.clone(), vec![true; 20], vec![lap[at]; 3]);
            events.push((right, 20.0 * lap[at]));
        }
        for plan in &task.plans {
            for name in &names {
                let took = if name == UNDEFENDED { 20.0 * 0.6 * attack(plan) } else { 8.0 };
                let held =
                    CompareEvent::Held(name.clone(), plan.clone(), Stance::Naive, vec![true; 20]);
                events.push((held, took));
            }
        }
    }
    for _ in 0..5 {
        for (at, name) in names.iter().enumerate().skip(1) {
            for plan in &task.plans {
                let draws = if name.starts_with("resize-pad") { EOT_DRAWS as f64 } else { 1.0 };
                // A tenth more than the passes alone.
                let each = 1.1 * draws * attack(plan) * (0.6 + lap[at] - lap[0]);
                let held = CompareEvent::Held(
                    name.clone(),
                    plan.clone(),
                    Stance::Adaptive,
                    vec![true; 20],
                );
                events.push((held, 20.0 * each));
            }
        }
    }
    let end: f64 = events.iter().map(|(_, ms)| ms / 1e3).sum();
    assert_eq!(forecast.left(), None, "nothing is measured yet");
    let mut now = 0.0;
    for (finding, ms) in events {
        now += ms / 1e3;
        forecast.take(&finding, now);
        if now > 0.1 * end {
            let told = now + forecast.left().unwrap();
            assert!((told - end).abs() < 0.2 * end, "at {now:.1} of {end:.1} s: {told:.1}");
        }
    }
    let (done, all) = forecast.done();
    assert_eq!((done, all, forecast.left()), (14 * n, 14 * n, Some(0.0)));
}

/// A made-up answer.
fn row(defence: &str, stance: Stance, outcome: Outcome) -> Arc<DefenceRow> {
    let clean =
        Prediction { label: 7, name: "7".into(), confidence: 0.9, probabilities: Vec::new() };
    let fooled =
        Prediction { label: 2, name: "2".into(), confidence: 0.8, probabilities: Vec::new() };
    let adversarial = if outcome.holds() { clean.clone() } else { fooled };
    Arc::new(DefenceRow {
        defence: defence.into(),
        name: defence.into(),
        stance,
        draws: None,
        clean,
        adversarial,
        outcome,
        held: None,
        distance: 0.3,
        extra_ms: 0.0,
        cost: AttackCost::default(),
        checks: Evidence::new(plan("pgd"), None),
        picture: Image::new([1, 1, 1], [0.5]),
    })
}

/// A comparison made up: JPEG is clean and quick and falls to who knows it, PGD-AT holds in L∞ only,
/// the hybrid a little more.
fn made_up() -> (CompareFindings, ReportSettings) {
    let plans = vec![plan("pgd"), plan("pgd:l2")];
    let stacks: Vec<DefenceStack> = ["jpeg", "pgd-at", "jpeg+pgd-at"]
        .iter()
        .map(|text| DefenceStack::parse(text).unwrap())
        .collect();
    let mut findings = CompareFindings::default();
    let shares: [(&str, usize, f64, [[usize; 2]; 2]); 4] = [
        (UNDEFENDED, 100, 0.2, [[0, 5], [0, 5]]),
        ("jpeg", 99, 0.5, [[71, 60], [0, 4]]),
        ("pgd-at", 95, 0.1, [[97, 80], [92, 11]]),
        ("jpeg+pgd-at", 94, 0.4, [[97, 80], [90, 45]]),
    ];
    for (defence, right, ms, held) in shares {
        let first = |hits: usize| (0..100).map(|i| i < hits).collect::<Vec<bool>>();
        findings.take(CompareEvent::Right(defence.into(), first(right), vec![ms; 3]));
        for (stance, held) in
            BOTH.into_iter().zip(held).take(if defence == UNDEFENDED { 1 } else { 2 })
        {
            for (plan, hits) in plans.iter().zip(held) {
                findings.take(CompareEvent::Held(
                    defence.into(),
                    plan.clone(),
                    stance,
                    first(hits),
                ));
                let outcome = if hits > 50 { Outcome::Right } else { Outcome::Fooled };
                findings.take(CompareEvent::Cell(plan.clone(), row(defence, stance, outcome)));
            }
        }
    }
    let sample = SampleRef { dataset: "mnist".into(), index: 3, name: "mnist #3".into() };
    let frame = ReportSettings {
        model: "my, \"own\" | net".into(),
        values: 784,
        dataset: "mnist".into(),
        sample: Some((sample, Some("7".into()))),
        n: Some(100),
        seed: 5,
        draws: EOT_DRAWS,
        device: cpu(),
        stacks,
        plans,
        stances: BOTH.to_vec(),
        unfit: BTreeMap::new(),
    };
    (findings, frame)
}

fn report() -> CompareReport {
    let (findings, frame) = made_up();
    findings.report(&frame)
}

#[test]
fn the_worst_case_is_counted_sample_by_sample() {
    let (mut findings, frame) = made_up();
    let worst = |findings: &CompareFindings| {
        let report = findings.report(&frame);
        report.rows[1].many.clone().unwrap().worst.unwrap()
    };
    assert_eq!((worst(&findings).hits, worst(&findings).n), (60, 100));
    // Ten more samples, of which one attack breaks the odd and the other the even ones.
    for (plan, odd) in frame.plans.iter().zip([0, 1]) {
        let held = (0..10).map(|i| i % 2 == odd).collect();
        findings.take(CompareEvent::Held("jpeg".into(), plan.clone(), Stance::Naive, held));
    }
    let frame = ReportSettings { n: Some(110), ..frame.clone() };
    let row = &findings.report(&frame).rows[1];
    let tally = row.many.as_ref().unwrap();
    assert_eq!(tally.attacks[0].unwrap().hits, 76);
    assert_eq!((tally.worst.unwrap().hits, tally.worst.unwrap().n), (60, 110));
    assert_eq!(row.extra_ms.map(|ms| (ms * 10.0).round()), Some(3.0));
}

#[test]
fn sorted_and_filtered() {
    let order = |sort: DefenceOrder| {
        let mut report = report();
        report.sort(sort);
        let names: Vec<String> = report.rows.iter().map(|row| row.defence.clone()).collect();
        // The bare network is on top, and stances stay together.
        assert!(names[0] == UNDEFENDED && names[1..].chunks(2).all(|pair| pair[0] == pair[1]));
        names[1..].iter().step_by(2).cloned().collect::<Vec<_>>()
    };
    assert_eq!(order(DefenceOrder::Registry), ["jpeg", "pgd-at", "jpeg+pgd-at"]);
    assert_eq!(order(DefenceOrder::Clean), ["jpeg", "pgd-at", "jpeg+pgd-at"]);
    assert_eq!(order(DefenceOrder::Worst), ["jpeg+pgd-at", "pgd-at", "jpeg"]);
    assert_eq!(order(DefenceOrder::Latency), ["pgd-at", "jpeg+pgd-at", "jpeg"]);
    let mut report = report();
    report.filter(" PGD ");
    let names: Vec<&str> = report.rows.iter().map(|row| row.defence.as_str()).collect();
    assert_eq!(names, [UNDEFENDED, "pgd-at", "pgd-at", "jpeg+pgd-at", "jpeg+pgd-at"]);
}

#[test]
fn sentences_say_what_the_numbers_say() {
    let words = report().words.join("\n");
    for part in [
        "JPEG 75 holds 71 % against PGD L∞ that does not know it, 0 % against one that does",
        "PGD-AT holds 92 % in L∞, 11 % in L2: trained for one ball",
        "JPEG 75 + PGD-AT keeps 45 % in the worst case, its best part, PGD-AT, 11 %: a gain",
        "the best worst case is JPEG 75 + PGD-AT's, 45 % (36–55 %), for 6.0 points",
    ] {
        assert!(words.contains(part), "{part}\n{words}");
    }
    for part in ["(n = 100, 71:0, p < 0.001)", "(n = 100, 34:0, p < 0.001)"] {
        assert!(words.contains(part), "{part}\n{words}");
    }
    // Of few samples nothing is claimed that no test bears out.
    let (findings, frame) = made_up();
    let words = findings.report(&ReportSettings { n: Some(1), ..frame.clone() }).words.join("\n");
    assert!(!words.contains("does not know") && !words.contains("one ball"), "{words}");
    let words = findings.report(&ReportSettings { n: None, ..frame }).words.join("\n");
    assert!(words.contains("7: the bare network withstands 0 of 2 attacks; JPEG 75"), "{words}");
}

/// At n = 20 the intervals of 14 and 8 overlap, yet where one holds wherever the other does the
/// difference is significant; 14 and 9 spread evenly is not, although the shares look alike.
#[test]
fn twenty_samples_are_compared_pair_by_pair() {
    let (_, frame) = made_up();
    let frame = ReportSettings { n: Some(20), ..frame };
    let words = |whole: &dyn Fn(usize) -> bool, part: &dyn Fn(usize) -> bool| {
        let mut findings = CompareFindings::default();
        for defence in [UNDEFENDED, "jpeg", "pgd-at", "jpeg+pgd-at"] {
            findings.take(CompareEvent::Right(defence.into(), vec![true; 20], vec![1.0]));
            for (plan, stance) in frame.plans.iter().flat_map(|p| BOTH.map(|s| (p, s))) {
                let held = (0..20).map(|i| match defence {
                    "pgd-at" => part(i),
                    "jpeg+pgd-at" => whole(i),
                    _ => false,
                });
                let held = held.collect();
                findings.take(CompareEvent::Held(defence.into(), plan.clone(), stance, held));
            }
        }
        // Against the bare network all stances are the same: told twice, it has 40 there.
        findings.report(&frame)
    };
    let clear = words(&|i| i < 14, &|i| i < 8);
    let told = clear.words.join("\n");
    assert!(told.contains("40 %: a gain (n = 20, 6:0, p = 0.031)"), "{told}");
    let [large, small] = [3, 2].map(|row: usize| {
        let row = clear.rows.iter().filter(|r| r.stance == Some(Stance::Adaptive)).nth(row - 1);
        row.unwrap().many.as_ref().unwrap().worst.unwrap().interval
    });
    assert!(large[0] < small[1], "the intervals overlap: {large:?} {small:?}");
    let test = clear.tests.iter().find(|test| test.first.contains("JPEG")).unwrap();
    assert_eq!((test.paired.n, test.paired.only_first), (20, 6));
    assert!((test.paired.p - 0.03125).abs() < 1e-12, "{}", test.paired.p);
    let blurred = words(&|i| i < 14, &|i| i >= 11);
    let told = blurred.words.join("\n");
    assert!(told.contains("no significant difference (n = 20, 11:6, p = "), "{told}");
}

/// The fields of each line of a CSV text (RFC 4180).
fn fields(text: &str) -> Vec<Vec<String>> {
    let (mut lines, mut line, mut field, mut inside) =
        (Vec::new(), Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        match (inside, c) {
            (true, '"') if letters.peek() == Some(&'"') => field.extend(letters.next()),
            (_, '"') => inside = !inside,
            (false, ',') => line.push(std::mem::take(&mut field)),
            (false, '\n') => {
                line.push(std::mem::take(&mut field));
                lines.push(std::mem::take(&mut line));
            }
            _ => field.push(c),
        }
    }
    assert!(field.is_empty() && !inside, "the last line ends");
    lines
}

#[test]
fn what_is_written_can_be_read() {
    let report = report();
    let lines = fields(&report.text(Format::Csv).unwrap());
    let head = &lines[0];
    let get = |line: &[String], name: &str| -> String {
        line[head.iter().position(|field| field == name).unwrap()].clone()
    };
    assert!(lines.iter().all(|line| line.len() == head.len()));
    // Seven rows of two cells; seven of two attacks, clean and the worst.
    assert_eq!(lines.len(), 1 + 7 * 2 + 7 * 4);
    assert_eq!(get(&lines[1], "model"), "my, \"own\" | net");
    let found = lines.iter().find(|line| {
        get(line, "defence") == "pgd-at"
            && get(line, "stance") == "adaptive"
            && get(line, "norm") == "l2"
            && !get(line, "share").is_empty()
    });
    let found = found.unwrap();
    assert_eq!((get(found, "share"), get(found, "n")), ("0.11".into(), "100".into()));
    assert!(get(found, "low").parse::<f64>().unwrap() < 0.11);
    assert_eq!((get(found, "epsilon"), get(found, "seed")), ("2".into(), "5".into()));
    // Of the eleven that hold here, five hold with no defence too.
    let test = ["only_this", "only_bare", "p"].map(|name| get(found, name));
    assert_eq!([&*test[0], &*test[1]], ["6", "0"]);
    assert!((test[2].parse::<f64>().unwrap() - 0.031_25).abs() < 1e-12, "{test:?}");
    let cell = lines.iter().find(|line| get(line, "outcome") == "fooled").unwrap();
    assert_eq!((get(cell, "label"), get(cell, "sample")), ("2".into(), "3".into()));

    let json: serde_json::Value =
        serde_json::from_str(&report.text(Format::Json).unwrap()).unwrap();
    assert_eq!(json["version"], experiment::VERSION);
    assert_eq!(json["rows"][4]["many"]["attacks"][1]["hits"], 11);
    assert_eq!(json["rows"][0]["stance"], serde_json::Value::Null);
    assert_eq!(json["rows"][4]["many"]["against_bare"][1]["only_first"], 6);
    assert_eq!(json["rows"][0]["many"]["worst_against_bare"], serde_json::Value::Null);
    assert_eq!(
        (&json["tests"][0]["n"], &json["tests"][0]["only_first"]),
        (&100.into(), &71.into())
    );
    assert_eq!(json["rows"][1]["cells"][0]["outcome"], "right");

    let text = report.text(Format::Markdown).unwrap();
    let tables: Vec<Vec<&str>> = text
        .split("\n\n")
        .filter(|part| part.starts_with('|'))
        .map(|p| p.lines().collect())
        .collect();
    assert_eq!(tables.len(), 2);
    for table in &tables {
        let count = |line: &&str| line.replace("\\|", "").matches('|').count();
        assert_eq!(table.len(), 2 + 7);
        assert!(table.iter().all(|line| count(line) == count(&table[0])), "{table:?}");
    }
    assert!(tables[1][6].contains("| 11 % (6–19) |"), "{}", tables[1][6]);
    assert!(text.contains("- PGD-AT holds") && text.contains("McNemar"), "{text}");
    for (name, good) in
        [("a.csv", true), ("b.MD", true), ("c.json", true), ("d.txt", false), ("e", false)]
    {
        assert_eq!(Format::of(name.as_ref(), "--save").is_ok(), good, "{name}");
    }
}

/// The worker's way: the same findings, misfits told, another request in between.
#[test]
fn the_worker_finds_the_same_and_stops_for_another_request() {
    let (sender, updates) = channel();
    let engine = Engine::start(DeviceChoice::Cpu, move |update| drop(sender.send(update)));
    engine.request(Request::Model("mnist-cnn".into()));
    let dataset = Dataset::load("mnist").unwrap();
    let job = |plans: &[&str]| CompareJob {
        sample: Some(dataset.sample(0)),
        many: Some((dataset.clone(), 3)),
        stacks: ["median", "model:fashion-cnn"]
            .map(|text| DefenceStack::parse(text).unwrap())
            .to_vec(),
        plans: plans.iter().map(|text| plan(text)).collect(),
        stances: BOTH.to_vec(),
        seed: 0,
        done: CompareFindings::default(),
    };
    let id = engine.request(Request::Compare(Arc::new(job(&["fgsm"]))));
    let (mut found, mut unfit) = (CompareFindings::default(), Vec::new());
    loop {
        match updates.recv_timeout(Duration::from_mins(1)).unwrap() {
            Update::CompareFinding(of, finding) if of == id => found.take(finding),
            Update::DefenceNotApplicable(of, stack, why) if of == id => unfit.push((stack, why)),
            Update::Done(of) if of == id => break,
            Update::Failed(_, error) => panic!("{error}"),
            _ => {}
        }
    }
    assert!(unfit.len() == 1 && unfit[0].0.contains("fashion-cnn"), "{unfit:?}");
    let task = task(&["median"], &["fgsm"], CompareFindings::default());
    let (single, counted) = (findings(one(&task)), findings(many(&task, 3)));
    let plan = &task.plans[0];
    for (defence, stance) in [(UNDEFENDED, Stance::Naive), ("median", BOTH[0]), ("median", BOTH[1])]
    {
        let cell = |findings: &CompareFindings| {
            findings.cell(defence, plan, stance).unwrap().picture.clone()
        };
        assert_eq!(cell(&found), cell(&single));
        assert_eq!(found.held(defence, plan, stance), counted.held(defence, plan, stance));
        assert_eq!(found.right(defence), counted.right(defence));
    }
    let long = engine.request(Request::Compare(Arc::new(job(&["pgd:steps=10000"]))));
    while !matches!(updates.recv_timeout(Duration::from_mins(1)).unwrap(), Update::Started(of) if of == long)
    {
    }
    engine.request(Request::Cancel);
    while !matches!(updates.recv_timeout(Duration::from_secs(20)).unwrap(), Update::Cancelled(of) if of == long)
    {
    }
}
