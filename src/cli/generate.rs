//! Completion scripts and manual pages, made from the command line's own declaration.

use super::CommandContext;
use super::args::Cli;
use crate::error::{Error, Result};
use clap::CommandFactory;
use clap_complete::Shell;

/// Prints a completion script.
pub fn completions(shell: Shell, context: &mut CommandContext) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "epsiloscope", &mut script);
    context.out.bytes(&script)
}

/// Prints the manual page of the program or of one of its commands.
pub fn man(command: Option<&str>, context: &mut CommandContext) -> Result<()> {
    let mut program = Cli::command();
    program.build();
    let page = match command {
        None => program,
        Some(name) => {
            let found = program.find_subcommand(name).cloned();
            let known = program.get_subcommands().map(clap::Command::get_name);
            found.ok_or_else(|| {
                Error::unknown("command", name, "man", known, "`epsiloscope --help`")
            })?
        }
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text).map_err(|e| {
        Error::failure(format!("cannot make the manual page: {e}"), "man", "report this")
    })?;
    context.out.bytes(&text)
}
