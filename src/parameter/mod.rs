//! Parameters of attacks and defences: declared once in a registry row, and from there read by the
//! command line, the dashboard's editors, help, reports and tests alike.

use crate::error::{Error, Result};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// What values a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A whole number in `min..=max`.
    Int {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// A real number in `min..=max`.
    Float {
        /// Smallest value.
        min: f64,
        /// Largest value.
        max: f64,
    },
    /// `true` or `false`.
    Bool,
    /// One of the named choices.
    Choice(&'static [&'static str]),
    /// A name that only its user can check: of a model, of a file.
    Text,
}

/// A parameter's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Int(i64),
    /// A real number.
    Float(f64),
    /// A switch.
    Bool(bool),
    /// One of the declared choices, or a name.
    Choice(&'static str),
    /// Chosen by the attack from the other settings; see [`Param::auto`].
    Auto,
}

/// The declaration of one parameter.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// The name in `--set id=value` and in reports.
    pub id: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// The value it has when nobody says otherwise.
    pub default: Value,
    /// What `auto` means here, if `auto` is allowed.
    pub auto: Option<Auto>,
    /// One line of help, with the unit.
    pub help: &'static str,
}

/// A value that follows from the other settings.
#[derive(Clone, Copy, Debug)]
pub struct Auto {
    /// The rule, in words: `2.5·ε/steps`.
    pub text: &'static str,
    /// The rule: from ε (pixel units) and the other settings. NaN leaves the choice to the attack,
    /// which sees the pictures.
    pub value: fn(f64, &Settings) -> f64,
}

impl Param {
    /// A whole number in `min..=max`.
    pub const fn int(
        id: &'static str,
        (min, max): (i64, i64),
        default: i64,
        help: &'static str,
    ) -> Self {
        Self { id, kind: Kind::Int { min, max }, default: Value::Int(default), auto: None, help }
    }

    /// A real number in `min..=max`.
    pub const fn float(
        id: &'static str,
        (min, max): (f64, f64),
        default: f64,
        help: &'static str,
    ) -> Self {
        Self {
            id,
            kind: Kind::Float { min, max },
            default: Value::Float(default),
            auto: None,
            help,
        }
    }

    /// A switch.
    pub const fn flag(id: &'static str, default: bool, help: &'static str) -> Self {
        Self { id, kind: Kind::Bool, default: Value::Bool(default), auto: None, help }
    }

    /// One of `names`, the first by default.
    pub const fn choice(
        id: &'static str,
        names: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { id, kind: Kind::Choice(names), default: Value::Choice(names[0]), auto: None, help }
    }

    /// A name; none by default.
    pub const fn text(id: &'static str, help: &'static str) -> Self {
        Self { id, kind: Kind::Text, default: Value::Choice(""), auto: None, help }
    }

    /// The same parameter, which by default follows from the other settings.
    pub const fn automatic(self, text: &'static str, value: fn(f64, &Settings) -> f64) -> Self {
        Self { default: Value::Auto, auto: Some(Auto { text, value }), ..self }
    }

    /// Parses `text` for this parameter.
    ///
    /// # Errors
    /// Usage, naming the parameter, the bad value and what is allowed.
    pub fn parse(&self, text: &str) -> Result<Value> {
        let text = text.trim();
        if self.auto.is_some() && text.eq_ignore_ascii_case("auto") {
            return Ok(Value::Auto);
        }
        let value = match self.kind {
            Kind::Int { min, max } => {
                text.parse().ok().filter(|v| (min..=max).contains(v)).map(Value::Int)
            }
            Kind::Float { min, max } => {
                text.parse().ok().filter(|v| (min..=max).contains(v)).map(Value::Float)
            }
            Kind::Bool => match text {
                "true" | "on" | "yes" | "1" => Some(Value::Bool(true)),
                "false" | "off" | "no" | "0" => Some(Value::Bool(false)),
                _ => None,
            },
            Kind::Choice(names) => names.iter().find(|n| **n == text).map(|n| Value::Choice(n)),
            Kind::Text => Some(Value::Choice(interned(text))),
        };
        value.ok_or_else(|| {
            Error::usage(
                format!("bad value '{text}' for parameter '{}'", self.id),
                "",
                format!("give {}", self.allowed()),
            )
        })
    }

    /// What may be given, in words: "a whole number 1..10000 or auto".
    pub fn allowed(&self) -> String {
        let range = match self.kind {
            Kind::Int { min, max } => format!("a whole number {min}..{max}"),
            Kind::Float { min, max } => format!("a number {min}..{max}"),
            Kind::Bool => "true or false".to_string(),
            Kind::Choice(names) => format!("one of {}", names.join(", ")),
            Kind::Text => "a name".to_string(),
        };
        match self.auto {
            Some(auto) => format!("{range}, or auto ({})", auto.text),
            None => range,
        }
    }

    /// The next value in the direction of `step` (±1), for editing with the arrow keys.
    pub fn nudge(&self, value: Value, step: i64) -> Value {
        match (self.kind, value) {
            (Kind::Int { min, max }, Value::Int(v)) => {
                let size = match v {
                    ..20 => 1,
                    20..100 => 5,
                    100..1000 => 50,
                    _ => 500,
                };
                Value::Int((v + step * size).clamp(min, max))
            }
            (Kind::Float { min, max }, Value::Float(v)) => {
                let next = if step > 0 { v * 1.25 } else { v / 1.25 };
                let next = if v == 0.0 && step > 0 { (max - min) / 100.0 } else { next };
                let next = if next < (max - min) / 10_000.0 && step < 0 { min } else { next };
                Value::Float(next.clamp(min, max))
            }
            (Kind::Bool, Value::Bool(v)) => Value::Bool(!v),
            (Kind::Choice(names), Value::Choice(v)) => {
                let at = names.iter().position(|n| *n == v).unwrap_or(0) as i64;
                Value::Choice(names[(at + step).rem_euclid(names.len() as i64) as usize])
            }
            (Kind::Int { min, .. }, _) => Value::Int(min.max(1)),
            (Kind::Float { min, max }, _) => Value::Float(min + (max - min) / 100.0),
            (_, other) => other,
        }
    }
}

/// The same text for as long as the program runs: a [`Value`] is copied freely. There are only as
/// many as somebody types.
fn interned(text: &str) -> &'static str {
    static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known.get(text) {
        return found;
    }
    let kept: &'static str = Box::leak(text.to_string().into_boxed_str());
    known.insert(kept);
    kept
}

/// The values chosen for a row's parameters, in the order of their declaration.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Settings(Vec<(&'static str, Value)>);

impl Settings {
    /// Every parameter at its default.
    pub fn defaults(params: &[Param]) -> Self {
        Self(params.iter().map(|p| (p.id, p.default)).collect())
    }

    /// Sets `id=value` as typed by the user.
    ///
    /// # Errors
    /// Usage, when there is no such parameter or the value does not fit.
    pub fn assign(&mut self, params: &'static [Param], owner: &str, text: &str) -> Result<()> {
        let (id, value) = text.split_once('=').ok_or_else(|| {
            Error::usage(
                format!("'{text}' is not of the form name=value"),
                "--set",
                "write for example --set steps=100",
            )
        })?;
        let id = id.trim();
        let Some(param) = params.iter().find(|p| p.id == id) else {
            let known: Vec<_> = params.iter().map(|p| p.id).collect();
            let remedy = match known.is_empty() {
                true => "it has no parameters".to_string(),
                false => format!("it has {}", known.join(", ")),
            };
            let what = format!("'{owner}' has no parameter '{id}'");
            return Err(Error::usage(what, "--set", remedy));
        };
        self.set(param.id, param.parse(value)?);
        Ok(())
    }

    /// Sets a value by identifier.
    pub fn set(&mut self, id: &'static str, value: Value) {
        match self.0.iter_mut().find(|(k, _)| *k == id) {
            Some(slot) => slot.1 = value,
            None => self.0.push((id, value)),
        }
    }

    /// The value of `id`; `Auto` where it is not declared.
    pub fn get(&self, id: &str) -> Value {
        let found = self.0.iter().find(|(k, _)| *k == id);
        found.map_or(Value::Auto, |(_, v)| *v)
    }

    /// The same settings with every `auto` written out as the number it stands for at this ε. A
    /// rule may look up the norm's identifier as the choice `norm`, and may answer NaN: that value
    /// stays `auto`.
    pub fn resolved(&self, params: &[Param], epsilon: f64, norm: &'static str) -> Self {
        let mut settings = self.clone();
        let mut known = self.clone();
        known.set("norm", Value::Choice(norm));
        for param in params {
            if let (Value::Auto, Some(auto)) = (self.get(param.id), param.auto) {
                let number = (auto.value)(epsilon, &known);
                let value = match param.kind {
                    _ if number.is_nan() => Value::Auto,
                    Kind::Int { .. } => Value::Int(number.round() as i64),
                    _ => Value::Float(number),
                };
                settings.set(param.id, value);
            }
        }
        settings
    }

    /// The name chosen for `id`; empty where it is not declared.
    pub fn choice(&self, id: &str) -> &'static str {
        match self.get(id) {
            Value::Choice(name) => name,
            _ => "",
        }
    }

    /// A whole number, or `fallback` where it is `auto`.
    pub fn int(&self, id: &str, fallback: i64) -> i64 {
        match self.get(id) {
            Value::Int(v) => v,
            _ => fallback,
        }
    }

    /// A real number, or `fallback` where it is `auto`.
    pub fn float(&self, id: &str, fallback: f64) -> f64 {
        match self.get(id) {
            Value::Float(v) => v,
            _ => fallback,
        }
    }

    /// A switch; `false` where it is not declared.
    pub fn flag(&self, id: &str) -> bool {
        self.get(id) == Value::Bool(true)
    }

    /// Every setting, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Value)> + '_ {
        self.0.iter().copied()
    }
}

impl Value {
    /// As [`Param::parse`] reads it back, to the last bit; `Display` rounds for the eye.
    pub fn exact(&self) -> String {
        match self {
            Self::Float(value) => value.to_string(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(v) => write!(f, "{v}"),
            Self::Float(v) => f.write_str(&short(*v)),
            Self::Bool(v) => write!(f, "{v}"),
            Self::Choice(v) => f.write_str(v),
            Self::Auto => f.write_str("auto"),
        }
    }
}

/// A number in at most four significant digits, without trailing zeros.
fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let digits = (3 - value.abs().log10().floor() as i32).clamp(0, 8) as usize;
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (id, value)) in self.iter().enumerate() {
            write!(f, "{}{id}={value}", if i > 0 { " " } else { "" })?;
        }
        Ok(())
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Int(v) => serializer.serialize_i64(*v),
            Self::Float(v) => serializer.serialize_f64(*v),
            Self::Bool(v) => serializer.serialize_bool(*v),
            Self::Choice(v) => serializer.serialize_str(v),
            Self::Auto => serializer.serialize_str("auto"),
        }
    }
}

impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (id, value) in self.iter() {
            map.serialize_entry(id, &value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMS: &[Param] = &[
        Param::int("steps", (1, 100), 40, ""),
        Param::float("step-size", (0.0, 1.0), 0.0, "")
            .automatic("2.5·ε/steps", |epsilon, s| 2.5 * epsilon / s.int("steps", 1) as f64),
    ];

    #[test]
    fn settings_parse_check_and_print() {
        let mut settings = Settings::defaults(PARAMS);
        assert_eq!(settings.to_string(), "steps=40 step-size=auto");
        settings.assign(PARAMS, "pgd", "steps=7").unwrap();
        settings.assign(PARAMS, "pgd", "step-size=0.01").unwrap();
        assert_eq!(settings.to_string(), "steps=7 step-size=0.01");
        let auto = Settings::defaults(PARAMS).resolved(PARAMS, 0.4, "linf");
        assert_eq!(auto.to_string(), "steps=40 step-size=0.025");
        for bad in ["steps=0", "steps=1.5", "steps=x", "step-size=2", "nope=1", "steps"] {
            assert!(settings.assign(PARAMS, "pgd", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nudging_stays_in_range_and_moves() {
        let mut value = Value::Int(99);
        for _ in 0..5 {
            value = PARAMS[0].nudge(value, 1);
        }
        assert_eq!(value, Value::Int(100));
        assert_ne!(PARAMS[1].nudge(Value::Float(0.0), 1), Value::Float(0.0));
        assert_eq!(PARAMS[1].nudge(Value::Float(1.0), 1), Value::Float(1.0));
    }
}
