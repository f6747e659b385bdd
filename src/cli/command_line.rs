//! The command line as a whole: what stands before a command, and the commands.

use super::args::{CatalogueArgs, DashboardArgs, GlobalArgs, ListArgs};
use super::commands::{
    AttackArgs, BenchArgs, CertifyArgs, CompareArgs, EvaluateArgs, LessonsArgs, RocArgs, TrainArgs,
    TransferArgs,
};
use clap::{Parser, Subcommand};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "epsiloscope", version, about, max_term_width = 100)]
#[command(after_help = AFTER_HELP)]
#[command(disable_help_subcommand = true)]
pub struct Cli {
    /// Flags that every command takes.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What the dashboard begins with.
    #[command(flatten)]
    pub dashboard: DashboardArgs,
    /// A headless command; none opens the dashboard.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const AFTER_HELP: &str = "\
Without a command the dashboard opens. Results go to standard output, progress and errors to \
standard error. Exit status: 0 done, 1 failure, 2 usage, 128 + n after signal n (130 \
interrupted); an attack that fails to fool the model is not a failure.

Settings come from config.toml in the XDG configuration folder, then from EPSILOSCOPE_DEVICE, \
EPSILOSCOPE_THEME, EPSILOSCOPE_GRAPHICS, EPSILOSCOPE_SEED, EPSILOSCOPE_MEMORY and NO_COLOR, then \
from the flags; the last one counts. --print-config shows what holds.";

/// The headless commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Attack one sample, one image file, or a whole batch
    Attack(AttackArgs),
    /// Measure clean and robust accuracy over many samples, under one attack or several
    Evaluate(EvaluateArgs),
    /// Compare defences before attacks, naive and adaptive, on one sample or over many
    Compare(CompareArgs),
    /// Draw the curve of a detector: how well it separates adversarial images from clean ones
    Roc(RocArgs),
    /// Certify images by randomised smoothing: a radius that is proven, beside what an attack finds
    Certify(CertifyArgs),
    /// Craft an attack on each of several models and try it on all of them
    Transfer(TransferArgs),
    /// Published lessons: the same images, attacked as published and as broken
    Lessons(LessonsArgs),
    /// Time an attack
    Bench(BenchArgs),
    /// Train one of the built-in recipes
    Train(TrainArgs),
    /// List the built-in models, or the layers of one
    Models {
        /// The model whose layers are listed: a built-in one, a folder or a card
        name: Option<String>,
        /// How to print.
        #[command(flatten)]
        list: ListArgs,
    },
    /// List the data sets, or the samples of one
    Samples {
        /// The data set whose samples are listed
        #[arg(long, value_name = "ID")]
        dataset: Option<String>,
        /// How to print.
        #[command(flatten)]
        list: ListArgs,
    },
    /// List the attacks, or explain one
    Attacks {
        /// The attack to explain
        id: Option<String>,
        /// How to print.
        #[command(flatten)]
        list: CatalogueArgs,
    },
    /// List the defences, or explain one
    Defences {
        /// The defence to explain
        id: Option<String>,
        /// How to print.
        #[command(flatten)]
        list: CatalogueArgs,
    },
    /// List the evaluation checks, or explain one
    Checks {
        /// The check to explain
        id: Option<String>,
        /// How to print.
        #[command(flatten)]
        list: CatalogueArgs,
    },
    /// List the dashboard's keys
    Keys(CatalogueArgs),
    /// List the compute devices, and say which one `auto` takes
    Devices(ListArgs),
    /// Print a completion script for your shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page of the program, or of one command
    Man {
        /// The command
        command: Option<String>,
    },
}
