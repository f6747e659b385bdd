//! "More about this": what the registry says of an attack, and what lists say of their rows.

use super::dialogs::PickerItem;
use crate::attack::{AttackSpec, Bound};
use crate::defence::DefenceSpec;
use crate::parameter::Param;

/// A piece of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InfoBlock {
    /// What it is, in one line.
    Lead(String),
    /// A paragraph.
    Text(String),
    /// A heading.
    Heading(String),
    /// A fact: its name, and what it is.
    Fact(String, String),
}

/// A card, scrolled down by so many lines.
#[derive(Clone, Debug)]
pub struct InfoCard {
    /// The window's heading.
    pub heading: String,
    /// What is on it.
    pub pieces: Vec<InfoBlock>,
    /// Lines scrolled out at the top.
    pub from: usize,
}

/// What bounds an attack's perturbation, in words.
pub fn extent(extent: Bound) -> &'static str {
    match extent {
        Bound::FixedEpsilon => "ε: it uses the whole ε-ball",
        Bound::MinimumNorm => "nothing: it looks for the least change, which ε then judges",
        Bound::Own => "its own parameters, not ε",
    }
}

/// An attack in short: what it does, what it knows and how it works.
pub fn brief(attack: &AttackSpec) -> Vec<InfoBlock> {
    let fact = |name: &str, text: String| InfoBlock::Fact(name.into(), text);
    let norms: Vec<_> = attack.norms.iter().map(ToString::to_string).collect();
    let aims = match attack.targeted {
        true => "any wrong answer, or a chosen class",
        false => "any wrong answer",
    };
    let mut out = vec![
        InfoBlock::Lead(attack.summary.into()),
        fact("knows", attack.knowledge().to_string()),
        fact("norms", norms.join(" ")),
        fact("bounded by", extent(attack.bound).into()),
        fact("aims at", aims.into()),
    ];
    if attack.universal {
        out.push(fact("learns from", "many pictures at once".into()));
    }
    out.extend([InfoBlock::Text(attack.about.into()), InfoBlock::Text(attack.paper.into())]);
    out
}

/// Everything that the registry says of an attack.
pub fn attack(attack: &AttackSpec) -> InfoCard {
    let mut pieces = brief(attack);
    let drawn = match attack.random {
        true => "it draws random numbers: another seed gives another result",
        false => "it draws no random numbers: always the same result",
    };
    let facts = pieces.iter().rposition(|piece| matches!(piece, InfoBlock::Fact(..))).unwrap_or(0);
    pieces.insert(facts + 1, InfoBlock::Fact("chance".into(), drawn.into()));
    if !attack.params.is_empty() {
        pieces.push(InfoBlock::Heading("Parameters".into()));
        pieces.extend(attack.params.iter().map(parameter));
    }
    pieces.push(InfoBlock::Heading("On the command line".into()));
    pieces.push(InfoBlock::Text(format!("epsiloscope attack --attack {} …", attack.id)));
    InfoCard { heading: format!("{} · {}", attack.name, attack.family), pieces, from: 0 }
}

/// A parameter: its default, what it does, what it may be.
fn parameter(param: &Param) -> InfoBlock {
    let text = format!("{}; {} by default, {}", param.help, param.default(), param.allowed());
    InfoBlock::Fact(param.id.into(), text)
}

/// Everything that the registry says of the layers of a defence.
pub fn defences(layers: impl Iterator<Item = &'static DefenceSpec>) -> InfoCard {
    let (mut names, mut pieces) = (Vec::new(), Vec::new());
    for defence in layers {
        names.push(defence.name);
        if names.len() > 1 {
            pieces.push(InfoBlock::Heading(defence.name.into()));
        }
        let texts = [defence.summary, defence.about, defence.paper];
        pieces.extend(paragraphs(texts.map(String::from).to_vec()));
        if !defence.params.is_empty() {
            pieces.push(InfoBlock::Heading("Parameters".into()));
            pieces.extend(defence.params.iter().map(parameter));
        }
    }
    InfoCard { heading: names.join(" + "), pieces, from: 0 }
}

/// What a list says beside one of its rows.
pub fn item(item: &PickerItem) -> InfoCard {
    InfoCard { heading: item.text.clone(), pieces: item.about.clone(), from: 0 }
}

/// Paragraphs, the first of which says what it is.
pub fn paragraphs(texts: Vec<String>) -> Vec<InfoBlock> {
    let mut texts = texts.into_iter();
    let lead = texts.next().map(InfoBlock::Lead);
    lead.into_iter().chain(texts.map(InfoBlock::Text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::ATTACKS;

    #[test]
    fn a_card_tells_everything_that_the_registry_knows() {
        for spec in ATTACKS {
            let text = format!("{:?}", attack(spec));
            let said = |part: &str| text.contains(format!("{part:?}").trim_matches('"'));
            for part in [spec.name, spec.family, spec.summary, spec.about, spec.paper] {
                assert!(said(part), "{}: {part}", spec.id);
            }
            for param in spec.params {
                let default = param.default().to_string();
                let parts = [param.id, param.help, &param.allowed(), &default];
                assert!(parts.into_iter().all(said), "{}: {}", spec.id, param.id);
            }
        }
    }
}
