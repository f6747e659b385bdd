//! What actions do in windows: lists, editors, typed values.

use super::app::{App, Effect};
use super::dialogs::{
    Editor, EditorKind, EditorRow, Overlay, Picker, PickerChoice, PickerItem, PickerKind, Prompt,
    PromptKind, items, parse_epsilon, rows,
};
use super::on_update::{match_data, match_model};
use super::update::{select, set_epsilon, take_attack, take_norm, turn_norm, update};
use super::view;
use super::{checks, compare, defence_metrics, epsilon_search, info_card, race, transfer_matrix};
use crate::attack::Norm;
use crate::parameter::{Kind, Value};
use ratatui::crossterm::event::{Event, KeyEvent};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

/// A key that is no command goes into the line being typed.
pub(super) fn typed(app: &mut App, event: KeyEvent) {
    match app.overlays.last_mut() {
        Some(Overlay::Picker(list)) => {
            let change = list.input.handle_event(&Event::Key(event));
            list.at = if change.is_some_and(|change| change.value) { 0 } else { list.at };
        }
        Some(Overlay::Prompt(prompt)) => {
            prompt.input.handle_event(&Event::Key(event));
            prompt.error = None;
            if matches!(prompt.asked, PromptKind::Export { .. }) {
                // Another name is another file.
                prompt.asked = PromptKind::Export { replace: false };
            }
        }
        _ => {}
    }
}

pub(super) fn open(app: &mut App, overlay: Overlay) -> Vec<Effect> {
    app.overlays.push(overlay);
    Vec::new()
}

pub(super) fn list(app: &mut App, topic: PickerKind) -> Vec<Effect> {
    let mut list = Picker { topic, input: Input::default(), at: 0 };
    let chosen = |item: &PickerItem| match &item.choice {
        PickerChoice::Do(_) => false,
        PickerChoice::Data(id) => *id == app.data_wanted,
        PickerChoice::Model(name) => *name == app.model_wanted,
        PickerChoice::Attack(attack) => *attack == app.plan.attack,
        PickerChoice::Target(aim) => *aim == app.plan.target,
        PickerChoice::Surrogate(name) => *name == app.surrogate,
        PickerChoice::Racer(attack) => *attack == app.plan.attack,
        PickerChoice::Column(attack, norm) => compare::has(app, attack, *norm),
        PickerChoice::Filter(class) => *class == app.filter,
    };
    list.at = items(app, &list).iter().position(chosen).unwrap_or(0);
    open(app, Overlay::Picker(list))
}

pub(super) fn ask(app: &mut App, asked: PromptKind, value: String) -> Vec<Effect> {
    open(app, Overlay::Prompt(Prompt { asked, input: Input::new(value), error: None }))
}

pub(super) fn move_cursor(app: &mut App, by: isize) -> Vec<Effect> {
    let Some(overlay) = app.overlays.last() else { return Vec::new() };
    if matches!(overlay, Overlay::DefenceMetrics(_)) {
        return defence_metrics::turn(app, by);
    }
    let last = match overlay {
        Overlay::Picker(list) => items(app, list).len().saturating_sub(1),
        Overlay::Editor(editor) => rows(app, editor.subject).len().saturating_sub(1),
        Overlay::Checks(_) => checks::check_summaries(app).len().saturating_sub(1),
        _ => view::overlays::farthest(app, overlay),
    };
    let at = match app.overlays.last_mut() {
        Some(Overlay::Picker(list)) => &mut list.at,
        Some(Overlay::Editor(editor)) => &mut editor.at,
        Some(Overlay::Help(at) | Overlay::Messages(at) | Overlay::Checks(at)) => at,
        Some(Overlay::Card(card)) => &mut card.from,
        _ => return Vec::new(),
    };
    *at = at.saturating_add_signed(by).min(last);
    Vec::new()
}

/// The editor's row under the cursor.
fn row(app: &App) -> Option<EditorRow> {
    let editor = app.overlays.iter().rev().find_map(|overlay| match overlay {
        Overlay::Editor(editor) => Some(editor),
        _ => None,
    })?;
    rows(app, editor.subject).get(editor.at).copied()
}

pub(super) fn nudge(app: &mut App, by: i64) -> Vec<Effect> {
    match app.overlays.last() {
        Some(Overlay::TransferMatrix) => transfer_matrix::nudge(app, by as isize),
        Some(Overlay::DefenceMetrics(_)) => defence_metrics::nudge(app, by as isize),
        _ => nudge_row(app, by),
    }
}

fn nudge_row(app: &mut App, by: i64) -> Vec<Effect> {
    match row(app) {
        Some(EditorRow::Norm) => turn_norm(app, by as isize),
        Some(EditorRow::Seed) => {
            app.plan.seed = app.plan.seed.saturating_add_signed(by);
            app.rerun()
        }
        Some(EditorRow::Defence(_)) => toggle_row(app),
        Some(row) => match row.param(app) {
            Some(param) => {
                // From what `auto` stands for, so that an arrow is a small change there too.
                let value = param.nudge(row.resolved(app), by);
                set_row(app, row, value)
            }
            None => Vec::new(),
        },
        None => Vec::new(),
    }
}

fn set_row(app: &mut App, row: EditorRow, value: Value) -> Vec<Effect> {
    let Some(param) = row.param(app) else { return Vec::new() };
    match row {
        EditorRow::Param(_) => app.plan.settings.set(param.id, value),
        EditorRow::DefenceParam(i, j) => app.defences[i].set(j, value),
        _ => {}
    }
    app.rerun()
}

pub(super) fn toggle_row(app: &mut App) -> Vec<Effect> {
    if let Some(Overlay::Picker(list)) = app.overlays.last() {
        let item = items(app, list).into_iter().nth(list.at);
        let mut effects = Vec::new();
        match item.as_ref().map(|item| &item.choice) {
            Some(PickerChoice::Racer(attack)) => race::toggle(app, attack),
            Some(PickerChoice::Column(attack, norm)) => {
                effects = compare::toggle(app, attack, *norm)
            }
            _ => return effects,
        }
        if let (Some(Overlay::Picker(list)), Some(item)) = (app.overlays.pop(), item) {
            // The next one is searched for from the start.
            let mut list = Picker { topic: list.topic, input: Input::default(), at: 0 };
            let here =
                |other: &PickerItem| other.text == item.text && other.section == item.section;
            list.at = items(app, &list).iter().position(here).unwrap_or(0);
            app.overlays.push(Overlay::Picker(list));
        }
        return effects;
    }
    match row(app) {
        Some(EditorRow::Defence(i)) => {
            app.defences[i].on = !app.defences[i].on;
            app.rerun()
        }
        Some(row) => match row.param(app).map(|p| p.kind) {
            Some(Kind::Bool | Kind::Choice(_)) => nudge_row(app, 1),
            _ => Vec::new(),
        },
        None => Vec::new(),
    }
}

pub(super) fn reset_row(app: &mut App) -> Vec<Effect> {
    match row(app) {
        Some(EditorRow::Norm) => {
            take_norm(app, app.plan.attack.norms[0]);
            app.rerun()
        }
        Some(EditorRow::Seed) => {
            app.plan.seed = 0;
            app.rerun()
        }
        Some(row) => match row.param(app) {
            Some(param) => set_row(app, row, param.default()),
            None => Vec::new(),
        },
        None => Vec::new(),
    }
}

/// The defence under the editor's cursor.
pub(super) fn defence(app: &App) -> Option<usize> {
    match row(app) {
        Some(EditorRow::Defence(i) | EditorRow::DefenceParam(i, _)) => Some(i),
        _ => None,
    }
}

/// More about the row of the list on top, about the defence in the editor, else about the attack.
pub(super) fn about(app: &mut App) -> Vec<Effect> {
    let card = match app.overlays.last() {
        Some(Overlay::Picker(list)) => {
            let Some(item) = items(app, list).into_iter().nth(list.at) else { return Vec::new() };
            match item.choice {
                PickerChoice::Attack(attack)
                | PickerChoice::Racer(attack)
                | PickerChoice::Column(attack, _) => info_card::attack(attack),
                _ if item.about.is_empty() => {
                    app.say("there is no more to say about it".into(), false);
                    return Vec::new();
                }
                _ => info_card::item(&item),
            }
        }
        Some(Overlay::Editor(Editor { subject: EditorKind::Defences, .. })) => {
            let Some(EditorRow::Defence(i) | EditorRow::DefenceParam(i, _)) = row(app) else {
                return Vec::new();
            };
            info_card::defences(app.defences[i].specs())
        }
        _ => info_card::attack(app.plan.attack),
    };
    open(app, Overlay::Card(card))
}

pub(super) fn accept(app: &mut App) -> Vec<Effect> {
    match app.overlays.last() {
        Some(Overlay::EpsilonSearch) => epsilon_search::accept(app),
        Some(Overlay::Checks(at)) => checks::accept(app, *at),
        Some(Overlay::Picker(list)) if list.topic == PickerKind::Race => {
            if !race::LANES.contains(&app.racers.len()) {
                app.say("choose two to four attacks: Space takes one in or out".into(), false);
                return Vec::new();
            }
            app.overlays.pop();
            race::start(app)
        }
        Some(Overlay::Picker(list)) => {
            let chosen = items(app, list).into_iter().nth(list.at).map(|item| item.choice);
            match chosen {
                Some(choice) => {
                    app.overlays.pop();
                    choose(app, choice)
                }
                None => Vec::new(),
            }
        }
        Some(Overlay::Editor(_)) => match row(app) {
            Some(row @ (EditorRow::Param(_) | EditorRow::DefenceParam(..) | EditorRow::Seed)) => {
                ask(app, PromptKind::Row(row), String::new())
            }
            Some(EditorRow::Norm) => turn_norm(app, 1),
            Some(EditorRow::Defence(_)) => toggle_row(app),
            None => Vec::new(),
        },
        Some(Overlay::Prompt(prompt)) => {
            let prompt = prompt.clone();
            answer(app, &prompt)
        }
        _ => Vec::new(),
    }
}

fn choose(app: &mut App, choice: PickerChoice) -> Vec<Effect> {
    match choice {
        PickerChoice::Do(action) => update(app, action),
        PickerChoice::Data(id) if id == app.data_wanted => Vec::new(),
        PickerChoice::Data(id) => {
            app.data_fixed = true;
            let mut effects = app.load_data(id);
            if app.data_id() == app.data_wanted {
                effects.extend(match_model(app));
            }
            effects
        }
        PickerChoice::Model(name) if name == app.model_wanted => Vec::new(),
        PickerChoice::Model(name) => {
            app.model_wanted = name;
            match_data(app)
        }
        PickerChoice::Attack(attack) => take_attack(app, attack),
        PickerChoice::Target(aim) => {
            app.plan.target = aim;
            app.rerun()
        }
        PickerChoice::Surrogate(name) => {
            app.surrogate = name;
            app.rerun()
        }
        PickerChoice::Racer(attack) => {
            race::toggle(app, attack);
            Vec::new()
        }
        PickerChoice::Column(attack, norm) => compare::toggle(app, attack, norm),
        PickerChoice::Filter(class) => {
            app.filter = class;
            app.list();
            if class.is_none() || app.label(app.sample) == class {
                return Vec::new();
            }
            let here = app.listed.partition_point(|i| *i < app.sample);
            let next = app.listed.get(here).or(app.listed.first()).copied();
            next.map_or_else(Vec::new, |index| select(app, index))
        }
    }
}

/// A typed value is accepted, or its fault is shown under the line.
fn answer(app: &mut App, prompt: &Prompt) -> Vec<Effect> {
    let text = prompt.input.value().trim();
    let answer = match prompt.asked {
        PromptKind::Epsilon => {
            let largest = if app.plan.norm == Norm::Linf { 1.0 } else { f64::MAX };
            match parse_epsilon(text).filter(|value| *value <= largest) {
                Some(value) => Ok(set_epsilon(app, value)),
                None if app.plan.norm == Norm::Linf => {
                    Err("give a number 0..1, like 0.1 or 8/255".to_string())
                }
                None => Err("give a number, like 1.5".to_string()),
            }
        }
        PromptKind::Sample => match text.parse::<usize>().ok().filter(|index| *index < app.len()) {
            Some(index) => Ok(select(app, index)),
            None => Err(format!("give a number 0..{}", app.len().saturating_sub(1))),
        },
        PromptKind::Row(EditorRow::Seed) => match text.parse() {
            Ok(seed) => {
                app.plan.seed = seed;
                Ok(app.rerun())
            }
            Err(_) => Err("give a whole number".to_string()),
        },
        PromptKind::Hybrid => compare::hybrid(app, text).map_err(|error| error.to_string()),
        PromptKind::Rows => {
            compare::filter(app, text);
            Ok(Vec::new())
        }
        PromptKind::Export { replace } => {
            let written = compare::export(app, text, replace);
            written.map(|effect| vec![effect]).map_err(|error| error.to_string())
        }
        PromptKind::Row(row) => match row.param(app).map(|param| param.parse(text)) {
            Some(Ok(value)) => Ok(set_row(app, row, value)),
            Some(Err(error)) => Err(error.remedy),
            None => Ok(Vec::new()),
        },
    };
    match answer {
        Ok(effects) => {
            app.overlays.pop();
            effects
        }
        Err(fault) => {
            if let Some(Overlay::Prompt(prompt)) = app.overlays.last_mut() {
                prompt.error = Some(fault);
            }
            Vec::new()
        }
    }
}
