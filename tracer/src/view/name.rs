//! Names that a traced program chose, made safe to show and to fold.
//!
//! Owns which characters a name may have. Where a name comes from makes no difference: comms,
//! paths and symbols are all under the control of whoever is traced.

use std::fmt::Write;

/// A name that may stand in a folded stack, on a terminal and in XML. Only this is changed:
///
/// - `;`, which separates frames, becomes `:`;
/// - control characters, those that reorder or break text, and those that XML forbids become
///   `\u{…}`;
/// - the space of a trailing ` NUMBER`, which readers take for a count, becomes `_`;
/// - the space of a leading `# `, which makes a line a comment for them, becomes `_`;
/// - a name of spaces or of nothing, which makes a line too short for them, becomes `[blank]`.
pub fn clean(name: &str) -> String {
    let mut clean = String::with_capacity(name.len());
    push(&mut clean, name);
    finish(clean)
}

/// [`clean`] of bytes; those that are not UTF-8 become `\xNN`.
pub fn clean_bytes(name: &[u8]) -> String {
    let mut clean = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        push(&mut clean, chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            write!(clean, "\\x{byte:02x}").unwrap_or_default();
        }
    }
    finish(clean)
}

/// Text that is shown but not folded, such as a title: only what is unsafe in [`clean`]'s sense
/// becomes `\u{…}`.
pub fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unsafe(character) {
            printable.extend(character.escape_unicode());
        } else {
            printable.push(character);
        }
    }
    printable
}

fn push(clean: &mut String, text: &str) {
    // Nearly all names are: this is done for every frame of every picture.
    if text
        .bytes()
        .all(|byte| matches!(byte, b' '..=b'~') && byte != b';')
    {
        clean.push_str(text);
        return;
    }
    for character in text.chars() {
        match character {
            ';' => clean.push(':'),
            _ if is_unsafe(character) => clean.extend(character.escape_unicode()),
            _ => clean.push(character),
        }
    }
}

fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            // Marks and controls of the bidirectional algorithm.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Separators of lines and paragraphs.
            | '\u{2028}' | '\u{2029}'
            // Not characters of XML 1.0.
            | '\u{fffe}' | '\u{ffff}')
}

/// Readers trim lines before they look at the ends, hence so do we.
fn finish(mut clean: String) -> String {
    let trimmed = clean.trim();
    if trimmed.is_empty() {
        return "[blank]".to_owned();
    }
    let start = clean.len() - clean.trim_start().len();
    let comment = trimmed.starts_with("# ").then_some(start + 1);
    let last_word = clean
        .trim_end()
        .rsplit_once(' ')
        .map(|(rest, word)| (rest.len(), word));
    let count = last_word
        .filter(|(_, word)| is_count(word))
        .map(|(space, _)| space);
    // Underscores are as long as the spaces: the places stay right.
    for space in [comment, count].into_iter().flatten() {
        clean.replace_range(space..=space, "_");
    }
    clean
}

/// Digits with at most one point among them.
fn is_count(word: &str) -> bool {
    word.bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
        && word.bytes().filter(|byte| *byte == b'.').count() <= 1
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Names as a hostile program would choose them, and what they become.
    pub(crate) const HOSTILE: &[(&str, &str)] = &[
        ("", "[blank]"),
        ("  ", "[blank]"),
        ("\u{a0}", "[blank]"),
        ("a;b", "a:b"),
        ("op(int; char)", "op(int: char)"),
        ("bell\u{7}", "bell\\u{7}"),
        ("nul\0", "nul\\u{0}"),
        ("line\nbreak\r\t", "line\\u{a}break\\u{d}\\u{9}"),
        ("\u{1b}[31mred", "\\u{1b}[31mred"),
        ("c1\u{9b}31m", "c1\\u{9b}31m"),
        ("\u{202e}txt.exe", "\\u{202e}txt.exe"),
        ("\u{2066}iso\u{2069}", "\\u{2066}iso\\u{2069}"),
        ("sep\u{2028}\u{2029}", "sep\\u{2028}\\u{2029}"),
        ("not xml \u{fffe}\u{ffff}", "not xml \\u{fffe}\\u{ffff}"),
        ("name 12", "name_12"),
        (" 12", "_12"),
        ("name 1.5", "name_1.5"),
        ("name .", "name_."),
        ("name 1 2", "name 1_2"),
        ("name 12 ", "name_12 "),
        ("name 12\u{a0}", "name_12\u{a0}"),
        ("12", "12"),
        ("name 1.2.3", "name 1.2.3"),
        ("name 12a", "name 12a"),
        ("# comment", "#_comment"),
        (" # comment", " #_comment"),
        ("# 12", "#_12"),
        ("#12", "#12"),
        ("-", "-"),
        ("<script>alert('&')</script>", "<script>alert('&')</script>"),
        ("]]>--><![CDATA[", "]]>--><![CDATA["),
        ("std::vec<int, a> 日本語 ε", "std::vec<int, a> 日本語 ε"),
        (
            "operator new[](unsigned long)",
            "operator new[](unsigned long)",
        ),
    ];

    #[test]
    fn names_are_cleaned() {
        for (name, expected) in HOSTILE {
            assert_eq!(clean(name), *expected, "{name:?}");
            assert_eq!(clean_bytes(name.as_bytes()), *expected, "{name:?}");
            assert_eq!(
                clean(expected),
                *expected,
                "cleaning twice changes {expected:?}"
            );
        }
        assert_eq!(clean_bytes(b"\xff\xfeab\xe3\x81"), "\\xff\\xfeab\\xe3\\x81");
    }
}
