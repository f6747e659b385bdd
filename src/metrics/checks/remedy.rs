//! Remedies: one change of the attack or the evaluation that settles a check.

use crate::attack::{AttackConfig, find};
use crate::defence::Stance;
use crate::parameter::{Kind, Settings, Value};

/// So many times the steps show whether an attack has converged.
pub const LONGER: i64 = 4;

/// One change of the attack or the evaluation; the screen applies it, the command line names its
/// flag.
#[derive(Clone, Debug, PartialEq)]
pub enum Remedy {
    /// Another attack.
    Attack(&'static str),
    /// Another value of one of the attack's parameters.
    Set(&'static str, Value),
    /// Another ε, in pixel units.
    Epsilon(f64),
    /// To know more of the defence.
    Stance(Stance),
    /// To average over so many draws.
    Draws(u64),
    /// Evaluate so many images.
    Samples(usize),
}

impl Remedy {
    /// So many times as much of a parameter that the attack has; else a stronger attack.
    pub(super) fn more(plan: &AttackConfig, id: &'static str, times: i64) -> Option<Self> {
        let param = plan.attack.params.iter().find(|param| param.id == id);
        match (param.map(|param| param.kind), plan.settings.get(id)) {
            (Some(Kind::Int { max, .. }), Value::Int(now)) if now < max => {
                Some(Self::Set(id, Value::Int((now * times).min(max))))
            }
            _ => Self::attack(plan, "autoattack"),
        }
    }

    /// The same attack with [`LONGER`] times the steps; none where it has no steps, or no more.
    pub fn longer(plan: &AttackConfig) -> Option<AttackConfig> {
        match Self::more(plan, "steps", LONGER) {
            Some(remedy @ Self::Set(..)) => remedy.plan(plan),
            _ => None,
        }
    }

    /// Another attack, unless it is the one that was run or cannot attack with this norm and goal.
    pub(super) fn attack(plan: &AttackConfig, id: &'static str) -> Option<Self> {
        let fits = |id: &str| find(id).is_ok_and(|attack| attack.norms.contains(&plan.norm));
        (plan.attack.id != id && fits(id)).then_some(Self::Attack(id))
    }

    /// The flag that does it.
    pub fn flag(&self) -> String {
        match self {
            Self::Attack(id) => format!("--attack {id}"),
            Self::Set(id, value) => format!("--set {id}={value}"),
            Self::Epsilon(epsilon) => format!("--eps {epsilon:.6}"),
            Self::Stance(stance) => format!("--stance {stance}"),
            Self::Draws(draws) => format!("--eot {draws}"),
            Self::Samples(n) => format!("--n {n}"),
        }
    }

    /// The attack's configuration with this change; none where something else changes.
    pub fn plan(&self, plan: &AttackConfig) -> Option<AttackConfig> {
        let mut next = plan.clone();
        match self {
            Self::Attack(id) => {
                next.attack = find(id).ok()?;
                next.settings = Settings::defaults(next.attack.params);
            }
            Self::Set(id, value) => next.settings.set(id, value.clone()),
            Self::Epsilon(epsilon) => next.epsilon = *epsilon,
            Self::Stance(_) | Self::Draws(_) | Self::Samples(_) => return None,
        }
        Some(next)
    }
}
