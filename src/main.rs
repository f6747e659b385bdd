//! The binary: everything is in the library, see its documentation for the map.

use epsiloscope::{cli, terminal, tui};
use std::process::ExitCode;

fn main() -> ExitCode {
    if terminal::run_watchdog(std::env::args_os()) {
        return ExitCode::SUCCESS;
    }
    cli::main(std::env::args_os(), |wanted| {
        tui::run(tui::Options {
            device: wanted.config.device,
            theme: wanted.config.theme,
            graphics: wanted.config.graphics,
            model: wanted.model,
            dataset: wanted.dataset,
            sample: wanted.sample,
            picture: wanted.picture,
            plan: wanted.plan,
            seed: wanted.config.seed,
            log: wanted.config.log,
            hybrids: wanted.config.hybrids,
            hybrids_file: wanted.config.hybrids_file,
            first_run_marker: wanted.first_run_marker,
        })
    })
}
