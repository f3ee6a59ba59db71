//! Names of functions as they are typed, and which symbols they mean.

use std::borrow::Cow;

use cpp_demangle::DemangleOptions;
use regex::{Regex, RegexBuilder};

use crate::worker::demangle;

/// The largest compiled regular expression.
const MAX_COMPILED: usize = 4 << 20;

/// What a function must be called.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: String,
    /// `*` is also what a pointer is written with: a glob may be a name as well.
    name: Option<Exact>,
    regex: Option<Regex>,
}

#[derive(Clone, Debug)]
struct Exact {
    /// Without blanks, which no two programs put in the same places.
    packed: String,
    /// What a mangled name must contain, to save demangling all that do not.
    word: Option<String>,
}

impl Pattern {
    /// A name, or a glob if it has wildcards.
    pub(super) fn name(text: &str) -> Result<Self, String> {
        let regex = match is_glob(text) {
            true => Some(compile(&glob(text), text)?),
            false => None,
        };
        let name = (regex.is_none() || text.contains('(')).then(|| Exact {
            packed: packed(text),
            word: last_word(text),
        });
        Ok(Self {
            text: text.to_owned(),
            name,
            regex,
        })
    }

    /// A regular expression, found anywhere in a name.
    pub(super) fn regex(text: &str) -> Result<Self, String> {
        Ok(Self {
            text: format!("/{text}/"),
            name: None,
            regex: Some(compile(text, text)?),
        })
    }

    /// As it was typed.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is the name of one function, with all its overloads.
    pub(super) fn is_exact(&self) -> bool {
        self.regex.is_none()
    }

    /// Whether a symbol is meant.
    pub(super) fn matches(&self, raw: &str) -> bool {
        raw == self.text
            || self.regex.as_ref().is_some_and(|regex| regex.is_match(raw))
            || self.matches_demangled(raw)
    }

    fn matches_demangled(&self, raw: &str) -> bool {
        let possible = |name: &Exact| name.may_be(raw);
        if self.regex.is_none() && !self.name.as_ref().is_some_and(possible) {
            return false;
        }
        let Some(forms) = forms(raw) else {
            return false;
        };
        let fits = |regex: &Regex| regex.is_match(&forms.full) || regex.is_match(&forms.short);
        self.regex.as_ref().is_some_and(fits)
            || self.name.as_ref().is_some_and(|name| name.is(&forms))
    }
}

impl Exact {
    /// Whether it is worth demangling a symbol.
    fn may_be(&self, raw: &str) -> bool {
        self.word
            .as_ref()
            .is_none_or(|word| raw.contains(word.as_str()))
    }

    fn is(&self, Forms { full, short }: &Forms) -> bool {
        let is = |form: &str| packed(form) == self.packed;
        let plain = without_defaults(short);
        let open = unwrapped(&plain);
        is(full) || is(short) || is(&plain) || is(&open) || is(&without_arguments(&open))
    }
}

/// A mangled name as people write it.
struct Forms {
    /// With parameters.
    full: String,
    /// Without parameters and return type.
    short: String,
}

fn forms(raw: &str) -> Option<Forms> {
    let full = demangle(raw)?;
    let short = if full.contains('(') && raw.trim_start_matches('_').starts_with('Z') {
        without_parameters(raw).unwrap_or_else(|| full.clone())
    } else {
        full.clone()
    };
    Some(Forms { full, short })
}

/// The name without parameters, as people call the function; the name itself if it is not mangled.
pub(super) fn short(raw: &str) -> Cow<'_, str> {
    forms(raw).map_or(Cow::Borrowed(raw), |Forms { full: _, short }| {
        Cow::Owned(short)
    })
}

/// The name with parameters; the name itself if it is not mangled.
pub(super) fn full(raw: &str) -> Cow<'_, str> {
    forms(raw).map_or(Cow::Borrowed(raw), |Forms { full, short: _ }| {
        Cow::Owned(full)
    })
}

fn without_parameters(raw: &str) -> Option<String> {
    let raw = match raw.starts_with("__Z") {
        true => &raw[1..],
        false => raw,
    };
    let options = DemangleOptions::default().no_params().no_return_type();
    let symbol = cpp_demangle::Symbol::new(raw).ok()?;
    symbol.demangle_with_options(&options).ok()
}

fn packed(name: &str) -> String {
    name.chars().filter(|char| !char.is_whitespace()).collect()
}

/// `std::vector<int, std::allocator<int> >` is written `std::vector<int>`.
fn without_defaults(name: &str) -> String {
    const DEFAULTS: &[&str] = &[
        ", std::allocator<",
        ", std::char_traits<",
        ", std::less<",
        ", std::hash<",
        ", std::equal_to<",
        ", std::default_delete<",
    ];
    let mut rest = name;
    let mut kept = String::with_capacity(name.len());
    while let Some((at, default)) = DEFAULTS
        .iter()
        .filter_map(|default| Some((rest.find(default)?, default)))
        .min()
    {
        let inside = at + default.len();
        let Some(end) = closing(&rest[inside..]) else {
            break;
        };
        kept.push_str(&rest[..at]);
        rest = &rest[inside + end + 1..];
    }
    kept.push_str(rest);
    kept
}

/// Where the `>` is that closes what has been opened.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'<' => depth += 1,
            b'>' if depth == 0 => return Some(at),
            b'>' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Rust's `<app::Server>::run` is written `app::Server::run`.
fn unwrapped(name: &str) -> Cow<'_, str> {
    let unwrap = || {
        let rest = name.strip_prefix('<')?;
        let end = closing(rest)?;
        let (inside, behind) = (&rest[..end], &rest[end + 1..]);
        (behind.starts_with("::")
            && !inside.contains(" as ")
            && !inside.starts_with(['&', '[', '*']))
        .then(|| format!("{inside}{behind}"))
    };
    unwrap().map_or(Cow::Borrowed(name), Cow::Owned)
}

/// `std::vector<int>::push_back` and `run::<u32>` without what is in angle brackets.
pub(super) fn without_arguments(name: &str) -> String {
    let mut kept = String::with_capacity(name.len());
    if name.contains("operator<") || name.contains("operator>") || name.contains("operator-") {
        return name.to_owned();
    }
    let mut rest = name;
    while let Some(at) = rest.find('<') {
        let before = &rest[..at];
        let applied = before.ends_with(|last: char| last.is_alphanumeric() || "_:".contains(last));
        let end = applied.then(|| closing(&rest[at + 1..])).flatten();
        let Some(end) = end else {
            kept.push_str(&rest[..=at]);
            rest = &rest[at + 1..];
            continue;
        };
        kept.push_str(before.strip_suffix("::").unwrap_or(before));
        rest = &rest[at + 1 + end + 1..];
    }
    kept.push_str(rest);
    kept
}

/// The last part of a name, if a mangled name has it in it as it is.
fn last_word(text: &str) -> Option<String> {
    // What the ABI has abbreviations for is not spelled out.
    if text.contains("std::") || !text.is_ascii() {
        return None;
    }
    let name = text.split(['(', '<']).next()?;
    let word = name.rsplit("::").next()?.trim_start_matches('~');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let usable = !word.is_empty() && !word.starts_with("operator") && word.bytes().all(plain);
    usable.then(|| word.to_owned())
}

fn is_glob(text: &str) -> bool {
    text.contains(['*', '?']) || class(text).is_some()
}

/// The first `[…]` that is not `[]`: where it begins and where it ends.
fn class(text: &str) -> Option<(usize, usize)> {
    let open = text.match_indices('[').map(|(at, _)| at);
    open.filter_map(|at| Some((at, at + text[at..].find(']')?)))
        .find(|(open, close)| close - open > 1)
}

/// The regular expression of a glob.
fn glob(text: &str) -> String {
    let mut regex = "(?s)^".to_owned();
    let literal = |regex: &mut String, text: &str| {
        for character in text.chars() {
            match character {
                '*' => regex.push_str(".*"),
                '?' => regex.push('.'),
                _ => regex.push_str(&regex::escape(character.encode_utf8(&mut [0; 4]))),
            }
        }
    };
    let mut rest = text;
    while let Some((open, close)) = class(rest) {
        literal(&mut regex, &rest[..open]);
        let inside = &rest[open + 1..close];
        let (not, inside) = match inside.strip_prefix(['!', '^']) {
            Some(inside) if !inside.is_empty() => ("^", inside),
            _ => ("", inside),
        };
        regex.push('[');
        regex.push_str(not);
        for character in inside.chars() {
            if matches!(character, '\\' | '[' | '&' | '~' | '^') {
                regex.push('\\');
            }
            regex.push(character);
        }
        regex.push(']');
        rest = &rest[close + 1..];
    }
    literal(&mut regex, rest);
    regex.push('$');
    regex
}

fn compile(regex: &str, typed: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(regex).size_limit(MAX_COMPILED).build();
    built.map_err(|why| {
        let why = why.to_string();
        let last = why.lines().last().unwrap_or_default();
        let cause = last.trim().trim_start_matches("error: ");
        format!("'{typed}' is no pattern: {cause}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        match text
            .strip_prefix('/')
            .and_then(|text| text.strip_suffix('/'))
        {
            Some(regex) => Pattern::regex(regex).unwrap(),
            None => Pattern::name(text).unwrap(),
        }
    }

    #[track_caller]
    fn check(raw: &str, meant: &[&str], not: &[&str]) {
        for text in meant {
            assert!(pattern(text).matches(raw), "{text} is not {raw}");
        }
        for text in not {
            assert!(!pattern(text).matches(raw), "{text} is {raw}");
        }
    }

    #[test]
    fn c_names() {
        check(
            "strlen",
            &[
                "strlen",
                "str*",
                "*",
                "s?rlen",
                "str[lx]en",
                "[!a-r]*",
                "/^str/",
                "/len/",
            ],
            &["strlen2", "str", "str[!l]en", "/^len/", "s?len"],
        );
        check("f", &["f"], &["float", "fl*"]);
    }

    #[test]
    fn cpp_names() {
        check(
            "_ZNSt6vectorIiSaIiEE9push_backERKi",
            &[
                "_ZNSt6vectorIiSaIiEE9push_backERKi",
                "std::vector<int>::push_back",
                "std::vector<int, std::allocator<int>>::push_back(int const&)",
                "std::vector<int, std::allocator<int> >::push_back",
                "std::vector::push_back",
                "*::push_back",
                "*push_back*",
                "/vector.*push_back/",
            ],
            &["push_back", "std::vector<long>::push_back", "*::push_bac"],
        );
        check(
            "_ZN3app5serveEiPKc",
            &[
                "app::serve",
                "app::serve(int, char const*)",
                "app::*",
                "app::serve(int,char const*)",
            ],
            &["serve", "app::serve(int)", "app::serv"],
        );
        check(
            "_ZN1VplERKS_",
            &["V::operator+", "V::operator+(V const&)"],
            &["V::operator"],
        );
        check("_ZN1VixEi", &["V::operator[]"], &["V::operator"]);
        check("_ZN3FooC1Ev", &["Foo::Foo", "Foo::Foo()"], &["Foo"]);
        check("_ZN3FooD1Ev", &["Foo::~Foo"], &["Foo::Foo"]);
        // A template's return type is part of its name.
        check(
            "_Z3addIiET_S0_S0_",
            &["add<int>", "add", "int add<int>(int, int)"],
            &["add<long>"],
        );
    }

    #[test]
    fn rust_names() {
        check(
            "_ZN3app5serve17h5f1a6fd39197ad62E",
            &["app::serve", "app::*"],
            &["serve"],
        );
        check(
            "_RNvCskwGfYPst2Cb_3foo16example_function",
            &["foo::example_function", "foo::*"],
            &["example_function"],
        );
        check(
            "_RNvMCs1234_7mycrateNtB2_3Foo3bar",
            &["mycrate::Foo::bar", "<mycrate::Foo>::bar"],
            &["mycrate::bar"],
        );
    }

    #[test]
    fn shortened() {
        assert_eq!(short("_ZN3app5serveEiPKc"), "app::serve");
        assert_eq!(short("malloc"), "malloc");
        assert_eq!(without_arguments("a<b<c>>::d::<e>"), "a::d");
        assert_eq!(without_arguments("<A as B<C>>::d"), "<A as B>::d");
        assert_eq!(without_arguments("a<b"), "a<b");
        assert_eq!(
            without_defaults(
                "std::map<int, A, std::less<int>, std::allocator<std::pair<int, A>> >::at"
            ),
            "std::map<int, A >::at"
        );
    }
}
