//! Rust sources without their comments and the contents of their strings, by line.

/// A file as the rules see it.
pub(crate) struct Source<'a> {
    pub(crate) text: &'a str,
    /// The text, of the same length, with spaces for comments and for what is inside of strings.
    pub(crate) code: String,
}

impl<'a> Source<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            text,
            code: blank(text),
        }
    }

    /// The number of the line that holds this byte, from 1.
    pub(crate) fn line_at(&self, offset: usize) -> usize {
        1 + self.text.as_bytes()[..offset]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
    }

    /// Every identifier and keyword of the code, and where it begins.
    pub(crate) fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        let bytes = self.code.as_bytes();
        let mut at = 0;
        std::iter::from_fn(move || {
            while at < bytes.len() && !is_word(bytes[at]) {
                at += 1;
            }
            let start = at;
            while at < bytes.len() && is_word(bytes[at]) {
                at += 1;
            }
            (start < at).then(|| (start, &self.code[start..at]))
        })
    }

    /// What is used of the standard library: `(offset, first segment after std)`, with the groups
    /// of `use std::{…}` opened.
    pub(crate) fn std_modules(&self) -> Vec<(usize, &str)> {
        let mut found = Vec::new();
        for (offset, word) in self.words() {
            if word != "std" {
                continue;
            }
            let Some(path) = self.code[offset + 3..].trim_start().strip_prefix("::") else {
                continue;
            };
            let path = path.trim_start();
            match path.strip_prefix('{') {
                Some(group) => found.extend(heads(group).map(|head| (offset, head))),
                None => found.push((offset, first_word(path))),
            }
        }
        found
    }
}

/// The first words of the items of a group, up to its closing brace.
fn heads(group: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    let mut starts = vec![0];
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => starts.push(at + 1),
            _ => {}
        }
    }
    starts
        .into_iter()
        .map(|start| first_word(group[start..].trim_start()))
}

fn first_word(text: &str) -> &str {
    let end = text
        .bytes()
        .position(|byte| !is_word(byte))
        .unwrap_or(text.len());
    &text[..end]
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let (from, to) = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => (at, line_end(bytes, at)),
            b'/' if bytes[at..].starts_with(b"/*") => (at, comment_end(bytes, at)),
            b'"' => (at + 1, string_end(bytes, at + 1)),
            b'r' if at == 0 || !is_word(bytes[at - 1]) || bytes[at - 1] == b'b' => {
                match raw_string(bytes, at) {
                    Some(inside) => inside,
                    None => (at, at),
                }
            }
            // A lifetime has no closing quote two or, with an escape, more bytes on.
            b'\'' if bytes.get(at + 1) == Some(&b'\\') => (at + 1, char_end(bytes, at + 3)),
            b'\'' if bytes.get(at + 2) == Some(&b'\'') => (at + 1, at + 2),
            _ => (at, at),
        };
        for byte in &mut code[from..to] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = to.max(at) + 1;
    }
    String::from_utf8(code).unwrap_or_else(|_| text.to_owned())
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..]
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(bytes.len(), |end| at + end)
}

/// Block comments nest.
fn comment_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

fn char_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && bytes[at] != b'\'' {
        at += 1;
    }
    at.min(bytes.len())
}

/// `r"…"` or `r#"…"#`: what is between the quotes. The next byte after it is a quote again, which
/// would open a string, so that the closing one belongs to the blanked part.
fn raw_string(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let hashes = bytes[at + 1..]
        .iter()
        .take_while(|byte| **byte == b'#')
        .count();
    let open = at + 1 + hashes;
    if bytes.get(open) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    let inside = &bytes[open + 1..];
    let end = inside
        .windows(close.len())
        .position(|window| window == close);
    Some((
        open + 1,
        end.map_or(bytes.len(), |end| open + 1 + end + close.len()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        Source::new(text)
            .words()
            .map(|(_, word)| word.to_owned())
            .collect()
    }

    #[test]
    fn comments_and_strings_hold_no_words() {
        assert_eq!(words("a // b\nc /* d /* e */ f */ g"), ["a", "c", "g"]);
        assert_eq!(words(r#"a "b \" c" d 'e' '\'' f"#), ["a", "d", "f"]);
        assert_eq!(
            words(r##"a r#"b " c"# d br"e" f"##),
            ["a", "r", "d", "br", "f"]
        );
        assert_eq!(
            words("fn a<'b>(c: &'b str) {}"),
            ["fn", "a", "b", "c", "b", "str"]
        );
    }

    #[test]
    fn lines_are_kept() {
        let source = Source::new("a\n/*\n*/ b");
        let last = source.words().last().expect("two words");
        assert_eq!((source.line_at(last.0), last.1), (3, "b"));
    }

    #[test]
    fn groups_of_std_are_opened() {
        let modules = |text| {
            let source = Source::new(text);
            source
                .std_modules()
                .into_iter()
                .map(|(_, name)| name.to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            modules("use std::{fs, io::{self, Read}, thread as t};"),
            ["fs", "io", "thread"]
        );
        assert_eq!(
            modules("let x = std :: fs::read(std::env::args());"),
            ["fs", "env"]
        );
        assert_eq!(
            modules("use core::{fs}; let std = 1;"),
            Vec::<String>::new()
        );
    }
}
