//! What actions do to the state, without terminal and worker.

use crate::fake::{self, answers, press, send};
use crate::race_and_transfer;
use crate::snapshots::{render, text};
use epsiloscope::attack::{Norm, TargetChoice};
use epsiloscope::defence::Stance;
use epsiloscope::engine::{Request, RunJob, TransferSamples, Update};
use epsiloscope::error::Error;
use epsiloscope::experiment::Outcome;
use epsiloscope::parameter::Value;
use epsiloscope::tui::action::Action::{self, *};
use epsiloscope::tui::app::{App, Effect, PATIENCE};
use epsiloscope::tui::dialogs::Overlay;
use epsiloscope::tui::theme::ThemeKind;
use epsiloscope::tui::update::{key, update};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::time::Duration;

fn app() -> App {
    fake::app(ThemeKind::Dark, (120, 36))
}

/// The run that an action asks for.
fn run_after(app: &mut App, action: Action) -> Option<RunJob> {
    let effects = update(app, action);
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
    let (run, live) = app.display().expect("a run");
    assert!(
        !live
            && run.done
            && run.rows.len() == 2 * app.active_defences().count()
            && run.history.len() == 41
    );
    assert!(!app.busy() && !app.faded() && app.next_change().is_none());
}

#[test]
fn epsilon_moves_on_a_grid_and_stays_in_its_range() {
    let mut app = app();
    let usual = app.plan.epsilon;
    let job = run_after(&mut app, EpsilonUp).expect("a run");
    assert!(job.plan.epsilon > usual);
    run_after(&mut app, EpsilonDown);
    assert!((app.plan.epsilon - usual).abs() < 1e-9);
    for _ in 0..50 {
        update(&mut app, EpsilonUpFast);
    }
    assert!((app.plan.epsilon - app.largest_epsilon()).abs() < 1e-9);
    assert!(run_after(&mut app, EpsilonUp).is_none(), "nothing changed, nothing to run");
    for _ in 0..50 {
        update(&mut app, EpsilonDownFast);
    }
    assert_eq!(app.plan.epsilon, 0.0);
    run_after(&mut app, ResetEpsilon);
    assert_eq!(app.plan.epsilon, usual);
}

#[test]
fn epsilon_is_typed_and_faults_are_told() {
    let mut app = app();
    press(&mut app, "e8/x\n");
    let Some(Overlay::Prompt(prompt)) = app.overlays.last() else { panic!("still open") };
    assert!(prompt.error.is_some());
    press(&mut app, "\u{1b}");
    let job = run_of(press(&mut app, "e8/255\n")).expect("a run");
    assert!((job.plan.epsilon - 8.0 / 255.0).abs() < 1e-12 && app.overlays.is_empty());
}

#[test]
fn samples_are_walked_jumped_to_and_filtered() {
    let mut app = app();
    assert_eq!(run_after(&mut app, NextSample).expect("a run").sample.index, 1);
    assert_eq!(run_of(press(&mut app, "g12\n")).expect("a run").sample.index, 12);
    assert_eq!(run_of(press(&mut app, "g3\n")).expect("a run").sample.index, 3);
    press(&mut app, "g99\n");
    assert!(matches!(app.overlays.last(), Some(Overlay::Prompt(p)) if p.error.is_some()));
    press(&mut app, "\u{1b}");
    let class = app.label(5).expect("a class");
    press(&mut app, &format!("f{class}\n"));
    assert_eq!(app.filter, Some(class));
    assert!(app.listed.len() > 1 && app.listed.iter().all(|i| app.label(*i) == Some(class)));
    let job = run_after(&mut app, NextSample).expect("a run");
    assert_eq!(job.sample.label, Some(class));
}

#[test]
fn the_next_mistake_is_searched_and_found() {
    let mut app = app();
    let effects = update(&mut app, NextMistake);
    let mut next = 100;
    send(&mut app, &mut next, effects);
    assert!(app.searching.is_some() && app.busy());
    app.on_update(Update::MistakeSearch(101, 12));
    let job = run_of(app.on_update(Update::MistakeFound(101, Some(9)))).expect("a run");
    assert!(job.sample.index == 9 && app.mistakes.contains(&9) && app.searching.is_none());
    update(&mut app, SelectSample(20));
    assert_eq!(run_after(&mut app, PreviousMistake).expect("a run").sample.index, 9);
    let effects = update(&mut app, NextMistake);
    send(&mut app, &mut next, effects);
    app.on_update(Update::MistakeFound(102, None));
    assert!(app.message_shown);
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
    assert!(app.plan.epsilon > 1.0, "ε follows the norm");
    let job = run_of(press(&mut app, "tleast\n")).expect("a run");
    assert_eq!(job.plan.target, TargetChoice::LeastLikely);
    assert_eq!(run_after(&mut app, NextSeed).expect("a run").plan.seed, 1);
    update(&mut app, EditAttack);
    update(&mut app, Down);
    let before = app.plan.settings.to_string();
    assert!(run_after(&mut app, More).is_some());
    assert_ne!(app.plan.settings.to_string(), before);
    let job = run_of(press(&mut app, "\n7\n")).expect("a run");
    assert_eq!(job.plan.settings.int("steps", 0), 7);
    assert!(run_after(&mut app, ResetRow).is_some());
    assert_eq!(app.plan.settings.to_string(), before);
    update(&mut app, Back);
    assert!(app.overlays.is_empty());
}

#[test]
fn more_about_this_shows_what_the_registry_says() {
    let mut app = app();
    press(&mut app, "ahop");
    press(&mut app, "\t");
    let Some(Overlay::Card(card)) = app.overlays.last() else { panic!("a card") };
    assert!(card.heading.contains("HopSkipJump") && app.plan.attack.id == "pgd");
    press(&mut app, "\u{1b}\u{1b}i");
    assert!(matches!(app.overlays.last(), Some(Overlay::Card(c)) if c.heading.contains("PGD")));
    update(&mut app, Back);
    update(&mut app, EditDefences);
    update(&mut app, About);
    let name = app.defences[0].stack.short();
    assert!(matches!(app.overlays.last(), Some(Overlay::Card(c)) if c.heading == name));
}

#[test]
fn auto_is_nudged_from_the_number_that_it_stands_for() {
    let mut app = app();
    press(&mut app, "acw\np↓↓");
    let before = app.plan.resolved().float("step-size", 0.0);
    assert!(matches!(app.plan.settings.get("step-size"), Value::Auto) && before > 0.0);
    update(&mut app, More);
    let after = app.plan.settings.float("step-size", 0.0);
    assert!(after > before && after < 2.0 * before, "{before} to {after}");
}

#[test]
fn another_epsilon_judges_a_least_perturbation_without_another_run() {
    let mut app = fake::with_attack(ThemeKind::Dark, (120, 36), "cw");
    let success = |app: &App| {
        let report = app.shown.as_ref().and_then(|run| run.report.clone()).expect("a report");
        (report.success, report.epsilon)
    };
    assert_eq!((app.found_epsilon(), app.plan.epsilon), (Some((1.31f32.into(), false)), 2.0));
    assert_eq!(success(&app), (true, Some(2.0)));
    assert!(run_after(&mut app, SetEpsilon(1.0)).is_none());
    assert_eq!(success(&app), (false, Some(1.0)));
    let row = &app.shown.as_ref().expect("a run").rows[0];
    assert_eq!(row.outcome, Outcome::Right, "beyond ε nothing counts as fooled");
    assert!(run_after(&mut app, SetEpsilon(1.5)).is_none());
    assert!(success(&app).0 && !app.busy());
    // Anything else has to run, and is judged at the ε of the moment when it comes.
    let effects = update(&mut app, NextSeed);
    let mut next = 80;
    let jobs = send(&mut app, &mut next, effects);
    let mut said = answers(jobs[0].0, &jobs[0].1).into_iter();
    said.by_ref().take(9).for_each(|update| drop(app.on_update(update)));
    assert!(run_after(&mut app, SetEpsilon(0.25)).is_none());
    said.for_each(|update| drop(app.on_update(update)));
    assert_eq!(success(&app), (false, Some(0.25)));
    assert!(
        app.shown.as_ref().is_some_and(|run| run.rows.iter().all(|r| r.outcome != Outcome::Fooled))
    );
}

#[test]
fn epsilon_does_not_move_an_attack_with_bounds_of_its_own() {
    let mut app = fake::with_attack(ThemeKind::Dark, (120, 36), "stadv");
    let before = app.plan.epsilon;
    assert!(run_after(&mut app, EpsilonUp).is_none() && app.plan.epsilon == before);
    assert!(app.message_shown);
}

#[test]
fn the_least_epsilon_is_searched_for_marked_and_taken() {
    let (mut app, id, job) = race_and_transfer::searching(ThemeKind::Dark, (120, 36));
    assert_eq!(
        app.epsilon_search.as_ref().and_then(|search| search.between()),
        Some((0.075, 0.1061))
    );
    assert!(app.busy() && job.plan.epsilon == app.plan.epsilon);
    race_and_transfer::find(&mut app, id);
    assert_eq!(app.found_epsilon(), Some((0.0892, true)));
    let job = run_after(&mut app, Accept).expect("a run at the ε that was found");
    assert!((job.plan.epsilon - 0.0892).abs() < 1e-12 && app.overlays.is_empty());
    // Nothing but ε has changed: the answer is still known, and nothing is asked again.
    assert!(update(&mut app, FindMinimumEpsilon).is_empty() && !app.overlays.is_empty());
    update(&mut app, Back);
    update(&mut app, NextSeed);
    assert_eq!(app.found_epsilon(), None);
    assert!(matches!(
        &update(&mut app, FindMinimumEpsilon)[..],
        [Effect::Request(Request::MinimumEpsilon(_))]
    ));
}

#[test]
fn a_search_that_is_cancelled_or_out_of_date_changes_nothing() {
    let (mut app, id, _) = race_and_transfer::searching(ThemeKind::Dark, (120, 36));
    app.on_update(Update::EpsilonTried(id - 1, 0.5, Some(true)));
    assert_eq!(app.epsilon_search.as_ref().map(|search| search.tried.len()), Some(4));
    app.on_update(Update::Cancelled(id));
    assert!(app.epsilon_search.is_none() && app.overlays.is_empty() && !app.busy());
}

#[test]
fn a_race_takes_two_to_four_and_ends_with_escape() {
    let mut app = app();
    press(&mut app, "A\n");
    assert!(app.race.is_none() && app.message_shown, "one is too few");
    for name in ["square", "deepfool", "hopskip", "fmn"] {
        press(&mut app, name);
        press(&mut app, " ");
    }
    assert_eq!(app.racers.len(), 4, "a fifth is too many");
    let effects = press(&mut app, "\n");
    let Some(Effect::Request(Request::Race(job))) = effects.first() else { panic!("a race") };
    let ids: Vec<_> = job.plans.iter().map(|plan| plan.attack.id).collect();
    assert_eq!(ids, ["pgd", "square", "deepfool", "hopskipjump"]);
    assert!(job.plans.iter().all(|plan| plan.epsilon == app.plan.epsilon));
    app.note_sent(77, &Request::Race(job.clone()));
    for update in race_and_transfer::race(77, job, &[1]) {
        app.on_update(update);
    }
    let race = app.race.as_ref().expect("a race");
    assert_eq!(race.lanes[0].first, Some((23, 24)));
    assert_eq!(race.lanes[1].first, None, "still going on");
    assert!(race.lanes[0].report().is_some_and(|report| report.success) && app.busy());
    // Stale updates go nowhere.
    app.on_update(Update::LaneFinished(76, 1, Err(Error::cancelled()), Duration::ZERO));
    assert!(app.race.as_ref().is_some_and(|race| race.lanes[1].ended.is_none()));
    // Another ε is another race.
    let effects = update(&mut app, EpsilonUp);
    assert!(matches!(&effects[..], [Effect::Request(Request::Race(_))]));
    let effects = update(&mut app, Back);
    assert!(matches!(effects[0], Effect::Request(Request::Cancel)) && app.race.is_none());
    assert!(run_of(effects).is_some(), "ε has changed in the race");
}

#[test]
fn crafting_on_another_model_goes_into_every_job_and_ends_with_its_data() {
    let mut app = app();
    let job = run_of(press(&mut app, "umnist-cnn-at\n")).expect("a run");
    assert_eq!(job.surrogate.as_deref(), Some("mnist-cnn-at"));
    let effects = update(&mut app, FindMinimumEpsilon);
    let [Effect::Request(Request::MinimumEpsilon(job))] = &effects[..] else { panic!("a search") };
    assert_eq!(job.surrogate.as_deref(), Some("mnist-cnn-at"));
    update(&mut app, Back);
    // A model cannot be its own surrogate.
    let mut next = 90;
    let effects = press(&mut app, "Mmnist-cnn-at\n");
    send(&mut app, &mut next, effects);
    let mut info = fake::model();
    info.id = "mnist-cnn-at".into();
    let job = run_of(app.on_update(Update::Model(info.into()))).expect("a run");
    assert!(app.surrogate.is_none() && job.surrogate.is_none());
}

#[test]
fn transfer_is_measured_on_as_many_samples_as_wanted() {
    let mut app = app();
    race_and_transfer::transfer(&mut app, 0);
    assert!(app.matrix.as_ref().is_some_and(|matrix| matrix.done()));
    let effects = update(&mut app, More);
    let [Effect::Request(Request::Transfer(job))] = &effects[..] else { panic!("a transfer") };
    assert_eq!(job.models, ["mnist-cnn", "mnist-cnn-at"]);
    assert!(matches!(job.samples, TransferSamples::First(_, 10)));
    update(&mut app, Back);
    assert!(app.matrix.is_none() && app.overlays.is_empty());
}

#[test]
fn a_target_is_kept_only_where_the_attack_has_one() {
    let mut app = app();
    press(&mut app, "tleast\n");
    press(&mut app, "acw\n");
    assert_eq!(app.plan.target, TargetChoice::LeastLikely);
    press(&mut app, "ablur\n");
    assert_eq!(app.plan.target, TargetChoice::Untargeted);
    assert!(app.message_shown && app.messages.last().is_some_and(|m| m.text.contains("aim")));
}

#[test]
fn defences_are_switched_and_changed() {
    let mut app = app();
    let all = app.active_defences().count();
    update(&mut app, EditDefences);
    update(&mut app, Down);
    let job = run_after(&mut app, More).expect("a run with another parameter");
    assert_eq!((job.defences.len(), job.defences[0].text().as_str()), (all, "bit-depth:bits=4"));
    update(&mut app, Up);
    let job = run_after(&mut app, Toggle).expect("a run");
    assert_eq!(job.defences.len(), all - 1);
    update(&mut app, TurnStance);
    update(&mut app, TurnStance);
    assert_eq!((app.defences[0].stance, app.stance), (Some(Stance::Gradient), Stance::Naive));
    let row = |app: &App| {
        let screen = text(&render(app));
        screen.lines().find(|line| line.contains("] bit depth")).unwrap().to_string()
    };
    assert!(row(&app).contains("[ ] bit depth") && row(&app).contains(" gradient "));
    run_after(&mut app, Toggle).expect("a run");
    assert!(row(&app).contains("[x] bit depth") && row(&app).contains(" gradient "));
    run_after(&mut app, Toggle).expect("a run");
    update(&mut app, Back);
    assert!(run_after(&mut app, ToggleStance).is_none() && app.stance == Stance::Adaptive);
}

#[test]
fn a_lesson_is_measured_by_its_letter_and_set_up_on_the_screen() {
    let mut app = app();
    assert!(press(&mut app, "5").is_empty() && app.learn.open);
    let effects = press(&mut app, "b");
    let [Effect::Request(Request::Lesson(job))] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((job.lesson.id, job.n, app.learn.lesson().id), ("jpeg", 50, "jpeg"));
    send(&mut app, &mut 76, effects);
    app.on_update(Update::LessonProgress(77, 0, 0.5));
    assert_eq!(app.learn.running().unwrap().share, (0, 0.5));
    // Another job's news are not this lesson's.
    app.on_update(Update::Cancelled(76));
    assert!(app.learn.running().is_some());
    app.on_update(Update::Cancelled(77));
    assert!(app.learn.running().is_none() && app.learn.reports.is_empty());
    let effects = press(&mut app, "o");
    assert!(!app.learn.open && matches!(effects.last(), Some(Effect::Request(Request::Model(_)))));
    let on: Vec<String> = app.active_defences().map(|entry| entry.stack.text()).collect();
    assert_eq!((on, app.stance), (vec!["jpeg".to_string()], Stance::Adaptive));
}

#[test]
fn iterations_play_pause_step_and_rewind() {
    let mut app = app();
    update(&mut app, StepBack);
    assert_eq!(app.playback.at, Some(39));
    update(&mut app, Rewind);
    assert_eq!(app.playback.at, Some(0));
    update(&mut app, StepBack);
    assert_eq!(app.playback.at, Some(0));
    update(&mut app, PlayPause);
    let pace = app.pace();
    assert!(app.next_change().is_some());
    let now = app.now;
    assert!(!app.tick(now + pace / 2));
    assert!(app.tick(now + pace) && app.playback.at == Some(1));
    update(&mut app, PlayPause);
    assert!(app.next_change().is_none(), "nothing moves while it is paused");
    update(&mut app, Scrub(400));
    assert_eq!(app.playback.at, Some(40));
    update(&mut app, PlayPause);
    assert_eq!(app.playback.at, Some(0), "from the end it starts again");
    for i in 0..100 {
        app.tick(app.now + pace * (i + 1));
    }
    assert!(app.playback.at == Some(40) && app.playback.next.is_none());
    update(&mut app, ToResult);
    assert_eq!(app.playback.at, None);
}

#[test]
fn while_dragging_results_come_through_and_only_late_ones_fade() {
    let mut app = app();
    let mut next = 50;
    let mut jobs = Vec::new();
    for _ in 0..3 {
        let effects = update(&mut app, EpsilonUp);
        jobs.extend(send(&mut app, &mut next, effects));
    }
    assert!(app.busy() && !app.faded(), "patience first");
    // The first of the three is still finished by the worker although newer ones wait.
    let (id, job) = &jobs[0];
    for update in answers(*id, job) {
        app.on_update(update);
    }
    assert_eq!(app.display().map(|(run, _)| run.id), Some(*id));
    assert!(app.awaited.is_some() && !app.faded());
    app.tick(app.now + PATIENCE);
    assert!(app.faded());
    // The last one begins; the one between never will.
    let (id, job) = &jobs[2];
    let mut said = answers(*id, job).into_iter();
    for update in said.by_ref().take(12) {
        app.on_update(update);
    }
    let (run, live) = app.display().expect("a run");
    assert!(live && run.history.len() == 10, "late: the iterations are shown as they come");
    said.for_each(|update| drop(app.on_update(update)));
    assert!(
        !app.busy()
            && app.sent.is_empty()
            && app.display().is_some_and(|(run, live)| !live && run.id == *id)
    );
}

#[test]
fn stale_and_cancelled_jobs_change_nothing() {
    let mut app = app();
    let shown = app.display().map(|(run, _)| run.id);
    let mut next = 60;
    let effects = update(&mut app, NextSample);
    let jobs = send(&mut app, &mut next, effects);
    app.on_update(Update::Started(jobs[0].0));
    app.on_update(Update::Cancelled(jobs[0].0));
    assert!(app.current.is_none() && !app.busy());
    for update in answers(7, &jobs[0].1) {
        app.on_update(update);
    }
    assert_eq!(app.display().map(|(run, _)| run.id), shown);
}

#[test]
fn failures_are_shown_and_kept() {
    let mut app = app();
    app.on_update(Update::Failed(1, Error::device("out of memory", "wgpu", "--device cpu")));
    app.on_update(Update::Notice("the worker was restarted".into()));
    app.on_update(Update::Failed(2, Error::cancelled()));
    // The first message says why this device was taken.
    assert!(app.message_shown && app.messages.len() == 3 && app.messages[1].failure);
    press(&mut app, "b");
    assert!(!app.message_shown && app.messages.len() == 3);
    press(&mut app, "!");
    assert!(matches!(app.overlays.last(), Some(Overlay::Messages(_))));
}

#[test]
fn a_model_that_cannot_be_loaded_leaves_the_old_one() {
    let mut app = app();
    let effects = press(&mut app, "Mlite0\n");
    let mut next = 70;
    send(&mut app, &mut next, effects);
    assert_ne!(app.model_wanted, "mnist-cnn");
    let loading: Vec<_> = app.loading.iter().map(|(id, _)| *id).collect();
    for id in loading {
        app.on_update(Update::Failed(id, Error::failure("weights missing", "x", "y")));
    }
    assert_eq!((app.model_wanted.as_str(), app.data_wanted.as_str()), ("mnist-cnn", "mnist"));
    assert!(app.ready() && !app.busy());
}

#[test]
fn a_window_takes_the_keys_and_escape_closes_only_the_top_one() {
    let mut app = app();
    press(&mut app, "pj\n");
    assert_eq!(app.overlays.len(), 2);
    press(&mut app, "\u{1b}");
    assert_eq!(app.overlays.len(), 1);
    press(&mut app, "\u{1b}\u{1b}");
    assert!(app.overlays.is_empty() && !app.quit);
    press(&mut app, "a");
    press(&mut app, "q");
    assert!(!app.quit, "q is a letter of the search");
    let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    key(&mut app, ctrl_c);
    assert!(app.quit);
}

#[test]
fn blinking_and_zoom() {
    let mut app = app();
    update(&mut app, Blink);
    let first = app.blinking.expect("blinking").original;
    let next = app.next_change().expect("it changes by itself");
    assert!(next - app.now <= Duration::from_millis(250) && app.tick(next));
    assert_ne!(app.blinking.expect("blinking").original, first);
    update(&mut app, Blink);
    assert!(app.blinking.is_none() && app.next_change().is_none());
    let effects = update(&mut app, Zoom);
    assert!(matches!(&effects[..], [Effect::Zoom(pictures)] if pictures.len() == 3));
}

#[test]
fn every_listed_action_can_be_done_at_any_time() {
    for prepared in [true, false] {
        for action in Action::LISTED {
            let mut app = match prepared {
                true => app(),
                false => App::new(fake::start(ThemeKind::Dark)).0,
            };
            update(&mut app, *action);
            update(&mut app, *action);
            update(&mut app, Accept);
        }
    }
}

#[test]
fn a_key_before_the_data_are_there_is_not_lost() {
    let (mut app, _) = App::new(fake::start(ThemeKind::Dark));
    update(&mut app, NextSample);
    app.on_update(Update::Data(fake::dataset()));
    assert_eq!(app.sample, 1);
}
