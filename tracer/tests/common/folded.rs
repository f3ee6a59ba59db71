//! Folded stacks: `comm;root;…;leaf COUNT`.

/// One line.
#[derive(Debug, PartialEq)]
pub(crate) struct Stack {
    pub(crate) comm: String,
    /// Root first.
    pub(crate) frames: Vec<String>,
    pub(crate) count: u64,
}

impl Stack {
    fn parse(line: &str) -> Option<Self> {
        let (stack, count) = line.rsplit_once(' ')?;
        let mut frames = stack.split(';').map(str::to_owned);
        Some(Self {
            comm: frames.next()?,
            frames: frames.collect(),
            count: count.parse().ok()?,
        })
    }

    /// The innermost frame that is not the kernel's.
    pub(crate) fn user_leaf(&self) -> Option<&str> {
        self.frames
            .iter()
            .map(String::as_str)
            .rfind(|frame| !frame.ends_with("_[k]"))
    }

    pub(crate) fn has(&self, function: &str) -> bool {
        self.frames.iter().any(|frame| frame == function)
    }

    /// Why the stack does not reach its root.
    pub(crate) fn truncation(&self) -> Option<&str> {
        self.frames
            .first()?
            .strip_prefix("[truncated: ")?
            .strip_suffix(']')
    }
}

/// Every line must be a stack.
pub(crate) fn parse(text: &str) -> Vec<Stack> {
    text.lines()
        .map(|line| Stack::parse(line).unwrap_or_else(|| panic!("not a folded stack: {line:?}")))
        .collect()
}

pub(crate) fn total(stacks: &[Stack]) -> u64 {
    stacks.iter().map(|stack| stack.count).sum()
}

/// The part of all samples that this holds for, in percent.
pub(crate) fn percent(stacks: &[Stack], holds: impl Fn(&Stack) -> bool) -> f64 {
    let part: u64 = stacks
        .iter()
        .filter(|stack| holds(stack))
        .map(|stack| stack.count)
        .sum();
    100.0 * part as f64 / total(stacks).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a b;main;f 3\na b;[truncated: too deep];g;tick_[k] 1\n";

    #[test]
    fn stacks_are_read() {
        let stacks = parse(TEXT);
        assert_eq!(stacks[0].comm, "a b");
        assert_eq!(stacks[0].frames, ["main", "f"]);
        assert_eq!((stacks[0].count, total(&stacks)), (3, 4));
        assert_eq!(stacks[0].user_leaf(), Some("f"));
        assert_eq!(stacks[1].user_leaf(), Some("g"));
        assert_eq!(
            (stacks[0].truncation(), stacks[1].truncation()),
            (None, Some("too deep"))
        );
    }

    #[test]
    fn shares_are_in_percent() {
        assert!((percent(&parse(TEXT), |stack| stack.has("f")) - 75.0).abs() < 1e-9);
        assert!(percent(&[], |_| true).abs() < 1e-9);
    }
}
