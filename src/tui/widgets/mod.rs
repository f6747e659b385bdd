//! Widgets: what is drawn from plain values. None of them knows the dashboard's state.

pub mod bars;
pub mod chart;
pub mod page;
pub mod panel;
pub mod picture;
pub mod raster;
pub mod slider;
pub mod text;
