//! A seeded mutator: from the same seed and the same corpus the same inputs, whatever the machine.

use flate2::Crc;
use std::ops::Range;

/// Words that mean something to a target, and how a damaged input is mended so that the damage is
/// looked at and not only the checksum over it.
pub struct Tokens {
    words: &'static [&'static [u8]],
    mend: fn(&mut [u8]),
}

/// Those of the targets that have any.
pub const TOKENS: &[(&str, Tokens)] = &[
    ("card", Tokens { words: CARD, mend: |_| {} }),
    ("model", Tokens { words: CARD, mend: mend_model }),
    ("weights", Tokens { words: SAFETENSORS, mend: |file| mend_safetensors(file, 0) }),
    ("inputs", Tokens { words: SAFETENSORS, mend: |file| mend_safetensors(file, 0) }),
    ("state", Tokens { words: JSON, mend: |_| {} }),
    ("config", Tokens { words: CONFIG, mend: |_| {} }),
    ("hybrids", Tokens { words: CONFIG, mend: |_| {} }),
    ("picture", Tokens { words: PICTURE, mend: mend_png }),
    ("terminal", Tokens { words: TERMINAL, mend: |_| {} }),
    ("npy", Tokens { words: NPY, mend: mend_npy }),
    ("pickle", Tokens { words: PICKLE, mend: |_| {} }),
];

const CARD: &[&[u8]] = &[
    b"[[layers]]\n",
    b"op = \"conv2d\"\n",
    b"op = \"residual\"\n",
    b"op = \"linear\"\n",
    b"op = \"kwta\"\nshare = 0.1\n",
    b"op = \"sap\"\nshare = 0.5\n",
    b"op = \"relu\"\n",
    b"op = \"maxpool2d\"\nkernel = 2\n",
    b"op = \"globalavgpool2d\"\n",
    b"op = \"flatten\"\n",
    b"op = \"randomslope\"\nlow = 0.1\nhigh = 0.3\n",
    b"body = []\n",
    b"[[layers.body]]\n",
    b"padding = [1, 0, 2, 3]\n",
    b"padding = 1\n",
    b"stride = 2\n",
    b"groups = 2\n",
    b"bias = false\n",
    b"resize = 256\n",
    b"filter = \"bicubic\"\n",
    b"range = [0.0, 1.0]\n",
    b"architecture = \"efficientnet-lite0\"\n",
    b"normalisation = { mean = [0.5], std = [0.25] }\n",
    b"labels = []\n",
    b"[training]\n",
    b"[accuracy]\n",
    b"defence = \"pgd-at\"\n",
    b"sha256 = \"00\"\n",
    b"nan",
    b"inf",
    b"-inf",
    b"1e39",
    b"1e-46",
    b"\\u0000",
    b"'''",
    b"\"\"\"",
    b"1979-05-27T07:32:00Z",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\n",
    b"=",
    b"\xc2\x9b",
    b"\x1b[2J",
];
const SAFETENSORS: &[&[u8]] = &[
    b"\"F64\"",
    b"\"F16\"",
    b"\"BF16\"",
    b"\"F32\"",
    b"\"I64\"",
    b"\"U8\"",
    b"\"BOOL\"",
    b"\"F8_E5M2\"",
    b"\"F4\"",
    b"\"shape\":[]",
    b"\"shape\":[0]",
    b"\"data_offsets\":[0,0]",
    b"\"__metadata__\":{},",
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b"4294967296",
    b"\"x\"",
    b"\"labels\"",
    b"running_var",
    b".sigma",
];
const JSON: &[&[u8]] = &[
    b"null",
    b"true",
    b"false",
    b"[]",
    b"{}",
    b"\"\"",
    b"1e999",
    b"-1",
    b"0.1",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"fates\":",
    b"\"stages\":",
    b"\"notes\":",
    b"\"success\":",
    b"\x00\x00\x00\x00\x01",
];
const CONFIG: &[&[u8]] = &[
    b"device = 'cpu'\n",
    b"seed = 7\n",
    b"theme = 'mono'\n",
    b"graphics = 'ascii'\n",
    b"color = 'never'\n",
    b"model = ''\n",
    b"log = '/dev/null'\n",
    b"[hybrids]\n",
    b"jpeg",
    b"bits",
    b"median",
    b"pgd-at",
    b"model:mnist-cnn-at",
    b"+",
    b":",
    b"=",
    b"quality=50",
    b"sigma",
    b"'",
    b"\"",
    b"\"a.b\" = ",
    b"\\u001b",
    b"nan",
    b"inf",
    b"1e999",
    b"-0",
    b"auto",
    b"{",
    b"}",
    b"\n",
];
const PICTURE: &[&[u8]] = &[
    b"IHDR",
    b"IDAT",
    b"PLTE",
    b"tRNS",
    b"IEND",
    b"eXIf",
    b"gAMA",
    b"iCCP",
    b"acTL",
    b"fdAT",
    b"\xff\xd8",
    b"\xff\xd9",
    b"\xff\xc0\x00\x11\x08",
    b"\xff\xc2\x00\x11\x08",
    b"\xff\xc4",
    b"\xff\xdb",
    b"\xff\xda",
    b"\xff\xe1",
    b"Exif\0\0",
    b"\x00\x00\x40\x00",
    b"\x00\x01\x00\x00",
    b"\x10\x06\x00\x00\x00",
    b"\x01\x00\x00\x00\x00",
];
const TERMINAL: &[&[u8]] = &[
    b"\x1b[200~",
    b"\x1b[201~",
    b"\x03",
    b"\x1b[",
    b"\x1bO",
    b"\x1b]11;",
    b"\x1bP",
    b"\x1b_Gi=31;OK\x1b\\",
    b"\x1b\\",
    b"\x07",
    b"\x1b[<0;5;7M",
    b"\x1b[M ",
    b"\x1b[32;5;7M",
    b"\x1b[1;5C",
    b"\x1b[97;5u",
    b"\x1b[?62;4c",
    b"65535",
    b"99999",
    b";",
    b":",
    b"~",
    b"\xe2\x82\xac",
];
const NPY: &[&[u8]] = &[
    b"\x93NUMPY\x01\x00",
    b"\x93NUMPY\x03\x00",
    b"'descr': ",
    b"'<f4'",
    b"'>f4'",
    b"'<f8'",
    b"'|u1'",
    b"'|b1'",
    b"'<f2'",
    b"'|O'",
    b"'fortran_order': True",
    b"False",
    b"'shape': (",
    b"(1, 2, 2)",
    b"(3, 1, 1)",
    b"()",
    b"(0,)",
    b",",
    b")",
    b"}",
    b"\n",
    b"-1",
];
const PICKLE: &[&[u8]] = &[
    b"\x80\x02",
    b"\x80\x04\x95",
    b"U\x04data",
    b"U\x06labels",
    b"C\x04data",
    b"\x8c\x06labels",
    b"K\x06",
    b"M\x01\x00",
    b"J\xff\xff\xff\xff",
    b"T\x00\x0c\x00\x00",
    b"B\x00\x0c\x00\x00",
    b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x88",
    b"\x89",
    b"cos\nsystem\n",
    b"R",
    b"(",
    b"e",
    b"u",
    b".",
];

/// Numbers at which something may turn.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "-1",
    "7",
    "255",
    "256",
    "4096",
    "65535",
    "65536",
    "100000",
    "1000000000",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "0.5",
    "1e-320",
    "1e38",
    "1e39",
    "1e308",
    "nan",
    "inf",
];

/// Bytes of integers at which something may turn.
const EDGES: &[u64] =
    &[0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX >> 1, u64::MAX];

/// No input is longer.
const LONGEST: usize = 1 << 16;

/// Makes inputs.
pub struct Mutator {
    state: u64,
    tokens: Option<&'static Tokens>,
}

impl Mutator {
    pub fn new(seed: u64, tokens: Option<&'static (&str, Tokens)>) -> Self {
        Self { state: seed, tokens: tokens.map(|(_, tokens)| tokens) }
    }

    /// The next input: one of the corpus, changed a few times.
    pub fn make(&mut self, corpus: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut input = self.one(corpus).1.clone();
        for _ in 0..=self.below(6) {
            self.change(&mut input, corpus);
            input.truncate(LONGEST);
        }
        if let Some(tokens) = self.tokens.filter(|_| self.below(4) > 0) {
            (tokens.mend)(&mut input);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[(String, Vec<u8>)]) {
        let part = self.part(input.len());
        let at = part.start;
        match self.below(12) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = self.next() as u8,
            2 => input.truncate(at),
            3 => drop(input.drain(part)),
            4 => {
                let copy = input[part].to_vec();
                let to = self.below(input.len() + 1);
                input.splice(to..to, copy);
            }
            5 => {
                let other = &self.one(corpus).1;
                let from = self.part(other.len());
                input.splice(part, other[from].iter().copied());
            }
            6 => {
                let width = [1, 2, 4, 8][self.below(4)];
                let value = *self.one(EDGES);
                let bytes = match self.below(2) {
                    0 => value.to_le_bytes()[..width].to_vec(),
                    _ => value.to_be_bytes()[8 - width..].to_vec(),
                };
                let end = (at + width).min(input.len());
                input.splice(at..end, bytes);
            }
            7 | 8 => {
                // A written number becomes another one.
                let numbers = numbers(input);
                if !numbers.is_empty() {
                    let range = self.one(&numbers).clone();
                    input.splice(range, self.one(NUMBERS).bytes());
                }
            }
            9 => {
                // A line goes, comes twice or moves.
                let lines = lines(input);
                let line = self.one(&lines).clone();
                let copy = input[line.clone()].to_vec();
                if self.below(2) == 0 {
                    input.drain(line);
                }
                if self.below(2) == 0 {
                    let to = self.one(&lines).start.min(input.len());
                    input.splice(to..to, copy);
                }
            }
            _ => match self.tokens {
                Some(tokens) => {
                    let end = if self.below(2) == 0 { at } else { part.end };
                    input.splice(at..end, self.one(tokens.words).iter().copied());
                }
                None => input.insert(at, self.next() as u8),
            },
        }
    }

    /// A part of something of this length, mostly a short one.
    fn part(&mut self, length: usize) -> Range<usize> {
        let at = self.below(length + 1);
        let most = if self.below(4) == 0 { length } else { 8 };
        at..(at + self.below(most + 1)).min(length)
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Where digits stand in a row.
fn numbers(input: &[u8]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, _) in input.iter().enumerate().filter(|(_, byte)| byte.is_ascii_digit()) {
        match found.last_mut() {
            Some(last) if last.end == at => last.end += 1,
            _ => found.push(at..at + 1),
        }
    }
    found
}

/// The lines, each with its end.
fn lines(input: &[u8]) -> Vec<Range<usize>> {
    let mut start = 0;
    let each = input.split_inclusive(|byte| *byte == b'\n').map(|line| {
        let range = start..start + line.len();
        start = range.end;
        range
    });
    let all: Vec<Range<usize>> = each.collect();
    if all.is_empty() { Vec::from([Range::default()]) } else { all }
}

/// The first eight bytes of a safetensors file say how long its header is.
fn mend_safetensors(file: &mut [u8], start: usize) {
    let Some(rest) = file.get(start + 8..) else { return };
    let (mut depth, mut quoted) = (0i32, false);
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'{' if !quoted => depth += 1,
            b'}' if !quoted => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let length = at as u64 + 1;
            file[start..start + 8].copy_from_slice(&length.to_le_bytes());
            return;
        }
    }
}

/// Of a card with its weights, the weights begin behind the first zero byte.
fn mend_model(file: &mut [u8]) {
    if let Some(zero) = file.iter().position(|byte| *byte == 0) {
        mend_safetensors(file, zero + 1);
    }
}

/// Each chunk of a PNG carries a checksum.
fn mend_png(file: &mut [u8]) {
    let mut at = 8;
    while let Some(head) = file.get(at..at + 8) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let end = at.saturating_add(8).saturating_add(length);
        if end.saturating_add(4) > file.len() {
            return;
        }
        let mut crc = Crc::new();
        crc.update(&file[at + 4..end]);
        file[end..end + 4].copy_from_slice(&crc.sum().to_be_bytes());
        at = end + 4;
    }
}

/// The bytes behind a NumPy file's version say how long its header is.
fn mend_npy(file: &mut [u8]) {
    let end = file.iter().position(|byte| *byte == b'\n');
    if let (Some(end), Some(place)) = (end, file.get_mut(8..10)) {
        place.copy_from_slice(&((end + 1).saturating_sub(10) as u16).to_le_bytes());
    }
}
