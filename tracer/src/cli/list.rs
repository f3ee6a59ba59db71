//! `tracer list`: its flags, and how they become a plan.

use clap::Args;

use super::subject::process_name;
use crate::{
    plan::{List, Subject},
    probe::Spec,
};

const EXAMPLES: &str = "\
Examples:
  tracer list 'uprobe:libc:str*'               what 'tracer hist' would probe with that
  sudo tracer list malloc -p postgres          in the programs and libraries of these processes
  tracer list uprobe:/usr/bin/app:/handle_/    by a regular expression
  sudo tracer list 'uprobe:libstdc++:*' --json | jq -s 'group_by(.class) | map(length)'

A probe costs least where the kernel emulates the instruction that it replaces; it is moved there from
the function's beginning where that is known to be safe. Costs are measured on this machine, which
takes root; they are of a call, entry and return together.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ListArgs {
    /// Functions, as 'tracer hist' takes them: uprobe:FILE:SYMBOL, or SYMBOL with -p
    #[arg(required = true, value_name = "PATTERN", value_parser = Spec::parse)]
    patterns: Vec<Spec>,

    /// In what these processes have loaded, by PID or by name
    #[arg(short, long = "pid", value_name = "PID|NAME", value_delimiter = ',')]
    processes: Vec<String>,

    /// Print a line of JSON for each function
    #[arg(long)]
    json: bool,
}

impl ListArgs {
    /// The plan.
    pub(super) fn lower(self) -> List {
        let Self {
            patterns,
            processes,
            json,
        } = self;
        List {
            probes: patterns,
            subject: if processes.is_empty() {
                Subject::All
            } else {
                Subject::Processes(processes.into_iter().map(process_name).collect())
            },
            json,
        }
    }
}
