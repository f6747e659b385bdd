//! `attack --inputs`: a whole batch from one safetensors file to another.

use super::CommandContext;
use super::commands::AttackArgs;
use super::output::{Style, note};
use super::{load, progress, resolve};
use crate::attack::Bound;
use crate::data::{memory, read_bounded, sha256};
use crate::error::{Error, Result};
use crate::experiment::{self, BatchReport, BatchTask, DataIdentity, Provenance, Sources, VERSION};
use crate::metrics::median;
use crate::model::{Card, read_tensors, write_tensors};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;
use std::path::Path;

/// The images and labels of a batch, checked.
#[derive(Debug, PartialEq)]
pub struct Inputs {
    /// `[N, C, H, W]`.
    pub shape: [usize; 4],
    /// The pixels, image by image.
    pub images: Vec<f32>,
    /// The true class of each image.
    pub labels: Vec<usize>,
}

/// Runs the command.
pub fn run(args: &AttackArgs, context: &mut CommandContext) -> Result<()> {
    let (Some(from), Some(to)) = (&args.inputs, &args.save) else {
        return Err(Error::usage("--inputs needs --save", "attack", "name both files"));
    };
    if to.extension().is_none_or(|extension| extension != "safetensors") {
        let what = format!("cannot tell how to save '{}'", to.display());
        return Err(Error::usage(what, "--save", "with --inputs, end the name in .safetensors"));
    }
    resolve::target(to, [from.as_path()], args.force)?;
    let name = resolve::model_name(args.model.as_deref(), &args.pick, &context.config);
    let chosen = context.device();
    let model = load(&name, &chosen.device)?;
    let plan = resolve::command(&args.method, &model.card.data, &model, context.config.seed)?;
    let surrogate = resolve::surrogate(args.surrogate.as_deref(), &model, &chosen)?;
    // Its numbers are held as they lie in the file, as images, as attacked ones, and twice when
    // saved.
    let bytes = read_bounded(from, "read the batch", memory::budget() / 5)?;
    let inputs = Inputs::parse(&bytes, from, &model.card)?;
    let sum = args.list.json.then(|| sha256(&bytes));
    drop(bytes);
    let batch = BatchTask {
        model,
        surrogate,
        images: inputs.images,
        shape: inputs.shape,
        labels: inputs.labels,
        plan,
        batch_size: args.batch_size as usize,
    };
    let bar = progress::bar(batch.labels.len() as u64, "images");
    let report = experiment::attack_batch(&batch, &mut progress::follow(&bar))?;
    bar.finish_and_clear();
    report.hints.iter().for_each(|hint| note(hint));
    save(&report, inputs.shape, to)?;
    let provenance = sum.map(|sha256| {
        let mut origin = Sources::default();
        origin.model(&batch.model);
        batch.surrogate.iter().for_each(|surrogate| origin.model(surrogate));
        origin.data(DataIdentity { id: "file".into(), sha256 });
        Provenance::new(origin, &chosen.info, batch.plan.seed)
    });
    print(&batch, &report, provenance.as_ref(), context)
}

impl Inputs {
    /// Reads the bytes of a safetensors file for the model of this card; `path` is named in errors.
    ///
    /// # Errors
    /// Failure, when it is not such a file, or its tensors `x` and `labels` are missing or do not
    /// fit.
    pub fn parse(bytes: &[u8], path: &Path, card: &Card) -> Result<Self> {
        let place = path.display().to_string();
        let tensors = read_tensors(bytes, &place)?;
        let find = |name: &str, kind: Dtype| {
            let found = tensors.iter().find(|(n, _)| n == name).map(|(_, view)| view);
            let remedy = "save x [N,C,H,W] as f32 in 0..1 and labels [N] as i64";
            match found {
                None => Err(Error::file(format!("tensor '{name}' is missing"), &place, remedy)),
                Some(view) if view.dtype() != kind => {
                    let what = format!("tensor '{name}' is {:?}, not {kind:?}", view.dtype());
                    Err(Error::file(what, &place, remedy))
                }
                Some(view) => Ok(view),
            }
        };
        let (x, labels) = (find("x", Dtype::F32)?, find("labels", Dtype::I64)?);
        let [c, h, w] = card.input.shape;
        let n = labels.shape().first().copied().unwrap_or(0);
        if n == 0 || labels.shape() != [n] || x.shape() != [n, c, h, w] {
            return Err(Error::file(
                format!("x has shape {:?} and labels {:?}", x.shape(), labels.shape()),
                &place,
                format!("'{}' needs x [N, {c}, {h}, {w}] and labels [N], N at least 1", card.name),
            ));
        }
        let images = words(x).map(f32::from_le_bytes).collect();
        let labels = words(labels)
            .map(|word| {
                let label = i64::from_le_bytes(word);
                usize::try_from(label).map_err(|_| {
                    let what = format!("label {label} is below 0");
                    Error::file(what, &place, "number the classes from 0")
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self { shape: [n, c, h, w], images, labels })
    }
}

/// The little-endian words of a tensor.
fn words<'a, const N: usize>(view: &TensorView<'a>) -> impl Iterator<Item = [u8; N]> + use<'a, N> {
    view.data().as_chunks::<N>().0.iter().copied()
}

fn save(report: &BatchReport, shape: [usize; 4], path: &Path) -> Result<()> {
    let bytes = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let n = shape[0];
    let flags = |values: &[bool]| values.iter().map(|v| u8::from(*v)).collect::<Vec<u8>>();
    let queries = report.queries.iter().flat_map(|q| (*q as i64).to_le_bytes()).collect();
    write_tensors(
        path,
        &[
            ("adv".into(), shape.to_vec(), bytes(&report.adversarial), Dtype::F32),
            ("success".into(), vec![n], flags(&report.success), Dtype::U8),
            ("reached".into(), vec![n], flags(&report.reached), Dtype::U8),
            ("distance".into(), vec![n], bytes(&report.distance), Dtype::F32),
            ("queries".into(), vec![n], queries, Dtype::I64),
            ("l2".into(), vec![n], bytes(&report.l2), Dtype::F32),
            ("linf".into(), vec![n], bytes(&report.linf), Dtype::F32),
        ],
    )
}

fn print(
    batch: &BatchTask,
    report: &BatchReport,
    provenance: Option<&Provenance>,
    context: &mut CommandContext,
) -> Result<()> {
    let plan = &batch.plan;
    let counts = |i: &usize| !report.left_out[*i];
    let n = (0..batch.labels.len()).filter(counts).count();
    let left = batch.labels.len() - n;
    let values = batch.shape[1..].iter().product();
    let count = |flags: &[bool]| (0..flags.len()).filter(|i| counts(i) && flags[*i]).count();
    let (correct, success, reached) =
        (count(&report.correct), count(&report.success), count(&report.reached));
    let attacked = || (0..batch.labels.len()).filter(|i| counts(i) && report.correct[*i]);
    // What was not reached is infinitely far.
    let far = |i: usize| if report.reached[i] { report.distance[i].into() } else { f64::INFINITY };
    let distance = median(attacked().map(far));
    let queries = median(attacked().map(|i| report.queries[i] as f64));
    if let Some(provenance) = provenance {
        let summary = json!({
            "version": VERSION,
            "model": batch.model.card.name,
            "surrogate": batch.surrogate.as_ref().map(|model| &model.card.name),
            "attack": plan.attack.id,
            "extent": plan.attack.bound,
            "norm": plan.norm,
            "parameters": plan.resolved(),
            "epsilon": plan.threshold(values),
            "target": plan.target,
            "seed": plan.seed,
            "device": provenance.device,
            "n": n,
            "left_out": left,
            "correct": correct,
            "success": success,
            "reached": reached,
            "median_distance": distance,
            "median_queries": queries,
            "notes": report.notes,
            "cost": report.cost,
        });
        return context.out.json(&provenance.beside(&summary));
    }
    let out = &mut context.out;
    if left > 0 {
        out.line(&format!("{left} images are of the target class already: left out"))?;
    }
    let head = format!(
        "of {n} images {correct} were classified correctly; the attack succeeded on {success} of them"
    );
    let beyond = match reached - success {
        0 => String::new(),
        more => format!(" ({more} more beyond ε)"),
    };
    out.line(&out.paint(Style::Strong, &format!("{head}{beyond}")))?;
    if let Some(distance) = distance.filter(|_| plan.attack.bound != Bound::Own) {
        let size = experiment::distance_text(plan.norm, distance);
        out.line(&format!("median {} distance {size}", plan.norm))?;
    }
    if let Some(queries) = queries {
        out.line(&format!("median queries {queries:.0}"))?;
    }
    for note in &report.notes {
        out.line(&format!("{}: {note}", plan.attack.id))?;
    }
    let on = batch.surrogate.as_ref().map(|model| format!(" (crafted on {})", model.card.name));
    out.line(&format!(
        "{}{}: {}  {:.1} s",
        batch.model.card.name,
        on.unwrap_or_default(),
        resolve::describe(plan, values),
        report.cost.seconds
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> Card {
        let text = "name='m'\nnum_classes=2\n[input]\nshape=[1,1,2]\n[[layers]]\nop='flatten'";
        Card::parse(text, Path::new("card.toml")).unwrap()
    }

    fn file(shape: &[usize], x: &[f32], labels: &[i64]) -> Vec<u8> {
        let x: Vec<u8> = x.iter().flat_map(|v| v.to_le_bytes()).collect();
        let l: Vec<u8> = labels.iter().flat_map(|v| v.to_le_bytes()).collect();
        let views = [
            ("x", TensorView::new(Dtype::F32, shape.to_vec(), &x).unwrap()),
            ("labels", TensorView::new(Dtype::I64, vec![labels.len()], &l).unwrap()),
        ];
        safetensors::serialize(views, None).unwrap()
    }

    #[test]
    fn a_batch_is_checked_before_it_is_attacked() {
        let parse = |bytes: &[u8]| Inputs::parse(bytes, Path::new("in.safetensors"), &card());
        let good = parse(&file(&[2, 1, 1, 2], &[0.0, 0.5, 1.0, 0.25], &[0, 1])).unwrap();
        assert_eq!((good.shape, good.labels.as_slice()), ([2, 1, 1, 2], &[0, 1][..]));
        for (bytes, word) in [
            (file(&[2, 1, 2, 1], &[0.0; 4], &[0, 1]), "shape"),
            (file(&[2, 1, 1, 2], &[0.0; 4], &[0]), "shape"),
            (file(&[1, 1, 1, 2], &[0.0, 1.0], &[-1]), "label -1"),
            (b"hello".to_vec(), "safetensors"),
        ] {
            let message = parse(&bytes).unwrap_err().to_string();
            assert!(message.contains(word) && message.contains("in.safetensors"), "{message}");
        }
    }
}
