//! What the doctor finds, as data.

/// What a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    System,
    Privileges,
    Settings,
    Sources,
}

impl Group {
    /// In the order in which they are shown.
    pub(super) const ALL: [Self; 4] = [
        Self::System,
        Self::Privileges,
        Self::Settings,
        Self::Sources,
    ];

    /// The name in titles and files.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Privileges => "Privileges",
            Self::Settings => "Settings",
            Self::Sources => "Sources",
        }
    }
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// As it should be.
    Ok,
    /// Something is missing that tracer can do without.
    Warn,
    /// Something is missing that a command cannot do without.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) group: Group,
    pub(super) name: &'static str,
    pub(super) outcome: Outcome,
    /// What was found, in a few words.
    pub(super) found: String,
    /// What to do about it, as something to type where there is such a thing.
    pub(super) remedy: Option<String>,
}

impl Check {
    pub(super) fn ok(group: Group, name: &'static str, found: impl Into<String>) -> Self {
        Self {
            group,
            name,
            outcome: Outcome::Ok,
            found: found.into(),
            remedy: None,
        }
    }

    /// The same, with something amiss.
    pub(super) fn but(self, outcome: Outcome, remedy: impl Into<String>) -> Self {
        Self {
            outcome,
            remedy: Some(remedy.into()),
            ..self
        }
    }
}

/// Which commands can do what they are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Works {
    pub(super) top: bool,
    pub(super) flame: bool,
    pub(super) hist: bool,
}

/// Everything that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) checks: Vec<Check>,
    pub(super) works: Works,
}

impl Works {
    /// Whether every command does.
    pub(super) fn all(self) -> bool {
        self.commands().iter().all(|(_, works)| *works)
    }

    /// Each command, and whether it does.
    pub(super) fn commands(self) -> [(&'static str, bool); 3] {
        let Self { top, flame, hist } = self;
        [("top", top), ("flame", flame), ("hist", hist)]
    }
}

impl Report {
    /// What it comes to, in a sentence.
    pub(super) fn verdict(&self) -> String {
        let those = |wanted: bool| -> Vec<&str> {
            let commands = self.works.commands().into_iter();
            commands
                .filter(|(_, works)| *works == wanted)
                .map(|(name, _)| name)
                .collect()
        };
        let (working, failing) = (those(true), those(false));
        let warned = |check: &&Check| check.outcome == Outcome::Warn;
        let with = match self.checks.iter().filter(warned).count() {
            0 => String::new(),
            1 => "; 1 warning".to_owned(),
            some => format!("; {some} warnings"),
        };
        match (working.as_slice(), failing.as_slice()) {
            (working, []) => format!("{} work{with}.", list(working)),
            ([], failing) => format!(
                "Nothing works here: neither {}.",
                list(failing).replace(" and ", " nor ")
            ),
            (working, failing) => format!(
                "{} {}, {} {}.",
                list(working),
                verb(working, "works", "work"),
                list(failing),
                verb(failing, "does not", "do not"),
            ),
        }
    }
}

fn verb(of: &[&str], one: &'static str, several: &'static str) -> &'static str {
    if of.len() == 1 { one } else { several }
}

/// `a`, `a and b`, `a, b and c`.
fn list(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(works: [bool; 3], warnings: usize, verdict: &str) {
        let [top, flame, hist] = works;
        let warning = Check::ok(Group::Settings, "a", "b").but(Outcome::Warn, "c");
        let report = Report {
            checks: vec![warning; warnings],
            works: Works { top, flame, hist },
        };
        assert_eq!(report.verdict(), verdict);
        assert_eq!(report.works.all(), !works.contains(&false));
    }

    #[test]
    fn verdicts() {
        check([true; 3], 0, "top, flame and hist work.");
        check([true; 3], 2, "top, flame and hist work; 2 warnings.");
        check([true, true, false], 1, "top and flame work, hist does not.");
        check([false, false, true], 0, "hist works, top and flame do not.");
        check(
            [false; 3],
            3,
            "Nothing works here: neither top, flame nor hist.",
        );
    }
}
