//! What is typed on Compare: a hybrid, a filter, the name of a file.

use super::state::{Compare, ID};
use crate::defence::DefenceStack;
use crate::error::Result;
use crate::experiment::compare::Format;
use crate::tui::screen::Outcome;
use crate::tui::session::{DefenceEntry, Effect, Question, Session};
use crate::tui::windows::prompt::Prompt;
use std::path::PathBuf;

/// The question for a hybrid.
pub const HYBRID: &str = "hybrid";
/// The question for a filter.
pub const FILTER: &str = "filter";
/// The question for the name of a file.
pub const EXPORT: &str = "export";
/// The question whether to replace a file.
pub const OVERWRITE: &str = "overwrite";

fn question(id: &'static str, heading: &str, help: &str, text: String) -> Question {
    let (heading, help) = (heading.into(), help.into());
    Question { to: ID, id, heading, help, text, fault: None }
}

fn ask(question: Question) -> Outcome {
    Outcome::Push(Box::new(Prompt::new(question)))
}

/// Asks for a hybrid.
pub fn ask_hybrid() -> Outcome {
    let help = "layers, outermost first: jpeg:75+pgd-at; a name saves it: tough = jpeg:75+pgd-at";
    ask(question(HYBRID, "Add a hybrid", help, String::new()))
}

/// Asks which rows to show.
pub fn ask_filter(compare: &Compare) -> Outcome {
    let heading = "Show defences with this in their name";
    ask(question(
        FILTER,
        heading,
        "such as jpeg; nothing shows all of them",
        compare.filter.clone(),
    ))
}

fn file_question(id: &'static str, name: &str) -> Question {
    let help = "a file; its name ends in .csv (a line a number), .json or .md";
    question(id, "Write the tables to", help, name.into())
}

/// Asks where to write the tables.
pub fn ask_export() -> Outcome {
    ask(file_question(EXPORT, "compare.csv"))
}

/// Adds a row: `jpeg:75+pgd-at`, or under a name, by which it is saved: `tough = jpeg:75+pgd-at`.
///
/// # Errors
/// Usage, for what is no stack or no name.
pub fn add_hybrid(compare: &mut Compare, text: &str, session: &mut Session) -> Result<()> {
    let saved: Vec<DefenceStack> =
        session.defences.iter().map(|entry| entry.stack.clone()).collect();
    // Behind a colon, an equals sign belongs to a parameter.
    let name = text.split_once('=').filter(|(name, _)| !name.contains([':', '+']));
    let stack = match name {
        Some((name, text)) => DefenceStack::parse_among(text, &saved)?.named(name.trim())?,
        None => DefenceStack::parse_among(text, &saved)?,
    };
    if stack.name().is_some() && name.is_some() {
        session.defences.retain(|entry| entry.stack.name() != stack.name());
        session.defences.push(DefenceEntry { stack: stack.clone(), on: true, stance: None });
        session.push(Effect::SaveHybrid(stack.clone()));
    } else if compare.stacks(session).iter().any(|other| other.text() == stack.text()) {
        session.say(format!("{stack} is on the screen already"), false);
    } else {
        compare.own.push(stack.clone());
    }
    let rows = compare.report(session).rows;
    let row = rows.iter().position(|row| row.defence == stack.text());
    compare.at.0 = row.unwrap_or(compare.at.0);
    session.settings_changed();
    Ok(())
}

/// Writes the tables as they stand; the extension says how. Where a file of this name is there
/// already, it is asked whether to `replace` it, unless that was answered.
///
/// # Errors
/// Usage, where the extension says nothing.
pub fn export(compare: &Compare, name: &str, replace: bool, session: &mut Session) -> Result<()> {
    let path = PathBuf::from(name);
    let text = compare.report(session).text(Format::of(&path, "export")?)?;
    let fault = format!("'{name}' is there already: Enter once more replaces it");
    let again = Question { fault: Some(fault), ..file_question(OVERWRITE, name) };
    session.push(Effect::Write { path, text, confirm: (!replace).then_some(again) });
    Ok(())
}
