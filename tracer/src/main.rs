//! The `tracer` program: everything is in the library.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    match env::args_os().nth(1) {
        Some(first) if first == "--worker" => tracer::worker::main(),
        _ => ExitCode::SUCCESS,
    }
}
