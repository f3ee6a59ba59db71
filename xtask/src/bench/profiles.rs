//! Self samples by function, out of folded stacks and out of `perf script`.

use std::collections::BTreeMap;

/// Samples by the function that was running.
#[derive(Debug, Default, PartialEq)]
pub(super) struct SelfSamples {
    pub(super) by_function: BTreeMap<String, u64>,
    pub(super) total: u64,
}

impl SelfSamples {
    fn add(&mut self, function: String, count: u64) {
        *self.by_function.entry(function).or_default() += count;
        self.total += count;
    }

    pub(super) fn share(&self, function: &str) -> f64 {
        let count = self.by_function.get(function).copied().unwrap_or(0);
        count as f64 / self.total.max(1) as f64
    }

    /// The widest first.
    pub(super) fn widest(&self, most: usize) -> Vec<&str> {
        let mut functions: Vec<_> = self.by_function.iter().collect();
        functions.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), name.as_str()));
        functions
            .into_iter()
            .take(most)
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// The same samples, with other names.
    pub(super) fn renamed(self, name: impl Fn(&str) -> String) -> Self {
        let mut renamed = Self::default();
        for (function, count) in self.by_function {
            renamed.add(name(&function), count);
        }
        renamed
    }
}

/// Reads `comm;root;…;leaf COUNT`. An inlined leaf counts for the function that it is inlined in,
/// which is what the symbol table, and so perf, knows.
pub(super) fn folded(text: &str) -> SelfSamples {
    let mut samples = SelfSamples::default();
    for (stack, count) in text.lines().filter_map(|line| line.rsplit_once(' ')) {
        let Ok(count) = count.parse() else { continue };
        let frames = stack.split_once(';').map_or("", |(_, frames)| frames);
        let leaf = frames.rsplit(';').find(|frame| !frame.ends_with("_[i]"));
        samples.add(plain(leaf.unwrap_or("[nothing]")), count);
    }
    samples
}

/// Reads `perf script -F ip,sym,dso`: a paragraph for each sample, its leaf first.
pub(super) fn perf_script(text: &str) -> SelfSamples {
    let mut samples = SelfSamples::default();
    for leaf in text
        .split("\n\n")
        .filter_map(|sample| sample.trim().lines().next())
    {
        let Some((_, rest)) = leaf.trim().split_once(' ') else {
            continue;
        };
        let (symbol, dso) = rest.rsplit_once(" (").unwrap_or((rest, ""));
        let function = if symbol == "[unknown]" {
            unnamed(dso.trim_end_matches(')'))
        } else {
            plain(symbol)
        };
        samples.add(function, 1);
    }
    samples
}

/// The function's name alone: no mark of its kind, no version, no offset.
fn plain(name: &str) -> String {
    let name = ["_[k]", "_[j]"]
        .iter()
        .find_map(|mark| name.strip_suffix(mark))
        .unwrap_or(name);
    if let Some((object, _)) = name.split_once("+0x") {
        return unnamed(object);
    }
    name.split('@').next().unwrap_or(name).to_owned()
}

/// Code without symbols: all of it in one object together, since perf gives it no addresses.
fn unnamed(object: &str) -> String {
    format!("[{}]", object.rsplit('/').next().unwrap_or(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(samples: SelfSamples, expected: &[(&str, u64)]) {
        let found: Vec<_> = samples
            .by_function
            .iter()
            .map(|(n, c)| (n.as_str(), *c))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(
            samples.total,
            expected.iter().map(|(_, count)| count).sum::<u64>()
        );
    }

    #[test]
    fn folded_stacks_count_for_their_leaves() {
        check(
            folded("a;main;f 3\na;main;f;inner_[i] 2\na b;main;entry_[k] 1\na;libx.so+0x10 4\n"),
            &[("[libx.so]", 4), ("entry", 1), ("f", 5)],
        );
    }

    #[test]
    fn samples_of_perf_count_for_their_first_line() {
        let text = "\n  55d0 f (/usr/bin/a)\n  55d1 main (/usr/bin/a)\n\n\
                    \n  7f00 [unknown] (/lib/libx.so)\n\n  ff00 memcpy@GLIBC_2.14 (/lib/libc.so)\n";
        check(
            perf_script(text),
            &[("[libx.so]", 1), ("f", 1), ("memcpy", 1)],
        );
    }

    #[test]
    fn the_widest_come_first() {
        let samples = folded("a;f 1\na;g 3\na;h 1\n");
        assert_eq!(samples.widest(2), ["g", "f"]);
        assert!((samples.share("g") - 0.6).abs() < 1e-9);
        check(samples.renamed(|_| "x".to_owned()), &[("x", 5)]);
    }
}
