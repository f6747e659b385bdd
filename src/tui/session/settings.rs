//! The attack's settings: ε, norm, attack, seed; and how much of the defences it knows.

use super::state::Session;
use crate::attack::{self, AttackSpec, Bound, Norm, TargetChoice};
use crate::defence::Stance;
use crate::parameter::Settings;

impl Session {
    /// The largest ε of the slider.
    pub fn largest_epsilon(&self) -> f64 {
        attack::largest_epsilon(self.data_id(), self.plan.norm)
    }

    /// The slider's small and large step.
    pub fn epsilon_steps(&self) -> (f64, f64) {
        let largest = self.largest_epsilon();
        match self.plan.norm == Norm::Linf && largest < 0.2 {
            true => (0.5 / 255.0, 2.0 / 255.0),
            false => (largest / 100.0, largest / 10.0),
        }
    }

    /// Makes ε larger or smaller by one small or large step.
    pub fn step_epsilon(&mut self, direction: f64, large: bool) {
        let (fine, coarse) = self.epsilon_steps();
        let by = if large { coarse } else { fine };
        // On the grid of fine steps, so that there and back again is where it was.
        let value = ((self.plan.epsilon + direction * by) / fine).round() * fine;
        // A typed ε may lie beyond the slider: there, larger leaves it where it is.
        self.set_epsilon(value.clamp(0.0, self.largest_epsilon().max(self.plan.epsilon)));
    }

    /// Sets ε, in pixel units 0..1.
    pub fn set_epsilon(&mut self, value: f64) {
        if self.plan.attack.bound == Bound::Own {
            let name = self.plan.attack.name;
            return self.say(format!("{name} is bounded by its own parameters, not by ε"), false);
        }
        if (value - self.plan.epsilon).abs() >= 1e-12 {
            self.plan.epsilon = value;
            self.epsilon_fixed = true;
            self.settings_changed();
        }
    }

    /// Sets ε back to its usual value.
    pub fn reset_epsilon(&mut self) {
        self.epsilon_fixed = false;
        self.plan.epsilon = self.usual_epsilon();
        self.settings_changed();
    }

    /// Takes the norm so many places on among those of the attack.
    pub fn step_norm(&mut self, by: isize) {
        let norms = self.plan.attack.norms;
        let here = norms.iter().position(|n| *n == self.plan.norm).unwrap_or(0) as isize;
        let next = norms[(here + by).rem_euclid(norms.len() as isize) as usize];
        if next == self.plan.norm {
            return self.say(format!("{} works in {next} only", self.plan.attack.name), false);
        }
        self.set_norm(next);
        self.settings_changed();
    }

    /// Takes a norm, at its usual ε.
    pub fn set_norm(&mut self, norm: Norm) {
        self.plan.norm = norm;
        self.epsilon_fixed = false;
        self.plan.epsilon = self.usual_epsilon();
    }

    /// Takes an attack at its defaults; norm and target stay where it can do them.
    pub fn choose_attack(&mut self, attack: &'static AttackSpec) {
        if attack == self.plan.attack {
            return;
        }
        self.plan.attack = attack;
        self.plan.settings = Settings::defaults(attack.params);
        if !attack.norms.contains(&self.plan.norm) {
            self.set_norm(attack.norms[0]);
        }
        if !attack.targeted && self.plan.target != TargetChoice::Untargeted {
            self.plan.target = TargetChoice::Untargeted;
            let text = format!("{} cannot aim at a class: any wrong answer counts", attack.name);
            self.say(text, false);
        }
        self.settings_changed();
    }

    /// Attacks the defences naive instead of adaptive, or the other way round.
    pub fn toggle_stance(&mut self) {
        let naive = self.stance == Stance::Naive;
        self.stance = if naive { Stance::Adaptive } else { Stance::Naive };
    }
}

/// ε as typed at the keyboard, where a comma is as good as a point and a sign means nothing.
pub fn parse_epsilon(text: &str) -> Option<f64> {
    attack::parse_epsilon(&text.replace(',', ".")).filter(|value| *value >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epsilon_is_understood_as_decimal_and_as_255ths() {
        assert_eq!(parse_epsilon("0.1"), Some(0.1));
        assert_eq!(parse_epsilon(" 8/255 "), Some(8.0 / 255.0));
        assert_eq!(parse_epsilon("0,5"), Some(0.5));
        for bad in ["", "x", "-1", "1/0", "inf", "nan", "8/"] {
            assert_eq!(parse_epsilon(bad), None, "{bad}");
        }
    }
}
