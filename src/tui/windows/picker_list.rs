//! The rows of a list, and those of them that fit what is searched for.

use super::card_view::InfoBlock;
use super::choice::Choice;
use crate::tui::action::Action::{SelectSample, SetEpsilon};
use crate::tui::keymap::Keymap;
use crate::tui::widgets::text::fuzzy;
use std::ops::RangeInclusive;
use tui_input::Input;

/// One row of a list.
#[derive(Clone, Debug)]
pub struct PickerItem {
    /// The heading that its group stands under.
    pub section: String,
    /// The heading that it stands under.
    pub group: String,
    /// What is chosen.
    pub text: String,
    /// Whether it is taken in, where several can be.
    pub taken: Option<bool>,
    /// A word on it, at the right.
    pub note: String,
    /// What choosing it means.
    pub choice: Choice,
    /// What is said of it beside the list.
    pub about: Vec<InfoBlock>,
    /// Other words that it is found by.
    pub also: String,
}

impl PickerItem {
    /// A row with nothing but a text, a word on it and what it means.
    pub fn new(text: impl Into<String>, note: impl Into<String>, choice: Choice) -> Self {
        Self {
            section: String::new(),
            group: String::new(),
            text: text.into(),
            taken: None,
            note: note.into(),
            choice,
            about: Vec::new(),
            also: String::new(),
        }
    }
}

/// How several rows are taken in or out.
#[derive(Clone, Debug)]
pub struct Several {
    /// The keys of the list.
    pub keymap: &'static Keymap,
    /// How many may be taken in at any time.
    pub taken: RangeInclusive<usize>,
    /// What is said where one would be too few, or too many.
    pub refusals: [String; 2],
    /// How many have to be taken in to accept them.
    pub accepted: RangeInclusive<usize>,
    /// What is said where they are not.
    pub hint: &'static str,
}

/// A list with a search line.
pub struct Picker {
    /// The identifier of the screen that takes the choice.
    pub to: &'static str,
    /// The window's heading.
    pub heading: &'static str,
    /// Every row.
    pub items: Vec<PickerItem>,
    /// Rows for a value that is typed into the search line.
    pub values: fn(&str) -> Vec<PickerItem>,
    /// Where several rows can be taken in, how.
    pub several: Option<Several>,
    /// Whether it is as high as the terminal.
    pub tall: bool,
    /// What is searched for.
    pub input: Input,
    /// The row under the cursor, among those that fit what is searched for.
    pub at: usize,
}

impl Picker {
    /// A list whose cursor stands on the first row that is `chosen`.
    pub fn new(
        to: &'static str,
        heading: &'static str,
        items: Vec<PickerItem>,
        chosen: impl Fn(&Choice) -> bool,
    ) -> Self {
        let at = items.iter().position(|item| chosen(&item.choice)).unwrap_or(0);
        let (input, values): (_, fn(&str) -> Vec<PickerItem>) = (Input::default(), |_| Vec::new());
        Self { to, heading, items, values, several: None, tall: false, input, at }
    }

    /// The rows that fit what is searched for, the best first, headings only once.
    pub fn found(&self) -> Vec<PickerItem> {
        let wanted = self.input.value();
        let mut all = (self.values)(wanted);
        all.extend(self.items.iter().cloned());
        if wanted.trim().is_empty() {
            return all;
        }
        let found = all.into_iter().filter_map(|item| Some((cost(wanted, &item)?, item))).collect();
        sorted(found)
    }
}

/// How badly a row fits what is searched for; none where it does not at all. Its name counts most.
fn cost(wanted: &str, item: &PickerItem) -> Option<usize> {
    const ELSEWHERE: usize = 1000;
    if matches!(item.choice, Choice::Do(SetEpsilon(_) | SelectSample(_))) {
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
