//! Groups of flags that several commands share, as clap types. Texts here are the help.

use crate::config::{COLORS, ConfigLayer, DEVICES, GRAPHICS, THEMES, names};
use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum, ValueHint};
use std::path::PathBuf;

/// Flags that every command takes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Where to compute; auto: a hardware adapter if there is one, else the CPU
    #[arg(long, global = true, value_name = "DEVICE")]
    #[arg(value_parser = PossibleValuesParser::new(names(DEVICES)))]
    pub device: Option<String>,
    /// Seed of all randomness
    #[arg(long, global = true, value_name = "N")]
    pub seed: Option<u64>,
    /// Colours of the dashboard
    #[arg(long, global = true, value_name = "THEME")]
    #[arg(value_parser = PossibleValuesParser::new(names(THEMES)))]
    pub theme: Option<String>,
    /// How images are printed; auto: what the terminal can, nothing where there is no terminal
    #[arg(long, global = true, value_name = "HOW")]
    #[arg(value_parser = PossibleValuesParser::new(names(GRAPHICS)))]
    pub graphics: Option<String>,
    /// Coloured text
    #[arg(long, global = true, value_name = "WHEN")]
    #[arg(value_parser = PossibleValuesParser::new(names(COLORS)))]
    pub color: Option<String>,
    /// Where libraries log to, instead of the XDG state folder
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub log: Option<PathBuf>,
    /// How much memory may be taken: 2G, 500M [default: what the machine has free]
    #[arg(long, global = true, value_name = "SIZE")]
    pub memory: Option<String>,
    /// Print the configuration that holds, and where each value comes from
    #[arg(long, global = true)]
    pub print_config: bool,
}

impl GlobalArgs {
    /// The flags as the topmost layer of the configuration.
    pub fn layer(&self) -> ConfigLayer {
        let log = self.log.as_ref().map(|path| path.to_string_lossy().into_owned());
        [
            ("device", self.device.clone()),
            ("seed", self.seed.map(|seed| seed.to_string())),
            ("theme", self.theme.clone()),
            ("graphics", self.graphics.clone()),
            ("color", self.color.clone()),
            ("log", log),
            ("memory", self.memory.clone()),
        ]
        .into_iter()
        .filter_map(|(key, value)| value.map(|value| (key, value)))
        .collect()
    }
}

/// Which image.
#[derive(Args, Clone, Debug, Default)]
pub struct SampleArgs {
    /// Data set [default: the model's own]
    #[arg(long, value_name = "ID")]
    pub dataset: Option<String>,
    /// Number of the sample in the data set [default: 0]
    #[arg(long, value_name = "N")]
    pub sample: Option<usize>,
    /// Your own image: PNG, JPEG, WebP, or .npy as --save writes it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(conflicts_with_all = ["dataset", "sample"])]
    pub image: Option<PathBuf>,
}

/// Which samples.
#[derive(Args, Debug)]
pub struct SampleRangeArgs {
    /// Data set [default: the model's own]
    #[arg(long, value_name = "ID")]
    pub dataset: Option<String>,
    /// Over how many samples [default: 200, or all where fewer]
    #[arg(long, value_name = "N")]
    pub n: Option<usize>,
    /// The first sample's number in the data set
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub from: usize,
    /// Images attacked at a time
    #[arg(long, value_name = "N", default_value_t = 64)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub batch_size: u32,
}

/// What the dashboard begins with.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "The dashboard begins with")]
pub struct DashboardArgs {
    /// Model: a built-in name, or a folder or card of your own
    #[arg(long, value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    pub model: Option<String>,
    /// The image.
    #[command(flatten)]
    pub pick: SampleArgs,
    /// Attack
    #[arg(long, value_name = "ID")]
    pub attack: Option<String>,
    /// Size of the perturbation in pixel units of 0..1: 0.1 or 8/255
    #[arg(long, value_name = "E", allow_negative_numbers = true)]
    pub eps: Option<String>,
}

impl DashboardArgs {
    /// The first flag that was given, if any was.
    pub fn given(&self) -> Option<&'static str> {
        [
            (self.model.is_some(), "--model"),
            (self.pick.dataset.is_some(), "--dataset"),
            (self.pick.sample.is_some(), "--sample"),
            (self.pick.image.is_some(), "--image"),
            (self.attack.is_some(), "--attack"),
            (self.eps.is_some(), "--eps"),
        ]
        .into_iter()
        .find_map(|(given, name)| given.then_some(name))
    }
}

/// Which attack, how.
#[derive(Args, Clone, Debug, Default)]
pub struct AttackMethodArgs {
    /// Attack, see `epsiloscope attacks` [default: pgd]
    #[arg(long, value_name = "ID")]
    pub attack: Option<String>,
    /// How.
    #[command(flatten)]
    pub manner: AttackSettingsArgs,
}

/// How an attack, or each of several, is to be made.
#[derive(Args, Clone, Debug, Default)]
pub struct AttackSettingsArgs {
    /// Norm that measures the perturbation: linf, l2, l1, l0 [default: the attack's first]
    #[arg(long, value_name = "NORM")]
    pub norm: Option<String>,
    /// Size of the perturbation in pixel units of 0..1 (L0: values changed): 0.1 or 8/255
    /// [default: by data set; `attack`: no limit to a search for the least perturbation]
    #[arg(long, value_name = "E", allow_negative_numbers = true)]
    pub eps: Option<String>,
    /// A parameter of the attack, see `epsiloscope attacks ID`; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Aim at a class: its number or name, `second` (most likely), `least` (likely) or
    /// `next` (number)
    #[arg(long, value_name = "CLASS")]
    pub target: Option<String>,
}

/// A list that can be had as JSON.
#[derive(Args, Clone, Debug, Default)]
pub struct ListArgs {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// How one of the program's lists is printed.
#[derive(Args, Clone, Debug, Default)]
pub struct CatalogueArgs {
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: ListFormat,
    /// Print one JSON object: --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

/// The form of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    // A table for people. (No doc comments here: they would become help, and spread out all of it.)
    #[default]
    Text,
    // A table in Markdown.
    Md,
    // One JSON object.
    Json,
}

impl CatalogueArgs {
    /// What both flags ask for.
    pub fn format(&self) -> ListFormat {
        if self.json { ListFormat::Json } else { self.format }
    }
}
