//! What actions do to the state, without terminal and worker.

use crate::fake::{self, answers, press, send};
use crate::race_and_transfer;
use crate::snapshots::{render, text};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use epsiloscope::attack::{Norm, TargetChoice};
use epsiloscope::defence::Stance;
use epsiloscope::engine::{Request, RunJob, TransferSamples, Update};
use epsiloscope::error::Error;
use epsiloscope::experiment::Outcome;
use epsiloscope::parameter::Value;
use epsiloscope::tui::action::Action::{self, *};
use epsiloscope::tui::app::App;
use epsiloscope::tui::screens::learn::Learn;
use epsiloscope::tui::screens::race::Race;
use epsiloscope::tui::screens::{attack_parameters, defences, minimum_epsilon};
use epsiloscope::tui::session::{Effect, PATIENCE};
use epsiloscope::tui::theme::ThemeKind;
use epsiloscope::tui::windows::card::InfoCard;
use epsiloscope::tui::windows::editor;
use epsiloscope::tui::windows::prompt::Prompt;
use std::time::Duration;

/// What is wrong with the line being typed.
fn fault(app: &App) -> Option<String> {
    app.get::<Prompt>().and_then(|prompt| prompt.question().fault.clone())
}

fn race(app: &App) -> &Race {
    app.get().expect("the race")
}

fn learn(app: &App) -> &Learn {
    app.get().expect("the lessons")
}

fn app() -> App {
    fake::app(ThemeKind::Dark, (120, 36))
}

/// The run that an action asks for.
fn run_after(app: &mut App, action: Action) -> Option<RunJob> {
    let effects = app.act(action);
    run_of(effects)
}

fn run_of(effects: Vec<Effect>) -> Option<RunJob> {
    effects.into_iter().find_map(|effect| match effect {
        Effect::Request(Request::Run(job)) => Some(RunJob::clone(&job)),
        _ => None,
    })
}

#[test]
fn the_first_result_is_on_the_screen_and_nothing_is_awaited() {
    let app = app();
    let (run, live) = app.session.display().expect("a run");
    assert!(
        !live
            && run.done
            && run.rows.len() == 2 * app.session.active_defences().count()
            && run.history.len() == 41
    );
    assert!(!app.session.busy && !app.session.faded() && app.session.next_change().is_none());
}

#[test]
fn epsilon_moves_on_a_grid_and_stays_in_its_range() {
    let mut app = app();
    let usual = app.session.plan.epsilon;
    let job = run_after(&mut app, EpsilonUp).expect("a run");
    assert!(job.plan.epsilon > usual);
    run_after(&mut app, EpsilonDown);
    assert!((app.session.plan.epsilon - usual).abs() < 1e-9);
    for _ in 0..50 {
        app.act(EpsilonUpFast);
    }
    assert!((app.session.plan.epsilon - app.session.largest_epsilon()).abs() < 1e-9);
    assert!(run_after(&mut app, EpsilonUp).is_none(), "nothing changed, nothing to run");
    for _ in 0..50 {
        app.act(EpsilonDownFast);
    }
    assert_eq!(app.session.plan.epsilon, 0.0);
    run_after(&mut app, ResetEpsilon);
    assert_eq!(app.session.plan.epsilon, usual);
}

#[test]
fn epsilon_is_typed_and_faults_are_told() {
    let mut app = app();
    press(&mut app, "e8/x\n");
    assert!(fault(&app).is_some());
    press(&mut app, "\u{1b}");
    let job = run_of(press(&mut app, "e8/255\n")).expect("a run");
    assert!((job.plan.epsilon - 8.0 / 255.0).abs() < 1e-12 && app.stack().is_empty());
}

#[test]
fn samples_are_walked_jumped_to_and_filtered() {
    let mut app = app();
    assert_eq!(run_after(&mut app, NextSample).expect("a run").sample.index, 1);
    assert_eq!(run_of(press(&mut app, "g12\n")).expect("a run").sample.index, 12);
    assert_eq!(run_of(press(&mut app, "g3\n")).expect("a run").sample.index, 3);
    press(&mut app, "g99\n");
    assert!(fault(&app).is_some());
    press(&mut app, "\u{1b}");
    let class = app.session.label(5).expect("a class");
    press(&mut app, &format!("f{class}\n"));
    assert_eq!(app.session.filter, Some(class));
    assert!(
        app.session.listed.len() > 1
            && app.session.listed.iter().all(|i| app.session.label(*i) == Some(class))
    );
    let job = run_after(&mut app, NextSample).expect("a run");
    assert_eq!(job.sample.label, Some(class));
}

#[test]
fn the_next_mistake_is_searched_and_found() {
    let mut app = app();
    let effects = app.act(NextMistake);
    let mut next = 100;
    send(&mut app, &mut next, effects);
    assert!(app.session.mistake_search.is_some() && app.session.busy);
    app.on_update(Update::MistakeSearch(101, 12));
    let job = run_of(app.on_update(Update::MistakeFound(101, Some(9)))).expect("a run");
    assert!(
        job.sample.index == 9
            && app.session.mistakes.contains(&9)
            && app.session.mistake_search.is_none()
    );
    app.act(SelectSample(20));
    assert_eq!(run_after(&mut app, PreviousMistake).expect("a run").sample.index, 9);
    let effects = app.act(NextMistake);
    send(&mut app, &mut next, effects);
    app.on_update(Update::MistakeFound(102, None));
    assert!(app.session.message_shown);
}

#[test]
fn attack_norm_target_parameters_and_seed_change_the_plan() {
    let mut app = app();
    let job = run_of(press(&mut app, "afgsm\n")).expect("a run");
    assert_eq!(job.plan.attack.id, "fgsm");
    let job = run_of(press(&mut app, "apgd\n")).expect("a run");
    assert_eq!(job.plan.attack.id, "pgd");
    let job = run_after(&mut app, NextNorm).expect("a run");
    assert_eq!(job.plan.norm, Norm::L2);
    assert!(app.session.plan.epsilon > 1.0, "ε follows the norm");
    let job = run_of(press(&mut app, "tleast\n")).expect("a run");
    assert_eq!(job.plan.target, TargetChoice::LeastLikely);
    assert_eq!(run_after(&mut app, NextSeed).expect("a run").plan.seed, 1);
    app.act(attack_parameters::OPEN);
    app.act(Down);
    let before = app.session.plan.settings.to_string();
    assert!(run_after(&mut app, More).is_some());
    assert_ne!(app.session.plan.settings.to_string(), before);
    let job = run_of(press(&mut app, "\n7\n")).expect("a run");
    assert_eq!(job.plan.settings.get("steps"), Value::Int(7));
    assert!(run_after(&mut app, ResetRow).is_some());
    assert_eq!(app.session.plan.settings.to_string(), before);
    app.act(Back);
    assert!(app.stack().is_empty());
}

#[test]
fn more_about_this_shows_what_the_registry_says() {
    let mut app = app();
    press(&mut app, "ahop");
    press(&mut app, "\t");
    let card = app.get::<InfoCard>().expect("a card");
    assert!(card.heading.contains("HopSkipJump") && app.session.plan.attack.id == "pgd");
    press(&mut app, "\u{1b}\u{1b}i");
    assert!(app.get::<InfoCard>().is_some_and(|card| card.heading.contains("PGD")));
    app.act(Back);
    app.act(defences::OPEN);
    app.act(About);
    let name = app.session.defences[0].stack.short();
    assert!(app.get::<InfoCard>().is_some_and(|card| card.heading == name));
}

#[test]
fn auto_is_nudged_from_the_number_that_it_stands_for() {
    let mut app = app();
    press(&mut app, "p↓↓");
    let number = |value: Value| match value {
        Value::Float(number) => number,
        other => panic!("{other:?} is no number"),
    };
    let before = number(app.session.plan.resolved().get("step-size"));
    assert!(matches!(app.session.plan.settings.get("step-size"), Value::Auto) && before > 0.0);
    app.act(More);
    let after = number(app.session.plan.settings.get("step-size"));
    assert!(after > before && after < 2.0 * before, "{before} to {after}");
}

#[test]
fn another_epsilon_judges_a_least_perturbation_without_another_run() {
    let mut app = fake::with_attack(ThemeKind::Dark, (120, 36), "cw");
    let success = |app: &App| {
        let report =
            app.session.shown.as_ref().and_then(|run| run.report.clone()).expect("a report");
        (report.success, report.epsilon)
    };
    assert_eq!(
        (app.session.found_epsilon(), app.session.plan.epsilon),
        (Some((1.31f32.into(), false)), 2.0)
    );
    assert_eq!(success(&app), (true, Some(2.0)));
    assert!(run_after(&mut app, SetEpsilon(1.0)).is_none());
    assert_eq!(success(&app), (false, Some(1.0)));
    let row = &app.session.shown.as_ref().expect("a run").rows[0];
    assert_eq!(row.outcome, Outcome::Right, "beyond ε nothing counts as fooled");
    assert!(run_after(&mut app, SetEpsilon(1.5)).is_none());
    assert!(success(&app).0 && !app.session.busy);
    // Anything else has to run, and is judged at the ε of the moment when it comes.
    let effects = app.act(NextSeed);
    let mut next = 80;
    let jobs = send(&mut app, &mut next, effects);
    let mut said = answers(jobs[0].0, &jobs[0].1).into_iter();
    said.by_ref().take(9).for_each(|update| drop(app.on_update(update)));
    assert!(run_after(&mut app, SetEpsilon(0.25)).is_none());
    said.for_each(|update| drop(app.on_update(update)));
    assert_eq!(success(&app), (false, Some(0.25)));
    assert!(
        app.session
            .shown
            .as_ref()
            .is_some_and(|run| run.rows.iter().all(|r| r.outcome != Outcome::Fooled))
    );
}

#[test]
fn epsilon_does_not_move_an_attack_with_bounds_of_its_own() {
    let mut app = fake::with_attack(ThemeKind::Dark, (120, 36), "stadv");
    let before = app.session.plan.epsilon;
    assert!(run_after(&mut app, EpsilonUp).is_none() && app.session.plan.epsilon == before);
    assert!(app.session.message_shown);
}

#[test]
fn the_least_epsilon_is_searched_for_marked_and_taken() {
    let (mut app, id, job) = race_and_transfer::searching(ThemeKind::Dark, (120, 36));
    assert_eq!(
        app.session
            .epsilon_search
            .as_ref()
            .and_then(epsiloscope::tui::session::EpsilonSearch::between),
        Some((0.075, 0.1061))
    );
    assert!(app.session.busy && job.plan.epsilon == app.session.plan.epsilon);
    race_and_transfer::find(&mut app, id);
    assert_eq!(app.session.found_epsilon(), Some((0.0892, true)));
    let job = run_after(&mut app, Accept).expect("a run at the ε that was found");
    assert!((job.plan.epsilon - 0.0892).abs() < 1e-12 && app.stack().is_empty());
    // Nothing but ε has changed: the answer is still known, and nothing is asked again.
    assert!(app.act(minimum_epsilon::OPEN).is_empty() && !app.stack().is_empty());
    app.act(Back);
    app.act(NextSeed);
    assert_eq!(app.session.found_epsilon(), None);
    assert!(matches!(
        &app.act(minimum_epsilon::OPEN)[..],
        [Effect::Request(Request::MinimumEpsilon(_))]
    ));
}

#[test]
fn a_search_that_is_cancelled_or_out_of_date_changes_nothing() {
    let (mut app, id, _) = race_and_transfer::searching(ThemeKind::Dark, (120, 36));
    app.on_update(Update::EpsilonTried(id - 1, 0.5, Some(true)));
    assert_eq!(app.session.epsilon_search.as_ref().map(|search| search.tried.len()), Some(4));
    app.on_update(Update::Cancelled(id));
    assert!(app.session.epsilon_search.is_none() && app.stack().is_empty() && !app.session.busy);
}

#[test]
fn a_race_takes_two_to_four_and_ends_with_escape() {
    let mut app = app();
    press(&mut app, "A\n");
    assert!(!app.stack().contains(&"race") && app.session.message_shown, "one is too few");
    for name in ["square", "deepfool", "hopskip", "fmn"] {
        press(&mut app, name);
        press(&mut app, " ");
    }
    assert_eq!(race(&app).racers.len(), 4, "a fifth is too many");
    let effects = press(&mut app, "\n");
    let Some(Effect::Request(Request::Race(job))) = effects.first() else { panic!("a race") };
    let ids: Vec<_> = job.plans.iter().map(|plan| plan.attack.id).collect();
    assert_eq!(ids, ["pgd", "square", "deepfool", "hopskipjump"]);
    assert!(job.plans.iter().all(|plan| plan.epsilon == app.session.plan.epsilon));
    app.on_sent(77, &Request::Race(job.clone()));
    for update in race_and_transfer::race(77, job, &[1]) {
        app.on_update(update);
    }
    let lanes = &race(&app).lanes;
    assert_eq!(lanes[0].first, Some((23, 24)));
    assert_eq!(lanes[1].first, None, "still going on");
    assert!(lanes[0].report().is_some_and(|report| report.success) && app.session.busy);
    // Stale updates go nowhere.
    app.on_update(Update::LaneFinished(76, 1, Err(Error::cancelled()), Duration::ZERO));
    assert!(race(&app).lanes[1].result.is_none());
    // Another ε is another race.
    let effects = app.act(EpsilonUp);
    assert!(matches!(&effects[..], [Effect::Request(Request::Race(_))]));
    let effects = app.act(Back);
    assert!(matches!(effects[0], Effect::Request(Request::Cancel)) && app.stack().is_empty());
    assert!(run_of(effects).is_some(), "ε has changed in the race");
}

#[test]
fn crafting_on_another_model_goes_into_every_job_and_ends_with_its_data() {
    let mut app = app();
    let job = run_of(press(&mut app, "umnist-cnn-at\n")).expect("a run");
    assert_eq!(job.surrogate.as_deref(), Some("mnist-cnn-at"));
    let effects = app.act(minimum_epsilon::OPEN);
    let [Effect::Request(Request::MinimumEpsilon(job))] = &effects[..] else { panic!("a search") };
    assert_eq!(job.surrogate.as_deref(), Some("mnist-cnn-at"));
    app.act(Back);
    // A model cannot be its own surrogate.
    let mut next = 90;
    let effects = press(&mut app, "Mmnist-cnn-at\n");
    send(&mut app, &mut next, effects);
    let mut info = fake::model();
    info.id = "mnist-cnn-at".into();
    let job = run_of(app.on_update(Update::Model(info.into()))).expect("a run");
    assert!(app.session.surrogate.is_none() && job.surrogate.is_none());
}

#[test]
fn transfer_is_measured_on_as_many_samples_as_wanted() {
    let mut app = app();
    race_and_transfer::open_transfer(&mut app, 0);
    assert!(!app.session.busy, "everything is measured");
    let effects = app.act(More);
    let [Effect::Request(Request::Transfer(job))] = &effects[..] else { panic!("a transfer") };
    assert_eq!(job.models, ["mnist-cnn", "mnist-cnn-at"]);
    assert!(matches!(job.samples, TransferSamples::First(_, 10)));
    app.act(Back);
    assert!(app.stack().is_empty());
}

#[test]
fn a_target_is_kept_only_where_the_attack_has_one() {
    let mut app = app();
    press(&mut app, "tleast\n");
    press(&mut app, "acw\n");
    assert_eq!(app.session.plan.target, TargetChoice::LeastLikely);
    press(&mut app, "adeepfool\n");
    assert_eq!(app.session.plan.target, TargetChoice::Untargeted);
    assert!(
        app.session.message_shown
            && app.session.messages.last().is_some_and(|m| m.text.contains("aim"))
    );
}

#[test]
fn defences_are_switched_and_changed() {
    let mut app = app();
    let all = app.session.active_defences().count();
    app.act(defences::OPEN);
    app.act(Down);
    let job = run_after(&mut app, More).expect("a run with another parameter");
    assert_eq!((job.defences.len(), job.defences[0].text().as_str()), (all, "bit-depth:bits=4"));
    app.act(Up);
    let job = run_after(&mut app, Toggle).expect("a run");
    assert_eq!(job.defences.len(), all - 1);
    app.act(editor::NEXT_STANCE);
    app.act(editor::NEXT_STANCE);
    assert_eq!(
        (app.session.defences[0].stance, app.session.stance),
        (Some(Stance::Gradient), Stance::Naive)
    );
    let row = |app: &App| {
        let screen = text(&render(app));
        screen.lines().find(|line| line.contains("] bit depth")).unwrap().to_string()
    };
    assert!(row(&app).contains("[ ] bit depth") && row(&app).contains(" gradient "));
    run_after(&mut app, Toggle).expect("a run");
    assert!(row(&app).contains("[x] bit depth") && row(&app).contains(" gradient "));
    run_after(&mut app, Toggle).expect("a run");
    app.act(Back);
    assert!(run_after(&mut app, ToggleStance).is_none() && app.session.stance == Stance::Adaptive);
}

#[test]
fn a_lesson_is_measured_by_its_letter_and_set_up_on_the_screen() {
    let mut app = app();
    assert!(press(&mut app, "5").is_empty() && app.stack() == ["learn"]);
    let effects = press(&mut app, "b");
    let [Effect::Request(Request::Lesson(job))] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((job.lesson.id, job.n, learn(&app).lesson().id), ("jpeg", 50, "jpeg"));
    send(&mut app, &mut 76, effects);
    app.on_update(Update::LessonProgress(77, 0, 0.5));
    assert_eq!(learn(&app).running().unwrap().share, (0, 0.5));
    // Another job's news are not this lesson's.
    app.on_update(Update::Cancelled(76));
    assert!(learn(&app).running().is_some());
    app.on_update(Update::Cancelled(77));
    assert!(learn(&app).running().is_none() && learn(&app).reports.is_empty());
    let effects = press(&mut app, "o");
    assert!(
        app.stack().is_empty()
            && matches!(effects.last(), Some(Effect::Request(Request::Model(_))))
    );
    let on: Vec<String> = app.session.active_defences().map(|entry| entry.stack.text()).collect();
    assert_eq!((on, app.session.stance), (vec!["jpeg".to_string()], Stance::Adaptive));
}

#[test]
fn iterations_play_pause_step_and_rewind() {
    let mut app = app();
    app.act(StepBack);
    assert_eq!(app.session.playback.at, Some(39));
    app.act(Rewind);
    assert_eq!(app.session.playback.at, Some(0));
    app.act(StepBack);
    assert_eq!(app.session.playback.at, Some(0));
    app.act(PlayPause);
    let pace = app.session.pace();
    assert!(app.session.next_change().is_some());
    let now = app.session.now;
    assert!(!app.session.tick(now + pace / 2));
    assert!(app.session.tick(now + pace) && app.session.playback.at == Some(1));
    app.act(PlayPause);
    assert!(app.session.next_change().is_none(), "nothing moves while it is paused");
    app.act(Scrub(400));
    assert_eq!(app.session.playback.at, Some(40));
    app.act(PlayPause);
    assert_eq!(app.session.playback.at, Some(0), "from the end it starts again");
    for i in 0..100 {
        app.session.tick(app.session.now + pace * (i + 1));
    }
    assert!(app.session.playback.at == Some(40) && app.session.playback.next.is_none());
    app.act(ToResult);
    assert_eq!(app.session.playback.at, None);
}

#[test]
fn while_dragging_results_come_through_and_only_late_ones_fade() {
    let mut app = app();
    let mut next = 50;
    let mut jobs = Vec::new();
    for _ in 0..3 {
        let effects = app.act(EpsilonUp);
        jobs.extend(send(&mut app, &mut next, effects));
    }
    assert!(app.session.busy && !app.session.faded(), "patience first");
    // The first of the three is still finished by the worker although newer ones wait.
    let (id, job) = &jobs[0];
    for update in answers(*id, job) {
        app.on_update(update);
    }
    assert_eq!(app.session.display().map(|(run, _)| run.id), Some(*id));
    assert!(app.session.awaited.is_some() && !app.session.faded());
    app.session.tick(app.session.now + PATIENCE);
    assert!(app.session.faded());
    // The last one begins; the one between never will.
    let (id, job) = &jobs[2];
    let mut said = answers(*id, job).into_iter();
    for update in said.by_ref().take(12) {
        app.on_update(update);
    }
    let (run, live) = app.session.display().expect("a run");
    assert!(live && run.history.len() == 10, "late: the iterations are shown as they come");
    said.for_each(|update| drop(app.on_update(update)));
    assert!(
        !app.session.busy
            && app.session.sent.is_empty()
            && app.session.display().is_some_and(|(run, live)| !live && run.id == *id)
    );
}

#[test]
fn stale_and_cancelled_jobs_change_nothing() {
    let mut app = app();
    let shown = app.session.display().map(|(run, _)| run.id);
    let mut next = 60;
    let effects = app.act(NextSample);
    let jobs = send(&mut app, &mut next, effects);
    app.on_update(Update::Started(jobs[0].0));
    app.on_update(Update::Cancelled(jobs[0].0));
    assert!(app.session.current.is_none() && !app.session.busy);
    for update in answers(7, &jobs[0].1) {
        app.on_update(update);
    }
    assert_eq!(app.session.display().map(|(run, _)| run.id), shown);
}

#[test]
fn failures_are_shown_and_kept() {
    let mut app = app();
    app.on_update(Update::Failed(1, Error::device("out of memory", "wgpu", "--device cpu")));
    app.on_update(Update::Notice("the worker was restarted".into()));
    app.on_update(Update::Failed(2, Error::cancelled()));
    // The first message says why this device was taken.
    assert!(
        app.session.message_shown
            && app.session.messages.len() == 3
            && app.session.messages[1].failure
    );
    press(&mut app, "b");
    assert!(!app.session.message_shown && app.session.messages.len() == 3);
    press(&mut app, "!");
    assert!(app.stack() == ["messages"]);
}

#[test]
fn a_model_that_cannot_be_loaded_leaves_the_old_one() {
    let mut app = app();
    let effects = press(&mut app, "Mlite0\n");
    let mut next = 70;
    send(&mut app, &mut next, effects);
    assert_ne!(app.session.model_wanted, "mnist-cnn");
    let loading: Vec<_> = app.session.loading.iter().map(|(id, _)| *id).collect();
    for id in loading {
        app.on_update(Update::Failed(id, Error::failure("weights missing", "x", "y")));
    }
    assert_eq!(
        (app.session.model_wanted.as_str(), app.session.data_wanted.as_str()),
        ("mnist-cnn", "mnist")
    );
    assert!(app.session.ready() && !app.session.busy);
}

#[test]
fn a_window_takes_the_keys_and_escape_closes_only_the_top_one() {
    let mut app = app();
    press(&mut app, "pj\n");
    assert_eq!(app.stack().len(), 2);
    press(&mut app, "\u{1b}");
    assert_eq!(app.stack().len(), 1);
    press(&mut app, "\u{1b}\u{1b}");
    assert!(app.stack().is_empty() && !app.session.quit);
    press(&mut app, "a");
    press(&mut app, "q");
    assert!(!app.session.quit, "q is a letter of the search");
    let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    app.key(ctrl_c);
    assert!(app.session.quit);
}

#[test]
fn blinking_and_zoom() {
    let mut app = app();
    app.act(Blink);
    let first = app.session.blinking.expect("blinking").original;
    let next = app.session.next_change().expect("it changes by itself");
    assert!(
        next.checked_sub(app.session.now).unwrap() <= Duration::from_millis(250)
            && app.session.tick(next)
    );
    assert_ne!(app.session.blinking.expect("blinking").original, first);
    app.act(Blink);
    assert!(app.session.blinking.is_none() && app.session.next_change().is_none());
    let effects = app.act(Zoom);
    assert!(matches!(&effects[..], [Effect::Zoom(pictures)] if pictures.len() == 3));
}

#[test]
fn every_action_can_be_done_at_any_time() {
    for prepared in [true, false] {
        for (_, binding) in &app().session.keys.all {
            let mut app = match prepared {
                true => app(),
                false => fake::begin(ThemeKind::Dark).0,
            };
            app.act(binding.action);
            app.act(binding.action);
            app.act(Accept);
        }
    }
}

#[test]
fn a_key_before_the_data_are_there_is_not_lost() {
    let (mut app, _) = fake::begin(ThemeKind::Dark);
    app.act(NextSample);
    app.on_update(Update::Data(fake::dataset()));
    assert_eq!(app.session.sample, 1);
}
