//! The `tracer` program: everything is in the library.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1);
    match args.next() {
        // tracer starts itself for two errands that nobody types.
        Some(first) if first == "--worker" => tracer::worker::main(),
        Some(first) if first == "--launch" => tracer::cmd::launch(args),
        _ => tracer::cmd::run(env::args_os()),
    }
}
