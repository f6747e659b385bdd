//! The Compare screen: what is asked for, what is kept, what keys and mouse do; its worker is made up.

use crate::fake::{self, press};
use crate::snapshots::{render, text};
use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use epsiloscope::attack::{AttackConfig, Bound, Norm};
use epsiloscope::defence::{DefenceStack, Stance};
use epsiloscope::engine::{CompareJob, JobId, Request, RunJob, Update};
use epsiloscope::experiment::compare::{
    CompareEvent, DefenceOrder, UNDEFENDED, attack_name, default_attacks,
};
use epsiloscope::experiment::{AttackCost, DefenceBaseline, DefenceRow, Outcome};
use epsiloscope::metrics::checks::Evidence;
use epsiloscope::parameter::Value;
use epsiloscope::tui::action::Action::{self, *};
use epsiloscope::tui::app::App;
use epsiloscope::tui::frame::body;
use epsiloscope::tui::screens::compare::{
    Compare, NEXT_SORT, SWITCH_TABLE, StanceFilter, TableKind,
};
use epsiloscope::tui::session::Effect;
use epsiloscope::tui::session::Question;
use epsiloscope::tui::theme::ThemeKind;
use epsiloscope::tui::windows::prompt::Prompt;
use ratatui::layout::{Position, Rect};
use std::sync::Arc;

/// How many in a hundred hold.
fn share(defence: &str, plan: &AttackConfig, stance: Stance) -> usize {
    let trained = defence.contains("pgd-at");
    let spatial = plan.attack.bound == Bound::Own;
    match (trained, stance, plan.norm) {
        (true, ..) if spatial => 40,
        (true, _, Norm::Linf) => 92,
        (true, _, Norm::L2) => {
            if defence.contains('+') {
                75
            } else {
                60
            }
        }
        (true, ..) => 52,
        (false, Stance::Naive, _) if defence != UNDEFENDED => 65,
        _ => 5,
    }
}

/// What a worker would find: cells of the sample, then many; only the naive ones where `half`.
pub fn findings(job: &CompareJob, half: bool) -> Vec<CompareEvent> {
    let stacks = job.stacks.iter().map(DefenceStack::text);
    let names: Vec<String> = std::iter::once(UNDEFENDED.to_string()).chain(stacks).collect();
    let mut out = Vec::new();
    let cells = |name: &String| {
        let plans = job.plans.iter().map(|plan| (name.clone(), plan.clone()));
        plans.collect::<Vec<_>>()
    };
    let truth = job.sample.as_ref().and_then(|sample| sample.label).unwrap_or(7);
    if let Some(sample) = &job.sample {
        for (at, name) in names.iter().enumerate() {
            let clean = fake::prediction(truth, 0.998);
            let known =
                DefenceBaseline { clean, refused: false, ms: 0.2 + at as f64, extra_ms: at as f64 };
            out.push(CompareEvent::Clean(name.clone(), known));
        }
        for stance in job.stances.iter().copied().filter(|s| !half || *s == Stance::Naive) {
            for (name, plan) in names.iter().flat_map(cells) {
                let holds = share(&name, &plan, stance) > 50;
                let wrong = fake::prediction((truth + 5) % 10, 0.913);
                let row = DefenceRow {
                    name: name.clone(),
                    stance,
                    draws: None,
                    held: None,
                    clean: fake::prediction(truth, 0.998),
                    adversarial: if holds { fake::prediction(truth, 0.64) } else { wrong },
                    outcome: if holds { Outcome::Right } else { Outcome::Fooled },
                    distance: plan.epsilon as f32,
                    extra_ms: 0.3,
                    cost: AttackCost { forward: 41, backward: 40, seconds: 0.08 },
                    checks: Evidence::new(plan.clone(), Some(plan.epsilon)),
                    picture: sample.image.clone(),
                    defence: name,
                };
                out.push(CompareEvent::Cell(plan, Arc::new(row)));
            }
        }
    }
    if let Some((_, n)) = &job.many {
        let first = |share: usize| (0..*n).map(|i| i * 100 < share * n).collect::<Vec<bool>>();
        for (at, name) in names.iter().enumerate() {
            let right = first(match name.as_str() {
                "bit-depth" => 90,
                name if name.contains("pgd-at") => 95,
                _ => 100,
            });
            out.push(CompareEvent::Right(name.clone(), right, vec![0.2 + at as f64; 3]));
        }
        for stance in job.stances.iter().copied().filter(|s| !half || *s == Stance::Naive) {
            for (name, plan) in names.iter().flat_map(cells) {
                let held = first(share(&name, &plan, stance));
                if name != UNDEFENDED || stance == job.stances[0] {
                    out.push(CompareEvent::Held(name, plan, stance, held));
                }
            }
        }
    }
    out
}

/// The comparison that effects ask for.
fn asked(
    app: &mut App,
    next: &mut JobId,
    effects: Vec<Effect>,
) -> Option<(JobId, Arc<CompareJob>)> {
    let mut found = None;
    for effect in effects {
        if let Effect::Request(request) = effect {
            *next += 1;
            app.on_sent(*next, &request);
            if let Request::Compare(job) = request {
                found = Some((*next, job));
            }
        }
    }
    found
}

/// Lets the worker answer a job: to its end, or to half of it.
fn answer(app: &mut App, (id, job): (JobId, &CompareJob), half: bool) {
    app.on_update(Update::Started(id));
    for finding in findings(job, half) {
        app.on_update(Update::CompareFinding(id, finding));
    }
    if !half {
        app.on_update(Update::Done(id));
    }
}

/// A dashboard that shows a comparison, whole or half of it.
pub fn comparing(theme: ThemeKind, size: (u16, u16), half: bool) -> App {
    let mut app = fake::app(theme, size);
    let effects = press(&mut app, "2");
    let (id, job) = asked(&mut app, &mut 60, effects).expect("a comparison");
    answer(&mut app, (id, &job), half);
    app
}

/// The same in a small window, on the table of many samples.
pub fn many(theme: ThemeKind, size: (u16, u16)) -> App {
    let mut app = comparing(theme, size, false);
    let effects = press(&mut app, "\t");
    if let Some((id, job)) = asked(&mut app, &mut 70, effects) {
        answer(&mut app, (id, &job), false);
    }
    app
}

fn screen(app: &App) -> &Compare {
    app.get().expect("the screen")
}

fn is_on_top(app: &App) -> bool {
    app.stack() == ["compare"]
}

fn is_open(app: &App) -> bool {
    app.stack().contains(&"compare")
}

/// What is wrong with the line being typed.
fn fault(app: &App) -> Option<String> {
    app.get::<Prompt>().and_then(|prompt| prompt.question().fault.clone())
}

fn app() -> App {
    comparing(ThemeKind::Dark, (120, 36), false)
}

fn run_of(effects: Vec<Effect>) -> Option<RunJob> {
    effects.into_iter().find_map(|effect| match effect {
        Effect::Request(Request::Run(job)) => Some(RunJob::clone(&job)),
        _ => None,
    })
}

fn names(app: &App) -> Vec<String> {
    screen(app).report(&app.session).rows.iter().map(|row| row.defence.clone()).collect()
}

#[test]
fn it_asks_for_the_strip_a_hybrid_and_attacks_of_several_norms() {
    let mut app = fake::app(ThemeKind::Dark, (120, 36));
    let effects = press(&mut app, "2");
    let (_, job) = asked(&mut app, &mut 60, effects).expect("a comparison");
    let strip = app.session.active_defences().map(|entry| entry.stack.clone());
    let wanted: Vec<DefenceStack> = strip.chain(DefenceStack::hybrid()).collect();
    assert_eq!((&job.stacks, job.stances.len()), (&wanted, 2));
    assert_eq!(job.plans, default_attacks("mnist", 0), "as the command line has it");
    assert_eq!(job.sample.as_ref().map(|sample| sample.index), Some(0));
    assert_eq!(job.many.as_ref().map(|(_, n)| *n), Some(20));
    assert!(app.session.busy);
    // In a small window there is one table, and only what it shows is asked for.
    let mut app = fake::app(ThemeKind::Dark, (80, 24));
    let effects = press(&mut app, "2");
    let (id, job) = asked(&mut app, &mut 60, effects).expect("a comparison");
    assert!(job.sample.is_some() && job.many.is_none());
    answer(&mut app, (id, &job), false);
    let effects = press(&mut app, "\t");
    let (_, job) = asked(&mut app, &mut 70, effects).expect("the other table");
    assert!(job.sample.is_none() && job.many.is_some() && screen(&app).part == TableKind::Many);
}

#[test]
fn what_is_known_is_kept_and_only_the_rest_is_asked_for() {
    let mut app = app();
    assert!(screen(&app).running.is_none() && !app.session.busy);
    assert!(run_of(press(&mut app, "1")).is_none(), "Explore has its result still");
    assert!(!is_open(&app));
    assert!(press(&mut app, "2").is_empty());
    assert!(is_open(&app));
    let mut next = 80;
    // Another sample: its own cells, and nothing of the many.
    let effects = press(&mut app, "]");
    let (id, job) = asked(&mut app, &mut next, effects).expect("a comparison");
    assert_eq!(job.sample.as_ref().map(|sample| sample.index), Some(1));
    assert!(job.many.is_none() && screen(&app).report(&app.session).rows[1].cells[0].is_none());
    answer(&mut app, (id, &job), false);
    assert!(screen(&app).report(&app.session).rows[1].cells[0].is_some());
    // More samples; the data set has thirty.
    let effects = press(&mut app, "n");
    let (id, job) = asked(&mut app, &mut next, effects).expect("a comparison");
    assert_eq!((job.many.as_ref().map(|(_, n)| *n), job.sample.is_none()), (Some(30), true));
    let first = &job.plans[0];
    assert_eq!(job.done.held("pgd-at", first, Stance::Adaptive).len(), 20);
    // Going away stops it, coming back goes on.
    assert!(matches!(press(&mut app, "1")[..], [Effect::Request(Request::Cancel), ..]));
    app.on_update(Update::Cancelled(id));
    let effects = press(&mut app, "2");
    assert!(asked(&mut app, &mut next, effects).is_some());
    // Another seed or model is another comparison.
    let effects = app.act(NextSeed);
    let (_, job) = asked(&mut app, &mut next, effects).expect("a comparison");
    assert!(job.sample.is_some() && job.plans.iter().all(|plan| plan.seed == 1) && job.seed == 1);
    assert!(job.done.right(UNDEFENDED).is_empty());
}

#[test]
fn stances_turn_and_those_that_are_known_are_not_measured_again() {
    let mut app = app();
    for stance_filter in [StanceFilter::Naive, StanceFilter::Adaptive, StanceFilter::Both] {
        assert!(press(&mut app, "v").is_empty(), "all is known");
        assert_eq!(screen(&app).stance_filter, stance_filter);
        let stances = stance_filter.stances().len();
        assert_eq!(names(&app).len(), 1 + stances * screen(&app).stacks(&app.session).len());
    }
    let mut app = fake::app(ThemeKind::Dark, (120, 36));
    app.get_mut::<Compare>().expect("the screen").stance_filter = StanceFilter::Naive;
    let effects = press(&mut app, "2");
    let (id, job) = asked(&mut app, &mut 60, effects).expect("a comparison");
    assert_eq!(job.stances, [Stance::Naive]);
    answer(&mut app, (id, &job), false);
    let effects = press(&mut app, "v");
    let (_, job) = asked(&mut app, &mut 70, effects).expect("the adaptive ones");
    assert_eq!(job.stances, [Stance::Adaptive]);
}

#[test]
fn stale_updates_change_nothing_and_misfits_are_told() {
    let mut app = fake::app(ThemeKind::Dark, (120, 36));
    let effects = press(&mut app, "2");
    let (id, job) = asked(&mut app, &mut 60, effects).expect("a comparison");
    for finding in findings(&job, false) {
        app.on_update(Update::CompareFinding(id - 1, finding));
    }
    app.on_update(Update::Done(id - 1));
    assert!(
        screen(&app).report(&app.session).rows[0].clean.is_none() && screen(&app).running.is_some()
    );
    app.on_update(Update::DefenceNotApplicable(
        id,
        "pgd-at".into(),
        "no network was trained like this".into(),
    ));
    let report = screen(&app).report(&app.session);
    let row = report.rows.iter().find(|row| row.defence == "pgd-at").expect("its row");
    assert_eq!(row.unfit.as_deref(), Some("no network was trained like this"));
    let mut rest = CompareJob::clone(&job);
    rest.stacks.retain(|stack| stack.text() != "pgd-at");
    answer(&mut app, (id, &rest), false);
    assert!(
        app.act(NEXT_SORT).is_empty() && press(&mut app, "\t\t").is_empty(),
        "nothing is missing"
    );
}

#[test]
fn a_cell_opens_in_explore_with_its_attack_its_defence_and_its_stance() {
    let mut app = app();
    press(&mut app, "]");
    // The adaptive line of the hybrid, the third attack.
    let row = names(&app).iter().rposition(|name| name == "jpeg+pgd-at").expect("the hybrid");
    (0..row).for_each(|_| drop(press(&mut app, "↓")));
    press(&mut app, "→→");
    assert_eq!(screen(&app).at, (row, 2));
    let plan = screen(&app).plans(&app.session)[2].clone();
    let job = run_of(press(&mut app, "\n")).expect("a run");
    assert!(!is_open(&app) && job.sample.index == 1);
    assert_eq!((&job.plan, app.session.stance), (&plan, Stance::Adaptive));
    assert_eq!((plan.attack.id, plan.norm), ("pgd", Norm::L2));
    assert!(job.defences.iter().any(|stack| stack.text() == "jpeg+pgd-at"));
    // What is changed of the attack there is taken back; the defence is one row still.
    app.session.plan.settings.set("steps", epsiloscope::parameter::Value::Int(7));
    let effects = press(&mut app, "2");
    let (_, job) = asked(&mut app, &mut 90, effects).expect("a comparison");
    assert_eq!(job.plans[2].settings.get("steps"), Value::Int(7));
    assert_eq!(job.stacks.iter().filter(|stack| stack.text() == "jpeg+pgd-at").count(), 1);
}

#[test]
fn epsilon_is_the_screens_in_its_norm() {
    let mut app = app();
    let effects = press(&mut app, "E0.1\n");
    let (_, job) = asked(&mut app, &mut 90, effects).expect("a comparison");
    let epsilon = |norm| job.plans.iter().find(|plan| plan.norm == norm).map(|plan| plan.epsilon);
    assert_eq!((epsilon(Norm::Linf), epsilon(Norm::L2)), (Some(0.1), Some(2.0)));
}

#[test]
fn hybrids_are_typed_and_saved_by_name() {
    let mut app = app();
    press(&mut app, "hjepg+median\n");
    assert!(fault(&app).is_some());
    press(&mut app, "\u{1b}");
    let effects = press(&mut app, "hmedian+jpeg:quality=50\n");
    let (_, job) = asked(&mut app, &mut 90, effects).expect("a comparison");
    assert_eq!(
        job.stacks.last().map(DefenceStack::text).as_deref(),
        Some("median+jpeg:quality=50")
    );
    let under = screen(&app).report(&app.session);
    assert_eq!(under.rows[screen(&app).at.0].defence, "median+jpeg:quality=50");
    let effects = press(&mut app, "htough = bits:5+pgd-at\n");
    let kept = effects.iter().find_map(|effect| match effect {
        Effect::SaveHybrid(stack) => Some(stack.clone()),
        _ => None,
    });
    let kept = kept.expect("to be saved");
    assert_eq!((kept.name(), kept.text().as_str()), (Some("tough"), "bit-depth:bits=5+pgd-at"));
    assert!(app.session.defences.iter().any(|entry| entry.on && entry.stack == kept));
    // Its name stands for it from now on.
    press(&mut app, "hmedian+tough\n");
    assert!(names(&app).contains(&"median+bit-depth:bits=5+pgd-at".to_string()));
    press(&mut app, "hjpeg = median\n");
    assert!(fault(&app).is_some());
}

#[test]
fn attacks_and_defences_are_taken_in_and_out() {
    let mut app = app();
    let before = screen(&app).columns.len();
    let effects = press(&mut app, "apgdl2 ");
    assert_eq!(screen(&app).columns.len(), before - 1);
    assert!(effects.is_empty(), "all that is left is known");
    let effects = press(&mut app, " ");
    assert!(effects.is_empty(), "and so is what comes back");
    assert_eq!(screen(&app).columns.last().map(|c| (c.attack.id, c.norm)), Some(("pgd", Norm::L2)));
    press(&mut app, "biml2");
    let effects = press(&mut app, " ");
    let (_, job) = asked(&mut app, &mut 90, effects).expect("a comparison");
    assert_eq!(job.plans.last().map(|plan| (plan.attack.id, plan.norm)), Some(("bim", Norm::L2)));
    press(&mut app, "\n");
    assert!(is_on_top(&app));
    // Every one goes but the last.
    press(&mut app, "a");
    let mut columns: Vec<String> =
        screen(&app).columns.iter().map(|c| attack_name(c.attack, c.norm)).collect();
    let last = columns.pop().expect("attacks");
    for name in columns {
        press(&mut app, &name.replace(' ', ""));
        press(&mut app, " ");
    }
    assert_eq!(screen(&app).columns.len(), 1);
    press(&mut app, &last.replace(' ', ""));
    press(&mut app, " ");
    assert!(screen(&app).columns.len() == 1 && app.session.message_shown);
    press(&mut app, "\n");
    // A row goes; the bare network stays.
    press(&mut app, "↓↓x");
    assert!(!names(&app).contains(&"bit-depth".to_string()));
    app.get_mut::<Compare>().expect("the screen").at = (0, 0);
    press(&mut app, "x");
    assert_eq!(names(&app)[0], UNDEFENDED);
}

#[test]
fn sorted_filtered_and_written() {
    let mut app = app();
    let registry = names(&app);
    press(&mut app, "s");
    assert_eq!(screen(&app).sort, DefenceOrder::Clean);
    assert_ne!(names(&app), registry);
    press(&mut app, "s");
    assert_eq!((screen(&app).sort, names(&app)[1].as_str()), (DefenceOrder::Worst, "pgd-at"));
    press(&mut app, "ss");
    assert_eq!(names(&app), registry);
    press(&mut app, "/jpeg\n");
    assert_eq!(names(&app).len(), 5);
    press(&mut app, "e");
    let write = |effects: Vec<Effect>| match effects.into_iter().next() {
        Some(Effect::Write { path, text, confirm }) => (path, text, confirm),
        other => panic!("{other:?}"),
    };
    let (path, text, confirm) = write(press(&mut app, "\n"));
    assert_eq!(path.to_str(), Some("compare.csv"));
    // Of five rows, six cells of the sample, six shares, the worst and both clean ones.
    assert_eq!(text.lines().count(), 1 + 5 * 15);
    // Somebody has written it before: asked once more, then replaced; not under another name.
    let question: Question = confirm.expect("to be asked");
    app.ask(question.clone());
    assert!(fault(&app).is_some_and(|why| why.contains("is there already")));
    assert!(write(press(&mut app, "\n")).2.is_none() && is_on_top(&app), "it is replaced");
    app.ask(question);
    assert!(write(press(&mut app, "x\u{8}\n")).2.is_some(), "typed anew, asked anew");
    press(&mut app, "ex\n");
    let told = fault(&app).unwrap_or_default();
    assert!(told.contains("compare.csvx") && told.contains(".md"), "{told}");
}

/// A click on a cell.
fn click(app: &mut App, wanted: (TableKind, usize, usize)) -> Option<Vec<Effect>> {
    let area = Rect::new(0, 0, app.session.size.0, app.session.size.1);
    let under = |at| screen(app).cell_under(&app.session, body(area), at);
    let cells = area.positions().filter(|at| under(*at) == Some(wanted));
    let Position { x, y } = cells.last().expect("the cell is on the screen");
    let kind = MouseEventKind::Down(MouseButton::Left);
    app.mouse(MouseEvent { kind, column: x, row: y, modifiers: KeyModifiers::NONE })
}

#[test]
fn the_mouse_chooses_a_cell_opens_it_and_turns_to_other_screens() {
    let mut app = app();
    assert_eq!(click(&mut app, (TableKind::Many, 3, 2)).map(|effects| effects.len()), Some(0));
    assert_eq!((screen(&app).part, screen(&app).at), (TableKind::Many, (3, 2)));
    assert!(click(&mut app, (TableKind::Sample, 4, 5)).is_some() && is_open(&app));
    let job = click(&mut app, (TableKind::Sample, 4, 5)).and_then(run_of).expect("a run");
    assert_eq!((job.plan.attack.id, is_open(&app)), ("square", false));
    for (name, open) in [("2 Compare", true), ("1 Explore", false)] {
        let header = text(&render(&app)).lines().next().unwrap_or_default().to_string();
        let at = header.find(name).map(|at| header[..at].chars().count()).expect("its name");
        let kind = MouseEventKind::Down(MouseButton::Left);
        let (column, modifiers) = (at as u16, KeyModifiers::NONE);
        let event = MouseEvent { kind, column, row: 0, modifiers };
        assert!(app.mouse(event).is_some());
        assert_eq!(is_open(&app), open);
    }
}

#[test]
fn screens_take_turns() {
    let mut app = app();
    press(&mut app, "5");
    assert_eq!(app.stack(), ["learn"]);
    press(&mut app, "2");
    assert_eq!(app.stack(), ["compare"]);
    press(&mut app, "\u{1b}");
    assert!(app.stack().is_empty());
    let actions: [Action; 3] = [SWITCH_TABLE, Left, Up];
    press(&mut app, "2");
    actions.into_iter().for_each(|action| drop(app.act(action)));
    assert_eq!((screen(&app).at, screen(&app).part), ((0, 0), TableKind::Many));
}
