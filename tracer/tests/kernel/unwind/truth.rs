//! What a stack must be: chains of functions, root first, and which stacks are in keeping with them.
//!
//! A chain is written as a folded stack without its comm. An element is a name, or
//!
//! ```text
//! a|b      one of these names          name*     one that begins so, *name one that ends so
//! ?a       it may be missing           name{60}  60 times
//! ...      any number of frames that are none of the names of the chains (`DSO+*` is no name)
//! ```
//!
//! Every function of a fixture has one caller. So whichever of them is sampled, its stack is the
//! beginning of a chain, and a stack that is not is wrong.

use std::collections::BTreeMap;

use crate::common::folded::Stack;

/// From the program's entry to `main`: glibc's functions by their names of debug information.
pub(super) const MAIN: &str = "_start;__libc_start_main*;__libc_start_call_main;main";

#[derive(Clone, Debug)]
enum Element {
    One(Vec<String>),
    Maybe(Vec<String>),
    Any,
}

type Chain = Vec<Element>;

/// The chains of one thread's name.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    chains: Vec<Chain>,
    /// All names, but not the offsets of what has none.
    names: Vec<String>,
    /// What must be seen of each chain's end, in percent.
    reached: f64,
}

#[derive(Clone, Copy, PartialEq)]
enum Match {
    No,
    /// Its frames are the chain's first.
    Beginning,
    Whole,
}

impl Truth {
    pub(super) fn new(chains: &[&str]) -> Self {
        let chains: Vec<Chain> = chains.iter().map(|chain| parse(chain)).collect();
        let names = chains.iter().flatten().flat_map(|element| match element {
            Element::One(names) | Element::Maybe(names) => names.as_slice(),
            Element::Any => &[],
        });
        Self {
            names: names
                .filter(|name| !name.ends_with("+*"))
                .cloned()
                .collect(),
            chains,
            reached: 0.0,
        }
    }

    /// Chains below `main`.
    pub(super) fn below_main(chains: &[&str]) -> Self {
        let whole: Vec<String> = chains
            .iter()
            .map(|chain| format!("{MAIN};{chain}"))
            .collect();
        let whole: Vec<&str> = whole.iter().map(String::as_str).collect();
        Self::new(&whole)
    }

    /// This part of the samples must be of the last chain's end.
    pub(super) fn reached(mut self, percent: f64) -> Self {
        self.reached = percent;
        self
    }

    fn matches(&self, chain: &[Element], frames: &[&str]) -> Match {
        let (element, rest) = match (chain.split_first(), frames) {
            (None, []) => return Match::Whole,
            (None, _) => return Match::No,
            (Some((Element::One(_), _)), []) => return Match::Beginning,
            (Some(split), _) => split,
        };
        let without = |skipped: &[Element]| self.matches(skipped, frames);
        match (element, frames) {
            (Element::One(names), [frame, inner @ ..]) if is(names, frame) => {
                self.matches(rest, inner)
            }
            (Element::One(_), _) => Match::No,
            (Element::Maybe(names), [frame, inner @ ..]) if is(names, frame) => {
                better(self.matches(rest, inner), without(rest))
            }
            (Element::Any, [frame, inner @ ..]) if !is(&self.names, frame) => {
                better(self.matches(chain, inner), without(rest))
            }
            (Element::Maybe(_) | Element::Any, _) => without(rest),
        }
    }

    /// None where these frames are not in keeping with any chain.
    fn judge(&self, frames: &[&str]) -> Match {
        let each = self.chains.iter().map(|chain| self.matches(chain, frames));
        each.fold(Match::No, better)
    }

    /// Whether frames are the last ones of what would be in keeping: their beginning is not known.
    pub(super) fn is_tail(&self, frames: &[&str]) -> bool {
        let tails = |chain: &Chain| {
            let mut starts = 0..chain.len();
            starts.any(|start| self.matches(&chain[start..], frames) != Match::No)
        };
        self.chains.iter().any(tails)
    }

    /// Where frames leave the chain that they follow furthest.
    fn follows(&self, frames: &[&str]) -> usize {
        let begins = |many: &usize| self.judge(&frames[..*many]) != Match::No;
        (0..=frames.len()).take_while(begins).last().unwrap_or(0)
    }

    /// Where this stack leaves all chains.
    pub(super) fn fault(&self, stack: &Stack) -> Option<String> {
        let frames = user_frames(stack);
        (self.judge(&frames) == Match::No).then(|| {
            let (good, bad) = frames.split_at(self.follows(&frames));
            format!("{} >>> {}", shown(good), shown(bad))
        })
    }

    /// What is wrong with these stacks; empty: nothing.
    pub(super) fn faults(&self, what: &str, stacks: &[Stack]) -> String {
        let mut wrong: BTreeMap<String, u64> = BTreeMap::new();
        let (mut all, mut at_end) = (0, 0);
        for stack in stacks {
            let frames = user_frames(stack);
            all += stack.count;
            match self.judge(&frames) {
                Match::Whole => at_end += stack.count,
                Match::Beginning => (),
                Match::No => {
                    let line = self.fault(stack).unwrap_or_default();
                    *wrong.entry(line).or_default() += stack.count;
                }
            }
        }
        let mut faults = String::new();
        let bad: u64 = wrong.values().sum();
        if bad > 0 {
            faults.push_str(&format!("{what}: {bad} of {all} samples are wrong:\n"));
            for (line, count) in by_count(&wrong) {
                faults.push_str(&format!("  {count:>5} {line}\n"));
            }
        }
        let share = 100.0 * at_end as f64 / all.max(1) as f64;
        if all < 20 || share < self.reached {
            faults.push_str(&format!(
                "{what}: {all} samples, {share:.1} % of them at a chain's end, \
                 {:.1} % expected: too little is tested\n",
                self.reached
            ));
        }
        faults
    }
}

/// Whether one of the names is the frame's.
fn is(names: &[String], frame: &str) -> bool {
    names.iter().any(|name| {
        let (all, end) = (name.as_str(), name.strip_prefix('*'));
        let middle = end.and_then(|end| end.strip_suffix('*'));
        match (middle, end, all.strip_suffix('*')) {
            (Some(middle), _, _) => frame.contains(middle),
            (None, Some(end), _) => frame.ends_with(end),
            (None, None, Some(begin)) => frame.starts_with(begin),
            (None, None, None) => frame == all,
        }
    })
}

fn by_count(lines: &BTreeMap<String, u64>) -> Vec<(&String, &u64)> {
    let mut lines: Vec<_> = lines.iter().collect();
    lines.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    lines.truncate(12);
    lines
}

/// What runs of equal frames are shortened to.
fn shown(frames: &[&str]) -> String {
    let runs = frames.chunk_by(|left, right| left == right);
    let shown = runs.map(|run| match run.len() {
        1 => run[0].to_owned(),
        many => format!("{}{{{many}}}", run[0]),
    });
    shown.collect::<Vec<_>>().join(";")
}

fn better(left: Match, right: Match) -> Match {
    match (left, right) {
        (Match::Whole, _) | (_, Match::Whole) => Match::Whole,
        (Match::Beginning, _) | (_, Match::Beginning) => Match::Beginning,
        (Match::No, Match::No) => Match::No,
    }
}

/// Those that were unwound: neither the kernel's nor what was inlined into them.
pub(super) fn user_frames(stack: &Stack) -> Vec<&str> {
    let frames = stack.frames.iter().map(String::as_str);
    frames
        .filter(|frame| !frame.ends_with("_[k]") && !frame.ends_with("_[i]"))
        .collect()
}

fn parse(chain: &str) -> Chain {
    let names = |text: &str| text.split('|').map(str::to_owned).collect();
    let mut elements = Vec::new();
    for part in chain.split(';') {
        if part == "..." {
            elements.push(Element::Any);
        } else if let Some(part) = part.strip_prefix('?') {
            elements.push(Element::Maybe(names(part)));
        } else if let Some((part, times)) = part
            .strip_suffix('}')
            .and_then(|part| part.rsplit_once('{'))
            && let Ok(times) = times.parse()
        {
            let element = Element::One(names(part));
            elements.extend(std::iter::repeat_n(element, times));
        } else {
            elements.push(Element::One(names(part)));
        }
    }
    elements
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::folded;

    #[track_caller]
    fn check(chains: &[&str], stack: &str, expected: Match) {
        let frames: Vec<&str> = stack.split(';').collect();
        let found = Truth::new(chains).judge(&frames);
        assert!(found == expected, "{stack} and {chains:?}");
    }

    #[test]
    fn only_beginnings_of_chains_are_true() {
        let chains = ["main;a;b{2};c", "main;a;lib*;...;d|e"];
        check(&chains, "main;a;b;b;c", Match::Whole);
        check(&chains, "main;a;b", Match::Beginning);
        check(&chains, "main;b", Match::No);
        check(&chains, "a;b;b;c", Match::No);
        check(&chains, "main;a;b;b;b;c", Match::No);
        check(&chains, "main;a;b;c", Match::No);
        check(&chains, "main;a;b;b;c;x", Match::No);
        check(&chains, "main;a;libc.so+0x1;x;y;e", Match::Whole);
        check(&chains, "main;a;libc.so+0x1;x;y", Match::Beginning);
        check(&chains, "main;a;libc.so+0x1;e", Match::Whole);
        check(&chains, "main;a;libc.so+0x1;x;a;e", Match::No);
    }

    #[test]
    fn what_may_be_missing_may() {
        for stack in ["a;x;b", "a;b"] {
            check(&["a;?x;b"], stack, Match::Whole);
        }
        check(&["a;?x;b"], "a;y;b", Match::No);
        check(&["a;?*"], "a;y", Match::Whole);
        check(&["a;?*"], "a", Match::Whole);
    }

    #[test]
    fn tails_are_the_last_frames_of_beginnings() {
        let truth = Truth::new(&["main;a;b{2};c"]);
        for (tail, expected) in [("a;b", true), ("b;b;c", true), ("c", true), ("a;c", false)] {
            let frames: Vec<&str> = tail.split(';').collect();
            assert_eq!(truth.is_tail(&frames), expected, "{tail}");
        }
    }

    #[test]
    fn faults_say_where_a_chain_was_left() {
        let truth = Truth::new(&["main;a;b"]).reached(50.0);
        let right = folded::parse("c;main;a;b 20\nc;main;a;b;c_[k] 9\nc;main;x_[i] 1\n");
        assert_eq!(truth.faults("case", &right), "");
        let wrong = folded::parse("c;main;a;b 20\nc;main;b;b;b 3\n");
        let faults = truth.faults("case", &wrong);
        assert!(faults.contains("3 of 23"), "{faults}");
        assert!(faults.contains("    3 main >>> b{3}"), "{faults}");
        let few = folded::parse("c;main;a 20\n");
        assert!(truth.faults("case", &few).contains("too little"));
    }
}
