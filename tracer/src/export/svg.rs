//! The flame graph as an SVG that a browser can search and zoom.
//!
//! Drawing is inferno's; owned here is what it is given: stacks in the order of the tree, without
//! what would be too narrow to see, and one hue per kind of frame.

use std::io::{self, BufWriter, Write};

use inferno::flamegraph::{
    self, Options, TextTruncateDirection,
    color::{BackgroundColor, Color, PaletteMap},
};

use super::{Export, Format, Header, Medium};
use crate::view::{self, Kind, Tree};

pub(super) const FORMAT: Format = Format {
    name: "svg",
    extensions: &[".svg"],
    doc: "flame graph for a web browser",
    medium: Medium::File,
    write: |export, out| write(export, Script::Included, out),
};

/// Whether an SVG can be searched and zoomed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// It can.
    Included,
    /// It is a picture alone, in lines that can be compared.
    Omitted,
}

/// Frames narrower than one part in this many are not drawn: their parent is drawn without them.
const NARROWEST: u64 = 1000;

/// Characters of the title that fit the width of the image.
const TITLE: usize = 92;

/// Writes the flame graph.
pub fn write(export: &Export<'_>, script: Script, out: &mut dyn Write) -> io::Result<()> {
    let tree = view::tree(export.profile, export.symbols, export.query);
    let mut out = BufWriter::new(out);
    let (lines, mut colors, narrow) = lines(&tree);
    let (title, subtitle) = (title(export.header), subtitle(export, &tree, narrow));
    if lines.is_empty() {
        // inferno takes this for an error, and it is a result.
        write_empty(&title, &subtitle, &mut out)?;
        return out.flush();
    }
    let mut options = Options::default();
    options.title = title;
    options.subtitle = Some(subtitle);
    options.count_name.clone_from(&export.header.unit);
    options.palette_map = Some(&mut colors);
    options.deterministic = true;
    options.bgcolors = Some(BackgroundColor::Grey);
    options.text_truncate_direction = TextTruncateDirection::Right;
    // Narrow frames have been left out already.
    options.min_width = 0.0;
    // Lines sorted by bytes would draw a function twice if the name of a sibling begins with its
    // name. To inferno, lines that are not to be sorted are a chart, told from its end.
    options.flame_chart = true;
    options.no_javascript = script == Script::Omitted;
    options.pretty_xml = script == Script::Omitted;
    flamegraph::from_lines(
        &mut options,
        lines.iter().rev().map(String::as_str),
        &mut out,
    )?;
    out.flush()
}

/// Folded lines in the order of the tree, the color of each name in them, and the weight of what
/// was too narrow to be among them.
fn lines(tree: &Tree) -> (Vec<String>, PaletteMap, u64) {
    let mut hidden = 0u64;
    let is_wide = |node: usize| {
        tree.node(node).total > 0 && tree.node(node).total.saturating_mul(NARROWEST) >= tree.total()
    };
    let mut colors = PaletteMap::default();
    // What inferno calls the root, and draws as "all".
    colors.insert("", color(Kind::Comm, ""));
    let mut lines = Vec::new();
    let mut path = String::new();
    // Nodes to come, each with the length of the path above it.
    let mut to_do: Vec<(usize, usize)> = vec![(Tree::ROOT, 0)];
    while let Some((node, above)) = to_do.pop() {
        path.truncate(above);
        if let Some(label) = tree.label(node) {
            if above > 0 {
                path.push(';');
            }
            path.push_str(&label.text);
            // inferno knows colors by name alone: a frame's wins over that of a comm.
            if label.kind != Kind::Comm || colors.get(&label.text).is_none() {
                colors.insert(&label.text, color(label.kind, &label.text));
            }
        }
        let (wide, narrow): (Vec<usize>, Vec<usize>) =
            tree.children(node).partition(|n| is_wide(*n));
        let narrow = narrow.iter().map(|child| tree.node(*child).total);
        let narrow = narrow.fold(0, u64::saturating_add);
        hidden = hidden.saturating_add(narrow);
        let here = tree.node(node).self_weight.saturating_add(narrow);
        if here > 0 && !path.is_empty() {
            lines.push(format!("{path} {here}"));
        }
        to_do.extend(wide.into_iter().rev().map(|child| (child, path.len())));
    }
    (lines, colors, hidden)
}

/// One hue per kind; the shade tells neighbours apart and is always the same for a name. All are
/// light enough for black text.
fn color(kind: Kind, name: &str) -> Color {
    // FNV-1a: the same on every machine, in every version.
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let shade = ((hash >> 16) % 40) as u8;
    let (r, g, b) = match kind {
        Kind::Comm => (200, 200, 205),
        Kind::Truncated => (225, 150, 225),
        Kind::Native => (240, 120 + shade, 100 + shade / 2),
        Kind::Inlined => (80 + shade, 195 + shade / 2, 200 + shade / 2),
        Kind::Jit => (90 + shade, 205 + shade / 2, 90 + shade),
        Kind::Kernel => (245, 185 + shade / 2, 60 + shade),
        Kind::Unmapped => (165 + shade, 165 + shade, 165 + shade),
    };
    Color { r, g, b }
}

fn title(header: &Header) -> String {
    let Header {
        host,
        target,
        source,
        unit: _,
        frequency_hz,
        duration_ns,
    } = header;
    let frequency = frequency_hz
        .map(|hz| format!("{hz} Hz"))
        .unwrap_or_default();
    let duration = match duration_ns {
        0 => String::new(),
        ns => format!("{:.1} s", *ns as f64 / 1e9),
    };
    let parts = [target, host, source, &frequency, &duration];
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    // A command line is as long as it likes; the rest is short, so the front is cut.
    let [first, rest] = match parts
        .map(|part| view::printable(part))
        .collect::<Vec<_>>()
        .split_first()
    {
        None => ["tracer".to_owned(), String::new()],
        Some((first, rest)) => [
            first.clone(),
            rest.iter().map(|part| format!(" · {part}")).collect(),
        ],
    };
    let room = TITLE.saturating_sub(rest.chars().count());
    if first.chars().count() <= room {
        return first + &rest;
    }
    let kept: String = first.chars().take(room.saturating_sub(1)).collect();
    format!("{kept}…{rest}")
}

fn subtitle(export: &Export<'_>, tree: &Tree, narrow: u64) -> String {
    let ledger = export.ledger();
    let mut text = view::account(&ledger);
    if tree.total() != ledger.recorded {
        text.insert_str(0, &format!("shown {} of ", tree.total()));
    }
    if narrow > 0 {
        let percent = 100.0 * narrow as f64 / tree.total() as f64;
        text += &format!(" · {percent:.1} % in frames too narrow to draw");
    }
    if export.overhead.wall_ns > 0 {
        text += &format!(" · {}", export.overhead);
    }
    text
}

fn write_empty(title: &str, subtitle: &str, out: &mut dyn Write) -> io::Result<()> {
    let [title, subtitle] = [title, subtitle].map(escape);
    write!(
        out,
        r#"<?xml version="1.0" standalone="no"?>
<svg version="1.1" width="1200" height="120" viewBox="0 0 1200 120" xmlns="http://www.w3.org/2000/svg">
  <rect width="100%" height="100%" fill="rgb(248,248,248)"/>
  <g font-family="monospace" font-size="12" text-anchor="middle">
    <text x="600" y="24" font-size="17">{title}</text>
    <text x="600" y="48">{subtitle}</text>
    <text x="600" y="84">Nothing was sampled.</text>
  </g>
</svg>
"#
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::Overhead;
    use super::*;
    use crate::{
        profile::{Batch, Comm, Image, Ledger, Profile, RawStack, Sample, StackKey},
        symbol::Symbols,
        view::Query,
    };

    fn header() -> Header {
        Header {
            host: "box".to_owned(),
            target: "gzip".to_owned(),
            source: "cpu-clock".to_owned(),
            unit: "samples".to_owned(),
            frequency_hz: Some(99),
            duration_ns: 10_000_000_000,
        }
    }

    #[test]
    fn a_title_fits() {
        assert_eq!(title(&Header::default()), "tracer");
        assert_eq!(title(&header()), "gzip · box · cpu-clock · 99 Hz · 10.0 s");
        let long = Header {
            target: "gzip;\u{7}".repeat(100),
            ..header()
        };
        let title = title(&long);
        assert_eq!(title.chars().count(), TITLE);
        assert!(title.starts_with("gzip;\\u{7}gzip;"), "{title}");
        assert!(
            title.ends_with("… · box · cpu-clock · 99 Hz · 10.0 s"),
            "{title}"
        );
    }

    #[test]
    fn what_is_too_narrow_counts_for_its_caller() {
        let mut batch = Batch::default();
        for (key, weight) in [(1, 9_990), (2, 9), (3, 1)] {
            let addresses = vec![key, 0x100];
            batch.kernel_stacks.push(RawStack {
                id: StackKey(key),
                addresses,
            });
            batch.samples.push(Sample {
                image: Image {
                    pid: 1,
                    start_ns: 1,
                    exec: 1,
                },
                tid: 1,
                comm: Comm(*b"app\0\0\0\0\0\0\0\0\0\0\0\0\0"),
                user: None,
                kernel: Some(StackKey(key)),
                truncated: None,
                weight,
            });
        }
        let recorded = 10_000;
        batch.ledger = Ledger {
            fired: recorded,
            recorded,
            complete: recorded,
            ..Ledger::default()
        };
        let mut profile = Profile::new();
        profile.apply(batch);
        let (symbols, query) = (Symbols::default(), Query::default());
        let tree = view::tree(&profile, &symbols, &query);
        let (lines, _, narrow) = lines(&tree);
        assert_eq!(narrow, 10);
        assert_eq!(
            lines,
            [
                "app;[kernel]+0xff_[k] 10",
                "app;[kernel]+0xff_[k];[kernel]+0x1_[k] 9990"
            ]
        );
        let overhead = Overhead {
            bpf_ns: None,
            user_cpu_ns: 1,
            wall_ns: 100,
        };
        let header = header();
        let export = Export {
            profile: &profile,
            symbols: &symbols,
            query: &query,
            header: &header,
            overhead,
        };
        assert_eq!(
            subtitle(&export, &tree, narrow),
            "10000 samples · lost 0 · truncated 0 · 0.1 % in frames too narrow to draw · \
             tracer's own cost 0.00 s of CPU without its BPF programs"
        );
        let none = Query {
            processes: Some([].into()),
            ..Query::default()
        };
        let export = Export {
            query: &none,
            ..export
        };
        let empty = view::tree(&profile, &symbols, &none);
        assert!(subtitle(&export, &empty, 0).starts_with("shown 0 of 10000 samples"));
        let mut out = Vec::new();
        write(&export, Script::Included, &mut out).unwrap();
        assert!(
            String::from_utf8(out)
                .unwrap()
                .contains("Nothing was sampled.")
        );
    }
}
