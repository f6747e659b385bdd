//! Parameters with their types: what a method reads its values with.

use super::settings::{Given, Settings};
use super::{Auto, Initial, Kind, Param, Value};

/// A parameter whose values are whole numbers.
#[derive(Clone, Copy, Debug)]
pub struct IntParam {
    /// Its declaration, for the registry row.
    pub param: Param,
    pub(super) default: i64,
}

impl IntParam {
    /// A whole number in `min..=max`; `help` is one line, with the unit.
    pub const fn new(
        id: &'static str,
        (min, max): (i64, i64),
        default: i64,
        help: &'static str,
    ) -> Self {
        Self { param: Param::new(id, Kind::Int { min, max }, Initial::Int(default), help), default }
    }

    /// The value in these settings.
    pub fn get(&self, settings: &Settings) -> i64 {
        match settings.declared(self.param.id) {
            Some(Value::Int(value)) => *value,
            _ => self.default,
        }
    }

    /// The value as a number of things: never negative.
    pub fn count(&self, settings: &Settings) -> usize {
        usize::try_from(self.get(settings)).unwrap_or(0)
    }

    /// The same parameter with another default: for a row that differs in nothing else.
    pub const fn with_default(&self, default: i64) -> Self {
        let Param { id, kind, help, .. } = self.param;
        Self { param: Param::new(id, kind, Initial::Int(default), help), default }
    }

    /// Writes the value into these settings: for a method that runs another one.
    pub fn set(&self, settings: &mut Settings, value: i64) {
        settings.set(self.param.id, Value::Int(value));
    }
}

/// A parameter whose values are real numbers.
#[derive(Clone, Copy, Debug)]
pub struct FloatParam {
    /// Its declaration, for the registry row.
    pub param: Param,
    pub(super) default: f64,
}

impl FloatParam {
    /// A real number in `min..=max`; `help` is one line, with the unit.
    pub const fn new(
        id: &'static str,
        (min, max): (f64, f64),
        default: f64,
        help: &'static str,
    ) -> Self {
        let param = Param::new(id, Kind::Float { min, max }, Initial::Float(default), help);
        Self { param, default }
    }

    /// The value in these settings.
    pub fn get(&self, settings: &Settings) -> f64 {
        match settings.declared(self.param.id) {
            Some(Value::Float(value)) => *value,
            _ => self.default,
        }
    }

    /// The same parameter with another default: for a row that differs in nothing else.
    pub const fn with_default(&self, default: f64) -> Self {
        let Param { id, kind, help, .. } = self.param;
        Self { param: Param::new(id, kind, Initial::Float(default), help), default }
    }

    /// The same parameter, which by default follows from ε, the norm and the other settings by
    /// `rule`; `text` says the rule in words.
    pub const fn by_rule(&self, text: &'static str, rule: fn(&Given) -> f64) -> Rule {
        Rule { param: self.automatic(Auto { text, rule: Some(rule) }), rule }
    }

    /// The same parameter, which by default the method chooses when it sees the images; `text` says
    /// how, in words.
    pub const fn by_the_method(&self, text: &'static str) -> OpenParam {
        OpenParam { param: self.automatic(Auto { text, rule: None }) }
    }

    const fn automatic(&self, auto: Auto) -> Param {
        let Param { id, kind, help, .. } = self.param;
        Param { id, kind, default: Initial::Auto, auto: Some(auto), help }
    }
}

/// A real parameter that follows from ε, the norm and the other settings unless it is given.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its declaration, for the registry row.
    pub param: Param,
    rule: fn(&Given) -> f64,
}

impl Rule {
    /// The value that was given, or what the rule says.
    pub fn get(&self, given: &Given) -> f64 {
        match given.settings.declared(self.param.id) {
            Some(Value::Float(value)) => *value,
            _ => (self.rule)(given),
        }
    }
}

/// A real parameter that the method chooses unless it is given.
#[derive(Clone, Copy, Debug)]
pub struct OpenParam {
    /// Its declaration, for the registry row.
    pub param: Param,
}

impl OpenParam {
    /// The value that was given, if one was.
    pub fn get(&self, settings: &Settings) -> Option<f64> {
        match settings.declared(self.param.id) {
            Some(Value::Float(value)) => Some(*value),
            _ => None,
        }
    }
}

/// A switch.
#[derive(Clone, Copy, Debug)]
pub struct FlagParam {
    /// Its declaration, for the registry row.
    pub param: Param,
    pub(super) default: bool,
}

impl FlagParam {
    /// A switch that is on or off by default.
    pub const fn new(id: &'static str, default: bool, help: &'static str) -> Self {
        Self { param: Param::new(id, Kind::Bool, Initial::Bool(default), help), default }
    }

    /// The same parameter with another default: for a row that differs in nothing else.
    pub const fn with_default(&self, default: bool) -> Self {
        let Param { id, kind, help, .. } = self.param;
        Self { param: Param::new(id, kind, Initial::Bool(default), help), default }
    }

    /// Whether it is on in these settings.
    pub fn get(&self, settings: &Settings) -> bool {
        match settings.declared(self.param.id) {
            Some(Value::Bool(value)) => *value,
            _ => self.default,
        }
    }

    /// Writes the value into these settings: for a method that runs another one.
    pub fn set(&self, settings: &mut Settings, value: bool) {
        settings.set(self.param.id, Value::Bool(value));
    }
}

/// A parameter that takes one of some named values.
#[derive(Clone, Copy, Debug)]
pub struct ChoiceParam<T: 'static> {
    /// Its declaration, for the registry row.
    pub param: Param,
    pub(super) names: &'static [&'static str],
    pub(super) values: &'static [T],
}

impl<T: Copy> ChoiceParam<T> {
    /// One of `names`, the first by default; each stands for the value at the same place of `values`.
    ///
    /// # Panics
    /// While compiling, where there are not as many names as values, or none.
    pub const fn new(
        id: &'static str,
        names: &'static [&'static str],
        values: &'static [T],
        help: &'static str,
    ) -> Self {
        assert!(names.len() == values.len() && !names.is_empty());
        let param = Param::new(id, Kind::Choice(names), Initial::Choice(names[0]), help);
        Self { param, names, values }
    }

    /// What the name in these settings stands for.
    pub fn get(&self, settings: &Settings) -> T {
        let at = match settings.declared(self.param.id) {
            Some(Value::Choice(name)) => self.names.iter().position(|n| n == name),
            _ => None,
        };
        self.values[at.unwrap_or(0)]
    }
}

/// A parameter that takes a name only its user can check: of a model, of a file.
#[derive(Clone, Copy, Debug)]
pub struct TextParam {
    /// Its declaration, for the registry row.
    pub param: Param,
}

impl TextParam {
    /// A name; none by default.
    pub const fn new(id: &'static str, help: &'static str) -> Self {
        Self { param: Param::new(id, Kind::Text, Initial::NoText, help) }
    }

    /// The name in these settings, if one was given.
    pub fn get<'a>(&self, settings: &'a Settings) -> Option<&'a str> {
        match settings.declared(self.param.id) {
            Some(Value::Text(name)) => name.as_deref(),
            _ => None,
        }
    }
}
