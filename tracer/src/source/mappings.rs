//! Whose mappings are known: those of processes that were there before the measuring are read from
//! `/proc` when they first matter; what has happened since is in the facts. Knows nothing of threads
//! and channels.

use std::{collections::HashSet, io};

use super::Cpu;
use crate::{
    proc,
    profile::{Batch, Fact, FactKind, Mapping},
};

/// Whose mappings are wanted.
#[derive(Clone, Debug)]
pub enum Interest {
    /// Everybody's, once sampled.
    Sampled,
    /// These processes' and their descendants', from the start.
    Processes(HashSet<u32>),
}

/// Which processes' mappings are known. Of those that have ended nothing is kept.
pub(super) struct Mappings {
    interest: Interest,
    known: HashSet<u32>,
    /// Ended in the last batch; samples of their end may be in this one.
    leaving: HashSet<u32>,
}

impl Mappings {
    pub(super) fn new(interest: Interest) -> Self {
        Self {
            interest,
            known: HashSet::new(),
            leaving: HashSet::new(),
        }
    }

    /// The mappings of the processes that are named, before anything is sampled.
    pub(super) fn read_initial(&mut self, facts: &mut Vec<Fact>) {
        if let Interest::Processes(named) = &self.interest {
            for pid in named.clone() {
                facts.push(self.read(pid));
            }
        }
    }

    /// Adds the mappings of processes that appear for the first time, and puts the facts in order.
    pub(super) fn complete(&mut self, batch: &mut Batch, source: &mut Cpu) {
        batch.facts.sort_by_key(|fact| fact.time_ns);
        let mut ended = HashSet::new();
        let mut wanted = self.follow(&batch.facts, &mut ended);
        for sample in &batch.samples {
            if sample.user.is_some() && !self.known.contains(&sample.image.pid) {
                wanted.push(sample.image.pid);
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        if !wanted.is_empty() {
            let read: Vec<Fact> = wanted.into_iter().map(|pid| self.read(pid)).collect();
            // What a process execed while its mappings were read may not be what was sampled.
            let mut since = Vec::new();
            source.read_facts(&mut since);
            for mut fact in read {
                if since
                    .iter()
                    .any(|new| new.pid == fact.pid && new.kind == FactKind::Exec)
                {
                    fact.kind = FactKind::Unreadable;
                }
                batch.facts.push(fact);
            }
            since.sort_by_key(|fact| fact.time_ns);
            // Parents that are not known yet will be read when they are sampled.
            self.follow(&since, &mut ended);
            batch.facts.append(&mut since);
            batch.facts.sort_by_key(|fact| fact.time_ns);
        }
        if let Interest::Processes(named) = &self.interest {
            batch.facts.retain(|fact| named.contains(&fact.pid));
        }
        self.forget(ended);
    }

    /// Follows processes through facts in order of time: who has ended, in `ended`, and which
    /// parents' mappings are wanted.
    fn follow(&mut self, facts: &[Fact], ended: &mut HashSet<u32>) -> Vec<u32> {
        let mut wanted = Vec::new();
        for fact in facts {
            match &fact.kind {
                FactKind::Fork { parent } => {
                    // The PID is another process's now.
                    ended.remove(&fact.pid);
                    self.leaving.remove(&fact.pid);
                    if self.interested_in_child(fact.pid, *parent) {
                        if !self.known.contains(parent) {
                            wanted.push(*parent);
                        }
                        self.known.insert(fact.pid);
                    } else {
                        self.known.remove(&fact.pid);
                    }
                }
                FactKind::Exec => {
                    if self.interested_in(fact.pid) {
                        self.known.insert(fact.pid);
                    }
                }
                FactKind::Exit => {
                    ended.insert(fact.pid);
                }
                FactKind::Image(_)
                | FactKind::Map(_)
                | FactKind::Snapshot(_)
                | FactKind::Unreadable => {}
            }
        }
        wanted
    }

    /// Forgets who had ended by the last batch.
    fn forget(&mut self, ended: HashSet<u32>) {
        for pid in std::mem::replace(&mut self.leaving, ended) {
            self.known.remove(&pid);
            if let Interest::Processes(named) = &mut self.interest {
                named.remove(&pid);
            }
        }
    }

    fn interested_in(&self, pid: u32) -> bool {
        match &self.interest {
            Interest::Sampled => true,
            Interest::Processes(named) => named.contains(&pid),
        }
    }

    /// A process whose parent is of interest is too, from then on.
    fn interested_in_child(&mut self, child: u32, parent: u32) -> bool {
        match &mut self.interest {
            Interest::Sampled => true,
            Interest::Processes(named) => {
                let interested = named.contains(&parent);
                if interested {
                    named.insert(child);
                } else {
                    named.remove(&child);
                }
                interested
            }
        }
    }

    /// The mappings that a process has had since before the measuring began, so at time 0.
    fn read(&mut self, pid: u32) -> Fact {
        let read = proc::executable_mappings(pid);
        // One that is gone will not be heard of again, so it is not to be kept.
        if !is_gone(&read) {
            self.known.insert(pid);
        }
        let kind = match read {
            // A process that is ending has a maps file, but an empty one.
            Ok(mappings) if !mappings.is_empty() => FactKind::Snapshot(mappings),
            Ok(_) | Err(_) => FactKind::Unreadable,
        };
        Fact {
            time_ns: 0,
            pid,
            kind,
        }
    }
}

fn is_gone(read: &io::Result<Vec<Mapping>>) -> bool {
    match read {
        Ok(mappings) => mappings.is_empty(),
        Err(error) => {
            error.kind() == io::ErrorKind::NotFound
                || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXIT: FactKind = FactKind::Exit;
    const EXEC: FactKind = FactKind::Exec;

    fn fork(parent: u32) -> FactKind {
        FactKind::Fork { parent }
    }

    /// Batches of facts about processes, for one who is interested in process 1; whose parents'
    /// mappings are wanted in all, and who is of interest and who is known at the end.
    #[track_caller]
    fn check(batches: &[&[(u32, FactKind)]], parents: &[u32], named: &[u32], known: &[u32]) {
        let mut mappings = Mappings::new(Interest::Processes(HashSet::from([1])));
        let mut wanted = Vec::new();
        for batch in batches {
            let facts = (0..).zip(*batch).map(|(time_ns, (pid, kind))| Fact {
                time_ns,
                pid: *pid,
                kind: kind.clone(),
            });
            let mut ended = HashSet::new();
            wanted.extend(mappings.follow(&facts.collect::<Vec<_>>(), &mut ended));
            mappings.forget(ended);
        }
        assert_eq!(wanted, parents);
        assert_eq!(mappings.known, known.iter().copied().collect());
        let Interest::Processes(left) = mappings.interest else {
            panic!("the interest has changed");
        };
        assert_eq!(left, named.iter().copied().collect());
    }

    #[test]
    fn descendants_are_followed_and_others_are_not() {
        let facts = [(2, fork(1)), (3, fork(2)), (8, fork(7)), (8, EXEC)];
        check(&[&facts], &[1], &[1, 2, 3], &[2, 3]);
    }

    #[test]
    fn what_has_ended_is_kept_for_one_batch_more() {
        check(&[&[(2, fork(1)), (2, EXIT)]], &[1], &[1, 2], &[2]);
        check(&[&[(2, fork(1)), (2, EXIT)], &[]], &[1], &[1], &[]);
    }

    #[test]
    fn a_pid_that_is_used_again_is_another_process() {
        let again = [(2, fork(1)), (2, EXIT), (2, fork(1))];
        check(&[&again, &[], &[]], &[1, 1], &[1, 2], &[2]);
        let later: [&[_]; 4] = [&[(2, fork(1)), (2, EXIT)], &[(2, fork(1))], &[], &[]];
        check(&later, &[1, 1], &[1, 2], &[2]);
        let elsewhere: [&[_]; 2] = [&[(2, fork(1))], &[(2, fork(7)), (2, EXEC)]];
        check(&elsewhere, &[1], &[1], &[]);
    }

    #[test]
    fn a_process_that_is_gone_is_not_kept() {
        let mut mappings = Mappings::new(Interest::Sampled);
        // Above the kernel's largest PID (`PID_MAX_LIMIT`).
        assert_eq!(mappings.read(1 << 30).kind, FactKind::Unreadable);
        assert!(mappings.known.is_empty());
        let own = std::process::id();
        assert!(matches!(mappings.read(own).kind, FactKind::Snapshot(_)));
        assert_eq!(mappings.known, HashSet::from([own]));
    }
}
