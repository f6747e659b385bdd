//! What is typed on the Compare screen: a hybrid, a filter, the name of a file.

use super::{refresh, report, stacks};
use crate::defence::DefenceStack;
use crate::error::Result;
use crate::experiment::compare::Format;
use crate::tui::app::{App, Effect};
use crate::tui::defence_list::DefenceEntry;
use crate::tui::dialogs::{Overlay, Prompt, PromptKind};
use crate::tui::windows::ask;
use std::path::PathBuf;
use tui_input::Input;

/// Asks for a hybrid.
pub fn ask_hybrid(app: &mut App) -> Vec<Effect> {
    ask(app, PromptKind::Hybrid, String::new())
}

/// Asks which rows to show.
pub fn ask_filter(app: &mut App) -> Vec<Effect> {
    let filter = app.compare.filter.clone();
    ask(app, PromptKind::Rows, filter)
}

/// Asks where to write the tables.
pub fn ask_export(app: &mut App) -> Vec<Effect> {
    ask(app, PromptKind::Export { replace: false }, "compare.csv".into())
}

/// Shows the rows in whose name `text` stands; all, where there is none.
pub fn filter(app: &mut App, text: &str) {
    app.compare.filter = text.to_string();
    super::clamp(app);
}

/// Adds a row: `jpeg:75+pgd-at`, or under a name, by which it is saved: `tough = jpeg:75+pgd-at`.
///
/// # Errors
/// Usage, for what is no stack or no name.
pub fn hybrid(app: &mut App, text: &str) -> Result<Vec<Effect>> {
    let saved: Vec<DefenceStack> = app.defences.iter().map(|entry| entry.stack.clone()).collect();
    // Behind a colon, an equals sign belongs to a parameter.
    let name = text.split_once('=').filter(|(name, _)| !name.contains([':', '+']));
    let stack = match name {
        Some((name, text)) => DefenceStack::parse_among(text, &saved)?.named(name.trim())?,
        None => DefenceStack::parse_among(text, &saved)?,
    };
    let mut effects = Vec::new();
    if stack.name().is_some() && name.is_some() {
        app.defences.retain(|entry| entry.stack.name() != stack.name());
        app.defences.push(DefenceEntry { stack: stack.clone(), on: true, stance: None });
        effects.push(Effect::Keep(stack.clone()));
    } else if stacks(app).iter().any(|other| other.text() == stack.text()) {
        app.say(format!("{stack} is on the screen already"), false);
    } else {
        app.compare.own.push(stack.clone());
    }
    effects.extend(refresh(app));
    let row = report(app).rows.iter().position(|row| row.defence == stack.text());
    app.compare.at.0 = row.unwrap_or(app.compare.at.0);
    Ok(effects)
}

/// Writes the tables as they stand; the extension says how.
///
/// # Errors
/// Usage, where the extension says nothing.
pub fn export(app: &App, name: &str, replace: bool) -> Result<Effect> {
    let path = PathBuf::from(name);
    let text = report(app).text(Format::of(&path, "export")?)?;
    Ok(Effect::Write { path, text, replace })
}

/// There is a file of this name: asks whether to replace it.
pub fn confirm_overwrite(app: &mut App, name: &str) {
    let error = Some(format!("'{name}' is there already: Enter once more replaces it"));
    let (asked, input) = (PromptKind::Export { replace: true }, Input::new(name.to_string()));
    app.overlays.push(Overlay::Prompt(Prompt { asked, input, error }));
}
