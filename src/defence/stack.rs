//! A defence with its settings, and several of them one behind the other.

use crate::defence::registry::DEFENCES;
use crate::defence::spec::DefenceSpec;
use crate::error::{Error, Result};
use crate::parameter::Settings;
use std::fmt;

/// A defence with its settings.
#[derive(Clone, Debug, PartialEq)]
pub struct DefenceConfig {
    /// Which defence.
    pub defence: &'static DefenceSpec,
    /// Its parameters.
    pub settings: Settings,
}

impl DefenceConfig {
    /// The defence at its defaults.
    pub fn new(defence: &'static DefenceSpec) -> Self {
        let settings = Settings::defaults(defence.params);
        Self { defence, settings }
    }

    /// Parses `id`, `id:value` (the first parameter) or `id:name=value`.
    ///
    /// # Errors
    /// Usage, with the nearest known name or what the parameter allows.
    pub fn parse(text: &str) -> Result<Self> {
        let mut parts = text.trim().split(':');
        let defence = DefenceSpec::find(parts.next().unwrap_or_default().trim())?;
        let mut plan = Self::new(defence);
        for part in parts {
            let text = match (part.contains('='), defence.params.first()) {
                (false, Some(first)) => format!("{}={part}", first.id),
                _ => part.to_string(),
            };
            plan.settings.assign(defence.params, defence.id, &text)?;
        }
        Ok(plan)
    }

    /// As [`Self::parse`] reads it, to the last bit: `jpeg:quality=50`; what is at its default is left
    /// out.
    pub fn text(&self) -> String {
        let mut text = self.defence.id.to_string();
        for param in self.defence.params {
            let value = self.settings.get(param.id);
            if value != param.default() {
                text.push_str(&format!(":{}={}", param.id, value.exact()));
            }
        }
        text
    }
}

impl fmt::Display for DefenceConfig {
    /// As it stands on the strip: "JPEG 75".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.defence.name)?;
        for (_, value) in self.settings.iter() {
            write!(f, " {value}")?;
        }
        Ok(())
    }
}

/// Defences in layers: the first meets the image first.
#[derive(Clone, Debug, PartialEq)]
pub struct DefenceStack {
    /// The name it was saved by, if it was.
    name: Option<String>,
    layers: Vec<DefenceConfig>,
}

/// One of each kind that everybody should have seen.
const CUSTOMARY: [&str; 4] = ["bit-depth", "median", "jpeg", "pgd-at"];

impl DefenceStack {
    /// One defence at its defaults.
    pub fn of(defence: &'static DefenceSpec) -> Self {
        Self { name: None, layers: vec![DefenceConfig::new(defence)] }
    }

    /// Every defence that needs no choice, alone and at its defaults.
    pub fn all() -> Vec<Self> {
        let chosen = |d: &&DefenceSpec| d.id != "model";
        DEFENCES.iter().filter(chosen).map(Self::of).collect()
    }

    /// Whether it is one of those that everybody should have seen.
    pub fn is_customary(&self) -> bool {
        self.alone().is_some_and(|plan| CUSTOMARY.contains(&plan.defence.id))
    }

    /// The hybrid to begin with: preprocessing before a network that was trained to hold.
    pub fn hybrid() -> Option<Self> {
        Self::parse("jpeg+pgd-at").ok()
    }

    /// Parses `jpeg:75+bits:5+model:mnist-cnn-at`.
    ///
    /// # Errors
    /// As [`DefenceConfig::parse`]; usage for an empty stack.
    pub fn parse(text: &str) -> Result<Self> {
        Self::parse_among(text, &[])
    }

    /// As [`Self::parse`]; the name of one of these stacks stands for its layers.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_among(text: &str, saved: &[Self]) -> Result<Self> {
        let find = |name: &str| saved.iter().find(|stack| stack.name.as_deref() == Some(name));
        if let Some(whole) = find(text.trim()) {
            return Ok(whole.clone());
        }
        let mut layers = Vec::new();
        for part in text.split('+') {
            match find(part.trim()) {
                Some(stack) => layers.extend(stack.layers.iter().cloned()),
                None => layers.push(DefenceConfig::parse(part)?),
            }
        }
        Ok(Self { name: None, layers })
    }

    /// The same layers under a name.
    ///
    /// # Errors
    /// Usage, for a name that could be taken for something else.
    pub fn named(self, name: &str) -> Result<Self> {
        let letter = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        let taken = |d: &DefenceSpec| d.id == name || d.aliases.contains(&name) || name == "all";
        let (what, remedy) = match () {
            () if name.is_empty() || !name.chars().all(letter) => {
                ("cannot be a name", "use letters, digits, '-', '_' and '.'")
            }
            () if DEFENCES.iter().any(taken) => ("is a defence already", "choose another name"),
            () => return Ok(Self { name: Some(name.to_string()), ..self }),
        };
        Err(Error::usage(format!("'{name}' {what}"), "hybrid", remedy))
    }

    /// The name it was saved by, if it was.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Its layers, outermost first.
    pub fn defences(&self) -> &[DefenceConfig] {
        &self.layers
    }

    /// Its layers, to be changed; then it is no longer what was saved.
    pub fn defences_mut(&mut self) -> &mut Vec<DefenceConfig> {
        self.name = None;
        &mut self.layers
    }

    /// The only layer, where there is one.
    pub fn alone(&self) -> Option<&DefenceConfig> {
        match self.layers.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    /// The names of its layers without their settings.
    pub fn short(&self) -> String {
        let names: Vec<&str> = self.layers.iter().map(|layer| layer.defence.name).collect();
        self.under_name(names.join(" + "))
    }

    fn under_name(&self, layers: String) -> String {
        match &self.name {
            Some(name) => format!("{name} ({layers})"),
            None => layers,
        }
    }

    /// As [`Self::parse`] reads it.
    pub fn text(&self) -> String {
        self.layers.iter().map(DefenceConfig::text).collect::<Vec<_>>().join("+")
    }
}

impl fmt::Display for DefenceStack {
    /// As it stands on the strip: "JPEG 75 + bit depth 5", behind its name where it has one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layers: Vec<String> = self.layers.iter().map(DefenceConfig::to_string).collect();
        f.write_str(&self.under_name(layers.join(" + ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_reads_back_what_it_writes() {
        let stack = DefenceStack::parse("jpeg:50+bits:5+model:mnist-cnn-at").unwrap();
        assert_eq!(stack.defences().len(), 3);
        assert_eq!(stack.defences()[1].defence.id, "bit-depth");
        assert_eq!(stack.text(), "jpeg:quality=50+bit-depth:bits=5+model:name=mnist-cnn-at");
        assert_eq!(DefenceStack::parse(&stack.text()), Ok(stack));
        for bad in ["", "jpeg+", "jpeg:500", "jepg", "jpeg:level=3"] {
            assert!(DefenceStack::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn stacks_that_differ_in_the_last_bit_have_different_texts() {
        let sigma = 0.1 + f64::EPSILON;
        let stack = DefenceStack::parse(&format!("noise:{sigma}")).unwrap();
        assert_ne!(stack, DefenceStack::parse("noise:0.1").unwrap());
        assert_eq!(DefenceStack::parse(&stack.text()), Ok(stack));
        let tiny = DefenceStack::parse("noise:0.0012345678901234567").unwrap();
        assert_eq!(DefenceStack::parse(&tiny.text()), Ok(tiny));
    }

    #[test]
    fn a_name_stands_for_its_layers_and_is_lost_with_them() {
        let saved = vec![DefenceStack::parse("jpeg:50+bits:5").unwrap().named("tough").unwrap()];
        let stack = DefenceStack::parse_among("median+tough", &saved).unwrap();
        assert_eq!(stack.text(), "median+jpeg:quality=50+bit-depth:bits=5");
        let mut whole = DefenceStack::parse_among("tough", &saved).unwrap();
        assert_eq!((whole.name(), &whole), (Some("tough"), &saved[0]));
        assert!(whole.to_string().starts_with("tough (JPEG"), "{whole}");
        whole.defences_mut().pop();
        assert_eq!(whole.name(), None);
        for bad in ["", "jpeg", "bits", "all", "a+b", "a:b", "a b", "a=b"] {
            assert!(saved[0].clone().named(bad).is_err(), "{bad}");
        }
        assert!(DefenceStack::parse("tough").is_err());
    }
}
