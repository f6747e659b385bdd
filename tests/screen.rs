//! The dashboard: what each action does, what each size and theme shows, and the real program in a
//! pseudo-terminal.

#[path = "screen/actions.rs"]
mod actions;
#[path = "screen/compare.rs"]
mod compare;
#[path = "screen/console.rs"]
mod console;
#[path = "screen/contests.rs"]
mod contests;
#[path = "screen/fake.rs"]
mod fake;
#[path = "screen/gauge.rs"]
mod gauge;
#[path = "screen/lamps.rs"]
mod lamps;
#[path = "screen/leaving.rs"]
mod leaving;
#[path = "screen/monkey.rs"]
mod monkey;
#[path = "screen/pty.rs"]
mod pty;
#[path = "screen/snapshots.rs"]
mod snapshots;
#[path = "screen/verdicts.rs"]
mod verdicts;
