//! The grammar of probes.

use std::path::PathBuf;

use super::pattern::Pattern;

/// A probe as it was typed.
#[derive(Clone, Debug)]
pub struct Spec {
    text: String,
    pub(super) place: Place,
    pub(super) pattern: Pattern,
    /// Bytes from the function's beginning, if it is to be probed elsewhere.
    pub(super) offset: Option<u64>,
}

/// Which file a probe is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Whichever of the files of what is measured has the function.
    Anywhere,
    /// The file at a path.
    Path(PathBuf),
    /// A library, by soname or stem, or a command.
    Named(String),
    /// As bcc has it: `c` is libc.
    Short(String),
}

/// Kinds that are a function's entry and return.
const OURS: &[&str] = &["uprobe", "uretprobe", "u", "ur", "p", "r"];

/// Kinds that others have, and what they are about.
const OTHERS: &[(&[&str], &str)] = &[
    (
        &["kprobe", "kretprobe", "k", "kr", "kfunc", "kretfunc"],
        "kernel functions",
    ),
    (&["fentry", "fexit", "f", "fr"], "kernel functions"),
    (
        &["tracepoint", "t", "rawtracepoint", "rt", "raw_tracepoint"],
        "tracepoints",
    ),
    (&["usdt", "U"], "USDT"),
    (&["syscall", "sys"], "system calls"),
    (&["software", "s", "hardware", "h", "profile"], "events"),
    (
        &["interval", "i", "watchpoint", "w", "iter", "it"],
        "events",
    ),
];

const FORM: &str = "write uprobe:PATH-or-library:SYMBOL, as in uprobe:libc:malloc";

impl PartialEq for Spec {
    /// What was typed says everything.
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Spec {}

impl Spec {
    /// Reads a probe; says which part of it is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let typed = text.trim();
        if typed.is_empty() {
            return Err(format!("the probe is empty; {FORM}"));
        }
        let (place, symbol) = split(typed)?;
        let (pattern, offset) = symbol_of(typed, symbol)?;
        Ok(Self {
            text: typed.to_owned(),
            place,
            pattern,
            offset,
        })
    }

    /// As it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The file and the rest.
fn split(typed: &str) -> Result<(Place, &str), String> {
    if is_regex(typed) && !typed.contains(":/") {
        return Ok((Place::Anywhere, typed));
    }
    let Some((first, rest)) = split_colon(typed) else {
        let kind_alone = typed.starts_with("uprobe::") || typed.starts_with("uretprobe::");
        return match kind_alone || looks_like_path(typed) {
            true => Err(no_function(typed)),
            false => Ok((Place::Anywhere, typed)),
        };
    };
    if let Some((_, about)) = OTHERS.iter().find(|(kinds, _)| kinds.contains(&first)) {
        return Err(format!(
            "'{first}:' in '{typed}' is about {about}; tracer probes functions of programs and libraries so far: {FORM}"
        ));
    }
    let bcc = matches!(first, "p" | "r");
    if !OURS.contains(&first) {
        return Ok((file(typed, first, true)?, named(typed, rest)?));
    }
    match split_colon(rest) {
        Some((target, symbol)) => Ok((file(typed, target, bcc)?, named(typed, symbol)?)),
        None if bcc && !rest.is_empty() && !looks_like_path(rest) => Ok((Place::Anywhere, rest)),
        None => Err(no_function(typed)),
    }
}

fn named<'a>(typed: &str, symbol: &'a str) -> Result<&'a str, String> {
    match symbol.is_empty() {
        true => Err(no_function(typed)),
        false => Ok(symbol),
    }
}

fn no_function(typed: &str) -> String {
    format!("'{typed}' names no function; {FORM}, or SYMBOL alone with -p")
}

fn file(typed: &str, target: &str, short: bool) -> Result<Place, String> {
    if target.is_empty() {
        return Err(format!(
            "'{typed}' names no file before the function; {FORM}"
        ));
    }
    if target.contains(['*', '?', '[']) {
        return Err(format!(
            "'{target}' in '{typed}' is not a file: only functions can be patterns; {FORM}"
        ));
    }
    Ok(if looks_like_path(target) {
        Place::Path(PathBuf::from(target))
    } else if short {
        Place::Short(target.to_owned())
    } else {
        Place::Named(target.to_owned())
    })
}

fn looks_like_path(text: &str) -> bool {
    text.starts_with(['/', '.']) || (text.contains('/') && !text.contains(['(', ' ']))
}

fn is_regex(text: &str) -> bool {
    text.len() > 2 && text.starts_with('/') && text.ends_with('/')
}

/// At the first colon that is not one of a pair; of three, the first is alone.
fn split_colon(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let run = bytes[at..].iter().take_while(|byte| **byte == b':').count();
        if run % 2 == 1 {
            return Some((&text[..at], &text[at + 1..]));
        }
        at += run.max(1);
    }
    None
}

/// The function's name, and how far behind its beginning.
fn symbol_of(typed: &str, symbol: &str) -> Result<(Pattern, Option<u64>), String> {
    if is_regex(symbol) {
        return Ok((Pattern::regex(&symbol[1..symbol.len() - 1])?, None));
    }
    if symbol.starts_with('/') {
        return Err(format!(
            "'{symbol}' in '{typed}' is no name, and a regular expression ends with '/'"
        ));
    }
    let (name, offset) = match symbol.rsplit_once('+') {
        // `operator+` and `operator++` are names.
        Some((name, behind)) if !name.is_empty() && !names_operator(name, behind) => {
            (name, Some(offset_of(typed, behind)?))
        }
        _ => (symbol, None),
    };
    let pattern = Pattern::name(name)?;
    if offset.is_some() && !pattern.is_exact() {
        return Err(format!(
            "'{typed}' has an offset and a pattern; an offset needs the one function that it is in"
        ));
    }
    Ok((pattern, offset))
}

fn names_operator(name: &str, behind: &str) -> bool {
    let number = behind.starts_with(|first: char| first.is_ascii_digit());
    !number && (name.ends_with("operator") || name.contains("operator+"))
}

fn offset_of(typed: &str, text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| {
        format!(
            "'+{text}' in '{typed}' is no offset; it is a number of bytes, decimal or with 0x, as in main+4"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, place: Place, name: &str, offset: Option<u64>) {
        let spec = Spec::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        assert_eq!(spec.place, place, "{text}");
        assert_eq!(spec.pattern.text(), name, "{text}");
        assert_eq!(spec.offset, offset, "{text}");
        assert_eq!(spec.text(), text);
    }

    fn path(text: &str) -> Place {
        Place::Path(PathBuf::from(text))
    }

    fn library(text: &str) -> Place {
        Place::Named(text.to_owned())
    }

    fn short(text: &str) -> Place {
        Place::Short(text.to_owned())
    }

    #[test]
    fn files_and_functions() {
        check(
            "uprobe:/usr/bin/app:serve",
            path("/usr/bin/app"),
            "serve",
            None,
        );
        check("u:./app:serve", path("./app"), "serve", None);
        check("uprobe:libc:malloc", library("libc"), "malloc", None);
        check("ur:libc.so.6:malloc", library("libc.so.6"), "malloc", None);
        check("uretprobe:libc:malloc", library("libc"), "malloc", None);
        check("c:malloc", short("c"), "malloc", None);
        check("p:c:malloc", short("c"), "malloc", None);
        check("r:/bin/bash:readline", path("/bin/bash"), "readline", None);
        check("p:malloc", Place::Anywhere, "malloc", None);
        check("/usr/bin/app:serve", path("/usr/bin/app"), "serve", None);
        check("bin/app:serve", path("bin/app"), "serve", None);
        check("malloc", Place::Anywhere, "malloc", None);
    }

    #[test]
    fn names_with_colons() {
        check("app::serve", Place::Anywhere, "app::serve", None);
        check(
            "uprobe:libstdc++:std::vector<int>::push_back",
            library("libstdc++"),
            "std::vector<int>::push_back",
            None,
        );
        check(
            "uprobe:./a:main::run(int, char**)",
            path("./a"),
            "main::run(int, char**)",
            None,
        );
        check("uprobe:a:::global", library("a"), "::global", None);
        check("std::a", Place::Anywhere, "std::a", None);
        check(
            "uprobe:./a:<app::A as app::B>::run",
            path("./a"),
            "<app::A as app::B>::run",
            None,
        );
    }

    #[test]
    fn patterns_and_offsets() {
        check("uprobe:libc:str*", library("libc"), "str*", None);
        check("uprobe:libc:/^str/", library("libc"), "/^str/", None);
        check("/^a:b/", Place::Anywhere, "/^a:b/", None);
        check("/usr/bin/a:/b/", path("/usr/bin/a"), "/b/", None);
        check("main+4", Place::Anywhere, "main", Some(4));
        check("uprobe:./a:main+0x1f", path("./a"), "main", Some(31));
        check("V::operator+", Place::Anywhere, "V::operator+", None);
        check("V::operator++", Place::Anywhere, "V::operator++", None);
        check("V::operator+=", Place::Anywhere, "V::operator+=", None);
        check("V::operator++4", Place::Anywhere, "V::operator+", Some(4));
        check("V::operator[]", Place::Anywhere, "V::operator[]", None);
    }

    #[track_caller]
    fn refused(text: &str, part: &str) {
        match Spec::parse(text) {
            Err(why) => {
                assert!(why.contains(part), "{text}: {why}");
                assert!(!why.contains('\n'), "{text}: {why}");
            }
            Ok(spec) => panic!("{text} is taken: {spec:?}"),
        }
    }

    #[test]
    fn errors_show_the_part_that_is_wrong() {
        refused("", "the probe is empty");
        refused("uprobe:", "names no function");
        refused("uprobe:libc", "names no function");
        refused("uprobe:libc:", "names no function");
        refused("uprobe::malloc", "names no function");
        refused("/usr/bin/app", "names no function");
        refused("./app", "names no function");
        refused("uprobe:lib*:malloc", "'lib*'");
        refused("kprobe:do_sys_open", "'kprobe:'");
        refused("t:syscalls:sys_enter_open", "'t:'");
        refused("usdt:./a:b:c", "'usdt:'");
        refused("main+", "'+'");
        refused("main+x", "'+x'");
        refused("main+0xg", "'+0xg'");
        refused("str*+4", "an offset and a pattern");
        refused("uprobe:libc:/a(/", "a(");
        refused("uprobe:libc:/a", "ends with '/'");
        refused("uprobe:libc:[z-a]b", "[z-a]");
    }
}
