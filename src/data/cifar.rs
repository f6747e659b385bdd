//! The files of CIFAR-10 as its authors give them out: the binary version (records of a label and
//! 3072 bytes) and the Python version (pickles of a dictionary with `data` and `labels`).

use crate::data::{Dataset, read_bounded};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// Names of the classes.
pub const CIFAR10: &[&str] =
    &["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// `[C, H, W]`.
pub const SHAPE: [usize; 3] = [3, 32, 32];

/// Bytes of an image.
const SIZE: usize = 3072;

/// No batch has more bytes: the authors' have 31 MB.
const LARGEST: u64 = 256 << 20;

/// Bytes `[N, 3, 32, 32]`, and N labels.
pub type Records = (Vec<u8>, Vec<u8>);

/// The data set of these records.
pub fn dataset(id: &str, (pixels, labels): Records) -> Dataset {
    let names = CIFAR10.iter().map(std::string::ToString::to_string).collect();
    Dataset::from_bytes(id, SHAPE, pixels, labels, names)
}

/// The five training batches, and the test batch if it is there.
///
/// # Errors
/// Failure, naming the file that is missing or damaged.
pub fn read(folder: &Path) -> Result<(Records, Option<Records>)> {
    let (folder, binary) = find(folder)?;
    let file = |name: &str| folder.join(if binary { format!("{name}.bin") } else { name.into() });
    let mut all = (Vec::new(), Vec::new());
    for number in 1..=5 {
        let (mut pixels, mut labels) = batch(&file(&format!("data_batch_{number}")), binary)?;
        all.0.append(&mut pixels);
        all.1.append(&mut labels);
    }
    let test = file("test_batch");
    let test = test.exists().then(|| batch(&test, binary)).transpose()?;
    Ok((all, test))
}

/// The folder that holds the batches, and whether they are of the binary version.
fn find(folder: &Path) -> Result<(PathBuf, bool)> {
    for (below, name, binary) in [
        ("", "data_batch_1.bin", true),
        ("", "data_batch_1", false),
        ("cifar-10-batches-bin", "data_batch_1.bin", true),
        ("cifar-10-batches-py", "data_batch_1", false),
    ] {
        let place = folder.join(below);
        if place.join(name).is_file() {
            return Ok((place, binary));
        }
    }
    Err(Error::file(
        "no data_batch_1.bin or data_batch_1",
        folder.display(),
        "point --data at a folder with CIFAR-10's binary or Python version (README: 'Training data')",
    ))
}

fn damaged(what: impl std::fmt::Display, place: &Path) -> Error {
    let what = format!("not a batch of CIFAR-10: {what}");
    Error::file(what, place.display(), "fetch the data set again")
}

fn batch(path: &Path, binary: bool) -> Result<Records> {
    let bytes = read_bounded(path, "read the data set", LARGEST)?;
    let found = if binary { records(&bytes) } else { pickled(&bytes) };
    let (pixels, labels) = found.map_err(|what| damaged(what, path))?;
    if labels.is_empty() || labels.len() * SIZE != pixels.len() {
        let what = format!("{} labels for {} bytes of pixels", labels.len(), pixels.len());
        return Err(damaged(what, path));
    }
    match labels.iter().find(|l| usize::from(**l) >= CIFAR10.len()) {
        Some(bad) => Err(damaged(format!("label {bad} is out of range"), path)),
        None => Ok((pixels, labels)),
    }
}

fn records(bytes: &[u8]) -> Result<Records, String> {
    if !bytes.len().is_multiple_of(SIZE + 1) {
        return Err(format!("{} bytes are no whole records of {}", bytes.len(), SIZE + 1));
    }
    Ok(split(bytes))
}

/// The pixels and the labels of binary records; what is no whole record is left out.
pub fn split(bytes: &[u8]) -> Records {
    let records = bytes.chunks_exact(SIZE + 1);
    let labels = records.clone().map(|r| r[0]).collect();
    (records.flat_map(|r| &r[1..]).copied().collect(), labels)
}

/// Images and labels of a pickle. It is read as a row of tokens and never executed: of all its
/// instructions only strings and small numbers matter here.
fn pickled(bytes: &[u8]) -> Result<Records, String> {
    let mut reader = Pickle { bytes, at: 0 };
    let (mut pixels, mut labels) = (None, None);
    let (mut key, mut transposed) = (Vec::new(), false);
    while let Some(token) = reader.next()? {
        match token {
            Token::Text(text) if key == b"data" && text.len() >= SIZE => {
                if transposed {
                    return Err("its pixels are in Fortran's order".into());
                }
                pixels = Some(text.to_vec());
                key.clear();
            }
            Token::Text(text) if [&b"data"[..], b"labels"].contains(&text) => key = text.to_vec(),
            Token::Number(n) if key == b"labels" => labels.get_or_insert_with(Vec::new).push(n),
            // A list comes in several parts; only the next text ends it.
            Token::Text(_) if key == b"labels" => key.clear(),
            Token::Truth(truth) => transposed = truth,
            _ => {}
        }
    }
    let labels = labels.ok_or("it has no 'labels'")?;
    let pixels = pixels.ok_or("it has no 'data'")?;
    let small = |n: &i64| u8::try_from(*n).map_err(|_| format!("label {n} is out of range"));
    Ok((pixels, labels.iter().map(small).collect::<Result<_, _>>()?))
}

struct Pickle<'a> {
    bytes: &'a [u8],
    at: usize,
}

enum Token<'a> {
    Text(&'a [u8]),
    Number(i64),
    Truth(bool),
    Other,
}

impl<'a> Pickle<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(n).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or("it ends too early")?;
        let found = &self.bytes[self.at..end];
        self.at = end;
        Ok(found)
    }

    /// A number of `n` bytes, the lowest first.
    fn word(&mut self, n: usize) -> Result<usize, String> {
        Ok(self.take(n)?.iter().rev().fold(0, |sum, b| sum << 8 | usize::from(*b)))
    }

    fn text(&mut self, width: usize) -> Result<Token<'a>, String> {
        let length = self.word(width)?;
        Ok(Token::Text(self.take(length)?))
    }

    fn skip(&mut self, n: usize) -> Result<Token<'a>, String> {
        self.take(n)?;
        Ok(Token::Other)
    }

    fn line(&mut self) -> Result<(), String> {
        while self.take(1)? != b"\n" {}
        Ok(())
    }

    /// The next token; none behind the last.
    fn next(&mut self) -> Result<Option<Token<'a>>, String> {
        let code = self.take(1)?[0];
        Ok(Some(match code {
            b'.' => return Ok(None),
            b'U' | b'C' | 0x8c => self.text(1)?,
            b'T' | b'B' | b'X' => self.text(4)?,
            0x8d | 0x8e => self.text(8)?,
            b'K' => Token::Number(self.word(1)? as i64),
            b'M' => Token::Number(self.word(2)? as i64),
            b'J' => Token::Number(i64::from(self.word(4)? as u32 as i32)),
            0x88 | 0x89 => Token::Truth(code == 0x88),
            // PROTO, BINPUT, BINGET; LONG_BINPUT, LONG_BINGET; FRAME.
            0x80 | b'q' | b'h' => self.skip(1)?,
            b'r' | b'j' => self.skip(4)?,
            0x95 => self.skip(8)?,
            b'c' => {
                self.line()?;
                self.line()?;
                Token::Other
            }
            // Marks, empty containers, tuples, calls: nothing follows them.
            b'(' | b'}' | b']' | b')' | b't' | b'R' | b'b' | b'N' | b'a' | b'e' | b's' | b'u'
            | 0x81 | 0x85 | 0x86 | 0x87 | 0x93 | 0x94 => Token::Other,
            other => return Err(format!("instruction {other:#04x} is not known here")),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two images as Python 2 pickles them.
    fn pickle() -> Vec<u8> {
        let mut out = b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x05hello".to_vec();
        out.extend(
            b"U\x06labelsq\x04]q\x05(K\x06e(K\x09eU\x04dataq\x06cnumpy\n_reconstruct\nR(K\x01\x89T",
        );
        out.extend((2 * SIZE as u32).to_le_bytes());
        out.extend((0..2 * SIZE).map(|i| (i % 251) as u8));
        out.extend(b"tbU\x09filenames]q\x08(U\x05a.pngeu.");
        out
    }

    fn binary() -> Vec<u8> {
        let pixels: Vec<u8> = (0..2 * SIZE).map(|i| (i % 251) as u8).collect();
        [&[6], &pixels[..SIZE], &[9], &pixels[SIZE..]].concat()
    }

    #[test]
    fn both_versions_hold_the_same() {
        let (pixels, labels) = pickled(&pickle()).unwrap();
        assert_eq!((labels.as_slice(), pixels.len()), (&[6, 9][..], 2 * SIZE));
        assert_eq!(pixels[300], 49);
        assert_eq!(records(&binary()).unwrap(), (pixels, labels));
    }

    #[test]
    fn folders_are_found_and_damaged_files_refused() {
        let folder = tempfile::tempdir().unwrap();
        let told = |folder: &Path| read(folder).unwrap_err().to_string();
        assert!(told(folder.path()).contains("no data_batch_1.bin"));
        for (below, suffix, good) in [
            ("cifar-10-batches-py", "", pickle()),
            ("cifar-10-batches-bin", ".bin", binary()),
            ("", "", pickle()),
            ("", ".bin", binary()),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let place = folder.path().join(below);
            std::fs::create_dir_all(&place).unwrap();
            let put = |name: &str, bytes: &[u8]| {
                std::fs::write(place.join(format!("{name}{suffix}")), bytes).unwrap();
            };
            put("data_batch_1", &good);
            assert!(told(folder.path()).contains("data_batch_2"));
            (2..=5).for_each(|n| put(&format!("data_batch_{n}"), &good));
            let ((pixels, labels), test) = read(folder.path()).unwrap();
            assert_eq!((pixels.len(), labels.len(), test), (10 * SIZE, 10, None));
            put("test_batch", &good);
            assert_eq!(read(folder.path()).unwrap().1.unwrap().1, [6, 9]);
            let mut wrong = good.clone();
            let at = good.iter().position(|b| *b == 9).unwrap();
            wrong[if suffix.is_empty() { at } else { SIZE + 1 }] = 10;
            for bad in [&good[..good.len() - 40], b"", b"rubbish", &wrong] {
                put("data_batch_3", bad);
                let text = told(folder.path());
                assert!(text.contains("data_batch_3") && text.contains("CIFAR-10"), "{text}");
            }
        }
    }
}
