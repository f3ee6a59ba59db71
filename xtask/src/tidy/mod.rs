//! A scan of the sources for what the architecture forbids.

mod lexer;
mod rules;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::paths;
use lexer::Source;
use rules::RULES;

/// Lines above which a file is named, and above which it is refused.
const LONG: usize = 400;
const TOO_LONG: usize = 800;

pub(crate) fn run() -> Result<()> {
    let mut offences = Vec::new();
    let mut files = 0;
    for package in ["tracer", "tracer-common", "tracer-ebpf", "xtask"] {
        visit(&paths::root().join(package), &mut |path| {
            let text = fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let name = path
                .strip_prefix(paths::root())?
                .to_string_lossy()
                .into_owned();
            files += 1;
            let lines = text.lines().count();
            if lines > LONG && lines <= TOO_LONG {
                println!("tidy: {name}: {lines} lines: think of splitting it");
            }
            offences.extend(offences_in(&name, &text));
            Ok(())
        })?;
    }
    for offence in &offences {
        println!("tidy: {offence}");
    }
    if !offences.is_empty() {
        bail!("tidy: {} offences", offences.len());
    }
    println!("tidy: {files} files, {} rules", RULES.len());
    Ok(())
}

/// Calls back for every Rust file; a package that is not there yet has none.
fn visit(directory: &Path, found: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Ok(());
    };
    let mut paths: Vec<_> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                visit(&path, found)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found(&path)?;
        }
    }
    Ok(())
}

/// What every rule says of one file, as `file:line: what (why)`.
fn offences_in(name: &str, text: &str) -> Vec<String> {
    let source = Source::new(text);
    RULES
        .iter()
        .filter(|rule| rule.applies_to(name))
        .flat_map(|rule| {
            let found = (rule.find)(&source);
            found.into_iter().map(move |(line, what)| {
                format!("{name}:{line}: {what}: {} ({})", rule.name, rule.why)
            })
        })
        .collect()
}
