//! The rows of an editor: what each is called, its value, and what may be entered.

use crate::defence::DefenceSpec;
use crate::parameter::{Param, Value};
use crate::tui::session::{DefenceEntry, Session};

/// What an editor is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditorKind {
    /// The attack.
    Attack,
    /// The defences.
    Defences,
}

/// One row of an editor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditorRow {
    /// The attack's norm.
    Norm,
    /// A parameter of the attack.
    Param(usize),
    /// The seed.
    Seed,
    /// A defence, on or off.
    Defence(usize),
    /// A parameter of a defence.
    DefenceParam(usize, usize),
}

/// The rows of an editor.
pub fn rows(session: &Session, subject: EditorKind) -> Vec<EditorRow> {
    match subject {
        EditorKind::Attack => {
            let mut out = vec![EditorRow::Norm];
            out.extend((0..session.plan.attack.params.len()).map(EditorRow::Param));
            out.push(EditorRow::Seed);
            out
        }
        EditorKind::Defences => {
            // The parameters of those that are off would only be in the way.
            let with_params = |(i, entry): (usize, &DefenceEntry)| {
                let count = if entry.on { entry.params().len() } else { 0 };
                let params = (0..count).map(move |j| EditorRow::DefenceParam(i, j));
                std::iter::once(EditorRow::Defence(i)).chain(params).collect::<Vec<_>>()
            };
            session.defences.iter().enumerate().flat_map(with_params).collect()
        }
    }
}

impl EditorRow {
    /// The declaration behind it, if it is a parameter.
    pub fn param(self, session: &Session) -> Option<&'static Param> {
        match self {
            Self::Param(i) => session.plan.attack.params.get(i),
            Self::DefenceParam(i, j) => session.defences[i].param(j),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self, session: &Session) -> String {
        match self {
            Self::Norm => "norm".into(),
            Self::Seed => "seed".into(),
            Self::Defence(i) => session.defences[i].stack.short(),
            _ => self.param(session).map_or_else(String::new, |p| p.id.into()),
        }
    }

    /// Its value as a parameter's.
    pub fn param_value(self, session: &Session) -> Value {
        let id = self.param(session).map_or("", |p| p.id);
        match self {
            Self::Param(_) => session.plan.settings.get(id),
            Self::DefenceParam(i, j) => session.defences[i].value(j),
            _ => Value::Auto,
        }
    }

    /// Its value in words.
    pub fn value(self, session: &Session) -> String {
        match self {
            Self::Norm => session.plan.norm.to_string(),
            Self::Seed => session.plan.seed.to_string(),
            // The heading says the stance of those that have none of their own.
            Self::Defence(i) => {
                session.defences[i].stance.map_or_else(String::new, |s| s.to_string())
            }
            _ => match self.param_value(session) {
                Value::Auto => match self.resolved(session) {
                    Value::Auto => "auto".into(),
                    value => format!("auto = {value}"),
                },
                value => value.to_string(),
            },
        }
    }

    /// Its value as a parameter's, `auto` written out as the number it stands for.
    pub fn resolved(self, session: &Session) -> Value {
        let id = self.param(session).map_or("", |p| p.id);
        match self {
            Self::Param(_) => session.plan.resolved().get(id),
            _ => self.param_value(session),
        }
    }

    /// What may be entered, and what for.
    pub fn help(self, session: &Session) -> Vec<String> {
        match self {
            Self::Norm => {
                let norms: Vec<_> =
                    session.plan.attack.norms.iter().map(ToString::to_string).collect();
                vec!["How the size of the change is measured.".into(), norms.join(", ")]
            }
            Self::Seed => vec!["Where all randomness comes from: same seed, same result.".into()],
            Self::Defence(i) => {
                let entry = &session.defences[i];
                let of = |d: &'static DefenceSpec| [d.summary, d.about, d.paper].map(String::from);
                entry.specs().flat_map(of).collect()
            }
            _ => match self.param(session) {
                Some(param) => vec![param.help.into(), param.allowed()],
                None => Vec::new(),
            },
        }
    }
}
