//! Stacks saved by name, in a file of their own: a line `name = "jpeg:75+pgd-at"` for each. The file
//! is written whole, which is why the user's own configuration is left alone.

use crate::data::{read_bounded, write_atomically};
use crate::defence::stack::DefenceStack;
use crate::error::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// No file has more bytes.
const LARGEST: u64 = 4 << 20;

/// No more hybrids are read: every one of them is a row to choose from.
const MOST: usize = 1000;

/// The stacks in a file; none where there is no file.
///
/// # Errors
/// Failure, where it cannot be read; usage, where a line is wrong.
pub fn read(path: &Path) -> Result<Vec<DefenceStack>> {
    if std::fs::metadata(path).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
        return Ok(Vec::new());
    }
    let text =
        String::from_utf8(read_bounded(path, "read the hybrids", LARGEST)?).map_err(|_| {
            Error::usage(
                "the hybrids are no text",
                path.display(),
                "remove the file, or write it again",
            )
        })?;
    let line = |at: usize| format!("{}:{}", path.display(), text[..at].matches('\n').count() + 1);
    let table = DeTable::parse(&text).map_err(|e| {
        let place = line(e.span().map_or(0, |span| span.start));
        Error::usage(e.message(), place, "write lines such as tough = \"jpeg:75+pgd-at\"")
    })?;
    few(table.get_ref().len(), &path.display().to_string())?;
    let mut stacks = Vec::new();
    for (name, value) in table.get_ref() {
        stacks.push(entry(name.get_ref(), value.get_ref(), &line(name.span().start))?);
    }
    Ok(stacks)
}

/// As [`read`] for who goes on without what cannot be read: a broken file is put aside under another
/// name, and one line tells it.
pub fn recover(path: &Path) -> (Vec<DefenceStack>, Option<String>) {
    match read(path) {
        Ok(stacks) => (stacks, None),
        Err(error) if error.kind == ErrorKind::Usage => {
            let aside = aside(path);
            let told = match std::fs::rename(path, &aside) {
                Ok(()) => format!("{error}; it is put aside as '{}'", aside.display()),
                Err(e) => format!("{error}; going on without it, it cannot be put aside: {e}"),
            };
            (Vec::new(), Some(told))
        }
        Err(error) => (Vec::new(), Some(format!("{error}; going on without the saved hybrids"))),
    }
}

/// A name beside `path` that is not in use.
fn aside(path: &Path) -> PathBuf {
    let with = |number: usize| {
        let mut name = path.as_os_str().to_owned();
        name.push(if number == 1 { ".broken".into() } else { format!(".broken.{number}") });
        PathBuf::from(name)
    };
    (1..1000).map(with).find(|path| !path.exists()).unwrap_or_else(|| with(1000))
}

/// Checks that there are not too many to choose from.
///
/// # Errors
/// Usage, naming `place`.
pub fn few(found: usize, place: &str) -> Result<()> {
    match found > MOST {
        true => {
            let what = format!("there are {found} hybrids, more than {MOST}");
            Err(Error::usage(what, place, "leave some out"))
        }
        false => Ok(()),
    }
}

/// One stack from its name and its text.
///
/// # Errors
/// Usage, naming `place`.
pub fn entry(name: &str, value: &DeValue<'_>, place: &str) -> Result<DefenceStack> {
    let DeValue::String(text) = value else {
        let what = format!("'{name}' is a {}, not a text", value.type_str());
        return Err(Error::usage(what, place, "write lines such as tough = \"jpeg:75+pgd-at\""));
    };
    let stack = DefenceStack::parse(text).and_then(|stack| stack.named(name));
    stack.map_err(|e| Error { place: place.to_string(), ..e })
}

/// Saves a stack under its name, in place of what had the name before.
///
/// # Errors
/// As [`read`]; usage, where it would be one too many to be read again; failure, where the file cannot
/// be written.
pub fn save(path: &Path, stack: &DefenceStack) -> Result<()> {
    let mut all = read(path)?;
    all.retain(|other| other.name() != stack.name());
    all.push(stack.clone());
    few(all.len(), &path.display().to_string())?;
    let line = |stack: &DefenceStack| {
        let name = toml::Value::String(stack.name().unwrap_or_default().to_string());
        format!("{name} = {}\n", toml::Value::String(stack.text()))
    };
    let text: String = all.iter().map(line).collect();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| Error::io("make the folder", folder, &e))?;
    }
    write_atomically(path, |file| file.write_all(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_read_again_and_replaced_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/hybrids.toml");
        assert_eq!(read(&path), Ok(Vec::new()));
        let stack =
            |text: &str, name: &str| DefenceStack::parse(text).unwrap().named(name).unwrap();
        for (text, name) in [("jpeg:50", "a.b"), ("median", "c"), ("jpeg:60+median", "a.b")] {
            save(&path, &stack(text, name)).unwrap();
        }
        assert_eq!(read(&path), Ok(vec![stack("jpeg:60+median", "a.b"), stack("median", "c")]));
    }

    #[test]
    fn a_hundred_thousand_hybrids_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hybrids.toml");
        let text: String = (0..100_000).map(|i| format!("h{i} = 'median'\n")).collect();
        std::fs::write(&path, text).unwrap();
        let told = read(&path).unwrap_err().to_string();
        assert!(told.contains("100000 hybrids") && told.contains("1000"), "{told}");
    }

    #[test]
    fn one_too_many_is_refused_and_costs_none_of_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hybrids.toml");
        let text: String = (1..MOST).map(|i| format!("h{i} = 'median'\n")).collect();
        std::fs::write(&path, text).unwrap();
        let stack = |name: &str| DefenceStack::parse("jpeg:50").unwrap().named(name).unwrap();
        save(&path, &stack("last")).unwrap();
        let told = save(&path, &stack("more")).unwrap_err().to_string();
        assert!(told.contains("1001 hybrids") && told.contains("hybrids.toml"), "{told}");
        // One that takes another's place is none too many.
        save(&path, &stack("h1")).unwrap();
        let (all, told) = recover(&path);
        assert_eq!((all.len(), told), (MOST, None));
        assert!(all.contains(&stack("h1")) && !all.contains(&stack("more")));
    }

    #[test]
    fn a_broken_file_is_put_aside_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hybrids.toml");
        assert_eq!(recover(&path), (Vec::new(), None));
        for (text, name) in [("a = 1", "hybrids.toml.broken"), ("a = ", "hybrids.toml.broken.2")] {
            std::fs::write(&path, text).unwrap();
            let (stacks, told) = recover(&path);
            assert!(stacks.is_empty() && told.clone().unwrap().contains(name), "{told:?}");
            assert_eq!(std::fs::read_to_string(folder.path().join(name)).unwrap(), text);
            assert!(!path.exists());
        }
        let good = DefenceStack::parse("median").unwrap().named("good").unwrap();
        save(&path, &good).unwrap();
        assert_eq!(recover(&path), (vec![good], None));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(recover(&path).1.unwrap().contains("going on"));
    }

    #[test]
    fn a_bad_line_is_told_with_its_place_and_nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hybrids.toml");
        for (text, words) in [
            ("a = 1", ["a", "integer"]),
            ("\na = 'jepg'", [":2", "'jpeg'"]),
            ("jpeg = 'median'", ["'jpeg'", "already"]),
            ("a = ", [":1", "tough"]),
        ] {
            std::fs::write(&path, text).unwrap();
            let told = read(&path).unwrap_err().to_string();
            assert!(words.iter().all(|word| told.contains(word)), "{told}");
            let good = DefenceStack::parse("median").unwrap().named("good").unwrap();
            assert!(save(&path, &good).is_err());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
}
