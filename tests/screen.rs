//! The dashboard: what each action does, what each size and theme shows, and the real program in a
//! pseudo-terminal.

#[path = "screen/actions.rs"]
mod actions;
#[path = "screen/checks.rs"]
mod checks;
#[path = "screen/compare.rs"]
mod compare;
#[path = "screen/console.rs"]
mod console;
#[path = "screen/defence_metrics.rs"]
mod defence_metrics;
#[path = "screen/fake.rs"]
mod fake;
#[path = "screen/leaving.rs"]
mod leaving;
#[path = "screen/monkey.rs"]
mod monkey;
#[path = "screen/pty.rs"]
mod pty;
#[path = "screen/race_and_transfer.rs"]
mod race_and_transfer;
#[path = "screen/snapshots.rs"]
mod snapshots;
#[path = "screen/verdicts.rs"]
mod verdicts;
