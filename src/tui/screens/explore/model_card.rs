//! A model's card in words.

use crate::model::Card;
use crate::printable::percent;

/// A model's card in words.
pub fn card_text(card: &Card) -> Vec<String> {
    let [c, h, w] = card.input.shape;
    let colours = if c == 1 { "grey" } else { "RGB" };
    let mut out = vec![
        card.shown().to_string(),
        format!("Input {w}×{h} {colours}, {} classes", card.num_classes),
    ];
    let said = |key: &str| card.training.get(key).and_then(toml::Value::as_str);
    if let Some(method) = said("method") {
        let against = said("adversary").map_or(String::new(), |what| format!("; {what}"));
        out.push(format!("Trained by {method}{against}"));
    }
    if let Some(bound) = card.training.get("lipschitz_bound").and_then(toml::Value::as_float) {
        out.push(format!(
            "Lipschitz bound {bound:.1}: the logits change by no more per unit of L2"
        ));
    }
    if let Some(accuracy) = &card.accuracy {
        let n = accuracy.clean_n;
        out.push(format!("{} right on clean images (n = {n})", percent(accuracy.clean, 1)));
        for robust in &accuracy.robust {
            out.push(format!(
                "{:.1} % right under {} {} at ε = {:.4} (n = {}, seed {}, {}; 95 % interval {:.1}–{:.1} %)",
                robust.accuracy * 100.0,
                robust.attack,
                robust.norm,
                robust.epsilon,
                robust.n,
                robust.seed,
                robust.parameters,
                robust.interval[0] * 100.0,
                robust.interval[1] * 100.0,
            ));
        }
    }
    if !card.licence.is_empty() {
        out.push(format!("Licence: {}", card.licence));
    }
    out
}
