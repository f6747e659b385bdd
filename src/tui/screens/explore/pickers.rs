//! The lists of Explore: actions, data sets, models, attacks, targets, classes.

use super::model_card::card_text;
use crate::attack::TargetChoice;
use crate::data::DATASETS;
use crate::model::Card;
use crate::printable::percent;
use crate::tui::action::Action;
use crate::tui::screen::Outcome;
use crate::tui::session::{Session, fits, parse_epsilon};
use crate::tui::widgets::text::first_name;
use crate::tui::windows::attack_items::attack_items;
use crate::tui::windows::card::{InfoBlock, paragraphs};
use crate::tui::windows::choice::Choice;
use crate::tui::windows::picker::{Picker, PickerItem};

/// The identifier of the screen that takes what is chosen.
const TO: &str = "explore";

fn open(picker: Picker) -> Outcome {
    Outcome::Push(Box::new(picker))
}

/// Every action that has a key on Explore, and values that are typed.
pub fn palette(session: &Session) -> Outcome {
    let mut items: Vec<PickerItem> = Vec::new();
    for binding in &session.keys.root {
        let (text, keys) = (binding.action.description(), binding.keys_text());
        let offered = !matches!(binding.action, Action::Palette | Action::Back);
        if offered && items.iter().all(|item| item.text != text) {
            items.push(PickerItem::new(text, keys, Choice::Do(binding.action)));
        }
    }
    open(Picker { values, ..Picker::new(TO, "Do what?", items, |_| false) })
}

/// What a typed value offers: an ε, the number of a sample.
fn values(typed: &str) -> Vec<PickerItem> {
    let mut out = Vec::new();
    let mut words = typed.split_whitespace();
    let (first, second) = (words.next().unwrap_or_default(), words.next());
    let epsilon = if matches!(first, "eps" | "ε" | "epsilon") { second } else { Some(first) };
    if let Some(value) = epsilon.and_then(parse_epsilon) {
        let text = format!("Set ε to {}", epsilon.unwrap_or_default());
        out.push(PickerItem::new(text, "", Choice::Do(Action::SetEpsilon(value))));
    }
    if let Some(index) = second.filter(|_| first == "sample").and_then(|n| n.parse().ok()) {
        let text = format!("Go to sample {index}");
        out.push(PickerItem::new(text, "", Choice::Do(Action::SelectSample(index))));
    }
    out
}

/// The data sets, and the user's own image.
pub fn data_sets(session: &Session) -> Outcome {
    let mut items = Vec::new();
    if let Some(sample) = &session.file {
        let mut own = PickerItem::new(&sample.name, "yours", Choice::Data("file".into()));
        own.about.push(InfoBlock::Lead("The image that you brought along.".into()));
        items.push(own);
    }
    items.extend(DATASETS.iter().map(|row| {
        let mut set =
            PickerItem::new(row.title, format!("{}", row.len), Choice::Data(row.id.into()));
        let fitting = session.cards.iter().filter(|card| fits(card, row.id));
        let models: Vec<_> = fitting.map(|card| &*card.name).collect();
        set.about = paragraphs(vec![row.about.into(), format!("Models: {}", models.join(", "))]);
        set
    }));
    let here = |choice: &Choice| matches!(choice, Choice::Data(id) if *id == session.data_wanted);
    open(Picker::new(TO, "Data set", items, here))
}

/// The models: the user's own, then those that fit the data.
pub fn models(session: &Session) -> Outcome {
    let data = session.data_id();
    let mut cards: Vec<&Card> = session.cards.iter().collect();
    let embedded = |id: &String| session.cards.iter().any(|card| card.name == *id);
    let mut items = Vec::new();
    if let Some(model) = session.model.as_ref().filter(|model| !embedded(&model.id)) {
        let mut item = PickerItem::new(&model.id, "", Choice::Model(model.id.clone()));
        item.group = "yours".into();
        item.about = paragraphs(card_text(&model.card));
        items.push(item);
    }
    cards.sort_by_key(|card| !fits(card, data));
    items.extend(cards.into_iter().map(|card| {
        let note = card.accuracy.as_ref().map(|a| percent(a.clean, 1));
        let choice = Choice::Model(card.name.clone());
        let mut item = PickerItem::new(&card.name, note.unwrap_or_default(), choice);
        item.group = if fits(card, data) { "for these images" } else { "for other images" }.into();
        item.about = paragraphs(card_text(card));
        item
    }));
    let here = |choice: &Choice| matches!(choice, Choice::Model(id) if *id == session.model_wanted);
    open(Picker::new(TO, "Model", items, here))
}

/// The attacks.
pub fn attacks(session: &Session) -> Outcome {
    let here = |choice: &Choice| matches!(choice, Choice::Attack(a) if *a == session.plan.attack);
    open(Picker { tall: true, ..Picker::new(TO, "Attack", attack_items(), here) })
}

/// What the attack can be crafted on.
pub fn surrogates(session: &Session) -> Outcome {
    let own = format!("{} itself", session.model_wanted);
    let mut first = PickerItem::new(own, "the model that is attacked", Choice::Surrogate(None));
    first.about = paragraphs(vec![
        "White box: the attack knows the model that it attacks.".into(),
        "Transfer: crafted on another model of the same data set, the surrogate, and only tested on \
         the model that is attacked, as somebody without access to it would do."
            .into(),
    ]);
    let others = session.other_models().into_iter().map(|name| {
        let card = session.cards.iter().find(|card| card.name == name);
        let mut item = PickerItem::new(&name, "", Choice::Surrogate(Some(name.clone())));
        item.about = card.map_or_else(Vec::new, |card| paragraphs(card_text(card)));
        item
    });
    let items = std::iter::once(first).chain(others).collect();
    let here = |choice: &Choice| matches!(choice, Choice::Surrogate(s) if *s == session.surrogate);
    open(Picker::new(TO, "Craft the attack on", items, here))
}

/// What the attack can aim at.
pub fn targets(session: &Session) -> Outcome {
    let target =
        |text: &str, note: &str, target| PickerItem::new(text, note, Choice::Target(target));
    let mut items = vec![target("any wrong answer", "untargeted", TargetChoice::Untargeted)];
    let attack = session.plan.attack;
    if attack.targeted {
        items.push(target("the second most likely class", "", TargetChoice::SecondMostLikely));
        items.push(target("the least likely class", "", TargetChoice::LeastLikely));
        items.push(target("the class of the next number", "", TargetChoice::Next));
        let clean = session.shown.as_ref().and_then(|run| run.clean.as_ref());
        let truth = clean.map(|clean| clean.label);
        let labels = session.model.as_ref().map_or(&[][..], |m| &m.labels);
        let others = labels.iter().enumerate().filter(|(class, _)| Some(*class) != truth);
        items.extend(others.map(|(class, name)| {
            let number = class.to_string();
            let note = if number == *name { "" } else { &number };
            target(first_name(name), note, TargetChoice::Class(class))
        }));
    } else {
        let words = format!("{} cannot aim at a class.", attack.name);
        items[0].about.push(InfoBlock::Lead(words));
    }
    let here = |choice: &Choice| matches!(choice, Choice::Target(t) if *t == session.plan.target);
    open(Picker::new(TO, "Target of the attack", items, here))
}

/// The classes of the data set.
pub fn classes(session: &Session) -> Outcome {
    let labels = session.data_labels();
    let mut counts = vec![0usize; labels.len()];
    (0..session.len()).filter_map(|i| session.label(i)).for_each(|class| counts[class] += 1);
    let all = session.len().to_string();
    let mut items = vec![PickerItem::new("every class", all, Choice::Filter(None))];
    let there = labels.iter().enumerate().filter(|(class, _)| counts[*class] > 0);
    items.extend(there.map(|(class, name)| {
        let count = counts[class].to_string();
        PickerItem::new(first_name(name), count, Choice::Filter(Some(class)))
    }));
    let here =
        |choice: &Choice| matches!(choice, Choice::Filter(class) if *class == session.filter);
    open(Picker::new(TO, "Show the samples of", items, here))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_palette_takes_values() {
        assert!(values("eps 8/255")[0].text.contains("8/255"));
        assert!(values("0.1")[0].text.contains("0.1"));
        assert!(values("sample 12")[0].text.contains("12"));
        assert!(values("blink").is_empty());
    }
}
