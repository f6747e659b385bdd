//! Parameters of attacks and defences: each is declared once, as a typed constant that holds its
//! name, range, default and help. A registry row lists it; the command line, the dashboard's editors,
//! help, reports and tests read it there; the method reads its value through the same constant.
//!
//! ```
//! use epsiloscope::parameter::{FloatParam, IntParam, Param, Rule, Settings};
//!
//! const STEPS: IntParam = IntParam::new("steps", (1, 10_000), 40, "number of steps");
//! const STEP_SIZE: Rule = FloatParam::new("step-size", (0.0, 100.0), 0.0, "in pixel units of 0..1")
//!     .by_rule("2.5·ε/steps", |given| 2.5 * given.epsilon / STEPS.get(given.settings) as f64);
//! const DECLARED: &[Param] = &[STEPS.param, STEP_SIZE.param];
//!
//! let mut settings = Settings::defaults(DECLARED);
//! settings.assign(DECLARED, "pgd", "steps=10")?;
//! assert_eq!(STEPS.get(&settings), 10);
//! assert_eq!(STEP_SIZE.get(&settings.given(0.3, "linf")), 0.075);
//! # Ok::<(), epsiloscope::error::Error>(())
//! ```

mod settings;
mod typed;

pub use settings::{Given, Settings};
pub use typed::{ChoiceParam, FlagParam, FloatParam, IntParam, OpenParam, Rule, TextParam};

use crate::error::{Error, Result};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

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
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Int(i64),
    /// A real number.
    Float(f64),
    /// A switch.
    Bool(bool),
    /// One of the declared choices.
    Choice(&'static str),
    /// A name; `None` where none was given, which prints as nothing.
    Text(Option<Arc<str>>),
    /// Follows from ε, the norm and the other settings; see [`Param::auto`].
    Auto,
}

/// The declaration of one parameter, whatever its type: what lists, editors and help read. The
/// typed constants ([`IntParam`] and its like) hold one each.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// The name in `--set id=value` and in reports.
    pub id: &'static str,
    /// What values it takes.
    pub kind: Kind,
    default: Initial,
    /// What `auto` means here, if `auto` is allowed.
    pub auto: Option<Auto>,
    /// One line of help, with the unit.
    pub help: &'static str,
}

/// A default: a [`Value`] that a constant can hold.
#[derive(Clone, Copy, Debug)]
enum Initial {
    Int(i64),
    Float(f64),
    Bool(bool),
    Choice(&'static str),
    NoText,
    Auto,
}

/// How a value follows from ε, the norm and the other settings.
#[derive(Clone, Copy, Debug)]
pub struct Auto {
    /// The rule, in words: `2.5·ε/steps`.
    pub text: &'static str,
    /// The rule; `None` where the method chooses, because it depends on the images.
    pub rule: Option<fn(&Given) -> f64>,
}

impl Param {
    const fn new(id: &'static str, kind: Kind, default: Initial, help: &'static str) -> Self {
        Self { id, kind, default, auto: None, help }
    }

    /// The value it has when nobody says otherwise.
    pub fn default(&self) -> Value {
        match self.default {
            Initial::Int(value) => Value::Int(value),
            Initial::Float(value) => Value::Float(value),
            Initial::Bool(value) => Value::Bool(value),
            Initial::Choice(name) => Value::Choice(name),
            Initial::NoText => Value::Text(None),
            Initial::Auto => Value::Auto,
        }
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
            Kind::Text => Some(Value::Text(Some(text.into()).filter(|t: &Arc<str>| !t.is_empty()))),
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
            Self::Text(v) => f.write_str(v.as_deref().unwrap_or_default()),
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

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Int(v) => serializer.serialize_i64(*v),
            Self::Float(v) => serializer.serialize_f64(*v),
            Self::Bool(v) => serializer.serialize_bool(*v),
            Self::Choice(v) => serializer.serialize_str(v),
            Self::Text(v) => serializer.serialize_str(v.as_deref().unwrap_or_default()),
            Self::Auto => serializer.serialize_str("auto"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: IntParam = IntParam::new("steps", (1, 100), 40, "");
    const STEP_SIZE: Rule = FloatParam::new("step-size", (0.0, 1.0), 0.0, "")
        .by_rule("2.5·ε/steps", |given| 2.5 * given.epsilon / STEPS.get(given.settings) as f64);
    const RATE: OpenParam =
        FloatParam::new("rate", (0.0, 1.0), 0.0, "").by_the_method("less for larger images");
    const LOSS: ChoiceParam<u8> = ChoiceParam::new("loss", &["ce", "margin"], &[1, 2], "");
    const NAME: TextParam = TextParam::new("name", "");
    const PARAMS: &[Param] = &[STEPS.param, STEP_SIZE.param, RATE.param, LOSS.param, NAME.param];

    #[test]
    fn settings_parse_check_and_print() {
        let mut settings = Settings::defaults(PARAMS);
        assert_eq!(settings.to_string(), "steps=40 step-size=auto rate=auto loss=ce name=");
        settings.assign(PARAMS, "pgd", "steps=7").unwrap();
        settings.assign(PARAMS, "pgd", "step-size=0.01").unwrap();
        settings.assign(PARAMS, "pgd", "name=base").unwrap();
        assert_eq!(settings.to_string(), "steps=7 step-size=0.01 rate=auto loss=ce name=base");
        let resolved = Settings::defaults(PARAMS).resolved(PARAMS, 0.4, "linf");
        assert_eq!(resolved.to_string(), "steps=40 step-size=0.025 rate=auto loss=ce name=");
        for bad in ["steps=0", "steps=1.5", "steps=x", "step-size=2", "nope=1", "steps", "loss=x"] {
            assert!(settings.assign(PARAMS, "pgd", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_constant_reads_what_was_set_and_otherwise_its_one_default() {
        let mut settings = Settings::defaults(PARAMS);
        let empty = Settings::default();
        assert_eq!((STEPS.get(&settings), STEPS.get(&empty)), (40, 40));
        assert_eq!(STEP_SIZE.get(&empty.given(0.4, "linf")), 0.025);
        assert_eq!(
            (RATE.get(&settings), LOSS.get(&settings), NAME.get(&settings)),
            (None, 1, None)
        );
        for text in ["steps=8", "rate=0.5", "loss=margin", "name=base"] {
            settings.assign(PARAMS, "pgd", text).unwrap();
        }
        assert_eq!((STEPS.count(&settings), RATE.get(&settings)), (8, Some(0.5)));
        assert_eq!((LOSS.get(&settings), NAME.get(&settings)), (2, Some("base")));
        assert_eq!(STEP_SIZE.get(&settings.given(0.4, "linf")), 0.125);
        settings.assign(PARAMS, "pgd", "step-size=0.5").unwrap();
        assert_eq!(STEP_SIZE.get(&settings.given(0.4, "linf")), 0.5);
    }

    #[test]
    fn nudging_stays_in_range_and_moves() {
        let mut value = Value::Int(99);
        for _ in 0..5 {
            value = STEPS.param.nudge(value, 1);
        }
        assert_eq!(value, Value::Int(100));
        let size = &STEP_SIZE.param;
        assert_ne!(size.nudge(Value::Float(0.0), 1), Value::Float(0.0));
        assert_eq!(size.nudge(Value::Float(1.0), 1), Value::Float(1.0));
    }
}
