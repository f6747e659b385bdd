//! Distances and ε in words.

use crate::attack::Norm;

/// A size in a norm: values changed for L0, pixel units for the others, L∞ also in 255ths.
pub fn distance_text(norm: Norm, size: f64) -> String {
    match norm {
        Norm::Linf => epsilon_text(size),
        Norm::L0 => format!("{size:.0}"),
        Norm::L1 | Norm::L2 => format!("{size:.3}"),
    }
}

/// ε as decimal and, where it is a whole number of 8-bit steps or close to it, as n/255.
pub fn epsilon_text(epsilon: f64) -> String {
    let steps = epsilon * 255.0;
    let text = match (steps - steps.round()).abs() < 1e-6 {
        true => format!("{}/255", steps.round()),
        false => format!("{steps:.1}/255"),
    };
    format!("{epsilon:.4} ({text})")
}

/// A size in few columns: "8/255" or "0.3".
pub fn short_distance_text(norm: Norm, size: f64) -> String {
    let steps = size * 255.0;
    let halves = (steps * 2.0 - (steps * 2.0).round()).abs() < 1e-6;
    let round = (size * 1e3 - (size * 1e3).round()).abs() < 1e-6;
    if norm == Norm::Linf && size < 0.13 && halves && !round {
        return format!("{}/255", (steps * 10.0).round() / 10.0);
    }
    let text = format!("{size:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}
