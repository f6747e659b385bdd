//! How the dashboard starts: its flags, checked before it opens.

use super::args::{AttackMethodArgs, AttackSettingsArgs, DashboardArgs};
use super::resolve;
use crate::config::{Config, Folder, folder};
use crate::dashboard::StartOptions;
use crate::data::{DATASETS, Dataset, Sample};
use crate::error::{Error, Result};
use crate::model;
use std::io::IsTerminal;

/// Checks the flags, without loading a model or a whole data set.
pub fn checked_options(args: DashboardArgs, config: Config) -> Result<StartOptions> {
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Err(Error::usage(
            "the dashboard needs a terminal",
            "standard input and output",
            "run it in one, or use a headless command such as `epsiloscope attack --json`",
        ));
    }
    let name = resolve::model_name(args.model.as_deref(), &args.pick, &config);
    let (card, _) = model::find_card(&name)?;
    let picture = args.pick.image.as_deref().map(Sample::from_file).transpose()?;
    if let (None, Some(index)) = (&picture, args.pick.sample) {
        Dataset::load(resolve::dataset_id(args.pick.dataset.as_deref(), &card)?)?.get(index)?;
    } else if let Some(id) = args.pick.dataset.as_deref() {
        let known = || DATASETS.iter().map(|row| row.id);
        if !known().any(|row| row == id) {
            return Err(Error::unknown(
                "data set",
                id,
                "--dataset",
                known(),
                "`epsiloscope samples`",
            ));
        }
    }
    let plan = match (&args.attack, &args.eps) {
        (None, None) => None,
        (attack, eps) => {
            let manner = AttackSettingsArgs { eps: eps.clone(), ..Default::default() };
            let method = AttackMethodArgs { attack: attack.clone(), manner };
            let dataset = args.pick.dataset.as_deref().unwrap_or(&card.data);
            Some(resolve::plan(&method, dataset, &card.labels, config.seed)?)
        }
    };
    Ok(StartOptions {
        model: Some(name),
        dataset: args.pick.dataset,
        sample: args.pick.sample,
        picture,
        plan,
        first_run_marker: folder(Folder::State).map(|state| state.join("hint-seen")),
        config,
    })
}
