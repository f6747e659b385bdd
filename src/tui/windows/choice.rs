//! What can be chosen in lists.

use crate::attack::{AttackSpec, Norm, TargetChoice};
use crate::tui::action::Action;

/// What choosing a row of a list means.
#[derive(Clone, Debug)]
pub enum Choice {
    /// Do this.
    Do(Action),
    /// Take this data set.
    Data(String),
    /// Take this model.
    Model(String),
    /// Take this attack.
    Attack(&'static AttackSpec),
    /// Aim at this.
    Target(TargetChoice),
    /// Craft on this model, or on the one that is attacked.
    Surrogate(Option<String>),
    /// Let this attack take part in a race, or not.
    Racer(&'static AttackSpec),
    /// Compare defences by this attack in this norm, or not.
    Column(&'static AttackSpec, Norm),
    /// List this class only, or all.
    Filter(Option<usize>),
}
