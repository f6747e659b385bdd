//! How much memory there is to work with. Whatever a file may ask for (a card, a tensor, an image, an
//! archive) is held against it before it is allocated.

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the user allows, in bytes; 0: what the machine has.
static ALLOWED: AtomicU64 = AtomicU64::new(0);

/// Where the machine does not say what it has, in bytes.
const UNKNOWN: u64 = 4 << 30;

/// Allows this many bytes instead of what the machine has.
pub fn set_budget(bytes: u64) {
    ALLOWED.store(bytes, Ordering::Relaxed);
}

/// How many bytes may be taken: what the user allows, else what was free when it was first asked for.
/// Never more than what the process's address limit leaves.
pub fn budget() -> u64 {
    static MACHINE: OnceLock<u64> = OnceLock::new();
    let machine = || *MACHINE.get_or_init(available);
    match ALLOWED.load(Ordering::Relaxed) {
        0 => machine(),
        allowed => room().map_or(allowed, |left| allowed.min(left)),
    }
}

/// Holds what is needed against [`budget`]; `bytes` is none where the number itself is too large.
///
/// # Errors
/// Failure, with `what` needs so much and where; `remedy` says what to change.
pub fn check_budget(bytes: Option<u64>, what: &str, place: &str, remedy: &str) -> Result<()> {
    let budget = budget();
    match bytes {
        Some(bytes) if bytes <= budget => Ok(()),
        _ => {
            let needs = bytes.map_or("more memory than can be counted".into(), |bytes| {
                format!("about {} of memory", size_text(bytes))
            });
            let what = format!("{what} needs {needs}, and there are {}", size_text(budget));
            let more = match room().is_some_and(|room| room <= budget) {
                true => "raise the address limit (`ulimit -v`)",
                false => "allow more by --memory",
            };
            Err(Error::failure(what, place, format!("{remedy}, or {more}")))
        }
    }
}

/// A number of bytes in few digits: "3.2 GB".
pub fn size_text(bytes: u64) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB"];
    let power = (0..units.len() - 1).find(|p| bytes < 1000_u64.pow(*p as u32 + 1));
    let power = power.unwrap_or(units.len() - 1);
    let value = bytes as f64 / 1000_f64.powi(power as i32);
    match power {
        0 => format!("{bytes} {}", units[0]),
        _ if value < 10.0 => format!("{value:.1} {}", units[power]),
        _ => format!("{value:.0} {}", units[power]),
    }
}

/// A size as people write it: `2G`, `500M`, `1.5 GB`, or bytes. K, M, G and T are powers of 1024.
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.strip_suffix("ib").or(text.strip_suffix('b')).unwrap_or(&text);
    let units = [('k', 10), ('m', 20), ('g', 30), ('t', 40)];
    let found = units.iter().find_map(|(unit, shift)| Some((text.strip_suffix(*unit)?, *shift)));
    let (number, shift) = found.unwrap_or((text, 0));
    let value = number.trim().parse::<f64>().ok()? * f64::from(shift).exp2();
    (value.is_finite() && value >= 1.0).then_some(value as u64)
}

/// What is free on this machine for this process.
fn available() -> u64 {
    let free = [room(), machine(), group()].into_iter().flatten().min();
    free.unwrap_or(UNKNOWN)
}

/// What may be taken of the addresses that are left: an allocation that fails ends the process, so
/// some are kept back for everything else.
fn room() -> Option<u64> {
    addresses().map(|left| left / 4 * 3)
}

/// What the process's address limit (`ulimit -v`) leaves; none without one.
pub fn addresses() -> Option<u64> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::As).current?;
    let used = line("/proc/self/status", "VmSize:").unwrap_or(0);
    Some(limit.saturating_sub(used))
}

/// What the machine has free.
fn machine() -> Option<u64> {
    line("/proc/meminfo", "MemAvailable:")
}

/// What the process's control group leaves, and those above it; none without a limit.
fn group() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let number = |path: PathBuf| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let left = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (kind, own) = (parts.next()?, parts.next()?.trim_start_matches('/'));
        let (root, limit, used) = match kind {
            "" => ("/sys/fs/cgroup", "memory.max", "memory.current"),
            _ if kind.split(',').any(|kind| kind == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes")
            }
            _ => return None,
        };
        let folder = PathBuf::from(root).join(own);
        let above = folder.ancestors().take_while(|folder| folder.starts_with(root));
        let each = above.filter_map(|folder| {
            // What files leave in memory is counted as used, and is given up where it is wanted.
            let used = number(folder.join(used))?.saturating_sub(cache(folder));
            Some(number(folder.join(limit))?.saturating_sub(used))
        });
        each.min()
    };
    text.lines().filter_map(left).min()
}

/// The bytes that a control group holds of files.
fn cache(folder: &Path) -> u64 {
    let text = std::fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    cached(&text)
}

/// The same by the text of its statistics.
fn cached(text: &str) -> u64 {
    let value = |key: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        lines.find_map(|(own, value)| (own == key).then(|| value.trim().parse::<u64>().ok())?)
    };
    // The older kind also tells of the groups below.
    let of = |key: &str| value(&format!("total_{key}")).or_else(|| value(key)).unwrap_or(0);
    of("inactive_file").saturating_add(of("active_file"))
}

/// The bytes on the line of `path` that begins with `key`, which is in kB there.
fn line(path: &str, key: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let found = text.lines().find_map(|line| line.strip_prefix(key))?;
    found.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_files_leave_in_memory_is_told_apart() {
        assert_eq!(cached("anon 7\ninactive_file 30\nactive_file 12\nfile 99\n"), 42);
        let older = "inactive_file 1\nactive_file 2\ntotal_inactive_file 30\ntotal_active_file 12";
        assert_eq!(cached(older), 42);
        assert_eq!(cached("nothing"), 0);
    }

    #[test]
    fn sizes_are_read_and_written_as_people_do() {
        for (text, bytes) in [
            ("2G", Some(2 << 30)),
            ("500M", Some(500 << 20)),
            ("1.5 GiB", Some(3 << 29)),
            ("64kb", Some(64 << 10)),
            ("123", Some(123)),
            ("0", None),
            ("-1G", None),
            ("nan", None),
            ("infG", None),
            ("much", None),
        ] {
            assert_eq!(parse_size(text), bytes, "{text}");
        }
        assert_eq!(size_text(512), "512 bytes");
        assert_eq!(size_text(3_210_000_000), "3.2 GB");
        assert_eq!(size_text(64 << 20), "67 MB");
        assert_eq!(size_text(u64::MAX), "18446744 TB");
    }

    #[test]
    fn what_needs_more_than_there_is_gets_one_line() {
        assert!(budget() > 1 << 20, "{}", budget());
        assert_eq!(check_budget(Some(1000), "it", "here", "make it smaller"), Ok(()));
        for bytes in [Some(u64::MAX), None] {
            let told = check_budget(bytes, "layer 2", "card 'x'", "make it smaller").unwrap_err();
            let told = told.to_string();
            assert!(told.contains("layer 2 needs") && told.contains("--memory"), "{told}");
        }
    }
}
