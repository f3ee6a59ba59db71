//! A compiler wrapper that makes symbol names independent of where the checkout is.
//!
//! cargo derives a crate's disambiguator, which is part of every mangled name, from the package's
//! path if that lies outside the workspace, as `tracer-common` does from the BPF side's.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

/// Set for the compiler calls of the BPF build.
pub(super) const MARK: &str = "TRACER_EBPF_RUSTC_WRAPPER";

/// Becomes the compiler if this process was started as its wrapper.
pub(crate) fn run_if_asked() -> Option<ExitCode> {
    env::var_os(MARK)?;
    let mut args = env::args_os().skip(1);
    let compiler = args.next()?;
    let error = Command::new(&compiler).args(stable(args.collect())).exec();
    eprintln!("error: cannot run {}: {error}", compiler.display());
    Some(ExitCode::FAILURE)
}

/// The arguments, with a disambiguator that is the crate's name if the crate is ours.
fn stable(args: Vec<OsString>) -> Vec<OsString> {
    let name = args.windows(2).find(|pair| pair[0] == "--crate-name");
    let name = name
        .and_then(|pair| pair[1].to_str())
        .unwrap_or_default()
        .to_owned();
    if !name.starts_with("tracer_") {
        return args;
    }
    let is_metadata = |arg: &OsString| arg.to_str().is_some_and(|arg| arg.starts_with("metadata="));
    args.into_iter()
        .map(|arg| {
            if is_metadata(&arg) {
                format!("metadata={name}").into()
            } else {
                arg
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &str, after: &str) {
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert_eq!(stable(words(before)), words(after));
    }

    #[test]
    fn only_our_crates_are_renamed() {
        check(
            "--crate-name tracer_common -C metadata=0123 -C extra-filename=-45",
            "--crate-name tracer_common -C metadata=tracer_common -C extra-filename=-45",
        );
        let other = "--crate-name syn -C metadata=0123";
        check(other, other);
        check("-vV", "-vV");
    }
}
