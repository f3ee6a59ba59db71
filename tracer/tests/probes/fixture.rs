//! Programs of known functions, and what is asked about them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;
use tracer::probe::{self, Error, Manner, Resolved, Scope, Site, Spec};

/// Runs a tool and insists that it succeeds; what it printed.
pub(crate) fn run(tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|why| panic!("these tests need `{tool}`: {why}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// A directory of programs that are built for a test.
pub(crate) struct Workshop(TempDir);

impl Workshop {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Compiles a source by its extension.
    pub(crate) fn compile(&self, output: &str, source: (&str, &str), flags: &[&str]) -> PathBuf {
        let (name, text) = source;
        let (from, to) = (self.path(name), self.path(output));
        std::fs::write(&from, text).unwrap();
        let compiler = match name.rsplit_once('.') {
            Some((_, "rs")) => "rustc",
            Some((_, "cc")) => "g++",
            _ => "gcc",
        };
        let mut arguments = vec![from.to_str().unwrap(), "-o", to.to_str().unwrap()];
        arguments.extend(flags);
        run(compiler, &arguments);
        to
    }
}

/// What probes come to.
pub(crate) fn resolve(probes: &[&str], scope: &Scope) -> Result<Resolved, Error> {
    let parse = |text: &&str| Spec::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
    let specs: Vec<Spec> = probes.iter().map(parse).collect();
    probe::resolve(&specs, scope, Manner::default())
}

/// What a probe of one file comes to.
pub(crate) fn in_file(file: &Path, symbol: &str) -> Result<Resolved, Error> {
    let probe = format!("uprobe:{}:{symbol}", file.display());
    resolve(&[&probe], &Scope::Machine)
}

/// The names of the functions that a probe of one file means, in order.
pub(crate) fn names(file: &Path, symbol: &str) -> Vec<String> {
    let resolved = in_file(file, symbol).unwrap_or_else(|why| panic!("{symbol}: {why}"));
    let mut names: Vec<String> = resolved.sites.into_iter().map(|site| site.name).collect();
    names.sort();
    names
}

/// The only function that a probe of one file means.
pub(crate) fn only(file: &Path, symbol: &str) -> Site {
    let mut resolved = in_file(file, symbol).unwrap_or_else(|why| panic!("{symbol}: {why}"));
    assert_eq!(resolved.sites.len(), 1, "{symbol}: {:?}", resolved.sites);
    resolved.sites.remove(0)
}

/// Insists that a probe of one file means nothing, for reasons that are told in one line.
#[track_caller]
pub(crate) fn refused(file: &Path, symbol: &str, reasons: &[&str]) {
    let told = match in_file(file, symbol) {
        Err(error) => error.to_string(),
        Ok(resolved) => {
            assert_eq!(resolved.sites, [], "{symbol}");
            resolved.skipped[0].why.clone()
        }
    };
    assert!(!told.contains('\n'), "{told}");
    for reason in reasons {
        assert!(told.contains(reason), "{symbol}: no '{reason}' in: {told}");
    }
}
