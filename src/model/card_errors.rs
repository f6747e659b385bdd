//! Why a card does not parse, for people who write cards: the line, the field, and what belongs
//! there, in place of what the parser says about types of Rust.

use serde_json::{Map, Value};
use std::fmt;
use toml::de::{DeTable, DeValue};

/// The way to a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// A way from its names: `input.shape`.
pub(super) fn way(names: &str) -> Vec<Step> {
    names.split('.').map(|name| Step::Key(name.into())).collect()
}

/// What is wrong with a text that `judge` does not take; it says what it would say of the same
/// card, or of a part of it.
pub(super) fn explain(text: &str, judge: &dyn Fn(Value) -> Result<(), String>) -> String {
    let value = match parse(text) {
        Ok(value) => value,
        Err(what) => return what,
    };
    let Err(message) = judge(value.clone()) else { return "a field is not as it must be".into() };
    let way = culprit(&value, &message, judge);
    let node = get(&value, &way).unwrap_or(&Value::Null);
    let words = plain(&message, node);
    let place = Place(&value, &way).to_string();
    at(text, &way, &if place.is_empty() { words } else { format!("{place}: {words}") })
}

/// The words, with the line of a field before them where it can be found.
pub(super) fn at(text: &str, way: &[Step], words: &str) -> String {
    let found = match is_json(text) {
        true => json_offset(text.as_bytes(), way),
        false => toml_offset(text, way),
    };
    match found {
        Some(offset) => format!("line {}: {words}", line(text, offset)),
        None => words.to_string(),
    }
}

/// Whether a card is JSON, not TOML.
pub(super) fn is_json(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

fn line(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// The card as a value without a type.
fn parse(text: &str) -> Result<Value, String> {
    if is_json(text) {
        return serde_json::from_str(text).map_err(|e| {
            let whole = e.to_string();
            let what = whole.split(" at line ").next().unwrap_or_default();
            format!("line {}: {what}", e.line().max(1))
        });
    }
    let table: toml::Table = toml::from_str(text).map_err(|e| {
        let what = e.message().lines().next().unwrap_or_default();
        // The parser names its own types.
        let what = match (what.contains("i128"), what.split('`').nth(1)) {
            (true, Some(number)) => format!("the number {number} is too large"),
            _ => what.to_string(),
        };
        match e.span() {
            Some(span) => format!("line {}: {what}", line(text, span.start)),
            None => what,
        }
    })?;
    serde_json::to_value(table).map_err(|e| e.to_string())
}

fn get<'a>(value: &'a Value, way: &[Step]) -> Option<&'a Value> {
    way.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    })
}

/// The first `n` fields of an object, and the one that says which layer it is.
fn first_fields(fields: &Map<String, Value>, n: usize) -> Value {
    let kept = |(at, (key, _)): &(usize, (&String, &Value))| *at < n || *key == "op";
    let pairs = fields.iter().enumerate().filter(kept);
    Value::Object(pairs.map(|(_, (key, value))| (key.clone(), value.clone())).collect())
}

/// The number of the field or entry that makes the difference: of so many, the first ones up to it
/// have what is asked for, and those before it do not. Found by bisection: to ask may cost as much
/// as to parse the whole card.
fn decisive(count: usize, has: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut without, mut with) = (0, count);
    while without + 1 < with {
        let middle = usize::midpoint(without, with);
        match has(middle) {
            true => with = middle,
            false => without = middle,
        }
    }
    (with > 0 && !has(with - 1) && has(with)).then(|| with - 1)
}

/// The way to the field that the message is about. With only the first few of an object's fields, or
/// of a list's entries, the parser says something else, until the one in question is among them.
fn culprit(value: &Value, message: &str, judge: &dyn Fn(Value) -> Result<(), String>) -> Vec<Step> {
    let mut way: Vec<Step> = Vec::new();
    let missing = message.starts_with("missing field");
    let unknown = message.starts_with("unknown variant");
    let length = |entries: &[Value]| format!("invalid length {},", entries.len());
    let same = |way: &[Step], part: Value| {
        let mut whole = value.clone();
        let node = way.iter().try_fold(&mut whole, |value, step| match step {
            Step::Key(key) => value.get_mut(key),
            Step::Index(index) => value.get_mut(*index),
        });
        let Some(node) = node else { return false };
        *node = part;
        judge(whole).is_err_and(|told| told == message)
    };
    while let Some(node) = get(value, &way) {
        let next = match node {
            Value::Object(fields) if same(&way, first_fields(fields, 0)) => {
                // None of the fields is needed for it but the one that is always there.
                let op = unknown && fields.contains_key("op");
                op.then(|| Step::Key("op".into()))
            }
            Value::Array(entries) if message.starts_with(&length(entries)) => None,
            Value::Object(fields) => {
                let found = decisive(fields.len(), |n| same(&way, first_fields(fields, n)));
                found.and_then(|n| fields.keys().nth(n)).map(|key| Step::Key(key.clone()))
            }
            Value::Array(entries) => {
                let first = |n: usize| Value::Array(entries[..n].to_vec());
                decisive(entries.len(), |n| same(&way, first(n))).map(Step::Index)
            }
            _ => None,
        };
        let Some(step) = next else { break };
        way.push(step);
        let holds = get(value, &way).is_some_and(|node| node.is_object() || node.is_array());
        if missing && !holds {
            // What is missing is beside this field, not in it.
            way.pop();
            break;
        }
    }
    way
}

/// A way as messages call it: `layer 3 (conv2d), 'kernel'`.
struct Place<'a>(&'a Value, &'a [Step]);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value, way) = self;
        let mut parts: Vec<String> = Vec::new();
        for (n, step) in way.iter().enumerate() {
            let before = n.checked_sub(1).map(|before| &way[before]);
            match (step, before) {
                (Step::Index(i), Some(Step::Key(list))) if list == "layers" || list == "body" => {
                    parts.pop();
                    let op = get(value, &way[..=n]).and_then(|layer| layer.get("op")?.as_str());
                    let op = op.map_or(String::new(), |op| format!(" ({op})"));
                    let body = if list == "body" { "body " } else { "" };
                    parts.push(format!("{body}layer {}{op}", i + 1));
                }
                (Step::Index(i), _) => parts.push(format!("entry {}", i + 1)),
                (Step::Key(key), Some(Step::Key(_))) => {
                    let above = parts.pop().unwrap_or_default();
                    parts.push(format!("{}.{key}'", above.trim_end_matches('\'')));
                }
                (Step::Key(key), _) => parts.push(format!("'{key}'")),
            }
        }
        f.write_str(&parts.join(", "))
    }
}

/// What a parser says, in plain words; `node` is what it speaks of.
fn plain(message: &str, node: &Value) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    let first = names.next().unwrap_or_default();
    let known: Vec<&str> = names.collect();
    let instead = || {
        let near = |name: &&&str| strsim::damerau_levenshtein(first, name) <= 1 + name.len() / 3;
        let distance = |name: &&&str| strsim::damerau_levenshtein(first, name);
        match known.iter().filter(near).min_by_key(distance) {
            Some(name) => format!("did you mean '{name}'?"),
            None if known.is_empty() => "it takes none".into(),
            None => format!("there are {}", known.join(", ")),
        }
    };
    let expected = message.rsplit_once(", expected ").map(|(_, what)| what).unwrap_or_default();
    match () {
        () if message.starts_with("missing field") => format!("'{first}' is missing"),
        () if message.starts_with("unknown field") => {
            format!("there is no field '{first}' here; {}", instead())
        }
        () if message.starts_with("unknown variant") => {
            format!("'{first}' is not known here; {}", instead())
        }
        () if message.contains("untagged enum Padding") => {
            "must be a whole number, or four of them: [top, left, bottom, right]".into()
        }
        () if message.starts_with("invalid length") => {
            let found = node.as_array().map_or(0, Vec::len);
            format!("has {found} entries, and must be {}", wanted(expected))
        }
        () if message.starts_with("invalid") => {
            format!("is {}, and must be {}", described(node), wanted(expected))
        }
        () => message.to_string(),
    }
}

/// What a value is.
fn described(value: &Value) -> String {
    match value {
        Value::Null => "empty".into(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("the text '{text}'"),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "a table".into(),
    }
}

/// What a parser expects.
fn wanted(expected: &str) -> String {
    match expected {
        "usize" | "u64" | "u32" => "a whole number, 0 or more".into(),
        "f32" | "f64" => "a number".into(),
        "a string" | "string" => "a text in quotes".into(),
        "a boolean" => "true or false".into(),
        "a sequence" => "a list".into(),
        other => match other.strip_prefix("an array of length ") {
            Some(length) => format!("a list of {length}"),
            None if other.contains("array") => "a list".into(),
            None => "a table of fields".into(),
        },
    }
}

fn toml_offset(text: &str, way: &[Step]) -> Option<usize> {
    fn within(value: &DeValue<'_>, way: &[Step]) -> Option<usize> {
        match (value, way.first()?) {
            (DeValue::Table(table), Step::Key(_)) => below(table, way),
            (DeValue::Array(entries), Step::Index(index)) => {
                let entry = entries.get(*index)?;
                within(entry.get_ref(), &way[1..]).or(Some(entry.span().start))
            }
            _ => None,
        }
    }
    fn below(table: &DeTable<'_>, way: &[Step]) -> Option<usize> {
        let Step::Key(key) = way.first()? else { return None };
        let (name, value) = table.iter().find(|(name, _)| name.get_ref() == key)?;
        within(value.get_ref(), &way[1..]).or(Some(name.span().start))
    }
    below(DeTable::parse(text).ok()?.get_ref(), way)
}

/// Where a field of a JSON text stands that is known to be one.
fn json_offset(text: &[u8], way: &[Step]) -> Option<usize> {
    let mut at = blank(text, 0);
    let mut found = None;
    'steps: for step in way {
        let object = match (text.get(at)?, step) {
            (b'{', Step::Key(_)) => true,
            (b'[', Step::Index(_)) => false,
            _ => break,
        };
        at = blank(text, at + 1);
        let mut number = 0;
        while !matches!(text.get(at)?, b'}' | b']') {
            let begin = at;
            let mut here = *step == Step::Index(number);
            if object {
                at = skip(text, at)?;
                let name: Option<String> = serde_json::from_slice(&text[begin..at]).ok();
                here = name.map(Step::Key).as_ref() == Some(step);
                at = blank(text, blank(text, at) + 1);
            }
            if here {
                found = Some(begin);
                continue 'steps;
            }
            at = blank(text, skip(text, at)?);
            at = if text.get(at)? == &b',' { blank(text, at + 1) } else { at };
            number += 1;
        }
        break;
    }
    found
}

fn blank(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// The end of the value that begins here.
fn skip(text: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match text.get(at)? {
            b'"' => {
                at += 1;
                while text.get(at)? != &b'"' {
                    at += if text[at] == b'\\' { 2 } else { 1 };
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at += 1;
        let ends = text.get(at).is_none_or(|byte| {
            matches!(byte, b',' | b':' | b'}' | b']') || byte.is_ascii_whitespace()
        });
        if depth == 0 && ends {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Card;
    use std::cell::Cell;

    fn told(text: &str) -> String {
        counted(text).0
    }

    /// What is told, and after how many judgements.
    fn counted(text: &str) -> (String, usize) {
        let judged = Cell::new(0);
        let judge = |value: Value| {
            judged.set(judged.get() + 1);
            match serde_json::from_value::<Card>(value) {
                Ok(_) => Ok(()),
                Err(e) => Err(e.to_string()),
            }
        };
        (explain(text, &judge), judged.get())
    }

    const JSON: &str = "{\"name\": \"a\", \"num_classes\": 2,\n \"input\": {\"shape\": [1, 2, 2]},\n \
        \"layers\": [\n  {\"op\": \"flatten\"},\n  {\"op\": \"residual\", \"body\": [\n   \
        {\"op\": \"relu\"},\n   {\"op\": \"conv2d\", \"param\": \"c\", \"in\": 1, \"out\": 1,\n    \
        \"kernel\": 3}]},\n  {\"op\": \"linear\", \"param\": \"f\", \"in\": 4,\n   \"out\": 2}]}";

    #[test]
    fn json_is_told_as_toml_is_down_to_the_body_of_a_block() {
        for (old, new, line, words) in [
            (
                "\"kernel\": 3",
                "\"kernel\": [3]",
                8,
                "layer 2 (residual), body layer 2 (conv2d), 'kernel': is a list",
            ),
            (
                "\"kernel\": 3",
                "\"kernal\": 3",
                8,
                "body layer 2 (conv2d), 'kernal': there is no field",
            ),
            ("    \"kernel\": 3", "    \"bias\": 1", 8, "'bias': is 1, and must be true or false"),
            (
                "\"out\": 2",
                "\"out\": true",
                10,
                "layer 3 (linear), 'out': is true, and must be a whole number",
            ),
            ("\"relu\"", "\"reul\"", 6, "body layer 1 (reul), 'op': 'reul' is not known here"),
            ("[1, 2, 2]", "[1, 2, \"x\"]", 2, "'input.shape', entry 3: is the text 'x'"),
            ("[1, 2, 2]", "[1, 2]", 2, "'input.shape': has 2 entries, and must be a list of 3"),
            ("\"name\": \"a\"", "\"name\": null", 1, "'name': is "),
        ] {
            assert!(JSON.contains(old), "{old}");
            let text = told(&JSON.replacen(old, new, 1));
            assert!(text.starts_with(&format!("line {line}: ")) && text.contains(words), "{text}");
        }
        assert_eq!(
            told(&JSON.replace("\"out\": 2", "\"bias\": true")).split(": ").last(),
            Some("'out' is missing")
        );
    }

    #[test]
    fn a_wrong_padding_is_told_in_its_own_words() {
        let text = JSON.replace("\"kernel\": 3", "\"kernel\": 3, \"padding\": [1, 2]");
        assert!(
            told(&text).contains("'padding': must be a whole number, or four"),
            "{}",
            told(&text)
        );
    }

    #[test]
    fn the_last_of_many_layers_is_found() {
        let mut layers = vec!["{\"op\": \"relu\"}"; 3000];
        layers.push("{\"op\": \"relu\", \"q\": 1}");
        let text = format!(
            "{{\"name\": \"a\", \"num_classes\": 2, \"input\": {{\"shape\": [1, 2, 2]}}, \"layers\": [\n{}]}}",
            layers.join(",\n")
        );
        let text = told(&text);
        assert!(text.starts_with("line 3002: layer 3001 (relu)"), "{text}");
    }

    #[test]
    fn one_of_many_fields_is_found_after_few_judgements() {
        for at in [0, 1, 17_000, 39_999] {
            let mut fields: Vec<String> = (0..40_000).map(|i| format!("\"k{i}\": {i}")).collect();
            fields.insert(at, "\"z\": null".into());
            let notes = format!("\"training\": {{\n{}}}, \"layers\"", fields.join(",\n"));
            let (text, judged) = counted(&JSON.replace("\"layers\"", &notes));
            // The way has two steps; each halves what is left, sixteen times at most.
            assert!(judged < 60, "{judged} judgements");
            let place = format!("line {}: 'training.z': ", at + 4);
            assert!(text.starts_with(&place), "{text}");
        }
    }
}
