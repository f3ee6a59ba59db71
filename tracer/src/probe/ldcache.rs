//! `/etc/ld.so.cache`: where the dynamic linker finds libraries.

use std::path::PathBuf;

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";

/// The format before that, which may stand before it.
const OLD_MAGIC: &[u8] = b"ld.so-1.7.0\0";
const OLD_HEADER: usize = 16;
const OLD_ENTRY: usize = 12;

const HEADER: usize = 48;
const ENTRY: usize = 24;

/// `FLAG_ELF_LIBC6 | FLAG_X8664_LIB64`.
const X86_64: u32 = 0x0303;

/// More than any machine has.
const MAX_ENTRIES: usize = 1 << 17;

/// The libraries for x86-64, in the cache's order: soname and path. What is damaged is left out.
pub(super) fn parse(bytes: &[u8]) -> Vec<(String, PathBuf)> {
    let Some(start) = start(bytes) else {
        return Vec::new();
    };
    let cache = &bytes[start..];
    let count = number(cache, MAGIC.len()).unwrap_or(0) as usize;
    let entries = (0..count.min(MAX_ENTRIES)).map_while(|index| {
        let at = HEADER + index * ENTRY;
        Some((
            number(cache, at)?,
            number(cache, at + 4)?,
            number(cache, at + 8)?,
        ))
    });
    let ours = entries.filter(|(flags, ..)| *flags == X86_64);
    ours.filter_map(|(_, name, path)| {
        let path = PathBuf::from(string(cache, path)?);
        path.is_absolute().then_some((string(cache, name)?, path))
    })
    .collect()
}

/// Where the new format begins: offsets of strings count from there.
fn start(bytes: &[u8]) -> Option<usize> {
    if bytes.starts_with(MAGIC) {
        return Some(0);
    }
    bytes.starts_with(OLD_MAGIC).then_some(())?;
    let count = number(bytes, OLD_MAGIC.len())? as usize;
    let end = count.checked_mul(OLD_ENTRY)?.checked_add(OLD_HEADER)?;
    let aligned = end.checked_next_multiple_of(8)?;
    bytes.get(aligned..)?.starts_with(MAGIC).then_some(aligned)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}

fn string(bytes: &[u8], at: u32) -> Option<String> {
    let rest = bytes.get(at as usize..)?;
    let end = rest.iter().take(4096).position(|byte| *byte == 0)?;
    Some(std::str::from_utf8(&rest[..end]).ok()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(entries: &[(u32, &str, &str)]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend((entries.len() as u32).to_le_bytes());
        bytes.resize(HEADER, 0);
        let mut strings = Vec::new();
        let base = HEADER + entries.len() * ENTRY;
        for (flags, name, path) in entries {
            bytes.extend(flags.to_le_bytes());
            for text in [name, path] {
                bytes.extend(((base + strings.len()) as u32).to_le_bytes());
                strings.extend(text.as_bytes());
                strings.push(0);
            }
            bytes.extend([0; 12]);
        }
        bytes.extend(strings);
        bytes
    }

    fn library(name: &str, path: &str) -> (String, PathBuf) {
        (name.to_owned(), PathBuf::from(path))
    }

    #[test]
    fn libraries_for_this_machine() {
        let bytes = cache(&[
            (0x0303, "liba.so.1", "/lib/liba.so.1"),
            (0x0003, "liba.so.1", "/lib32/liba.so.1"),
            (0x0303, "libb.so", "relative"),
        ]);
        let expected = [library("liba.so.1", "/lib/liba.so.1")];
        assert_eq!(parse(&bytes), expected);
        // Behind the old format, with one entry.
        let mut both = OLD_MAGIC.to_vec();
        both.extend(1_u32.to_le_bytes());
        both.resize(OLD_HEADER + OLD_ENTRY, 0);
        both.resize(both.len().next_multiple_of(8), 0);
        both.extend(bytes);
        assert_eq!(parse(&both), expected);
    }

    #[test]
    fn damage_is_left_out() {
        let whole = cache(&[
            (0x0303, "liba.so.1", "/lib/liba.so.1"),
            (0x0303, "libb.so.1", "/lib/libb.so.1"),
        ]);
        for length in 0..whole.len() {
            assert!(parse(&whole[..length]).len() < 2, "{length}");
        }
        let mut many = whole.clone();
        many[MAGIC.len()..MAGIC.len() + 4].copy_from_slice(&[0xff; 4]);
        assert_eq!(parse(&many).len(), 2);
        let mut far = whole;
        far[HEADER + 4..HEADER + 8].copy_from_slice(&[0xff; 4]);
        assert_eq!(parse(&far), [library("libb.so.1", "/lib/libb.so.1")]);
        assert_eq!(parse(b""), []);
        assert_eq!(parse(&[OLD_MAGIC, &[0xff; 64]].concat()), []);
        assert_eq!(parse(&[0x20; 4096]), []);
    }
}
