//! The threads that compute.

use crate::data::memory;
use crate::error::{Error, Result};

/// What tells how many threads there are to be.
const VARIABLE: &str = "RAYON_NUM_THREADS";

/// So many addresses a thread takes: its stack, and the room of its own that glibc allocates from.
const THREAD_ADDRESSES: u64 = 80 << 20;

/// So many addresses the program takes beside the threads, with one of the small networks.
const PROGRAM_ADDRESSES: u64 = 128 << 20;

/// Starts the threads: `wanted`, or as many as the environment variable of rayon says, or as many as
/// there are cores; but no more than this machine and the process's address limit have room for.
/// Says so where there are fewer than were asked for. To be called once, before anything computes.
///
/// # Errors
/// Failure, where the address limit leaves no room to compute at all, or a thread cannot be started.
pub fn start_threads(wanted: Option<usize>) -> Result<Option<String>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let said = || std::env::var(VARIABLE).ok()?.parse().ok();
    let asked = wanted.or_else(said).filter(|n| *n > 0);
    let left = memory::addresses();
    if let Some(left) = left.filter(|left| *left < PROGRAM_ADDRESSES) {
        let [left, least] = [left, PROGRAM_ADDRESSES].map(memory::size_text);
        let what = format!("the address limit leaves {left}, and at least {least} are needed");
        return Err(Error::failure(what, "ulimit -v", "allow more"));
    }
    let room = left
        .map_or(usize::MAX, |left| ((left - PROGRAM_ADDRESSES) / THREAD_ADDRESSES).max(1) as usize);
    let threads = asked.unwrap_or(cores).min(most(cores)).min(room);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build_global().map_err(|e| {
        let what = format!("cannot start {threads} threads: {e}");
        Error::failure(what, VARIABLE, "ask for fewer")
    })?;
    let fewer = asked.filter(|asked| *asked > threads);
    Ok(fewer.map(|asked| format!("{threads} threads instead of the {asked} that were asked for")))
}

/// More threads than this only get in each other's way.
fn most(cores: usize) -> usize {
    (4 * cores).max(64)
}
