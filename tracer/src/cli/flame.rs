//! `tracer flame`: its flags, and how they become a plan.

use std::path::PathBuf;

use clap::Args;

use super::{sampling::SamplingArgs, usage};
use crate::{
    export::{self, Format},
    plan::{Failure, Flame, Output},
};

const EXAMPLES: &str = "\
Examples:
  sudo tracer flame -p 4711 -d 10 > out.svg       10 seconds of a process and its children
  sudo tracer flame -p postgres -o pg.svg         all processes of that name, until Ctrl-C
  sudo tracer flame -a -d 5 -o all.svg -o all.folded
                                                  the whole machine, in two formats at once
  sudo tracer flame -o build.svg -- make -j8      a command from its start to its end
  sudo tracer flame -p 4711 -d 5 --format folded | awk '{print $NF, $0}' | sort -rn | head

Ctrl-C ends the measuring and keeps the result; a second Ctrl-C gives up.
The summary says how many samples were lost or cut short, and why.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct FlameArgs {
    #[command(flatten)]
    sampling: SamplingArgs,

    /// A file to write, its format by its extension (.svg, .folded, .json, .txt); '-' is standard output; repeatable
    #[arg(short, long = "output", value_name = "FILE")]
    outputs: Vec<PathBuf>,

    /// The format of standard output and of files whose extension says nothing
    #[arg(long, value_name = "NAME")]
    format: Option<String>,

    /// Write the account of all observations (fired, recorded, lost, …) as JSON
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,

    #[arg(long, hide = true)]
    debug_times: bool,
}

impl FlameArgs {
    /// The plan; says what is wrong with it if it cannot be.
    pub(super) fn lower(self) -> Result<Flame, Failure> {
        let Self {
            sampling,
            outputs,
            format,
            ledger,
            debug_times,
        } = self;
        let sampling = sampling.lower()?;
        let mut outputs = lower_outputs(outputs, format.as_deref())?;
        if let Some(path) = ledger {
            let format = export::by_name("ledger").map_err(|error| usage(error.to_string()))?;
            outputs.push(Output {
                path: (path.as_os_str() != "-").then_some(path),
                format,
            });
        }
        Ok(Flame {
            sampling,
            outputs,
            debug_times,
        })
    }
}

fn lower_outputs(paths: Vec<PathBuf>, format: Option<&str>) -> Result<Vec<Output>, Failure> {
    let named = format
        .map(|name| export::by_name(name).map_err(|error| usage(error.to_string())))
        .transpose()?;
    if paths.is_empty() {
        return Ok(vec![Output {
            path: None,
            format: named.unwrap_or_else(default_format),
        }]);
    }
    paths
        .into_iter()
        .map(|path| {
            if path.as_os_str() == "-" {
                return Ok(Output {
                    path: None,
                    format: named.unwrap_or_else(default_format),
                });
            }
            let format = match (export::by_path(&path), named) {
                (Ok(format), _) => format,
                (Err(_), Some(named)) => named,
                (Err(error), None) => return Err(usage(error.to_string())),
            };
            Ok(Output {
                path: Some(path),
                format,
            })
        })
        .collect()
}

fn default_format() -> &'static Format {
    &export::FORMATS[0]
}
