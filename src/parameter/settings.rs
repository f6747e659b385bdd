//! The values chosen for the parameters of one attack or defence.

use super::{Auto, Kind, Param, Value};
use crate::error::{Error, Result};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::fmt;

/// What the rule of a parameter may read.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// ε, in pixel units of 0..1.
    pub epsilon: f64,
    /// The identifier of the norm that ε is measured in: `linf`.
    pub norm: &'static str,
}

/// The values chosen for a row's parameters, in the order of their declaration.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Settings(Vec<(&'static str, Value)>);

impl Settings {
    /// Every parameter at its default.
    pub fn defaults(params: &[Param]) -> Self {
        Self(params.iter().map(|p| (p.id, p.default())).collect())
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
        self.declared(id).cloned().unwrap_or(Value::Auto)
    }

    /// The value of `id`, if it is declared.
    pub(super) fn declared(&self, id: &str) -> Option<&Value> {
        self.0.iter().find(|(k, _)| *k == id).map(|(_, value)| value)
    }

    /// These settings with the ε (pixel units) and norm they are used at: what a rule may read.
    pub fn given(&self, epsilon: f64, norm: &'static str) -> Given<'_> {
        Given { settings: self, epsilon, norm }
    }

    /// The same settings with every `auto` written out as the number it stands for at this ε
    /// (pixel units) and norm. What the method itself chooses stays `auto`.
    pub fn resolved(&self, params: &[Param], epsilon: f64, norm: &'static str) -> Self {
        let mut settings = self.clone();
        for param in params {
            if let (Value::Auto, Some(Auto { rule: Some(rule), .. })) =
                (self.get(param.id), param.auto)
            {
                let number = rule(&self.given(epsilon, norm));
                let value = match param.kind {
                    Kind::Int { .. } => Value::Int(number.round() as i64),
                    _ => Value::Float(number),
                };
                settings.set(param.id, value);
            }
        }
        settings
    }

    /// Every setting, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> + '_ {
        self.0.iter().map(|(id, value)| (*id, value))
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

impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (id, value) in self.iter() {
            map.serialize_entry(id, value)?;
        }
        map.end()
    }
}
