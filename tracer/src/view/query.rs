//! What part of a profile to look at: one query drives every view.
//!
//! Owns what a pattern matches. Time is part of a query as a window; who moves that window along is
//! somebody else's business.

use std::{collections::BTreeSet, fmt};

use regex::Regex;

use crate::profile::{ProcessId, Window};

/// Which part of a profile to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// When.
    pub window: Window,
    /// These processes alone; `None`: all.
    pub processes: Option<BTreeSet<ProcessId>>,
    /// This thread alone, by process and TID, whatever it was called; `None`: all.
    pub thread: Option<(ProcessId, u32)>,
    /// Samples that match all of these.
    pub filters: Vec<Filter>,
    /// Where the CPU was.
    pub mode: Mode,
    /// What stacks are put together by.
    pub group: Group,
}

/// A pattern that samples must match, or must not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Matched against the thread's name, and the functions and files of the stack.
    pub pattern: Pattern,
    /// Whether samples that match are the ones to leave out.
    pub exclude: bool,
}

/// Where the CPU was when a sample was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Anywhere.
    #[default]
    All,
    /// In the program.
    User,
    /// In the kernel.
    Kernel,
}

/// What stacks are put together by: the first level of call trees and flame graphs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Group {
    /// The names of threads.
    #[default]
    Comm,
    /// Processes.
    Process,
    /// Nothing: all stacks together.
    Merged,
}

/// Text to look for, or a regular expression between slashes. Text without capitals matches whatever
/// the case.
#[derive(Clone, Debug)]
pub struct Pattern {
    typed: String,
    matcher: Matcher,
}

#[derive(Clone, Debug)]
enum Matcher {
    Exact(String),
    IgnoringCase(String),
    Regex(Regex),
}

impl Query {
    /// Whether a sample's time is all that matters.
    pub fn is_only_time(&self) -> bool {
        let Self {
            window: _,
            processes,
            thread,
            filters,
            mode,
            group: _,
        } = self;
        processes.is_none() && thread.is_none() && filters.is_empty() && *mode == Mode::All
    }
}

impl Mode {
    /// The one that follows, in a circle.
    pub const fn next(self) -> Self {
        match self {
            Self::All => Self::User,
            Self::User => Self::Kernel,
            Self::Kernel => Self::All,
        }
    }

    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "user and kernel",
            Self::User => "user only",
            Self::Kernel => "kernel only",
        }
    }
}

impl Group {
    /// The one that follows, in a circle.
    pub const fn next(self) -> Self {
        match self {
            Self::Comm => Self::Process,
            Self::Process => Self::Merged,
            Self::Merged => Self::Comm,
        }
    }

    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Comm => "by thread name",
            Self::Process => "by process",
            Self::Merged => "merged",
        }
    }
}

impl Pattern {
    /// Reads what was typed; says what is wrong with a regular expression.
    pub fn parse(typed: &str) -> Result<Self, String> {
        let inside = typed
            .strip_prefix('/')
            .and_then(|rest| rest.strip_suffix('/'));
        let matcher = match inside {
            Some("") | None if typed.chars().any(char::is_uppercase) => {
                Matcher::Exact(typed.to_owned())
            }
            Some("") | None => Matcher::IgnoringCase(typed.to_owned()),
            Some(expression) => Matcher::Regex(Regex::new(expression).map_err(|error| {
                // The last line names the cause; those before it draw the place.
                let text = error.to_string();
                let cause = text.lines().last().unwrap_or_default();
                format!(
                    "not a regular expression: {}",
                    cause.trim_start_matches("error: ")
                )
            })?),
        };
        Ok(Self {
            typed: typed.to_owned(),
            matcher,
        })
    }

    /// Whether it is found in a text.
    pub fn matches(&self, text: &str) -> bool {
        match &self.matcher {
            Matcher::Exact(needle) => text.contains(needle),
            Matcher::IgnoringCase(needle) => {
                text.contains(needle) || text.to_lowercase().contains(needle)
            }
            Matcher::Regex(regex) => regex.is_match(text),
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.typed == other.typed
    }
}

impl Eq for Pattern {}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = if self.exclude { "not " } else { "" };
        write!(f, "{not}{}", self.pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match() {
        for (typed, text, expected) in [
            ("memcpy", "__memcpy_avx", true),
            ("memcpy", "MemCpy", true),
            ("MemCpy", "memcpy", false),
            ("/^mem(cpy|set)$/", "memset", true),
            ("/^mem(cpy|set)$/", "memset_", false),
            ("/", "a/b", true),
            ("//", "a//b", true),
            ("a.b", "axb", false),
            ("", "anything", true),
        ] {
            let pattern = Pattern::parse(typed).unwrap();
            assert_eq!(pattern.matches(text), expected, "{typed} in {text}");
            assert_eq!(pattern.to_string(), typed);
        }
        let error = Pattern::parse("/a(/").unwrap_err();
        assert_eq!(error, "not a regular expression: unclosed group");
    }
}
