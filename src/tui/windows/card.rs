//! "More about this": what the registry says of an attack or a defence, and what lists say of their
//! rows.

pub use super::card_view::InfoBlock;

use super::{card_view, text};
use crate::attack::{AttackSpec, Bound};
use crate::defence::DefenceSpec;
use crate::parameter::Param;
use crate::tui::action::Action;
use crate::tui::keymap::Keymap;
use crate::tui::screen::{Outcome, Screen};
use crate::tui::session::Session;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A card, scrolled down by so many lines.
#[derive(Clone, Debug)]
pub struct InfoCard {
    /// The window's heading.
    pub heading: String,
    /// What is on it.
    pub blocks: Vec<InfoBlock>,
    /// Lines scrolled out at the top.
    from: usize,
}

/// The columns of a card's window.
const WIDTH: u16 = 100;

impl InfoCard {
    /// A card from its heading and what is on it.
    pub fn new(heading: String, blocks: Vec<InfoBlock>) -> Self {
        Self { heading, blocks, from: 0 }
    }
}

impl Screen for InfoCard {
    fn keymap(&self) -> &'static Keymap {
        &text::KEYS
    }

    fn window(&self, session: &Session) -> Option<(u16, u16)> {
        let width = WIDTH.min(session.size.0.saturating_sub(2));
        let lines = card_view::lines(&self.blocks, &session.theme, width.saturating_sub(4));
        Some((WIDTH, lines.len() as u16 + 2))
    }

    fn update(&mut self, action: Action, session: &mut Session) -> Outcome {
        let wanted = self.window(session).unwrap_or_default();
        let lines = |width| card_view::lines(&self.blocks, &session.theme, width);
        text::update(&mut self.from, action, wanted, lines, session)
    }

    fn draw(&self, session: &Session, area: Rect, buf: &mut Buffer) {
        let lines = |width| card_view::lines(&self.blocks, &session.theme, width);
        text::draw(&self.heading, self.from, lines, &session.theme, area, buf);
    }
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
    let mut blocks = brief(attack);
    let drawn = match attack.random {
        true => "it draws random numbers: another seed gives another result",
        false => "it draws no random numbers: always the same result",
    };
    let facts = blocks.iter().rposition(|block| matches!(block, InfoBlock::Fact(..))).unwrap_or(0);
    blocks.insert(facts + 1, InfoBlock::Fact("chance".into(), drawn.into()));
    if !attack.params.is_empty() {
        blocks.push(InfoBlock::Heading("Parameters".into()));
        blocks.extend(attack.params.iter().map(parameter));
    }
    blocks.push(InfoBlock::Heading("On the command line".into()));
    blocks.push(InfoBlock::Text(format!("epsiloscope attack --attack {} …", attack.id)));
    InfoCard::new(format!("{} · {}", attack.name, attack.family), blocks)
}

/// A parameter: its default, what it does, what it may be.
fn parameter(param: &Param) -> InfoBlock {
    let text = format!("{}; {} by default, {}", param.help, param.default(), param.allowed());
    InfoBlock::Fact(param.id.into(), text)
}

/// Everything that the registry says of the layers of a defence.
pub fn defences(layers: impl Iterator<Item = &'static DefenceSpec>) -> InfoCard {
    let (mut names, mut blocks) = (Vec::new(), Vec::new());
    for defence in layers {
        names.push(defence.name);
        if names.len() > 1 {
            blocks.push(InfoBlock::Heading(defence.name.into()));
        }
        let texts = [defence.summary, defence.about, defence.paper];
        blocks.extend(paragraphs(texts.map(String::from).to_vec()));
        if !defence.params.is_empty() {
            blocks.push(InfoBlock::Heading("Parameters".into()));
            blocks.extend(defence.params.iter().map(parameter));
        }
    }
    InfoCard::new(names.join(" + "), blocks)
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
            let card = attack(spec);
            let text = format!("{:?} {:?}", card.heading, card.blocks);
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
