//! The file that an evaluation is taken up from.

use super::{files::in_folder, told};
use burn_tensor::Device;
use epsiloscope::attack::{AttackConfig, Flow, find};
use epsiloscope::data::{Dataset, sha256};
use epsiloscope::experiment::{self, Evaluation, EvaluationReport, evaluate};
use epsiloscope::model::{Card, Model, Weights};
use serde_json::Value;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// A small evaluation: the state that it leaves, and what came of it.
struct World {
    model: Arc<Model>,
    dataset: Arc<Dataset>,
    state: Vec<u8>,
    truth: Value,
}

/// A state file: whatever is in it, an evaluation that goes on from it ends with what it would have
/// found anyway, or refuses the file. Bytes behind a zero are edits of the file that the evaluation
/// left, see [`edited`]; behind a one the checksum is made right again, and then the numbers may be
/// anything. Others are the file.
pub fn state(data: &[u8]) -> bool {
    let world = world();
    let file = match data.split_first() {
        Some((0, edits)) => edited(&world.state, edits),
        Some((1, edits)) => sealed(&edited(&world.state, edits)),
        _ => data.to_vec(),
    };
    let found = in_folder(|folder| {
        let path = folder.join("state.json");
        std::fs::write(&path, &file).expect("a file");
        run(&world.model, &world.dataset, &path)
    });
    let Some(report) = told(found) else { return false };
    if data.first() != Some(&1) {
        assert_eq!(essence(&report), world.truth, "{}", String::from_utf8_lossy(&file));
    }
    true
}

/// The file with the checksum that fits what follows it: what a forger would write.
fn sealed(file: &[u8]) -> Vec<u8> {
    const BEFORE: &[u8] = b"{\"sha256\":\"";
    const BEHIND: &[u8] = b"\",";
    match file.get(BEFORE.len() + 64 + BEHIND.len()..) {
        Some(rest) => [BEFORE, sha256(rest).as_bytes(), BEHIND, rest].concat(),
        None => file.to_vec(),
    }
}

/// Edits of four bytes each: what to do (change bits, remove, insert, cut), where (two bytes), and
/// with which byte.
fn edited(state: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut file = state.to_vec();
    for edit in edits.as_chunks::<4>().0 {
        let at = usize::from(u16::from_be_bytes([edit[1], edit[2]]));
        let Some(at) = at.checked_rem(file.len()) else { break };
        match edit[0] % 4 {
            0 => file[at] ^= edit[3],
            1 => drop(file.remove(at)),
            2 => file.insert(at, edit[3]),
            _ => file.truncate(at),
        }
    }
    file
}

fn run(
    model: &Arc<Model>,
    dataset: &Arc<Dataset>,
    path: &Path,
) -> epsiloscope::error::Result<EvaluationReport> {
    let plan = |id: &str| AttackConfig::new(find(id).expect("an attack"), 0.2);
    let device = experiment::DeviceInfo { kind: "cpu".into(), name: "test".into() };
    let task = Evaluation {
        plans: vec![plan("fgsm"), plan("bim")],
        every: true,
        state: Some(path.into()),
        ..Evaluation::new(model.clone(), dataset.clone(), 6, plan("fgsm"), device)
    };
    evaluate(&task, &mut |_| Flow::Continue)
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let card = "name = 'tiny'\nnum_classes = 2\n[input]\nshape = [1, 2, 2]\n\
                    [[layers]]\nop = 'linear'\nparam = 'fc'\nin = 4\nout = 2";
        let card = Card::parse(card, Path::new("card.toml")).expect("a good card");
        let values = [1.0, -1.0, 0.5, 0.0, -0.5, 1.0, 0.0, 0.5, 0.1, -0.1];
        let bytes: Vec<u8> = values.iter().flat_map(|v: &f32| v.to_le_bytes()).collect();
        let view = |shape, bytes| {
            safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, bytes)
        };
        let file = safetensors::serialize(
            [
                ("fc.weight", view(vec![2, 4], &bytes[..32]).expect("a tensor")),
                ("fc.bias", view(vec![2], &bytes[32..]).expect("a tensor")),
            ],
            None,
        );
        let weights = Weights::parse(&file.expect("a file"), "tiny").expect("weights");
        let model = Arc::new(Model::build(card, &weights, &Device::flex()).expect("a network"));
        let pixels: Vec<u8> = (0..24).map(|i| (i * 37 % 256) as u8).collect();
        let names = vec!["a".to_string(), "b".to_string()];
        let labels = vec![0, 1, 0, 1, 1, 0];
        let dataset = Arc::new(Dataset::from_bytes("made-up", [1, 2, 2], pixels, labels, names));
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state.json");
        let report = run(&model, &dataset, &path).expect("it can be evaluated");
        let state = std::fs::read(&path).expect("it leaves a state");
        World { model, dataset, state, truth: essence(&report) }
    })
}

/// What a report says, without what it took.
fn essence(report: &EvaluationReport) -> Value {
    let mut value = serde_json::to_value(report).expect("a report can be written");
    strip(&mut value);
    value
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| !["cost", "seconds", "date"].contains(&key.as_str()));
            map.values_mut().for_each(strip);
        }
        Value::Array(list) => list.iter_mut().for_each(strip),
        _ => {}
    }
}
