//! What an object records about itself: the hash of its sources, and the tools that built it.

use std::fmt::{self, Write as _};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use object::{Object as _, ObjectSection as _};
use sha2::{Digest as _, Sha256};

/// The section that holds the text. Loaders pass over sections whose names they do not know.
pub(crate) const SECTION: &str = ".tracer.src";

/// Everything that the object's code depends on, beside the tools.
const FILES: [&str; 3] = [
    "tracer-ebpf/Cargo.toml",
    "tracer-ebpf/Cargo.lock",
    "tracer-common/Cargo.toml",
];
const DIRECTORIES: [&str; 2] = ["tracer-ebpf/src", "tracer-common/src"];

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// SHA-256 over the sources, in hexadecimal digits.
    pub(crate) sources: String,
    /// One line for each tool.
    pub(crate) versions: Vec<String>,
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "sources {}", self.sources)?;
        self.versions
            .iter()
            .try_for_each(|version| writeln!(f, "{version}"))
    }
}

impl Stamp {
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let sources = lines.next()?.strip_prefix("sources ")?.to_owned();
        Some(Self {
            sources,
            versions: lines.map(str::to_owned).collect(),
        })
    }

    /// Reads it out of an object.
    pub(crate) fn of_object(bytes: &[u8]) -> Result<Self> {
        let file = object::File::parse(bytes).context("the committed object is not ELF")?;
        let Some(section) = file.section_by_name(SECTION) else {
            bail!("the committed object has no section {SECTION}: build it by `cargo xtask ebpf`");
        };
        let text = std::str::from_utf8(section.data()?).context("its stamp is not text")?;
        Self::parse(text).context("its stamp does not begin with the hash of the sources")
    }
}

/// Hashes names, lengths and contents, in the order of the names.
pub(crate) fn sources(root: &Path) -> Result<String> {
    let mut files: Vec<PathBuf> = FILES.iter().map(|name| root.join(name)).collect();
    for directory in DIRECTORIES {
        collect(&root.join(directory), &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    for path in files {
        let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
        let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        hash.update(format!("{name}\n{}\n", content.len()));
        hash.update(&content);
    }
    Ok(hash
        .finalize()
        .iter()
        .fold(String::new(), |mut digits, byte| {
            let written = write!(digits, "{byte:02x}");
            debug_assert!(written.is_ok(), "a String takes everything");
            digits
        }))
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), files)?;
        } else if entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "rs")
        {
            files.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_reads_as_it_was_written() {
        let stamp = Stamp {
            sources: "00ff".into(),
            versions: vec!["rustc 1".into(), "b 2".into()],
        };
        assert_eq!(Stamp::parse(&stamp.to_string()), Some(stamp));
        assert_eq!(Stamp::parse("rustc 1\n"), None);
    }

    #[test]
    fn the_hash_depends_on_names_and_contents_only() {
        let checkout = || {
            let root = tempfile::tempdir().expect("a temporary directory");
            for directory in DIRECTORIES {
                fs::create_dir_all(root.path().join(directory)).expect("a directory");
            }
            for name in FILES.iter().chain(&["tracer-ebpf/src/main.rs"]) {
                fs::write(root.path().join(name), name).expect("a file");
            }
            root
        };
        let (one, other) = (checkout(), checkout());
        let before = sources(one.path()).expect("a hash");
        assert_eq!(before.len(), 64);
        assert_eq!(before, sources(other.path()).expect("a hash"));
        let (from, to) = (
            one.path().join("tracer-ebpf/src/main.rs"),
            "tracer-ebpf/src/other.rs",
        );
        fs::rename(from, one.path().join(to)).expect("a renaming");
        assert_ne!(before, sources(one.path()).expect("a hash"));
    }
}
