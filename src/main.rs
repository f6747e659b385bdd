//! The binary: everything is in the library, see its documentation for the map.

use epsiloscope::{cli, terminal, tui};
use std::process::ExitCode;

fn main() -> ExitCode {
    if terminal::run_watchdog(std::env::args_os()) {
        return ExitCode::SUCCESS;
    }
    cli::main(std::env::args_os(), tui::key_rows, tui::run)
}
