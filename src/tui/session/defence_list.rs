//! The defences: which are on, and how much of each the attack knows.

use crate::defence::{DefenceConfig, DefenceSpec, DefenceStack, Stance};
use crate::parameter::{Param, Value};

/// A defence of the list: on, or ready to be switched on.
#[derive(Clone, Debug, PartialEq)]
pub struct DefenceEntry {
    /// The defence, or several of them in layers.
    pub stack: DefenceStack,
    /// Whether it is tried.
    pub on: bool,
    /// How much of it the attack knows, where that is not what holds for all.
    pub stance: Option<Stance>,
}

/// Every defence alone, and those of the user's own making.
pub fn defence_list(own: Vec<DefenceStack>) -> Vec<DefenceEntry> {
    let all = DefenceStack::all().into_iter().map(|stack| (stack.is_customary(), stack));
    let own = own.into_iter().map(|stack| (true, stack));
    all.chain(own).map(|(on, stack)| DefenceEntry { stack, on, stance: None }).collect()
}

impl DefenceEntry {
    /// How much of it the attack knows, where `strip` holds for all.
    pub fn stance(&self, strip: Stance) -> Stance {
        self.stance.unwrap_or(strip)
    }

    /// Every parameter of every layer: the layer's number, and the declaration.
    pub fn params(&self) -> Vec<(usize, &'static Param)> {
        let of = |(at, layer): (usize, &DefenceConfig)| {
            layer.defence.params.iter().map(move |param| (at, param)).collect::<Vec<_>>()
        };
        self.stack.defences().iter().enumerate().flat_map(of).collect()
    }

    /// The declaration of parameter `j`.
    pub fn param(&self, j: usize) -> Option<&'static Param> {
        self.params().get(j).map(|(_, param)| *param)
    }

    /// The value of parameter `j`.
    pub fn value(&self, j: usize) -> Value {
        match self.params().get(j) {
            Some((layer, param)) => self.stack.defences()[*layer].settings.get(param.id),
            None => Value::Auto,
        }
    }

    /// Sets parameter `j`, and tries the defence.
    pub fn set(&mut self, j: usize, value: Value) {
        if let Some((layer, param)) = self.params().get(j) {
            self.stack.defences_mut()[*layer].settings.set(param.id, value);
            self.on = true;
        }
    }

    /// Its family in the registry; "hybrid" for several layers.
    pub fn family(&self) -> &'static str {
        match self.stack.defences() {
            [one] => one.defence.family,
            _ => "hybrid",
        }
    }

    /// The rows of the registry that it is made of.
    pub fn specs(&self) -> impl Iterator<Item = &'static DefenceSpec> + '_ {
        self.stack.defences().iter().map(|layer| layer.defence)
    }

    /// Lets the attack know more of it: what the strip says, then each stance in turn.
    pub fn next_stance(&mut self) {
        let all = Stance::ALL;
        let here = self.stance.and_then(|stance| all.iter().position(|s| *s == stance));
        self.stance = match here {
            None => Some(all[0]),
            Some(at) => all.get(at + 1).copied(),
        };
    }
}
