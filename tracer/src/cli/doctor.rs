//! `tracer doctor`: its flags, and how they become a plan.

use clap::Args;

use crate::plan::Doctor;

const EXAMPLES: &str = "\
Examples:
  sudo tracer doctor                  what works here, and what helps where it does not
  tracer doctor                       the same without root: says what is missing
  sudo tracer doctor --json | jq -r '.checks[] | select(.status != \"ok\") | .remedy'

Everything is really tried: programs are loaded and attached, a process of its own is sampled, calls
of its own are probed. It takes about a second. Nothing stays behind, and no setting is changed.
Exit status: 0 if top, flame and hist work, 3 if one of them cannot.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DoctorArgs {
    /// Print one line of JSON
    #[arg(long)]
    json: bool,

    /// Print what probes cost here, with and without tracer's programs
    #[arg(long, hide = true)]
    probe_costs: bool,
}

impl DoctorArgs {
    /// The plan.
    pub(super) fn lower(self) -> Doctor {
        let Self { json, probe_costs } = self;
        Doctor { json, probe_costs }
    }
}
