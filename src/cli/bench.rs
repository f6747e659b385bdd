//! `bench`: how long an attack takes.

use super::commands::BenchArgs;
use super::resolve;
use super::{CommandContext, load, start_threads};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::experiment::{self, BenchTask, Provenance};

/// Runs the command.
pub fn run(args: &BenchArgs, context: &mut CommandContext) -> Result<()> {
    // Before the first computation: afterwards the pool is there, and keeps its size.
    start_threads(args.threads.map(usize::from))?;
    let chosen = context.device();
    let model = load(&args.model, &chosen.device)?;
    let dataset = Dataset::load(resolve::dataset_id(args.dataset.as_deref(), &model.card)?)?;
    let task = BenchTask {
        model,
        dataset,
        work: args.attack.clone(),
        batch: args.batch as usize,
        repeats: args.repeats as usize,
        cap: args.cap,
    };
    let timing = experiment::bench(&task)?;
    // Its attacks draw from seed 0, whatever --seed says.
    let provenance = Provenance::new(task.sources(), &chosen.info, 0);
    let line = serde_json::to_string(&provenance.beside(&timing))
        .map_err(|e| Error::failure(format!("cannot write JSON: {e}"), "standard output", ""))?;
    context.out.line(&line)
}
