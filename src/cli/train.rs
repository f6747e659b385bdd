//! `train`: makes a model by one of the recipes.

use super::CommandContext;
use super::commands::TrainArgs;
use super::ctrl_c::CtrlC;
use super::output::{Style, note};
use super::progress;
use super::sparkline::TrainingCurves;
use crate::attack::Flow;
use crate::error::Result;
use crate::experiment::epsilon_text;
use crate::model::Card;
use crate::printable::printable;
use crate::training::{self, Recipe, TrainOptions, TrainingProgress};

/// Runs the command.
pub fn run(args: &TrainArgs, context: &mut CommandContext) -> Result<()> {
    let recipe = Recipe::find(&args.recipe)?;
    let chosen = context.device();
    let options = TrainOptions {
        recipe: recipe.id.to_string(),
        data: args.data.clone(),
        out: args.out.clone(),
        seed: context.config.seed,
        epochs: args.epochs.map(|epochs| epochs as usize),
    };
    let bar = progress::with_lines("batches");
    let mut curves = TrainingCurves::new();
    let interrupt = CtrlC::watch();
    let trained = training::run(&options, &chosen.device, &chosen.info, &mut |p| {
        let done = match p.epoch < p.epochs {
            true => (p.epoch * p.batches, p.epochs * p.batches),
            false => (0, p.batches),
        };
        bar.set_length(done.1 as u64);
        bar.set_position((done.0 + p.batch) as u64);
        match p.loss.is_nan() {
            true => bar.set_prefix(p.phase),
            false => {
                curves.push(p);
                let right = p.accuracy * 100.0;
                bar.set_prefix(format!("epoch {}/{} {right:.1} % right", p.epoch + 1, p.epochs));
                bar.set_message(curves.text(p));
                if bar.is_hidden() && p.batch == p.batches {
                    note(&line(p));
                }
            }
        }
        if interrupt.asked() { Flow::Stop } else { Flow::Continue }
    })
    .inspect_err(|error| {
        if error.is_cancelled() {
            bar.abandon();
            note("stopped; the same command goes on from the checkpoint");
        }
    });
    let cards = interrupt.told(trained)?;
    bar.finish_and_clear();
    for card in &cards {
        match args.list.json {
            true => context.out.json(card)?,
            false => told(card, cards.len(), args, context)?,
        }
    }
    Ok(())
}

/// An epoch in a line, where no bar is seen: in a file, hours later, it has to be told apart.
fn line(p: &TrainingProgress) -> String {
    let right = p.accuracy * 100.0;
    let mut text =
        format!("epoch {}/{}: loss {:.4}, {right:.1} % right", p.epoch + 1, p.epochs, p.loss);
    if let Some(probe) = p.probe {
        let (clean, attacked) = (probe.clean * 100.0, probe.attacked * 100.0);
        let steps = probe.steps;
        text += &format!("; of a batch {clean:.1} % clean, {attacked:.1} % under PGD-{steps}");
    }
    text
}

/// What came out, and how to use it.
fn told(card: &Card, models: usize, args: &TrainArgs, context: &mut CommandContext) -> Result<()> {
    let folder = match models {
        1 => args.out.clone(),
        _ => args.out.join(&card.name),
    };
    let folder = printable(&folder.display().to_string());
    let out = &mut context.out;
    out.line(&out.paint(Style::Strong, &format!("{} is in {folder}", card.name)))?;
    if let Some(accuracy) = &card.accuracy {
        out.line(&format!(
            "clean accuracy {:.2} % (n={})",
            accuracy.clean * 100.0,
            accuracy.clean_n
        ))?;
        for r in &accuracy.robust {
            out.line(&format!(
                "robust accuracy {:.2} % ({} {} ε={} {} n={} seed {})",
                r.accuracy * 100.0,
                r.attack,
                r.norm,
                epsilon_text(r.epsilon),
                r.parameters,
                r.n,
                r.seed
            ))?;
        }
    }
    out.line(&format!("use it by --model {folder}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::RobustnessProbe;

    #[test]
    fn an_epoch_is_told_in_a_line() {
        let probe = Some(RobustnessProbe {
            clean: 0.95,
            attacked: 0.3,
            steps: 5,
            epsilon: 0.1,
            fresh: true,
        });
        let progress = TrainingProgress {
            phase: "training",
            epoch: 2,
            epochs: 9,
            batch: 7,
            batches: 7,
            loss: 0.25,
            accuracy: 0.9,
            probe,
        };
        let with =
            "epoch 3/9: loss 0.2500, 90.0 % right; of a batch 95.0 % clean, 30.0 % under PGD-5";
        assert_eq!(line(&progress), with);
        let without = "epoch 3/9: loss 0.2500, 90.0 % right";
        assert_eq!(line(&TrainingProgress { probe: None, ..progress }), without);
    }
}
