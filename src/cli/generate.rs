//! Completion scripts and manual pages, made from the command line's own declaration.

use super::CommandContext;
use super::catalogue::Catalogue;
use super::command_line::Cli;
use crate::attack::ATTACKS;
use crate::defence::DEFENCES;
use crate::error::{Error, Result};
use crate::metrics::checks::CHECKS;
use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::roff::Roff;

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
    let failed = |e: std::io::Error| {
        Error::failure(format!("cannot make the manual page: {e}"), "man", "report this")
    };
    clap_mangen::Man::new(page).render(&mut text).map_err(failed)?;
    if command.is_none() {
        lists(context).to_writer(&mut text).map_err(failed)?;
    }
    context.out.bytes(&text)
}

/// The program's lists, for the end of its manual page.
fn lists(context: &CommandContext) -> Roff {
    let mut page = Roff::new();
    let attacks: Vec<_> = ATTACKS.iter().collect();
    let defences: Vec<_> = DEFENCES.iter().collect();
    let checks: Vec<_> = CHECKS.iter().collect();
    Catalogue::keys(&(context.keys)()).manual("KEYS", &mut page);
    Catalogue::attacks(&attacks).manual("ATTACKS", &mut page);
    Catalogue::defences(&defences).manual("DEFENCES", &mut page);
    Catalogue::checks(&checks).manual("EVALUATION CHECKS", &mut page);
    Catalogue::lessons().manual("LESSONS", &mut page);
    page
}
