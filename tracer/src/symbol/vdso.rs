//! The vDSO: an ELF image that the kernel maps into every process, with no file behind it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use rustix::fs::{MemfdFlags, memfd_create};

use super::Holder;

/// The name of its mapping.
pub(super) const NAME: &[u8] = b"[vdso]";

/// It has 2 to 4 pages.
const MAX_SIZE: u64 = 1 << 20;

/// The image, as a file. Read from a process that has it mapped, since there are several (32-bit
/// programs have another); when all of them are gone, from this one if it has the same size.
pub(super) fn image(holders: &[Holder]) -> io::Result<File> {
    for holder in holders {
        if let Ok(image) = read(
            &format!("/proc/{}/mem", holder.pid),
            holder.start,
            holder.end,
        ) {
            return Ok(image);
        }
    }
    let (start, end) = own()?;
    let same = |holder: &Holder| holder.end.wrapping_sub(holder.start) == end - start;
    if !holders.iter().all(same) {
        return Err(io::ErrorKind::NotFound.into());
    }
    read("/proc/self/mem", start, end)
}

fn own() -> io::Result<(u64, u64)> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let line = maps.lines().find(|line| line.ends_with(" [vdso]"));
    let range = line.and_then(|line| line.split(' ').next()?.split_once('-'));
    let hex = |word| u64::from_str_radix(word, 16).ok();
    let range = range.and_then(|(start, end)| Some((hex(start)?, hex(end)?)));
    range.ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn read(memory: &str, start: u64, end: u64) -> io::Result<File> {
    let size = end.checked_sub(start).filter(|size| *size <= MAX_SIZE);
    let size = size.ok_or(io::ErrorKind::InvalidInput)?;
    let mut image = vec![0; size as usize];
    File::open(memory)?.read_exact_at(&mut image, start)?;
    // The mapping may not be what it was, or the process not the one that it was.
    if !image.starts_with(b"\x7fELF") {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let file = File::from(memfd_create("tracer-vdso", MemfdFlags::CLOEXEC)?);
    file.write_all_at(&image, 0)?;
    Ok(file)
}
