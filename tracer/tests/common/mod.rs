//! What the tests of the whole program share: the guard, fixture programs, running tracer, and
//! reading what it wrote.

pub(crate) mod bpf;
pub(crate) mod busy;
pub(crate) mod fixture;
pub(crate) mod folded;
pub(crate) mod guard;
pub(crate) mod ledger;
pub(crate) mod postgres;
pub(crate) mod stats;
pub(crate) mod tmux;
pub(crate) mod tracer;
