//! The flags of the commands that compute, as clap types. Texts here are the help.

use super::args::{
    AttackMethodArgs, AttackSettingsArgs, CatalogueArgs, ListArgs, SampleArgs, SampleRangeArgs,
};
use crate::defence::EOT_DRAWS;
use crate::experiment::{
    CERTIFY_ATTACK, CERTIFY_ATTACK_DRAWS, DEFAULT_ALPHA, LESSON_N, SELECTION_DRAWS, WORKLOADS,
};
use crate::training::RECIPES;
use clap::{Args, ValueHint};
use std::path::PathBuf;

/// `attack`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  epsiloscope attack --model mnist-cnn --sample 0 --attack pgd --eps 0.3 --seed 1 --json
  epsiloscope attack --image cat.jpg --eps 2/255 --save adversarial.png
  epsiloscope attack --sample 3 --defence jpeg:50 --defence median
  epsiloscope attack --sample 3 --attack pgd:steps=100 --least
  epsiloscope attack --model mnist-cnn-at --surrogate mnist-cnn --eps 0.3
  epsiloscope attack --inputs in.safetensors --eps 0.1 --save out.safetensors")]
pub struct AttackArgs {
    /// Model: a built-in name, or a folder or card of your own [default: by data set]
    #[arg(long, value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    pub model: Option<String>,
    /// Which image.
    #[command(flatten)]
    pub pick: SampleArgs,
    /// Which attack.
    #[command(flatten)]
    pub method: AttackMethodArgs,
    /// Craft the attack on this model and try it on the other: what the attacker has who does not
    /// have the model itself
    #[arg(long, value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    pub surrogate: Option<String>,
    /// Look for the least ε at which the attack works: doubling, then bisection to 1 %
    #[arg(long, conflicts_with_all = ["inputs", "defence"])]
    pub least: bool,
    /// Try a defence, naive and adaptive: ID or ID:VALUE, or `all`; may be repeated
    #[arg(long, value_name = "ID[:VALUE]")]
    pub defence: Vec<String>,
    /// A whole batch: x [N,C,H,W] f32 in 0..1 and labels [N] i64 (safetensors)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "save")]
    #[arg(conflicts_with_all = ["dataset", "sample", "image", "defence"])]
    pub inputs: Option<PathBuf>,
    /// Images attacked at a time, with --inputs
    #[arg(long, value_name = "N", default_value_t = 64, requires = "inputs")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub batch_size: u32,
    /// Save the adversarial image (.png rounds to 8 bits within ε, .npy keeps every bit), or with
    /// --inputs the batch: adv, success, reached, distance, l2, linf, queries (.safetensors)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub save: Option<PathBuf>,
    /// Save even onto the image or the batch that is read
    #[arg(long, requires = "save")]
    pub force: bool,
    /// Run every probe of the evaluation checks, and show all checks
    #[arg(long, conflicts_with = "inputs")]
    pub lamps: bool,
    /// How to print.
    #[command(flatten)]
    pub list: ListArgs,
}

/// `evaluate`
#[derive(Args, Debug)]
#[command(after_help = "\
A sample is robust when it is classified correctly and no attack succeeds on it. Each attack after \
the first is tried only on samples that no attack before has broken. Robust accuracy is an upper bound.

Examples:
  epsiloscope evaluate --model mnist-cnn --attack pgd --eps 0.3 --n 1000
  epsiloscope evaluate --model mnist-cnn-at --attack fgsm,pgd:steps=100:restarts=5 --eps 0.3 --json
  epsiloscope evaluate --model mnist-cnn-at --attack pgd --n 10000 --state pgd.json
  epsiloscope evaluate --model mnist-cnn --defence jpeg:75 --stance naive
  epsiloscope evaluate --model mnist-cnn --defence jpeg:75+bits:5 --attack pgd,square")]
pub struct EvaluateArgs {
    /// Model: a built-in name, or a folder or card of your own [default: by data set]
    #[arg(long, value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    pub model: Option<String>,
    /// Evaluate the model behind this defence, or several in layers
    #[arg(long, value_name = "ID[:VALUE][+…]")]
    pub defence: Option<String>,
    /// How much of the defence the attacks know: naive, gradient, bpda, eot, adaptive
    #[arg(long, value_name = "STANCE", default_value = "adaptive", requires = "defence")]
    pub stance: String,
    /// Draws of a randomised defence that the gradient is averaged over
    #[arg(long, value_name = "DRAWS", default_value_t = EOT_DRAWS as u16, requires = "defence")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub eot: u16,
    /// Which samples.
    #[command(flatten)]
    pub samples: SampleRangeArgs,
    /// Attacks, separated by commas or repeated; each may bring parameters: pgd:steps=100
    /// [default: pgd]
    #[arg(long, value_name = "ID[:NAME=VALUE]", value_delimiter = ',')]
    pub attack: Vec<String>,
    /// How.
    #[command(flatten)]
    pub manner: AttackSettingsArgs,
    /// Try every attack on every sample, broken or not: slower, gives each attack's own share
    #[arg(long)]
    pub every: bool,
    /// Write down here after each batch what is done; the same command goes on from there
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub state: Option<PathBuf>,
    /// Run every probe of the evaluation checks on the first ten robust samples, and show all checks
    #[arg(long)]
    pub lamps: bool,
    /// How to print.
    #[command(flatten)]
    pub list: ListArgs,
}

/// `compare`
#[derive(Args, Debug)]
#[command(after_help = "\
Rows are the undefended network and the defences, each under attacks that do not know it (naive) and \
attacks that do (adaptive); columns are the attacks. With --n the same over many samples: robust \
accuracy with its 95 % interval, the worst case over all of the attacks, clean accuracy, the time of \
one prediction.

Examples:
  epsiloscope compare --sample 3
  epsiloscope compare --n 100 --stance adaptive --sort worst
  epsiloscope compare --defence pgd-at --attack pgd --attack pgd:l2 --attack rotate-translate --n 50
  epsiloscope compare --defence jpeg:75+bits:5 --n 200 --save hybrid.csv")]
pub struct CompareArgs {
    /// Model: a built-in name, or a folder or card of your own [default: by data set]
    #[arg(long, value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    pub model: Option<String>,
    /// Which image.
    #[command(flatten)]
    pub pick: SampleArgs,
    /// Compare over so many samples, the first ones of the data set; with --sample, both
    #[arg(long, value_name = "N", conflicts_with = "image")]
    pub n: Option<usize>,
    /// A defence, several in layers, a saved hybrid's name, or `all`; may be repeated
    /// [default: one of each kind, and a hybrid]
    #[arg(long, value_name = "ID[:VALUE][+…]")]
    pub defence: Vec<String>,
    /// An attack, in a norm, with parameters of its own, such as pgd:l2:steps=100; may be repeated
    /// [default: several norms, a rotation, a black box]
    #[arg(long, value_name = "ID[:NORM][:NAME=VALUE]")]
    pub attack: Vec<String>,
    /// How much of the defences the attacks know
    #[arg(long, value_name = "STANCE", default_value = "both")]
    #[arg(value_parser = ["naive", "adaptive", "both"])]
    pub stance: String,
    /// Draws of a randomised defence that the gradient is averaged over
    #[arg(long, value_name = "DRAWS", default_value_t = EOT_DRAWS as u16)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub eot: u16,
    /// ε in pixel units of 0..1 for the first attack's norm, or NORM=E for another; may be repeated
    /// [default: by data set]
    #[arg(long, value_name = "[NORM=]E", allow_negative_numbers = true)]
    pub eps: Vec<String>,
    /// The order of the defences
    #[arg(long, value_name = "ORDER", default_value = "named")]
    #[arg(value_parser = ["named", "clean", "worst", "latency"])]
    pub sort: String,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    #[arg(value_parser = ["text", "csv", "json", "md"])]
    pub format: String,
    /// Write it to a file too: .csv, .json or .md
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub save: Option<PathBuf>,
    /// Save even onto the image that is read
    #[arg(long, requires = "save")]
    pub force: bool,
    /// How to print.
    #[command(flatten)]
    pub list: ListArgs,
}

/// `roc`
#[derive(Args, Debug)]
#[command(after_help = "\
The threshold is set on clean images, samples of the data set; false positives are counted on the \
others. The curve is that of the adversarial images whose prediction the attack changed.

Examples:
  epsiloscope roc --defence squeeze --model mnist-cnn --attack pgd --eps 0.3 --stance naive
  epsiloscope roc --defence variance --model mnist-cnn --attack pgd --eps 0.2 --n 100 --json")]
pub struct RocArgs {
    /// Model: a built-in name, or a folder or card of your own [default: by data set]
    #[arg(long, value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    pub model: Option<String>,
    /// A defence that detects, or several in layers
    #[arg(long, value_name = "ID[:VALUE][+…]", default_value = "squeeze")]
    pub defence: String,
    /// How much of the defence the attack knows: naive, gradient, bpda, eot, adaptive
    #[arg(long, value_name = "STANCE", default_value = "adaptive")]
    pub stance: String,
    /// Draws of a randomised defence that the gradient is averaged over
    #[arg(long, value_name = "DRAWS", default_value_t = EOT_DRAWS as u16)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub eot: u16,
    /// Which samples.
    #[command(flatten)]
    pub samples: SampleRangeArgs,
    /// Which attack.
    #[command(flatten)]
    pub method: AttackMethodArgs,
    /// How to print.
    #[command(flatten)]
    pub list: ListArgs,
}

/// `certify`
#[derive(Args, Debug)]
#[command(after_help = "\
No change shorter than the certified radius, in L2, changes the prediction of the smoothed network, \
whatever the attack; about one in a thousand such proofs may be wrong (--alpha). Beside it is the \
smallest ε at which an attack that knows of the smoothing changed it: the true value is between the two.

Examples:
  epsiloscope certify --model mnist-cnn --sample 0 --sigma 0.25 --n 1000
  epsiloscope certify --model mnist-cnn --sigma 0.5 --n 10000 --n-samples 50 --json")]
pub struct CertifyArgs {
    /// Model: a built-in name, or a folder or card of your own. For an ordinary one the network of
    /// its data set is used that was trained with Gaussian noise [default: by data set]
    #[arg(long, value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    pub model: Option<String>,
    /// Data set [default: the model's own]
    #[arg(long, value_name = "ID")]
    pub dataset: Option<String>,
    /// The first sample's number in the data set
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub sample: usize,
    /// How many samples
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub n_samples: usize,
    /// σ of the noise, in pixel units of 0..1
    #[arg(long, value_name = "SIGMA", default_value_t = 0.25)]
    pub sigma: f64,
    /// Noisy copies that the radius is computed from: at most 1.50 σ for 100, 2.46 σ for 1000, 3.81
    /// σ for 100000
    #[arg(long, value_name = "N", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    pub n: u32,
    /// Noisy copies that choose the class before
    #[arg(long, value_name = "N", default_value_t = SELECTION_DRAWS as u32)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub n0: u32,
    /// How often a certificate may be wrong
    #[arg(long, value_name = "ALPHA", default_value_t = DEFAULT_ALPHA)]
    pub alpha: f64,
    /// The attack beside it, one that works in L2; its ε is searched for
    #[arg(long, value_name = "ID[:NAME=VALUE]", default_value = CERTIFY_ATTACK)]
    pub attack: String,
    /// Draws of the noise that its gradient is averaged over
    #[arg(long, value_name = "DRAWS", default_value_t = CERTIFY_ATTACK_DRAWS as u16)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub eot: u16,
    /// How to print.
    #[command(flatten)]
    pub list: ListArgs,
}

/// `transfer`
#[derive(Args, Debug)]
#[command(after_help = "\
Rows are the models that the attack is crafted on, columns those that it is tried on; a rate counts \
the samples that both classify correctly. On the diagonal both are the same model.

Example:
  epsiloscope transfer --models mnist-cnn,mnist-cnn-at --attack pgd --eps 0.2 --n 200")]
pub struct TransferArgs {
    /// Models, separated by commas [default: the built-in ordinary ones of the data set, and the
    /// adversarially trained one]
    #[arg(long, value_name = "MODELS", value_delimiter = ',', value_hint = ValueHint::AnyPath)]
    pub models: Vec<String>,
    /// Data set [default: the first model's own]
    #[arg(long, value_name = "ID")]
    pub dataset: Option<String>,
    /// Over how many samples, the first ones of the data set [default: 200, or all where fewer]
    #[arg(long, value_name = "N")]
    pub n: Option<usize>,
    /// Images attacked at a time
    #[arg(long, value_name = "N", default_value_t = 64)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub batch_size: u32,
    /// Which attack.
    #[command(flatten)]
    pub method: AttackMethodArgs,
    /// How to print.
    #[command(flatten)]
    pub list: ListArgs,
}

/// `lessons`
#[derive(Args, Debug)]
#[command(after_help = "\
Without ID: the list. A lesson is shown where its numbers differ
significantly, sample by sample (McNemar's exact test, p < 0.05).

Examples:
  epsiloscope lessons jpeg
  epsiloscope lessons all --n 100 --json")]
pub struct LessonsArgs {
    /// Which lesson, or `all`
    pub id: Option<String>,
    /// Over how many samples, the first ones of the data set
    #[arg(long, value_name = "N", default_value_t = LESSON_N as u32)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10000))]
    pub n: u32,
    /// How to print.
    #[command(flatten)]
    pub list: CatalogueArgs,
}

/// `bench`
#[derive(Args, Debug)]
#[command(after_help = workloads_help())]
pub struct BenchArgs {
    /// Model: a built-in name, or a folder or card of your own
    #[arg(long, value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    pub model: String,
    /// Data set [default: the model's own]
    #[arg(long, value_name = "ID")]
    pub dataset: Option<String>,
    /// A workload from the list below, or an attack at its defaults
    #[arg(long, value_name = "ID")]
    pub attack: String,
    /// How many images at once: the first ones that the model classifies correctly
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10000))]
    pub batch: u32,
    /// How many threads compute [default: as many as there are cores]
    #[arg(long, value_name = "T", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// How often it is timed
    #[arg(long, value_name = "N", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10000))]
    pub repeats: u32,
    /// Time it no more after so many seconds
    #[arg(long, value_name = "S", default_value_t = 25.0)]
    pub cap: f64,
}

/// `train`
#[derive(Args, Debug)]
#[command(after_help = recipes_help())]
pub struct TrainArgs {
    /// Recipe
    #[arg(long, value_name = "ID")]
    pub recipe: String,
    /// Folder with the data set's training files as they are distributed
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub data: PathBuf,
    /// Folder for the model; a training that was cut off there goes on
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub out: PathBuf,
    /// Epochs, instead of the recipe's own
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10000))]
    pub epochs: Option<u32>,
    /// Print the finished card as one JSON object
    #[command(flatten)]
    pub list: ListArgs,
}

/// The workloads, for the help.
fn workloads_help() -> String {
    let mut text = String::from("Workloads, the same as in other tools' benchmarks:\n");
    for work in WORKLOADS {
        text.push_str(&format!("  {:<11} {}\n", work.id, work.about));
    }
    text.push_str(
        "\nPrints one line of JSON: wall seconds of each repetition, and the network's passes per \
         image in one.\n\nExample:\n  epsiloscope bench --model mnist-cnn --attack pgd40 --batch \
         100 --threads 2",
    );
    text
}

/// The recipes, for the help.
fn recipes_help() -> String {
    let mut text = String::from("Recipes:\n");
    for recipe in RECIPES {
        text.push_str(&format!("  {:<18} {}\n", recipe.id, recipe.about));
    }
    text.push_str(
        "\nExample:\n  epsiloscope train --recipe mnist-cnn --data mnist/ --out my-model/",
    );
    text
}
