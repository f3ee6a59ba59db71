//! `/proc/PID/maps`.

use std::{fs, io};

use crate::profile::{Dso, Mapping};

/// The executable mappings of a process, in ascending order.
pub fn executable_mappings(pid: u32) -> io::Result<Vec<Mapping>> {
    let own = parse_maps(&fs::read(format!("/proc/{pid}/maps"))?);
    if !own.is_empty() {
        return Ok(own);
    }
    // The first thread has ended; the others have the mappings still.
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let maps = fs::read(task?.path().join("maps")).unwrap_or_default();
        let mappings = parse_maps(&maps);
        if !mappings.is_empty() {
            return Ok(mappings);
        }
    }
    Ok(Vec::new())
}

/// Reads the text of a maps file. Lines that are not as the kernel writes them are left out.
pub fn parse_maps(text: &[u8]) -> Vec<Mapping> {
    text.split(|byte| *byte == b'\n')
        .filter_map(mapping)
        .collect()
}

/// `start-end perms offset major:minor inode   path`; the path is the rest of the line, after the
/// blanks that align it.
fn mapping(line: &[u8]) -> Option<Mapping> {
    let mut fields = line.splitn(6, |byte| *byte == b' ');
    let (start, end) = pair(fields.next()?, '-')?;
    let permissions = fields.next()?;
    if permissions.get(2) != Some(&b'x') {
        return None;
    }
    let file_offset = hex(text(fields.next()?)?)?;
    let (major, minor) = pair(fields.next()?, ':')?;
    let inode = text(fields.next()?)?.parse().ok()?;
    let path = fields.next().unwrap_or_default().trim_ascii_start();
    Some(Mapping {
        start,
        end,
        file_offset,
        dso: Dso {
            path: path.to_vec(),
            device: (u32::try_from(major).ok()?, u32::try_from(minor).ok()?),
            inode,
        },
    })
}

fn pair(field: &[u8], separator: char) -> Option<(u64, u64)> {
    let (first, second) = text(field)?.split_once(separator)?;
    Some((hex(first)?, hex(second)?))
}

fn text(field: &[u8]) -> Option<&str> {
    std::str::from_utf8(field).ok()
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_executable_lines_only() {
        let maps = parse_maps(
            b"55d0c8a00000-55d0c8a02000 r--p 00000000 fe:00 1234                       /usr/bin/a b\n\
              55d0c8a02000-55d0c8a07000 r-xp 00002000 fe:00 1234                       /usr/bin/a b\n\
              7ffd1f5e0000-7ffd1f5e2000 r-xp 00000000 00:00 0                          [vdso]\n\
              7f0000000000-7f0000001000 rwxp 00000000 00:00 0 \n\
              nonsense\n\
              1-2 r-xp\n",
        );
        let paths: Vec<&[u8]> = maps
            .iter()
            .map(|mapping| mapping.dso.path.as_slice())
            .collect();
        assert_eq!(paths, [&b"/usr/bin/a b"[..], b"[vdso]", b""]);
        assert_eq!(
            maps[0],
            Mapping {
                start: 0x55d0_c8a0_2000,
                end: 0x55d0_c8a0_7000,
                file_offset: 0x2000,
                dso: Dso {
                    path: b"/usr/bin/a b".to_vec(),
                    device: (0xfe, 0),
                    inode: 1234
                },
            }
        );
    }

    #[test]
    fn reads_its_own() {
        let own = executable_mappings(std::process::id()).unwrap();
        let here = reads_its_own as *const () as u64;
        assert!(
            own.iter()
                .any(|mapping| (mapping.start..mapping.end).contains(&here))
        );
    }
}
