//! One error type for the whole program: [`Error`], with an [`ErrorKind`] to match on.
//!
//! Wording rules: a message is **one line** that says *what* went wrong, *where* (file, flag,
//! tensor, device) and *what to do*. Bad values stand in single quotes. No capital first letter, no
//! full stop. Whatever text comes into a message, no character of it works on the terminal.

use crate::printable::printable;
use std::fmt;
use std::path::Path;

/// The kinds of failure, to match on. The exit status follows from the kind.
///
/// ```
/// use epsiloscope::data::Dataset;
/// use epsiloscope::error::ErrorKind;
///
/// match Dataset::load("mnits") {
///     Err(error) if error.kind == ErrorKind::Usage => println!("{error}"), // did you mean 'mnist'?
///     _ => unreachable!(),
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The command line or the request was wrong (exit status 2).
    Usage,
    /// A file cannot be read or written, or does not hold what it should (exit status 1).
    File,
    /// The file or the request is well formed, but asks for what is not implemented here (exit
    /// status 1).
    Unsupported,
    /// The compute device is missing, lost or out of memory (exit status 1; the dashboard goes on
    /// with the CPU).
    Device,
    /// Anything else that went wrong (exit status 1).
    Failure,
    /// The work was cancelled on request; no message is printed (exit status 130).
    Cancelled,
    /// A signal of this number asked the program to end; no message is printed (exit status 128 and
    /// the number).
    Signal(u8),
}

impl ErrorKind {
    /// The process exit status that belongs to this kind.
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::File | Self::Unsupported | Self::Device | Self::Failure => 1,
            Self::Cancelled => 130,
            Self::Signal(number) => 128_u8.saturating_add(number),
        }
    }
}

/// A failure, told in one line: what, where, what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// What went wrong.
    pub what: String,
    /// Where: a file, a flag, a tensor, a device. May be empty.
    pub place: String,
    /// What to do about it. May be empty.
    pub remedy: String,
}

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    fn new(
        kind: ErrorKind,
        what: impl fmt::Display,
        place: impl fmt::Display,
        remedy: impl fmt::Display,
    ) -> Self {
        let line = |text: String| printable(&text.split_whitespace().collect::<Vec<_>>().join(" "));
        Self {
            kind,
            what: line(what.to_string()),
            place: line(place.to_string()),
            remedy: line(remedy.to_string()),
        }
    }

    /// A wrong request: exit status 2.
    pub fn usage(
        what: impl fmt::Display,
        place: impl fmt::Display,
        remedy: impl fmt::Display,
    ) -> Self {
        Self::new(ErrorKind::Usage, what, place, remedy)
    }

    /// A failure outside the program's control: exit status 1.
    pub fn failure(
        what: impl fmt::Display,
        place: impl fmt::Display,
        remedy: impl fmt::Display,
    ) -> Self {
        Self::new(ErrorKind::Failure, what, place, remedy)
    }

    /// A file that cannot be used: it is damaged, of another format, or says what cannot be.
    pub fn file(
        what: impl fmt::Display,
        place: impl fmt::Display,
        remedy: impl fmt::Display,
    ) -> Self {
        Self::new(ErrorKind::File, what, place, remedy)
    }

    /// What is well formed, but not implemented here.
    pub fn unsupported(
        what: impl fmt::Display,
        place: impl fmt::Display,
        remedy: impl fmt::Display,
    ) -> Self {
        Self::new(ErrorKind::Unsupported, what, place, remedy)
    }

    /// A compute device that is missing, lost or out of memory.
    pub fn device(
        what: impl fmt::Display,
        place: impl fmt::Display,
        remedy: impl fmt::Display,
    ) -> Self {
        Self::new(ErrorKind::Device, what, place, remedy)
    }

    /// The device does not answer (it is lost, or out of memory): burn's and wgpu's report of many
    /// lines, brought down to its root cause.
    pub fn lost(report: &dyn fmt::Display) -> Self {
        let text = report.to_string();
        let tells = |line: &&str| {
            !line.is_empty()
                && !["Caused by:", "Asked at:", "No backtrace available"].contains(line)
        };
        let cause = text.lines().map(str::trim).rfind(tells).unwrap_or("no reason given");
        Self::device(format!("the device failed: {cause}"), "compute", "use --device cpu")
    }

    /// The work was stopped on request.
    pub fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "cancelled", "", "")
    }

    /// A signal of this number asked to end.
    pub fn signal(number: u8) -> Self {
        Self::new(ErrorKind::Signal(number), format!("ended by signal {number}"), "", "")
    }

    /// An I/O failure at `path`, with the remedy that fits its cause.
    pub fn io(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind as K;
        let remedy = match error.kind() {
            K::NotFound => "check the path",
            K::PermissionDenied => "check the permissions, or choose another place",
            K::ReadOnlyFilesystem => "choose a place that can be written to",
            K::FileTooLarge => "raise the limit on the size of files (`ulimit -f`)",
            K::StorageFull | K::QuotaExceeded => "free some space, or choose another place",
            K::IsADirectory => "name a file, not a folder",
            _ => "check the file and try again",
        };
        Self::file(format!("cannot {doing}: {}", cause(error)), path.display(), remedy)
    }

    /// An unknown name: suggests the nearest of `known`, and the command that lists them.
    pub fn unknown<'a>(
        thing: &str,
        given: &str,
        place: &str,
        known: impl IntoIterator<Item = &'a str>,
        listing: &str,
    ) -> Self {
        let near = known
            .into_iter()
            .map(|name| (strsim::damerau_levenshtein(given, name), name))
            .filter(|(distance, name)| *distance <= 1 + name.len() / 3)
            .min();
        let remedy = match near {
            Some((_, name)) => format!("did you mean '{name}'? {listing} lists them all"),
            None => format!("{listing} lists them all"),
        };
        Self::usage(format!("unknown {thing} '{given}'"), place, remedy)
    }

    /// True when the work was only stopped, which is not worth a message.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.kind, ErrorKind::Cancelled | ErrorKind::Signal(_))
    }

    /// The process exit status that belongs to this failure.
    pub fn exit_status(&self) -> u8 {
        self.kind.exit_status()
    }
}

/// An I/O error without the operating system's number behind it.
fn cause(error: &std::io::Error) -> String {
    let text = error.to_string().to_lowercase();
    match text.split_once(" (os error") {
        Some((head, _)) => head.to_string(),
        None => text,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if !self.place.is_empty() {
            write!(f, " ({})", printable(&self.place))?;
        }
        if !self.remedy.is_empty() {
            write!(f, ": {}", self.remedy)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_can_be_matched_on_and_gives_the_exit_status() {
        let missing = Error::io("read", "a.png".as_ref(), &std::io::ErrorKind::NotFound.into());
        let statuses = [
            (Error::usage("", "", ""), ErrorKind::Usage, 2),
            (missing, ErrorKind::File, 1),
            (Error::unsupported("", "", ""), ErrorKind::Unsupported, 1),
            (Error::device("", "", ""), ErrorKind::Device, 1),
            (Error::failure("", "", ""), ErrorKind::Failure, 1),
            (Error::cancelled(), ErrorKind::Cancelled, 130),
            (Error::signal(15), ErrorKind::Signal(15), 143),
        ];
        for (error, kind, status) in statuses {
            assert_eq!((error.kind, error.exit_status()), (kind, status), "{error:?}");
        }
    }

    #[test]
    fn a_message_is_one_line_with_what_where_and_what_to_do() {
        let error = Error::failure("bad\n  thing", "a.png", "give\nanother");
        assert_eq!(error.to_string(), "bad thing (a.png): give another");
    }

    #[test]
    fn nothing_in_a_message_works_on_the_terminal() {
        let error = Error::failure("label '\u{1b}[31mred'", "\u{1b}]0;a\u{7}.png", "\u{202e}x");
        let moved = Error { place: "b\u{9b}.png".into(), ..error.clone() };
        assert_eq!(error.to_string(), "label '\\u{1b}[31mred' (\\u{1b}]0;a\\u{7}.png): \\u{202e}x");
        assert!(moved.to_string().contains("(b\\u{9b}.png)"), "{moved}");
    }

    #[test]
    fn a_report_of_many_lines_comes_down_to_its_root() {
        let report =
            "An error\n\nCaused by:\n  cannot allocate\nNo backtrace available\nAsked at:\n";
        let told = Error::lost(&report).to_string();
        assert_eq!(told, "the device failed: cannot allocate (compute): use --device cpu");
    }

    #[test]
    fn an_unknown_name_gets_the_nearest_known_one() {
        let error = Error::unknown("attack", "pdg", "--attack", ["fgsm", "pgd"], "`x attacks`");
        assert_eq!(error.exit_status(), 2);
        assert!(error.to_string().contains("did you mean 'pgd'?"), "{error}");
        let far = Error::unknown("attack", "zzzzzz", "--attack", ["pgd"], "`x attacks`");
        assert!(!far.to_string().contains("did you mean"), "{far}");
    }
}
