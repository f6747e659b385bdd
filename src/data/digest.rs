//! What tells some bytes from all others: their SHA-256.

use sha2::{Digest as _, Sha256};

/// SHA-256 as lower-case hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    let mut digest = Digest::default();
    digest.add(bytes);
    digest.finish()
}

/// SHA-256 of what comes in pieces.
#[derive(Clone, Default)]
pub struct Digest(Sha256);

impl Digest {
    /// Takes in bytes as they stand.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Takes in a piece with its length before it, so that no two lists of pieces are the same bytes.
    pub fn piece(&mut self, bytes: &[u8]) {
        self.add(&(bytes.len() as u64).to_le_bytes());
        self.add(bytes);
    }

    /// Takes in numbers by their bits, with their count before them.
    pub fn floats(&mut self, values: &[f32]) {
        const AT_ONCE: usize = 4096;
        self.add(&(values.len() as u64).to_le_bytes());
        for part in values.chunks(AT_ONCE) {
            let bytes: Vec<u8> = part.iter().flat_map(|value| value.to_le_bytes()).collect();
            self.add(&bytes);
        }
    }

    /// Lower-case hexadecimal digits.
    pub fn finish(self) -> String {
        self.0.finalize().iter().map(|b| format!("{b:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_standards() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), abc);
        let of = |pieces: &[&[u8]]| {
            let mut digest = Digest::default();
            pieces.iter().for_each(|piece| digest.piece(piece));
            digest.finish()
        };
        assert_ne!(of(&[b"ab", b"c"]), of(&[b"a", b"bc"]));
    }
}
