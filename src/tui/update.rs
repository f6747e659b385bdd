//! What each action does to the state. Nothing here touches terminal or worker: what they have to
//! do comes back as effects.

use super::action::Action;
use super::app::{AMPLIFICATIONS, App, BLINK, Blinking, Effect, Playback, Source};
use super::defence_metrics::{self, MetricKind};
use super::dialogs::{Editor, EditorKind, Overlay, PickerKind, PromptKind};
use super::keymap::{self, Context, Key};
use super::theme::Theme;
use super::view;
use super::windows::{
    self, about, accept, ask, list, move_cursor, nudge, open, reset_row, toggle_row, typed,
};
use super::{checks, compare, defence_list, epsilon_search, learn, race, transfer_matrix};
use crate::attack::{AttackSpec, Bound, Norm, TargetChoice};
use crate::data::Image;
use crate::engine::{FindMistakeJob, Request};
use crate::parameter::Settings;
use ratatui::crossterm::event::{KeyCode, KeyEvent};

/// Where keys go now.
pub fn context(app: &App) -> Context {
    let screen = match () {
        () if app.learn.open => Context::Learn,
        () if app.compare.open => Context::Compare,
        () if app.race.is_some() => Context::Race,
        () => Context::Explore,
    };
    app.overlays.last().map_or(screen, Overlay::context)
}

/// A key was pressed.
pub fn key(app: &mut App, event: KeyEvent) -> Vec<Effect> {
    let mut effects = Vec::new();
    if app.hint {
        app.hint = false;
        effects.push(Effect::HintSeen);
    }
    app.message_shown = false;
    let key = Key::of(&event);
    match keymap::lookup(context(app), key) {
        Some(action) => {
            effects.extend(match (action, key.code) {
                (Action::PickLesson, KeyCode::Char(letter)) => {
                    learn::pick(app, (letter as usize).wrapping_sub('a' as usize))
                }
                _ => update(app, action),
            });
        }
        None => typed(app, event),
    }
    effects
}

/// The most characters that a line takes from a paste.
const PASTED: usize = 1000;

/// Text was pasted: it goes into the line being typed, and nowhere else. True when there is one.
pub fn paste(app: &mut App, text: &str) -> bool {
    let takes = matches!(app.overlays.last(), Some(Overlay::Picker(_) | Overlay::Prompt(_)));
    if takes {
        let plain = text.trim().chars().map(|c| if c.is_whitespace() { ' ' } else { c });
        for letter in plain.filter(|c| !c.is_control()).take(PASTED) {
            typed(app, KeyEvent::from(KeyCode::Char(letter)));
        }
    }
    takes
}

/// Does an action.
pub fn update(app: &mut App, action: Action) -> Vec<Effect> {
    use Action::*;
    match action {
        NextSample => walk(app, 1),
        PreviousSample => walk(app, -1),
        NextPage => walk(app, 10),
        PreviousPage => walk(app, -10),
        SelectSample(index) => select(app, index),
        JumpToSample => ask(app, PromptKind::Sample, String::new()),
        FilterByClass => list(app, PickerKind::Filter),
        NextMistake => search(app),
        PreviousMistake => earlier_mistake(app),
        ChooseData => list(app, PickerKind::Data),
        ChooseModel => list(app, PickerKind::Model),
        ChooseAttack => list(app, PickerKind::Attack),
        ChooseTarget => list(app, PickerKind::Target),
        ChooseSurrogate => list(app, PickerKind::Surrogate),
        FindMinimumEpsilon => epsilon_search::search(app),
        Transfer => transfer_matrix::open(app),
        Certify => defence_metrics::open(app, MetricKind::Certificate),
        Detector => defence_metrics::open(app, MetricKind::Detector),
        Race => {
            if app.racers.is_empty() {
                app.racers.push(app.plan.attack);
            }
            let mut effects = compare::close(app);
            effects.extend(list(app, PickerKind::Race));
            effects
        }
        Learn => {
            let mut effects = compare::close(app);
            effects.extend(learn::open(app));
            effects
        }
        Compare => {
            app.learn.open = false;
            compare::open(app)
        }
        OpenCell => compare::explore(app),
        ChooseCell(part, row, column) => compare::choose(app, part, row, column),
        NextStanceFilter => compare::turn(app),
        SwitchTable => compare::switch(app),
        MoreSamples => compare::more(app),
        ChooseColumns => list(app, PickerKind::Columns),
        AddHybrid => compare::ask_hybrid(app),
        DropRow => compare::drop_row(app),
        FilterRows => compare::ask_filter(app),
        Export => compare::ask_export(app),
        NextSort => {
            app.compare.sort = app.compare.sort.next();
            Vec::new()
        }
        OpenSide => learn::explore(app),
        PickLesson => learn::run(app),
        SwitchAxis => {
            app.race_by_queries = !app.race_by_queries;
            Vec::new()
        }
        EditAttack => open(app, Overlay::Editor(Editor { subject: EditorKind::Attack, at: 0 })),
        EditDefences => open(app, Overlay::Editor(Editor { subject: EditorKind::Defences, at: 0 })),
        About => about(app),
        NextNorm => turn_norm(app, 1),
        NextSeed => {
            app.plan.seed = app.plan.seed.wrapping_add(1);
            app.rerun()
        }
        EpsilonUp => nudge_epsilon(app, 1.0, false),
        EpsilonDown => nudge_epsilon(app, -1.0, false),
        EpsilonUpFast => nudge_epsilon(app, 1.0, true),
        EpsilonDownFast => nudge_epsilon(app, -1.0, true),
        SetEpsilon(value) => set_epsilon(app, value),
        TypeEpsilon => ask(app, PromptKind::Epsilon, String::new()),
        ResetEpsilon => {
            app.epsilon_fixed = false;
            app.plan.epsilon = app.usual_epsilon();
            app.rerun()
        }
        PlayPause => play(app),
        StepForward => step(app, 1),
        StepBack => step(app, -1),
        Rewind => scrub(app, Some(0)),
        ToResult => scrub(app, None),
        Scrub(at) => scrub(app, Some(at)),
        ToggleStance if matches!(app.overlays.last(), Some(Overlay::DefenceMetrics(_))) => {
            defence_metrics::turn_stance(app)
        }
        ToggleStance => defence_list::turn(app, None),
        TurnStance => defence_list::turn(app, windows::defence(app)),
        Checks => checks::open(app),
        RunChecks => checks::ask(app, Vec::new()),
        Blink => {
            app.blinking = match app.blinking {
                Some(_) => None,
                None => Some(Blinking { original: true, next: app.now + BLINK }),
            };
            Vec::new()
        }
        Zoom => zoom(app),
        AmplifyMore => amplify(app, 1),
        AmplifyLess => amplify(app, -1),
        NextPane => pane(app, 1),
        PreviousPane => pane(app, -1),
        ShowPane(at) => {
            app.pane = at;
            Vec::new()
        }
        NextTheme => {
            app.theme = Theme::new(app.theme.kind.next());
            app.say(format!("theme: {}", app.theme.kind.name()), false);
            app.messages.pop();
            Vec::new()
        }
        Help => open(app, Overlay::Help(0)),
        Palette => list(app, PickerKind::Palette),
        Messages => open(app, Overlay::Messages(0)),
        Quit | ForceQuit => {
            app.quit = true;
            Vec::new()
        }
        Suspend => vec![Effect::Suspend],
        Back => match app.overlays.last() {
            Some(Overlay::TransferMatrix) => transfer_matrix::close(app),
            Some(Overlay::DefenceMetrics(_)) => defence_metrics::close(app),
            Some(_) => {
                app.overlays.pop();
                Vec::new()
            }
            None if app.learn.open => learn::leave(app),
            None if app.compare.open => compare::leave(app),
            None if app.race.is_some() => race::leave(app),
            None => {
                app.blinking = None;
                Vec::new()
            }
        },
        Up if on_lessons(app) => learn::walk(app, -1),
        Down if on_lessons(app) => learn::walk(app, 1),
        Less if on_lessons(app) => learn::nudge(app, -1),
        More if on_lessons(app) => learn::nudge(app, 1),
        Accept if on_lessons(app) => learn::run(app),
        Up if on_compare(app) => compare::walk(app, -1, 0),
        Down if on_compare(app) => compare::walk(app, 1, 0),
        Left => compare::walk(app, 0, -1),
        Right => compare::walk(app, 0, 1),
        Up => move_cursor(app, -1),
        Down => move_cursor(app, 1),
        PageUp => move_cursor(app, -10),
        PageDown => move_cursor(app, 10),
        Less => nudge(app, -1),
        More => nudge(app, 1),
        Toggle => toggle_row(app),
        ResetRow => reset_row(app),
        Accept => accept(app),
        ChooseRow(at) => {
            match app.overlays.last_mut() {
                Some(Overlay::Picker(list)) if list.topic.takes_several() => {
                    list.at = at;
                    return toggle_row(app);
                }
                Some(Overlay::Picker(list)) => list.at = at,
                Some(Overlay::Editor(editor)) => {
                    editor.at = at;
                    return toggle_row(app);
                }
                Some(Overlay::Checks(here)) if *here != at => {
                    *here = at;
                    return Vec::new();
                }
                Some(Overlay::Checks(_)) => {}
                _ => return Vec::new(),
            }
            accept(app)
        }
    }
}

/// Whether keys go to the lessons.
fn on_lessons(app: &App) -> bool {
    app.learn.open && app.overlays.is_empty()
}

/// Whether keys go to the comparison.
fn on_compare(app: &App) -> bool {
    app.compare.open && app.overlays.is_empty()
}

/// Goes to the sample so many places on in the list.
fn walk(app: &mut App, by: isize) -> Vec<Effect> {
    if app.listed.is_empty() {
        // Before the data are there, the wish is kept.
        if app.source.is_none() {
            app.sample = app.sample.saturating_add_signed(by);
        }
        return Vec::new();
    }
    let here = app.listed.partition_point(|i| *i < app.sample);
    let there = here.saturating_add_signed(by).min(app.listed.len() - 1);
    let there = app.listed[there];
    select(app, there)
}

pub(super) fn select(app: &mut App, index: usize) -> Vec<Effect> {
    let index = index.min(app.len().saturating_sub(1));
    if app.filter.is_some() && app.label(index) != app.filter {
        app.filter = None;
        app.list();
    }
    if index == app.sample {
        return Vec::new();
    }
    app.sample = index;
    app.rerun()
}

fn search(app: &mut App) -> Vec<Effect> {
    let Some(Source::Set(dataset)) = app.source.clone() else {
        app.say("there is only one picture to look at".into(), false);
        return Vec::new();
    };
    if !app.ready() {
        return Vec::new();
    }
    let job = FindMistakeJob { dataset, from: app.sample, class: app.filter };
    vec![Effect::Request(Request::FindMistake(job))]
}

fn earlier_mistake(app: &mut App) -> Vec<Effect> {
    let found = app.mistakes.range(..app.sample).next_back().copied();
    match found {
        Some(index) => select(app, index),
        None => {
            app.say("no earlier mistake is known yet: n looks for the next one".into(), false);
            Vec::new()
        }
    }
}

fn nudge_epsilon(app: &mut App, direction: f64, fast: bool) -> Vec<Effect> {
    let (fine, coarse) = app.epsilon_steps();
    let by = if fast { coarse } else { fine };
    // On the grid of fine steps, so that there and back again is where it was.
    let value = ((app.plan.epsilon + direction * by) / fine).round() * fine;
    // A typed ε may lie beyond the slider: there, larger leaves it where it is.
    set_epsilon(app, value.clamp(0.0, app.largest_epsilon().max(app.plan.epsilon)))
}

pub(super) fn set_epsilon(app: &mut App, value: f64) -> Vec<Effect> {
    if app.plan.attack.bound == Bound::Own {
        let text = format!("{} is bounded by its own parameters, not by ε", app.plan.attack.name);
        app.say(text, false);
        return Vec::new();
    }
    if (value - app.plan.epsilon).abs() < 1e-12 {
        return Vec::new();
    }
    app.plan.epsilon = value;
    app.epsilon_fixed = true;
    app.rerun()
}

pub(super) fn turn_norm(app: &mut App, by: isize) -> Vec<Effect> {
    let norms = app.plan.attack.norms;
    let here = norms.iter().position(|n| *n == app.plan.norm).unwrap_or(0) as isize;
    let next = norms[(here + by).rem_euclid(norms.len() as isize) as usize];
    if next == app.plan.norm {
        app.say(format!("{} works in {next} only", app.plan.attack.name), false);
        return Vec::new();
    }
    take_norm(app, next);
    app.rerun()
}

pub(super) fn take_norm(app: &mut App, norm: Norm) {
    app.plan.norm = norm;
    app.epsilon_fixed = false;
    app.plan.epsilon = app.usual_epsilon();
}

/// Takes an attack at its defaults; norm and aim stay where it can do them.
pub fn take_attack(app: &mut App, attack: &'static AttackSpec) -> Vec<Effect> {
    if attack == app.plan.attack {
        return Vec::new();
    }
    app.plan.attack = attack;
    app.plan.settings = Settings::defaults(attack.params);
    if !attack.norms.contains(&app.plan.norm) {
        take_norm(app, attack.norms[0]);
    }
    if !attack.targeted && app.plan.target != TargetChoice::Untargeted {
        app.plan.target = TargetChoice::Untargeted;
        let text = format!("{} cannot aim at a class: any wrong answer counts", attack.name);
        app.say(text, false);
    }
    app.rerun()
}

/// The last iteration of what is shown.
fn last(app: &App) -> Option<usize> {
    app.shown.as_ref().and_then(|run| run.history.len().checked_sub(1))
}

fn play(app: &mut App) -> Vec<Effect> {
    let Some(last) = last(app) else { return Vec::new() };
    app.playback = match app.playback {
        Playback { at, next: Some(_) } => Playback { at, next: None },
        Playback { at, next: None } => {
            let from = at.filter(|at| *at < last).unwrap_or(0);
            Playback { at: Some(from), next: Some(app.now + app.pace()) }
        }
    };
    Vec::new()
}

fn step(app: &mut App, by: isize) -> Vec<Effect> {
    let Some(last) = last(app) else { return Vec::new() };
    let here = app.playback.at.unwrap_or(last);
    scrub(app, Some(here.saturating_add_signed(by)))
}

fn scrub(app: &mut App, at: Option<usize>) -> Vec<Effect> {
    if let Some(last) = last(app) {
        app.playback = Playback { at: at.map(|at| at.min(last)), next: None };
    }
    Vec::new()
}

fn amplify(app: &mut App, by: isize) -> Vec<Effect> {
    app.amplification = app.amplification.saturating_add_signed(by).min(AMPLIFICATIONS.len() - 1);
    Vec::new()
}

fn pane(app: &mut App, by: isize) -> Vec<Effect> {
    let count = view::layout::pages(app.size).len() as isize;
    if count > 0 {
        app.pane = (app.pane as isize + by).rem_euclid(count) as usize;
    }
    Vec::new()
}

fn zoom(app: &mut App) -> Vec<Effect> {
    let (Some(original), Some(adversarial)) =
        (view::pictures::original(app), view::pictures::adversarial(app))
    else {
        app.say("there is no picture to show yet".into(), false);
        return Vec::new();
    };
    let full = view::pictures::full_scale(app);
    let perturbation = view::pictures::perturbation(&original, &adversarial, full, &app.theme);
    let pictures: Vec<(String, Image)> = vec![
        ("original".into(), original),
        (format!("perturbation {}", view::pictures::times(app)), perturbation),
        ("adversarial".into(), adversarial),
    ];
    vec![Effect::Zoom(pictures)]
}
