//! Files that others' tools save networks in: what they are, and the way from there to a card.

use crate::error::{Error, Result};
use std::path::Path;

/// The way that all of them take.
const WAY: &str = "save its state_dict by safetensors.torch.save_file, write a card.toml beside it, and \
name the folder (README: 'Bring a model')";

/// What a file is by its name's end, with the way from there.
const KINDS: &[(&[&str], &str, &str)] = &[
    (
        &["onnx"],
        "an ONNX file, which is not read here",
        "take the network from where it was trained: save its weights as safetensors and write a \
         card.toml (README: 'Bring a model')",
    ),
    (
        &["pt", "pth", "ckpt", "bin", "pkl", "pickle", "tar"],
        "a file of PyTorch's, which could run any code and is not read here",
        WAY,
    ),
    (
        &["keras", "h5", "hdf5", "tflite", "pb"],
        "a file of Keras or TensorFlow, which is not read here",
        "save its weights as safetensors, convolutions as [out, in, height, width] and dense layers \
         as [out, in], and write a card.toml (README: 'Bring a model')",
    ),
    (
        &["safetensors"],
        "weights without a card",
        "write a card.toml beside them that names the layers, and name the folder (README: 'Bring a \
         model')",
    ),
    (&["npz", "npy"], "arrays of numpy, which are no network", WAY),
    (
        &["zip", "gz", "tgz", "xz", "7z"],
        "an archive",
        "unpack it, and name the folder with the card",
    ),
    (&["png", "jpg", "jpeg"], "a picture", "name a model by --model, and the picture by --image"),
];

/// The kind of a file by its name's end.
fn by_name(path: &Path) -> Option<(&'static str, &'static str)> {
    let end = path.extension()?.to_str()?.to_ascii_lowercase();
    let kind = KINDS.iter().find(|(ends, ..)| ends.contains(&end.as_str()));
    kind.map(|(_, what, way)| (*what, *way))
}

/// The kind of a file by its first bytes.
fn by_content(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let end = match bytes {
        [b'P', b'K', 3, 4, ..] => {
            let zip = bytes.windows(8).take(512).any(|part| part == b"data.pkl");
            if zip { "pt" } else { "zip" }
        }
        [0x89, b'H', b'D', b'F', ..] => "h5",
        [0x80, 2..=5, ..] => "pt",
        [0x1f, 0x8b, ..] => "gz",
        [_, _, _, _, _, _, _, 0, b'{', ..] => "safetensors",
        _ => return None,
    };
    by_name(Path::new(&format!("x.{end}")))
}

/// Whether a name looks like a file of another tool's, so that it is not taken for a model's name.
pub(super) fn is_file_name(name: &str) -> bool {
    by_name(Path::new(name)).is_some()
}

/// Says what a file is that no card can be: before it is read, by its name.
///
/// # Errors
/// Failure, where it is such a file.
pub(super) fn refuse_by_name(path: &Path) -> Result<()> {
    match by_name(path) {
        Some((what, way)) => Err(refused(what, path, way)),
        None => Ok(()),
    }
}

/// The text of a card; what is none is named for what it is.
///
/// # Errors
/// Failure, for bytes that are no text.
pub(super) fn text(bytes: Vec<u8>, path: &Path) -> Result<String> {
    if let Some((what, way)) = by_content(&bytes) {
        return Err(refused(what, path, way));
    }
    String::from_utf8(bytes).map_err(|_| {
        Error::file("a card is text, and this is none", path.display(), "name a card.toml")
    })
}

fn refused(what: &str, path: &Path, way: &str) -> Error {
    Error::unsupported(format!("this is {what}"), path.display(), way)
}

/// A folder without a card: what lies in it instead.
pub(super) fn no_card(folder: &Path) -> Error {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(1000);
    let mut names: Vec<_> = entries.map(|entry| entry.path()).collect();
    names.sort();
    let card = names
        .iter()
        .find(|path| path.extension().is_some_and(|end| end == "json" || end == "toml"));
    let kind = names.iter().find_map(|path| Some((path.file_name()?, by_name(path)?)));
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match (card, kind) {
        (Some(card), _) => {
            let remedy = format!("if '{}' is its card, name that", name(card));
            Error::file("there is no card.toml in the folder", folder.display(), remedy)
        }
        (None, Some((file, (what, way)))) => {
            let file = file.to_string_lossy();
            let what = format!("there is no card.toml in the folder; '{file}' in it is {what}");
            Error::file(what, folder.display(), way)
        }
        (None, None) => Error::file(
            "there is no card.toml in the folder",
            folder.display(),
            "check the path, or write a card (README: 'Bring a model')",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_tools_are_known_by_name_and_by_content() {
        let told = |path: &str| refuse_by_name(Path::new(path)).unwrap_err().to_string();
        for (path, words) in [
            ("a/net.onnx", "ONNX"),
            ("net.PTH", "PyTorch"),
            ("net.keras", "Keras"),
            ("net.safetensors", "weights without a card"),
            ("net.zip", "archive"),
        ] {
            assert!(told(path).contains(words) && told(path).contains("card"), "{}", told(path));
        }
        assert_eq!(refuse_by_name(Path::new("card.toml")), Ok(()));
        let inside = |bytes: &[u8]| text(bytes.to_vec(), Path::new("x")).unwrap_err().to_string();
        assert!(inside(b"PK\x03\x04aaaaaanet/data.pkl\x80").contains("PyTorch"));
        assert!(inside(b"PK\x03\x04aaaaaaconfig.json").contains("archive"));
        assert!(inside(b"\x80\x02}q").contains("PyTorch"));
        assert!(inside(b"\x10\0\0\0\0\0\0\0{\"a\":1}").contains("weights without a card"));
        assert!(inside(b"\xff\xfe\0").contains("text"));
        assert_eq!(text(b"name = 1".to_vec(), Path::new("x")).unwrap(), "name = 1");
    }
}
