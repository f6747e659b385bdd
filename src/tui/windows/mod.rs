//! Windows that screens open on top of themselves: lists, lines to type, cards, texts, editors.

pub mod attack_items;
pub mod card;
mod card_view;
pub mod choice;
pub mod editor;
mod editor_row;
mod editor_view;
pub mod picker;
mod picker_list;
mod picker_view;
pub mod prompt;
pub mod text;
