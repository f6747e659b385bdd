//! A defence with its settings, and several of them one behind the other.

use crate::defence::registry::{DEFENCES, DefenceSpec};
use crate::error::{Error, Result};
use crate::parameter::Settings;
use std::fmt;

/// A defence with its settings.
#[derive(Clone, Debug, PartialEq)]
pub struct DefencePlan {
    /// Which defence.
    pub defence: &'static DefenceSpec,
    /// Its parameters.
    pub settings: Settings,
}

impl DefencePlan {
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

    /// As [`Self::parse`] reads it: `jpeg:quality=50`; what is at its default is left out.
    pub fn text(&self) -> String {
        let mut text = self.defence.id.to_string();
        for param in self.defence.params {
            let value = self.settings.get(param.id);
            if value != param.default {
                text.push_str(&format!(":{}={value}", param.id));
            }
        }
        text
    }
}

impl fmt::Display for DefencePlan {
    /// As it stands on the strip: "JPEG 75".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.defence.name)?;
        for (_, value) in self.settings.iter() {
            write!(f, " {value}")?;
        }
        Ok(())
    }
}

/// Defences in layers: the first meets the picture first.
#[derive(Clone, Debug, PartialEq)]
pub struct Stack(Vec<DefencePlan>);

impl Stack {
    /// One defence at its defaults.
    pub fn of(defence: &'static DefenceSpec) -> Self {
        Self(vec![DefencePlan::new(defence)])
    }

    /// Every defence that needs no choice, alone and at its defaults.
    pub fn all() -> Vec<Self> {
        let chosen = |d: &&DefenceSpec| d.id != "model";
        DEFENCES.iter().filter(chosen).map(Self::of).collect()
    }

    /// Parses `jpeg:75+bits:5+model:mnist-cnn-at`.
    ///
    /// # Errors
    /// As [`DefencePlan::parse`]; usage for an empty stack.
    pub fn parse(text: &str) -> Result<Self> {
        let parts = text.split('+').map(DefencePlan::parse).collect::<Result<Vec<_>>>()?;
        match parts.is_empty() {
            false => Ok(Self(parts)),
            true => Err(Error::usage("no defence is named", "--defence", "name one")),
        }
    }

    /// Its layers, outermost first.
    pub fn layers(&self) -> &[DefencePlan] {
        &self.0
    }

    /// Its layers, to be changed.
    pub fn layers_mut(&mut self) -> &mut Vec<DefencePlan> {
        &mut self.0
    }

    /// The only layer, where there is one.
    pub fn alone(&self) -> Option<&DefencePlan> {
        match self.0.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    /// The names of its layers without their settings.
    pub fn short(&self) -> String {
        self.0.iter().map(|layer| layer.defence.name).collect::<Vec<_>>().join(" + ")
    }

    /// As [`Self::parse`] reads it.
    pub fn text(&self) -> String {
        self.0.iter().map(DefencePlan::text).collect::<Vec<_>>().join("+")
    }
}

impl fmt::Display for Stack {
    /// As it stands on the strip: "JPEG 75 + bit depth 5".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, layer) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(" + ")?;
            }
            write!(f, "{layer}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_reads_back_what_it_writes() {
        let stack = Stack::parse("jpeg:50+bits:5+model:mnist-cnn-at").unwrap();
        assert_eq!(stack.layers().len(), 3);
        assert_eq!(stack.layers()[1].defence.id, "bit-depth");
        assert_eq!(stack.text(), "jpeg:quality=50+bit-depth:bits=5+model:name=mnist-cnn-at");
        assert_eq!(Stack::parse(&stack.text()), Ok(stack));
        for bad in ["", "jpeg+", "jpeg:500", "jepg", "jpeg:level=3"] {
            assert!(Stack::parse(bad).is_err(), "{bad}");
        }
    }
}
