//! The rows of every list: actions, data sets, models, attacks, targets, classes.

use super::action::Action;
use super::app::{App, fits};
use super::dialogs::{Picker, PickerChoice, PickerItem, PickerKind, parse_epsilon};
use super::info_card::{self, InfoBlock, paragraphs};
use super::widgets::text::{first_name, fuzzy};
use super::{compare, keymap, transfer_matrix};
use crate::attack::{AttackSpec, TargetChoice};
use crate::data::DATASETS;
use crate::experiment::compare::attack_name;
use crate::model::Card;
use std::cmp::Reverse;

/// The rows of a list that fit what is searched for.
pub fn items(app: &App, list: &Picker) -> Vec<PickerItem> {
    let all = match list.topic {
        PickerKind::Palette => palette(list.input.value()),
        PickerKind::Data => data_sets(app),
        PickerKind::Model => models(app),
        PickerKind::Attack => attacks(app),
        PickerKind::Target => targets(app),
        PickerKind::Surrogate => surrogates(app),
        PickerKind::Race => racers(app),
        PickerKind::Columns => columns(app),
        PickerKind::Filter => classes(app),
    };
    let wanted = list.input.value();
    if wanted.trim().is_empty() {
        return all;
    }
    let found = all.into_iter().filter_map(|item| Some((cost(wanted, &item)?, item))).collect();
    sorted(found)
}

/// How badly a row fits what is searched for; none where it does not at all. Its name counts most.
fn cost(wanted: &str, item: &PickerItem) -> Option<usize> {
    const ELSEWHERE: usize = 1000;
    if matches!(item.choice, PickerChoice::Do(Action::SetEpsilon(_) | Action::SelectSample(_))) {
        return Some(0);
    }
    let also = item.also.to_lowercase();
    let words = wanted.to_lowercase();
    let said = || words.split_whitespace().all(|word| also.contains(word)).then_some(ELSEWHERE);
    fuzzy(wanted, &item.text).or_else(said)
}

/// The best first, but headings only once: sections and groups by the best in them.
fn sorted(found: Vec<(usize, PickerItem)>) -> Vec<PickerItem> {
    let best = |same: &dyn Fn(&PickerItem) -> bool| {
        found.iter().filter(|(_, item)| same(item)).map(|(cost, _)| *cost).min()
    };
    let key = |(cost, item): &(usize, PickerItem)| {
        let section = best(&|other| other.section == item.section);
        let group = best(&|other| other.section == item.section && other.group == item.group);
        (section, item.section.clone(), group, item.group.clone(), *cost)
    };
    let mut order: Vec<_> = found.iter().map(key).zip(0..).collect();
    order.sort();
    let mut items: Vec<_> = found.into_iter().map(|(_, item)| Some(item)).collect();
    order.into_iter().filter_map(|(_, at)| items.get_mut(at).and_then(Option::take)).collect()
}

fn item(
    group: &str,
    text: impl Into<String>,
    note: impl Into<String>,
    choice: PickerChoice,
) -> PickerItem {
    PickerItem {
        section: String::new(),
        group: group.into(),
        text: text.into(),
        taken: None,
        note: note.into(),
        choice,
        about: Vec::new(),
        also: String::new(),
    }
}

fn palette(typed: &str) -> Vec<PickerItem> {
    let mut out = Vec::new();
    let mut words = typed.split_whitespace();
    let (first, second) = (words.next().unwrap_or_default(), words.next());
    let epsilon = if matches!(first, "eps" | "ε" | "epsilon") { second } else { Some(first) };
    if let Some(value) = epsilon.and_then(parse_epsilon) {
        let text = format!("Set ε to {}", epsilon.unwrap_or_default());
        out.push(item("", text, "", PickerChoice::Do(Action::SetEpsilon(value))));
    }
    if let Some(index) = second.filter(|_| first == "sample").and_then(|n| n.parse().ok()) {
        out.push(item(
            "",
            format!("Go to sample {index}"),
            "",
            PickerChoice::Do(Action::SelectSample(index)),
        ));
    }
    let listed =
        Action::LISTED.iter().filter(|a| !a.only_inside_windows() && **a != Action::Palette);
    out.extend(listed.map(|action| {
        let keys = keymap::keys_of(*action).unwrap_or_default();
        item("", action.description(), keys, PickerChoice::Do(*action))
    }));
    out
}

fn data_sets(app: &App) -> Vec<PickerItem> {
    let mut out = Vec::new();
    if let Some(sample) = &app.file {
        let mut own = item("", sample.name.clone(), "yours", PickerChoice::Data("file".into()));
        own.about.push(InfoBlock::Lead("The picture that you brought along.".into()));
        out.push(own);
    }
    out.extend(DATASETS.iter().map(|row| {
        let mut set =
            item("", row.title, format!("{}", row.len), PickerChoice::Data(row.id.into()));
        let models: Vec<_> =
            app.cards.iter().filter(|c| fits(c, row.id)).map(|c| &*c.name).collect();
        set.about = paragraphs(vec![row.about.into(), format!("Models: {}", models.join(", "))]);
        set
    }));
    out
}

/// A model's card in words.
pub fn card_text(card: &Card) -> Vec<String> {
    let [c, h, w] = card.input.shape;
    let colours = if c == 1 { "grey" } else { "RGB" };
    let mut out = vec![
        card.shown().to_string(),
        format!("Input {w}×{h} {colours}, {} classes", card.num_classes),
    ];
    let said = |key: &str| card.training.get(key).and_then(toml::Value::as_str);
    if let Some(method) = said("method") {
        let against = said("adversary").map_or(String::new(), |what| format!("; {what}"));
        out.push(format!("Trained by {method}{against}"));
    }
    if let Some(bound) = card.training.get("lipschitz_bound").and_then(toml::Value::as_float) {
        out.push(format!(
            "Lipschitz bound {bound:.1}: the logits change by no more per unit of L2"
        ));
    }
    if let Some(accuracy) = &card.accuracy {
        let n = accuracy.clean_n;
        out.push(format!("{:.1} % right on clean pictures (n = {n})", accuracy.clean * 100.0));
        for robust in &accuracy.robust {
            out.push(format!(
                "{:.1} % right under {} {} at ε = {:.4} (n = {}, seed {}, {}; 95 % interval {:.1}–{:.1} %)",
                robust.accuracy * 100.0,
                robust.attack,
                robust.norm,
                robust.epsilon,
                robust.n,
                robust.seed,
                robust.parameters,
                robust.interval[0] * 100.0,
                robust.interval[1] * 100.0,
            ));
        }
    }
    if !card.licence.is_empty() {
        out.push(format!("Licence: {}", card.licence));
    }
    out
}

fn models(app: &App) -> Vec<PickerItem> {
    let mut cards: Vec<&Card> = app.cards.iter().collect();
    let own = app.model.as_ref().filter(|m| app.cards.iter().all(|c| c.name != m.id));
    let here = |card: &Card| {
        if fits(card, app.data_id()) { "for these pictures" } else { "other pictures" }
    };
    let mut out = Vec::new();
    if let Some(model) = own {
        let mut row = item("yours", model.id.clone(), "", PickerChoice::Model(model.id.clone()));
        row.about = paragraphs(card_text(&model.card));
        out.push(row);
    }
    cards.sort_by_key(|card| !fits(card, app.data_id()));
    out.extend(cards.into_iter().map(|card| {
        let note = card.accuracy.as_ref().map(|a| format!("{:.1} %", a.clean * 100.0));
        let choice = PickerChoice::Model(card.name.clone());
        let mut row = item(here(card), card.name.clone(), note.unwrap_or_default(), choice);
        row.about = paragraphs(card_text(card));
        row
    }));
    out
}

fn attacks(app: &App) -> Vec<PickerItem> {
    let row = |attack: &'static AttackSpec| {
        let norms: Vec<_> = attack.norms.iter().map(ToString::to_string).collect();
        let mut row =
            item(attack.family, attack.name, norms.join(" "), PickerChoice::Attack(attack));
        row.section = attack.knowledge().to_string();
        row.about = info_card::brief(attack);
        row.also = format!("{} {} {} {}", attack.id, row.section, attack.family, attack.summary);
        row
    };
    let mut rows = app.attacks.clone();
    // By what they know, the most first; inside that by family, in the registry's order.
    let family = |wanted: &AttackSpec| {
        app.attacks
            .iter()
            .position(|a| a.family == wanted.family && a.knowledge() == wanted.knowledge())
    };
    rows.sort_by_key(|attack| (Reverse(attack.knowledge()), family(attack)));
    rows.into_iter().map(row).collect()
}

/// The same rows to choose several from.
fn racers(app: &App) -> Vec<PickerItem> {
    let racer = |mut item: PickerItem| {
        if let PickerChoice::Attack(attack) = item.choice {
            item.taken = Some(app.racers.contains(&attack));
            item.choice = PickerChoice::Racer(attack);
        }
        item
    };
    attacks(app).into_iter().map(racer).collect()
}

/// The same rows, one for each norm, to compare defences by.
fn columns(app: &App) -> Vec<PickerItem> {
    let mut out = Vec::new();
    for item in attacks(app) {
        let PickerChoice::Attack(attack) = item.choice else { continue };
        out.extend(attack.norms.iter().map(|norm| PickerItem {
            text: attack_name(attack, *norm),
            note: String::new(),
            taken: Some(compare::has(app, attack, *norm)),
            choice: PickerChoice::Column(attack, *norm),
            also: format!("{} {}", item.also, norm.id()),
            ..item.clone()
        }));
    }
    out
}

fn surrogates(app: &App) -> Vec<PickerItem> {
    let own = format!("{} itself", app.model_wanted);
    let mut first = item("", own, "the one that judges", PickerChoice::Surrogate(None));
    first.about = paragraphs(vec![
        "The attack knows its victim.".into(),
        "On another model of the same data set, it is crafted as if that were the victim, and only \
         tried on the victim: whether it transfers is what somebody without access sees."
            .into(),
    ]);
    let others = transfer_matrix::others(app).into_iter().map(|name| {
        let card = app.cards.iter().find(|card| card.name == name);
        let mut row = item("", name.clone(), "", PickerChoice::Surrogate(Some(name)));
        row.about = card.map_or_else(Vec::new, |card| paragraphs(card_text(card)));
        row
    });
    std::iter::once(first).chain(others).collect()
}

fn targets(app: &App) -> Vec<PickerItem> {
    let mut out = vec![item(
        "",
        "any wrong answer",
        "untargeted",
        PickerChoice::Target(TargetChoice::Untargeted),
    )];
    if !app.plan.attack.targeted {
        let word = format!("{} cannot aim at a class.", app.plan.attack.name);
        out[0].about.push(InfoBlock::Lead(word));
        return out;
    }
    out.push(item(
        "",
        "the second most likely class",
        "",
        PickerChoice::Target(TargetChoice::SecondMostLikely),
    ));
    out.push(item(
        "",
        "the least likely class",
        "",
        PickerChoice::Target(TargetChoice::LeastLikely),
    ));
    out.push(item(
        "",
        "the class of the next number",
        "",
        PickerChoice::Target(TargetChoice::Next),
    ));
    let truth = app.shown.as_ref().and_then(|run| run.clean.as_ref()).map(|clean| clean.label);
    let labels = app.model.as_ref().map_or(&[][..], |m| &m.labels);
    let others = labels.iter().enumerate().filter(|(class, _)| Some(*class) != truth);
    out.extend(others.map(|(class, name)| {
        let number = class.to_string();
        let note = if number == *name { String::new() } else { number };
        item("", first_name(name), note, PickerChoice::Target(TargetChoice::Class(class)))
    }));
    out
}

fn classes(app: &App) -> Vec<PickerItem> {
    let labels = app.data_labels();
    let mut counts = vec![0usize; labels.len()];
    (0..app.len()).filter_map(|i| app.label(i)).for_each(|class| counts[class] += 1);
    let mut out = vec![item("", "every class", app.len().to_string(), PickerChoice::Filter(None))];
    let there = labels.iter().enumerate().filter(|(class, _)| counts[*class] > 0);
    out.extend(there.map(|(class, name)| {
        item("", first_name(name), counts[class].to_string(), PickerChoice::Filter(Some(class)))
    }));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_palette_finds_actions_by_a_few_letters_and_takes_values() {
        let find = |text: &str| {
            let all = palette(text);
            all.into_iter()
                .filter(|i| fuzzy(text, &i.text).is_some())
                .map(|i| i.text)
                .collect::<Vec<_>>()
        };
        assert!(find("blink").iter().any(|t| t.starts_with("Blink")));
        assert!(palette("eps 8/255")[0].text.contains("8/255"));
        assert!(palette("sample 12")[0].text.contains("12"));
    }

    #[test]
    fn every_action_is_in_the_palette_or_belongs_to_a_window() {
        let listed = palette("");
        for action in Action::LISTED {
            let found =
                listed.iter().any(|i| matches!(i.choice, PickerChoice::Do(a) if a == *action));
            assert_eq!(
                found,
                !action.only_inside_windows() && *action != Action::Palette,
                "{action:?}"
            );
        }
    }
}
