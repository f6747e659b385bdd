//! Documents that are written by hand: cards, the configuration, hybrids.

use super::{files::in_folder, one_line, told};
use epsiloscope::config::Config;
use epsiloscope::defence::{DefenceStack, saved};
use epsiloscope::model::Card;
use serde_json::Value;
use std::path::{Component, Path};

/// A card, TOML or JSON: what is read is within what the program can build, and survives being
/// written. TOML is compared as text, for not-a-number is unequal to itself; numbers of JSON may change
/// in their last place on their way.
pub fn card(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let place = Path::new("card.toml");
    let Some(card) = told(Card::parse(text, place)) else { return false };
    let [c, h, w] = card.input.shape;
    let pixels = h.checked_mul(w).expect("height times width is a number");
    assert!(matches!(c, 1 | 3) && (1..=4096 * 4096).contains(&pixels), "{:?}", card.input.shape);
    assert!(card.num_classes >= 2);
    assert!(card.labels.is_empty() || card.labels.len() == card.num_classes);
    assert_ne!(card.layers.is_empty(), card.architecture.is_none());
    let texts =
        [&card.name, &card.title, &card.data, &card.licence].into_iter().chain(&card.labels);
    texts.for_each(|text| assert!(!text.contains(char::is_control), "{text:?}"));
    let up = |part| matches!(part, Component::ParentDir | Component::RootDir);
    assert!(!Path::new(&card.weights).components().any(up), "{:?}", card.weights);
    if let Some(normalisation) = &card.input.normalisation {
        let numbers = normalisation.mean.iter().chain(&normalisation.std);
        assert!(numbers.clone().count() == 2 * c && numbers.clone().all(|n| n.is_finite()));
    }
    let write = |card: &Card| match text.trim_start().starts_with('{') {
        true => serde_json::to_string(card).expect("a card can be written as JSON"),
        false => toml::to_string(card).expect("a card can be written as TOML"),
    };
    let written = write(&card);
    let again = Card::parse(&written, place);
    let again = again.unwrap_or_else(|e| panic!("what was written is refused: {e}\n{written}"));
    match serde_json::from_str(&written) {
        Ok(json) => {
            let read = serde_json::from_str(&write(&again)).expect("it was written");
            assert!(close(&json, &read), "{written}\n{}", write(&again));
        }
        Err(_) => assert_eq!(write(&again), written),
    }
    true
}

/// Whether two values are the same but for the last places of numbers.
fn close(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => (a - b).abs() <= a.abs() * 1e-12,
            _ => a == b,
        },
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| close(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let same = |(key, a)| b.get(key).is_some_and(|b| close(a, b));
            a.len() == b.len() && a.iter().all(same)
        }
        _ => a == b,
    }
}

/// A `config.toml`: what is read can be printed, and read again as it was.
pub fn config(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let read = |text: &str| Config::of_file(text, Path::new("config.toml"));
    let Some(config) = told(read(text)) else { return false };
    let printed = config.describe();
    let again =
        read(&printed).unwrap_or_else(|e| panic!("--print-config is refused: {e}\n{printed}"));
    let values = |c: &Config| {
        (c.device, c.seed, c.theme, c.graphics, c.color, c.model.clone(), c.log.clone(), c.memory)
    };
    assert_eq!(values(&again), values(&config));
    assert_eq!(again.hybrids, config.hybrids);
    true
}

/// A file of hybrids: what is read can be saved, and is then what the file holds. Each line by itself
/// is a stack as the command line takes it, too.
pub fn hybrids(data: &[u8]) -> bool {
    let stacks = in_folder(|folder| {
        let (given, saved_again) = (folder.join("hybrids.toml"), folder.join("again.toml"));
        std::fs::write(&given, data).expect("a file");
        let _ = std::fs::remove_file(&saved_again);
        let stacks = told(saved::read(&given)).unwrap_or_default();
        // Each save writes the whole file.
        for stack in stacks.iter().take(20) {
            saved::save(&saved_again, stack).expect("it can be saved");
        }
        if stacks.len() <= 20 {
            assert_eq!(saved::read(&saved_again).expect("what was saved is read"), stacks);
        }
        stacks
    });
    for line in data.split(|b| *b == b'\n').filter_map(|line| std::str::from_utf8(line).ok()) {
        match DefenceStack::parse_among(line, &stacks) {
            Ok(stack) => {
                let again =
                    DefenceStack::parse(&stack.text()).expect("a stack reads back what it writes");
                assert_eq!(again.defences(), stack.defences());
                assert!(!stack.defences().is_empty() && stack.to_string().lines().count() == 1);
            }
            Err(error) => one_line(&error),
        }
    }
    !stacks.is_empty()
}
