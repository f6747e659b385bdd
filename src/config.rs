//! The configuration: defaults < `config.toml` < environment < flags, each value with its origin.

mod folders;
mod values;

pub use folders::{Folder, folder};
pub use values::{COLORS, ColorChoice, DEVICES, GRAPHICS, THEMES, ThemeChoice, names};

use crate::data::{memory, read_bounded};
use crate::defence::{DefenceStack, saved};
use crate::engine::DeviceChoice;
use crate::error::{Error, Result};
use crate::printable::printable;
use crate::show::Graphics;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// No configuration larger than this is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// Every key with its default, in the order of `--print-config`.
const KEYS: [(&str, &str); 8] = [
    ("device", "auto"),
    ("seed", "0"),
    ("theme", "auto"),
    ("graphics", "auto"),
    ("color", "auto"),
    ("model", "mnist-cnn"),
    ("log", ""),
    ("memory", "auto"),
];

/// The keys that the environment can set.
const ENVIRONMENT: [(&str, &str); 5] = [
    ("device", "EPSILOSCOPE_DEVICE"),
    ("seed", "EPSILOSCOPE_SEED"),
    ("theme", "EPSILOSCOPE_THEME"),
    ("graphics", "EPSILOSCOPE_GRAPHICS"),
    ("memory", "EPSILOSCOPE_MEMORY"),
];

/// Values by key, as text: one layer of the configuration.
pub type ConfigLayer = Vec<(&'static str, String)>;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
enum ValueSource {
    Default,
    File { path: PathBuf, line: usize },
    Environment(&'static str),
    Flag,
}

impl fmt::Display for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => {
                write!(f, "{}:{line}", printable(&path.display().to_string()))
            }
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag => f.write_str("command line"),
        }
    }
}

#[derive(Clone, Debug)]
struct ConfigEntry {
    key: &'static str,
    text: String,
    origin: ValueSource,
}

/// The configuration that holds.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to compute.
    pub device: DeviceChoice,
    /// Seed of all randomness.
    pub seed: u64,
    /// Colours of the dashboard.
    pub theme: ThemeChoice,
    /// How pictures are printed.
    pub graphics: Graphics,
    /// When text is coloured.
    pub color: ColorChoice,
    /// The model where none is named.
    pub model: String,
    /// Where the libraries log to.
    pub log: PathBuf,
    /// Whether the user named the log file.
    pub log_demanded: bool,
    /// How much memory may be taken, in bytes; none: what the machine has free.
    pub memory: Option<u64>,
    /// Hybrids of the user's own: the table `[hybrids]` of `config.toml`, and those that the
    /// dashboard has saved in a file of its own. The table counts where both have a name.
    pub hybrids: Vec<DefenceStack>,
    /// Where the dashboard saves them; none for a user without a home.
    pub hybrids_file: Option<PathBuf>,
    /// A note on the files that were read.
    pub note: Option<String>,
    entries: Vec<ConfigEntry>,
}

impl Config {
    /// Puts the layers together, `flags` on top of the environment and the user's `config.toml`.
    ///
    /// # Errors
    /// Usage, when a value is not one of those allowed: names file, line and key, or the variable.
    pub fn load(flags: ConfigLayer) -> Result<Self> {
        let (file, mut hybrids) = match folder(Folder::Config) {
            Some(folder) => read(&folder.join("config.toml"))?,
            None => Default::default(),
        };
        let hybrids_file = folder(Folder::Data).map(|folder| folder.join("hybrids.toml"));
        let (saved, note) = hybrids_file.as_deref().map(saved::recover).unwrap_or_default();
        for stack in saved {
            if hybrids.iter().all(|own: &DefenceStack| own.name() != stack.name()) {
                hybrids.push(stack);
            }
        }
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let environment = ENVIRONMENT
            .iter()
            .filter_map(|(key, name)| {
                let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
                Some(ConfigEntry { key, text, origin: ValueSource::Environment(name) })
            })
            .chain(no_color.then(|| ConfigEntry {
                key: "color",
                text: "never".into(),
                origin: ValueSource::Environment("NO_COLOR"),
            }))
            .collect();
        let flags = flags
            .into_iter()
            .map(|(key, text)| ConfigEntry { key, text, origin: ValueSource::Flag })
            .collect();
        Ok(Self { hybrids, hybrids_file, note, ..Self::from_layers([file, environment, flags])? })
    }

    /// The configuration that the text of a `config.toml` makes by itself.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn of_file(text: &str, path: &Path) -> Result<Self> {
        let (file, hybrids) = parse(text, path)?;
        Ok(Self { hybrids, ..Self::from_layers([file, Vec::new(), Vec::new()])? })
    }

    fn from_layers(layers: [Vec<ConfigEntry>; 3]) -> Result<Self> {
        let default = |(key, text): (&'static str, &str)| {
            let text = match (key, folder(Folder::State)) {
                ("log", Some(state)) => {
                    state.join("epsiloscope.log").to_string_lossy().into_owned()
                }
                ("log", None) => std::env::temp_dir().join("epsiloscope.log").display().to_string(),
                _ => text.to_string(),
            };
            ConfigEntry { key, text, origin: ValueSource::Default }
        };
        let mut entries: Vec<ConfigEntry> = KEYS.into_iter().map(default).collect();
        for entry in layers.into_iter().flatten() {
            if let Some(slot) = entries.iter_mut().find(|slot| slot.key == entry.key) {
                *slot = entry;
            }
        }
        let [device, seed, theme, graphics, color, model, log, memory] =
            [0, 1, 2, 3, 4, 5, 6, 7].map(|i| &entries[i]);
        Ok(Self {
            device: device.one_of(DEVICES)?,
            seed: seed.text.parse().map_err(|_| seed.bad("a whole number, 0 or more"))?,
            theme: theme.one_of(THEMES)?,
            graphics: graphics.one_of(GRAPHICS)?,
            color: color.one_of(COLORS)?,
            model: model.text.clone(),
            log: PathBuf::from(&log.text),
            log_demanded: log.origin != ValueSource::Default,
            memory: memory.size()?,
            hybrids: Vec::new(),
            hybrids_file: None,
            note: None,
            entries,
        }
        .without_colour())
    }

    /// `color = never` reaches the dashboard and the images too, unless they are set otherwise.
    fn without_colour(mut self) -> Self {
        if self.color == ColorChoice::Never {
            if self.theme == ThemeChoice::Auto {
                self.theme = ThemeChoice::Mono;
            }
            if self.graphics == Graphics::Auto {
                self.graphics = Graphics::Ascii;
            }
        }
        self
    }

    /// Whether the command line itself says what `key` is.
    pub fn demands(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key && entry.origin == ValueSource::Flag)
    }

    /// The configuration as TOML, each line with its origin; can be used as `config.toml`.
    pub fn describe(&self) -> String {
        let mut text = String::new();
        for ConfigEntry { key, text: value, origin } in &self.entries {
            let value = match *key {
                "seed" => value.clone(),
                _ => toml::Value::String(value.clone()).to_string(),
            };
            text.push_str(&format!("{key} = {value}  # {origin}\n"));
        }
        if !self.hybrids.is_empty() {
            let file = self.hybrids_file.as_ref().map(|path| format!(" and {}", path.display()));
            let file = printable(&file.unwrap_or_default());
            text.push_str(&format!("\n[hybrids]  # from config.toml{file}\n"));
        }
        for stack in &self.hybrids {
            let [name, layers] = [stack.name().unwrap_or_default(), &stack.text()]
                .map(|text| toml::Value::String(text.to_string()));
            text.push_str(&format!("{name} = {layers}\n"));
        }
        text
    }
}

impl ConfigEntry {
    fn one_of<T: Copy>(&self, table: &[(&'static str, T)]) -> Result<T> {
        let found = table.iter().find(|(name, _)| *name == self.text);
        found.map(|(_, value)| *value).ok_or_else(|| self.bad(&names(table).join(", ")))
    }

    /// A size in bytes; none for `auto`.
    fn size(&self) -> Result<Option<u64>> {
        match self.text.as_str() {
            "auto" => Ok(None),
            text => match memory::parse_size(text) {
                Some(bytes) => Ok(Some(bytes)),
                None => Err(self.bad("auto, or a size such as 2G or 500M")),
            },
        }
    }

    fn bad(&self, allowed: &str) -> Error {
        let what = format!("bad value '{}' for '{}'", self.text, self.key);
        Error::usage(what, &self.origin, format!("give {allowed}"))
    }
}

/// Reads `config.toml`; a file that is not there is empty.
fn read(path: &Path) -> Result<(Vec<ConfigEntry>, Vec<DefenceStack>)> {
    if std::fs::metadata(path).is_err_and(|e| e.kind() == ErrorKind::NotFound) {
        return Ok(Default::default());
    }
    let bytes = read_bounded(path, "read the configuration", LARGEST)?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Error::usage("the configuration is not UTF-8 text", path.display(), "save it as UTF-8")
    })?;
    parse(&text, path)
}

fn parse(text: &str, path: &Path) -> Result<(Vec<ConfigEntry>, Vec<DefenceStack>)> {
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    let place = |line: usize| format!("{}:{line}", path.display());
    let table = DeTable::parse(text).map_err(|e| {
        let at = line(e.span().map_or(0, |span| span.start));
        let what = format!("the configuration does not parse: {}", e.message());
        Error::usage(what, place(at), "write lines such as device = \"cpu\"")
    })?;
    let (mut entries, mut hybrids) = (Vec::new(), Vec::new());
    for (key, value) in table.get_ref() {
        let at = line(key.span().start);
        if key.get_ref() == "hybrids" {
            let DeValue::Table(table) = value.get_ref() else {
                let what = format!("'hybrids' is a {}, not a table", value.get_ref().type_str());
                return Err(Error::usage(what, place(at), "write [hybrids] on a line of its own"));
            };
            saved::few(table.len(), &place(at))?;
            for (name, value) in table {
                let place = place(line(name.span().start));
                hybrids.push(saved::entry(name.get_ref(), value.get_ref(), &place)?);
            }
            continue;
        }
        let Some((known, _)) = KEYS.iter().find(|(known, _)| *known == key.get_ref().as_ref())
        else {
            let known = KEYS.iter().map(|(known, _)| *known).chain(["hybrids"]);
            return Err(Error::unknown(
                "key",
                key.get_ref(),
                &place(at),
                known,
                "`--print-config`",
            ));
        };
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.to_string(),
            other => {
                let what = format!("'{known}' is a {}, not a text or a number", other.type_str());
                return Err(Error::usage(what, place(at), "see `epsiloscope --print-config`"));
            }
        };
        let origin = ValueSource::File { path: path.into(), line: at };
        entries.push(ConfigEntry { key: known, text, origin });
    }
    Ok((entries, hybrids))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &'static str, text: &str, origin: ValueSource) -> ConfigEntry {
        ConfigEntry { key, text: text.into(), origin }
    }

    #[test]
    fn later_layers_win() {
        let path = Path::new("config.toml");
        let file = parse("device = 'cpu'\nseed = 7\ntheme = \"light\"\n", path).unwrap().0;
        let environment = vec![entry("seed", "8", ValueSource::Environment("EPSILOSCOPE_SEED"))];
        let flags = vec![entry("theme", "dark", ValueSource::Flag)];
        let config = Config::from_layers([file, environment, flags]).unwrap();
        assert_eq!((config.seed, config.theme), (8, ThemeChoice::Dark));
        assert_eq!(config.device, DeviceChoice::Cpu);
        assert_eq!(config.memory, None);
        let text = config.describe();
        assert!(text.contains("device = \"cpu\"  # config.toml:1"), "{text}");
        assert!(text.contains("seed = 8  # environment variable EPSILOSCOPE_SEED"), "{text}");
        let again = parse(&text, path).unwrap().0;
        assert_eq!(again.len(), KEYS.len());
    }

    #[test]
    fn hybrids_have_a_table_of_their_own() {
        let path = Path::new("config.toml");
        let text = "seed = 7\n[hybrids]\ntough = 'jpeg:50+pgd-at'\n\"a.b\" = 'median'\n";
        let (file, hybrids) = parse(text, path).unwrap();
        assert_eq!((file.len(), hybrids.len()), (1, 2));
        let layers = [file, Vec::new(), Vec::new()];
        let config = Config { hybrids, ..Config::from_layers(layers).unwrap() };
        let told = config.describe();
        assert_eq!(parse(&told, path).unwrap().1, config.hybrids, "{told}");
    }

    #[test]
    fn a_bad_file_is_told_in_one_line_with_file_line_and_key() {
        let bad = |text: &str| {
            let layers = |file| Config::from_layers([file, Vec::new(), Vec::new()]);
            parse(text, Path::new("c.toml"))
                .and_then(|(file, _)| layers(file))
                .unwrap_err()
                .to_string()
        };
        let many: String = (0..2000).map(|i| format!("h{i} = 'median'\n")).collect();
        for (text, parts) in [
            ("# x\ndevise = 'cpu'", ["c.toml:2", "devise", "'device'"]),
            ("\n\ndevice = 'gpu'", ["c.toml:3", "device", "wgpu"]),
            ("seed = -1", ["c.toml:1", "seed", "whole number"]),
            ("seed = [1]", ["c.toml:1", "seed", "array"]),
            ("theme = dark", ["c.toml:1", "parse", ""]),
            (format!("[hybrids]\n{many}").as_str(), ["c.toml:1", "2000 hybrids", "1000"]),
            ("seed = 1\nmemory = 'much'", ["c.toml:2", "memory", "2G"]),
            ("[hybrids]\nx = 'jpge'", ["c.toml:2", "jpge", "'jpeg'"]),
            ("[hybrids]\n\njpeg = 'bits'", ["c.toml:3", "'jpeg'", "already"]),
            ("hybrids = 3", ["c.toml:1", "hybrids", ""]),
        ] {
            let message = bad(text);
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
            assert!(!message.contains('\n'), "{message}");
        }
    }

    #[test]
    fn no_colour_reaches_pictures_and_dashboard() {
        let never = || vec![entry("color", "never", ValueSource::Flag)];
        let config = Config::from_layers([Vec::new(), Vec::new(), never()]).unwrap();
        assert_eq!((config.theme, config.graphics), (ThemeChoice::Mono, Graphics::Ascii));
    }
}
