//! The attacks as rows of a list.

use super::card;
use super::choice::Choice;
use super::picker::PickerItem;
use crate::attack::{ATTACKS, AttackSpec};
use std::cmp::Reverse;

/// Every attack: by what it knows, the most first; inside that by family, in the registry's order.
pub fn attack_items() -> Vec<PickerItem> {
    let family = |wanted: &AttackSpec| {
        let same =
            |a: &AttackSpec| a.family == wanted.family && a.knowledge() == wanted.knowledge();
        ATTACKS.iter().position(same)
    };
    let mut attacks: Vec<&'static AttackSpec> = ATTACKS.iter().collect();
    attacks.sort_by_key(|attack| (Reverse(attack.knowledge()), family(attack)));
    attacks.into_iter().map(item).collect()
}

fn item(attack: &'static AttackSpec) -> PickerItem {
    let norms: Vec<_> = attack.norms.iter().map(ToString::to_string).collect();
    let mut item = PickerItem::new(attack.name, norms.join(" "), Choice::Attack(attack));
    item.group = attack.family.into();
    item.section = attack.knowledge().to_string();
    item.about = card::brief(attack);
    item.also = format!("{} {} {} {}", attack.id, item.section, attack.family, attack.summary);
    item
}
