//! Perf maps: the names that a runtime writes for the code that it compiles, as lines of start,
//! size (both hexadecimal) and name. The process may be writing the file, or have written
//! anything.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

use super::protocol::Answer;
use crate::symbol::{Function, NoName, Symbol};

/// Runtimes write some 50,000 entries; 256 MiB of the shortest lines would be 40 million.
const MAX_ENTRIES: usize = 4_000_000;
const MAX_LINE: usize = 8192;
const READ: usize = 1 << 16;

/// A perf map as far as it has been read. Names stay in the file.
#[derive(Debug)]
pub(super) struct PerfMap {
    file: File,
    /// By start; no two overlap.
    entries: BTreeMap<u64, Entry>,
    /// Where in the file the next line begins.
    read_to: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// First address after it.
    end: u64,
    /// Where its line is in the file.
    line: u64,
    length: u32,
}

impl PerfMap {
    pub(super) fn new(file: File) -> Self {
        Self {
            file,
            entries: BTreeMap::new(),
            read_to: 0,
        }
    }

    /// The name at an address. If there is none and the file has grown, reads on.
    pub(super) fn name(&mut self, address: u64) -> Answer {
        if let Some(name) = self.find(address) {
            return Ok(name);
        }
        self.update();
        self.find(address).ok_or(NoName::NotInPerfMap)
    }

    fn find(&mut self, address: u64) -> Option<Symbol> {
        let (start, entry) = self.entries.range(..=address).next_back()?;
        let (start, entry) = (*start, *entry);
        if address >= entry.end {
            return None;
        }
        let mut line = vec![0; entry.length as usize];
        let read = self.file.read_exact_at(&mut line, entry.line);
        match parse(&line) {
            // An entry may have been cut short by a later one, at either end.
            Some((from, to, name)) if read.is_ok() && from <= start && entry.end <= to => {
                let name = String::from_utf8_lossy(name).into_owned();
                Some(Symbol {
                    functions: vec![Function {
                        name,
                        location: None,
                    }],
                })
            }
            // Another file has been written over the one that was read.
            _ => {
                self.entries.clear();
                self.read_to = 0;
                None
            }
        }
    }

    /// Reads the lines that have been written since the last time.
    fn update(&mut self) {
        let size = self.file.metadata().map_or(0, |metadata| metadata.len());
        if size < self.read_to {
            self.entries.clear();
            self.read_to = 0;
        }
        let mut buffer = vec![0; READ];
        while self.read_to < size {
            let length = match self.file.read_at(&mut buffer, self.read_to) {
                Ok(length) if length > 0 => length,
                _ => return,
            };
            let Some(last) = buffer[..length].iter().rposition(|byte| *byte == b'\n') else {
                if length < READ {
                    // A line that is still being written.
                    return;
                }
                self.read_to += length as u64;
                continue;
            };
            let mut at = self.read_to;
            for line in buffer[..last].split(|byte| *byte == b'\n') {
                self.add(at, line);
                at += line.len() as u64 + 1;
            }
            self.read_to = at;
        }
    }

    fn add(&mut self, at: u64, line: &[u8]) {
        if line.len() > MAX_LINE || self.entries.len() >= MAX_ENTRIES {
            return;
        }
        let Some((start, end, _)) = parse(line) else {
            return;
        };
        self.cut(start, end);
        self.entries.insert(
            start,
            Entry {
                end,
                line: at,
                length: line.len() as u32,
            },
        );
    }

    /// Makes room: memory is used again, and what was written last is what is there now.
    fn cut(&mut self, start: u64, end: u64) {
        if let Some((_, before)) = self.entries.range_mut(..start).next_back() {
            let tail = *before;
            if tail.end > start {
                before.end = start;
            }
            if tail.end > end {
                self.entries.insert(end, tail);
            }
        }
        while let Some((&old, &entry)) = self.entries.range(start..end).next() {
            self.entries.remove(&old);
            if entry.end > end {
                self.entries.insert(end, entry);
            }
        }
    }
}

/// Start, end and name of a line.
fn parse(line: &[u8]) -> Option<(u64, u64, &[u8])> {
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let mut number = || {
        let word = std::str::from_utf8(words.next()?).ok()?;
        u64::from_str_radix(word.strip_prefix("0x").unwrap_or(word), 16).ok()
    };
    let (start, size) = (number()?, number()?);
    let end = start.checked_add(size).filter(|end| *end > start)?;
    let name = words.next()?.trim_ascii();
    (!name.is_empty()).then_some((start, end, name))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn name(map: &mut PerfMap, address: u64) -> Option<String> {
        map.name(address)
            .ok()
            .map(|symbol| symbol.functions[0].name.clone())
    }

    fn map(text: &[u8]) -> (File, PerfMap) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        let map = PerfMap::new(file.try_clone().unwrap());
        (file, map)
    }

    #[test]
    fn reads_whole_lines_and_goes_on_when_the_file_has_grown() {
        let (mut file, mut map) = map(b"1000 10 first one\n2000 20 sec");
        assert_eq!(name(&mut map, 0x100f).as_deref(), Some("first one"));
        assert_eq!(name(&mut map, 0x1010), None);
        assert_eq!(name(&mut map, 0x2000), None);
        file.write_all(b"ond\n0x3000 0x1 third\n").unwrap();
        assert_eq!(name(&mut map, 0x2001).as_deref(), Some("second"));
        assert_eq!(name(&mut map, 0x3000).as_deref(), Some("third"));
    }

    #[test]
    fn what_was_written_last_wins() {
        let (_file, mut map) =
            map(b"1000 100 old\n1040 10 inner\n2000 10 a\n2010 10 b\n2008 10 over both\n");
        for (address, expected) in [
            (0x1000, "old"),
            (0x1040, "inner"),
            (0x104f, "inner"),
            (0x1050, "old"),
            (0x2007, "a"),
            (0x2008, "over both"),
            (0x2017, "over both"),
            (0x2018, "b"),
        ] {
            assert_eq!(
                name(&mut map, address).as_deref(),
                Some(expected),
                "{address:#x}"
            );
        }
    }

    #[test]
    fn garbage_is_skipped() {
        let mut text = b"nonsense\n\n1 2\nffffffffffffffff 5 wraps\n10 0 empty\n-1 5 x\n".to_vec();
        text.extend([0xff, 0, b'\n']);
        text.extend(vec![b'y'; 3 * READ]);
        text.extend(b"\n5000 8 \xff good\n");
        let (_file, mut map) = map(&text);
        assert_eq!(name(&mut map, 0x5000).as_deref(), Some("\u{fffd} good"));
        assert_eq!(name(&mut map, 0x10), None);
        assert_eq!(map.entries.len(), 1);
    }

    #[test]
    fn a_map_that_was_written_anew_is_read_anew() {
        let (file, mut map) = map(b"1000 10 old\n2000 10 other\n");
        assert_eq!(name(&mut map, 0x1000).as_deref(), Some("old"));
        file.set_len(0).unwrap();
        file.write_all_at(b"1000 10 new\n", 0).unwrap();
        assert_eq!(name(&mut map, 0x1000).as_deref(), Some("new"));
        assert_eq!(name(&mut map, 0x2000), None);
    }
}
