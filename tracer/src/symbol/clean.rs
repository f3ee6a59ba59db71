//! Text that a traced program controls, made fit for terminals and files.

use super::{Function, Symbol};

/// The longest name or path, in characters. Template-heavy C++ has names of some thousand.
const MAX_CHARS: usize = 4096;

/// Cleans every text of a symbol.
pub(super) fn symbol(symbol: Symbol) -> Symbol {
    let functions = symbol.functions.into_iter().map(|function| {
        let location = function.location.map(|mut location| {
            location.file = text(location.file);
            location
        });
        Function {
            name: text(function.name),
            location,
        }
    });
    Symbol {
        functions: functions.collect(),
    }
}

/// Writes what does not print, or changes how its neighbours print, as `\u{…}`.
pub(crate) fn text(text: String) -> String {
    if !text.chars().any(must_be_escaped) && text.len() <= MAX_CHARS {
        return text;
    }
    let mut clean = String::with_capacity(text.len());
    for (count, character) in text.chars().enumerate() {
        if count == MAX_CHARS {
            clean.push('…');
            break;
        }
        if must_be_escaped(character) {
            clean.extend(character.escape_unicode());
        } else {
            clean.push(character);
        }
    }
    clean
}

fn must_be_escaped(character: char) -> bool {
    character.is_control()
        || matches!(character,
            // Invisible, or breaking lines.
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            // Bidirectional controls and other format characters.
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            // Tags, variation selectors, private use.
            | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{10ffff}')
        // Two in each plane are no characters; XML forbids them.
        || (character as u32) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::super::Location;
    use super::*;

    #[test]
    fn names_are_left_alone_unless_they_are_hostile() {
        let check = |raw: &str, expected: &str| assert_eq!(text(raw.to_owned()), expected);
        check("core::ptr::drop_in_place<T>", "core::ptr::drop_in_place<T>");
        check("méthode 关数 🦀", "méthode 关数 🦀");
        check("a;b 12", "a;b 12");
        check("\x1b[31mred\n\0", "\\u{1b}[31mred\\u{a}\\u{0}");
        check("\u{9b}31m", "\\u{9b}31m");
        check("evil\u{202e}cba", "evil\\u{202e}cba");
        check("\u{2028}\u{feff}\u{200b}", "\\u{2028}\\u{feff}\\u{200b}");
        check(
            "\u{fffe}\u{1ffff}\u{e0041}",
            "\\u{fffe}\\u{1ffff}\\u{e0041}",
        );
    }

    #[test]
    fn names_have_a_bound() {
        assert_eq!(text("é".repeat(4096)).chars().count(), 4096);
        let cut = text("é".repeat(5000));
        assert_eq!(cut.chars().count(), 4097);
        assert!(cut.ends_with('…'));
    }

    #[test]
    fn paths_are_cleaned_too() {
        let location = Some(Location {
            file: "/tmp/\x07".into(),
            line: 1,
        });
        let dirty = Symbol {
            functions: vec![Function {
                name: "f\t".into(),
                location,
            }],
        };
        let clean = symbol(dirty);
        assert_eq!(clean.functions[0].name, "f\\u{9}");
        assert_eq!(
            clean.functions[0].location.as_ref().unwrap().file,
            "/tmp/\\u{7}"
        );
    }
}
