//! The command line: parses it, opens the dashboard or runs a headless command, and turns failures
//! into one line on standard error and an exit status.

mod args;
mod attack;
mod batch;
mod bench;
mod catalogue;
mod certify;
mod checks;
mod command_line;
mod commands;
mod compare;
mod ctrl_c;
mod dashboard;
mod evaluate;
mod generate;
mod layers;
mod lessons;
mod list;
mod output;
mod progress;
mod registry_rows;
mod resolve;
mod roc;
mod sparkline;
mod train;
mod transfer;

pub use batch::Inputs;

use crate::config::Config;
use crate::dashboard::{KeyRow, StartOptions};
use crate::data::memory;
use crate::engine::{self, ChosenDevice, DeviceChoice};
use crate::error::{Error, ErrorKind, Result};
use crate::logging;
use crate::model::Model;
use crate::printable::printable;
use burn_tensor::Device;
use clap::error::ErrorKind as ClapError;
use clap::{ColorChoice, CommandFactory, FromArgMatches};
use command_line::{Cli, Command};
use output::{Output, note, note_once, print_error};
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;
use std::sync::Arc;

/// What every command needs.
struct CommandContext {
    config: Config,
    out: Output,
    /// The dashboard's keys.
    keys: fn() -> Vec<KeyRow>,
    /// Whether the work was given to a graphics adapter.
    on_adapter: bool,
}

impl CommandContext {
    /// The device that the configuration asks for; a fallback is noted on standard error, once per
    /// machine where it only says what the machine has.
    fn device(&mut self) -> ChosenDevice {
        let chosen = self.quietly(|| engine::choose(self.config.device));
        self.on_adapter = chosen.info.kind == "wgpu";
        match &chosen.note {
            Some(text) if chosen.settled => note_once(text),
            Some(text) => note(text),
            None => {}
        }
        chosen
    }

    /// Does what may wake a graphics driver, whose own words go to the log.
    fn quietly<T>(&self, work: impl FnOnce() -> T) -> T {
        logging::quietly(&self.config.log, work)
    }
}

/// Starts the threads that compute; where there are fewer than were asked for, a note on standard error
/// says so.
fn start_threads(wanted: Option<usize>) -> Result<()> {
    if let Some(text) = engine::start_threads(wanted)? {
        note(&text);
    }
    Ok(())
}

/// Loads a model; prints its notes on standard error.
fn load(name: &str, device: &Device) -> Result<Arc<Model>> {
    let model = Model::load(name, device)?;
    model.notes.iter().for_each(|text| note(&format!("{name}: {text}")));
    Ok(model)
}

/// Runs the program with these arguments: `keys` are the dashboard's keys, `dashboard` opens it.
pub fn main(
    args: impl IntoIterator<Item = OsString>,
    keys: fn() -> Vec<KeyRow>,
    dashboard: impl FnOnce(StartOptions) -> Result<()>,
) -> ExitCode {
    // A file that would grow too large is an error to report, not a signal that ends the program.
    #[cfg(unix)]
    let _ = signal_hook::flag::register(libc::SIGXFSZ, Arc::default());
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match parse(&args) {
        Ok(cli) => cli,
        Err(error) => {
            // The message quotes the arguments: parsed again with only what can be printed.
            let shown: Vec<OsString> =
                args.iter().map(|arg| printable(&arg.to_string_lossy()).into()).collect();
            let error = parse(&shown).err().unwrap_or(error);
            // Help and version go to standard output, whose reader may have left.
            let _ = error.print();
            let status = if error.use_stderr() { 2 } else { 0 };
            return ExitCode::from(status);
        }
    };
    let run = catch_unwind(AssertUnwindSafe(|| run(cli, keys, dashboard)));
    let result = run.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panic");
        Err(Error::failure(
            format!("internal error: {text}"),
            "",
            "please report it with the log file (`epsiloscope --print-config` names it)",
        ))
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error);
            ExitCode::from(error.exit_status())
        }
    }
}

/// Does what computes. Where a graphics adapter fails on the way (burn may panic then, too), one
/// line says so and the CPU does it from the beginning; nothing was printed before.
fn compute(
    context: &mut CommandContext,
    work: impl Fn(&mut CommandContext) -> Result<()>,
) -> Result<()> {
    start_threads(None)?;
    let done = catch_unwind(AssertUnwindSafe(|| work(context)));
    let failure = match &done {
        Err(_) => Some("the device failed"),
        Ok(Err(error)) if error.kind == ErrorKind::Device => Some(error.what.as_str()),
        Ok(_) => None,
    };
    match (failure, context.on_adapter) {
        (Some(what), true) => {
            note(&format!("{what}; going on with the CPU"));
            context.config.device = DeviceChoice::Cpu;
            work(context)
        }
        _ => done.unwrap_or_else(|panic| resume_unwind(panic)),
    }
}

/// Parses the arguments, in colour only where that is wanted.
fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
    let wanted = |flag: &str, value: &str| {
        let pair = args.windows(2).any(|pair| pair[0] == *flag && pair[1] == *value);
        pair || args.iter().any(|arg| *arg == *format!("{flag}={value}"))
    };
    let color = match () {
        () if wanted("--color", "never") => ColorChoice::Never,
        () if wanted("--color", "always") => ColorChoice::Always,
        () => ColorChoice::Auto,
    };
    let mut command = Cli::command().color(color);
    let matches = command.try_get_matches_from_mut(args)?;
    let cli = Cli::from_arg_matches(&matches).map_err(|e| e.format(&mut command))?;
    match (&cli.command, cli.dashboard.given()) {
        (Some(_), Some(flag)) => {
            let text = format!(
                "'{flag}' before a command is for the dashboard: write it after the command"
            );
            Err(command.error(ClapError::ArgumentConflict, text))
        }
        _ => Ok(cli),
    }
}

fn run(
    cli: Cli,
    keys: fn() -> Vec<KeyRow>,
    dashboard: impl FnOnce(StartOptions) -> Result<()>,
) -> Result<()> {
    let config = Config::load(cli.global.layer())?;
    if let Some(text) = &config.note {
        note(text);
    }
    let mut out = Output::new(config.color);
    if cli.global.print_config {
        return out.text(&config.describe());
    }
    logging::start(&config.log, config.log_demanded)?;
    config.memory.into_iter().for_each(memory::set_budget);
    let mut context = CommandContext { config, out, keys, on_adapter: false };
    let Some(command) = cli.command else {
        start_threads(None)?;
        return dashboard(dashboard::checked_options(cli.dashboard, context.config)?);
    };
    match command {
        Command::Attack(args) if args.inputs.is_some() => {
            compute(&mut context, |context| batch::run(&args, context))
        }
        Command::Attack(args) => compute(&mut context, |context| attack::run(&args, context)),
        Command::Evaluate(args) => compute(&mut context, |context| evaluate::run(&args, context)),
        Command::Compare(args) => compute(&mut context, |context| compare::run(&args, context)),
        Command::Roc(args) => compute(&mut context, |context| roc::run(&args, context)),
        Command::Certify(args) => compute(&mut context, |context| certify::run(&args, context)),
        Command::Transfer(args) => compute(&mut context, |context| transfer::run(&args, context)),
        Command::Lessons(args) => compute(&mut context, |context| lessons::run(&args, context)),
        Command::Bench(args) => bench::run(&args, &mut context),
        Command::Train(args) => compute(&mut context, |context| train::run(&args, context)),
        Command::Models { name: Some(name), list } => layers::run(&name, &list, &mut context),
        Command::Models { name: None, list } => list::models(&list, &mut context),
        Command::Samples { dataset, list } => {
            list::samples(dataset.as_deref(), &list, &mut context)
        }
        Command::Attacks { id, list } => catalogue::attacks(id.as_deref(), &list, &mut context),
        Command::Defences { id, list } => catalogue::defences(id.as_deref(), &list, &mut context),
        Command::Checks { id, list } => catalogue::checks(id.as_deref(), &list, &mut context),
        Command::Keys(list) => catalogue::keys(&list, &mut context),
        Command::Devices(list) => list::devices(&list, &mut context),
        Command::Completions { shell } => generate::completions(shell, &mut context),
        Command::Man { command } => generate::man(command.as_deref(), &mut context),
    }
}
