//! Folded stacks: what other flame graph tools read.

use std::io::{self, BufWriter, Write};

use super::{Export, Format, Medium};
use crate::view;

pub(super) const FORMAT: Format = Format {
    name: "folded",
    extensions: &[".folded"],
    doc: "one line per stack with its count, for other flame graph tools",
    medium: Medium::Text,
    write,
};

fn write(export: &Export<'_>, out: &mut dyn Write) -> io::Result<()> {
    let tree = view::tree(export.profile, export.symbols, export.query);
    let mut out = BufWriter::new(out);
    let mut lines = view::folded(&tree);
    while let Some((stack, count)) = lines.next() {
        writeln!(out, "{stack} {count}")?;
    }
    out.flush()
}
