//! Latencies in files and pipes: one format per file, and the list of them.
//!
//! Formats own notation and nothing else: what is written is what the views say.

mod csv;
mod json;
mod text;

use std::{io, path::Path, slice};

use super::UnknownFormat;
use crate::{
    profile::{Latencies, Window},
    view::LatencyQuery,
};

/// Everything that a format may write: one interval, or all of the measuring.
#[derive(Clone, Copy, Debug)]
pub struct LatencyExport<'a> {
    /// What was observed.
    pub latencies: &'a Latencies,
    /// Of when: [`Window::ALL`] for everything.
    pub window: Window,
    /// Which rows.
    pub query: &'a LatencyQuery,
    /// What was measured, in words.
    pub title: &'a str,
    /// Whether nothing has been written to the same file before.
    pub first: bool,
}

/// A way to write latencies.
#[derive(Clone, Copy, Debug)]
pub struct LatencyFormat {
    /// What it is called on the command line.
    pub name: &'static str,
    /// Ends of file names that ask for it, each with its dot.
    pub extensions: &'static [&'static str],
    /// What it is for, in a few words.
    pub doc: &'static str,
    /// When it is written, if nobody says.
    pub pace: Pace,
    /// Writes it.
    pub write: fn(&LatencyExport<'_>, &mut dyn io::Write) -> io::Result<()>,
}

/// When something is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Once, when the measuring has ended.
    End,
    /// After each interval.
    Interval,
}

/// Every format; the first is what people read.
pub static LATENCY_FORMATS: &[LatencyFormat] = &[text::FORMAT, json::FORMAT, csv::FORMAT];

/// The format of a name.
pub fn latency_format(name: &str) -> Result<&'static LatencyFormat, UnknownFormat> {
    let found = LATENCY_FORMATS.iter().find(|format| format.name == name);
    found.ok_or_else(|| {
        UnknownFormat::Name(
            name.to_owned(),
            known(|format| slice::from_ref(&format.name)),
        )
    })
}

/// The format that a file's name asks for.
pub fn latency_format_of(path: &Path) -> Result<&'static LatencyFormat, UnknownFormat> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let asks = |format: &&LatencyFormat| {
        let mut ends = format.extensions.iter();
        // A name that is nothing but the extension is that of a hidden file.
        ends.any(|end| name.ends_with(end) && name.len() > end.len())
    };
    let found = LATENCY_FORMATS.iter().find(asks);
    found.ok_or_else(|| {
        UnknownFormat::Extension(name.into_owned(), known(|format| format.extensions))
    })
}

fn known(names: impl Fn(&'static LatencyFormat) -> &'static [&'static str]) -> String {
    let names: Vec<&str> = LATENCY_FORMATS
        .iter()
        .flat_map(|format| names(format).to_vec())
        .collect();
    names.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_found() {
        for format in LATENCY_FORMATS {
            let found = latency_format(format.name).map(|found| found.name);
            assert_eq!(found, Ok(format.name));
            for extension in format.extensions {
                let path = Path::new("some.dir/my.latency").with_added_extension(&extension[1..]);
                let found = latency_format_of(&path).map(|found| found.name);
                assert_eq!(found, Ok(format.name));
                assert!(latency_format_of(Path::new(extension)).is_err());
            }
        }
    }

    #[test]
    fn what_is_unknown_is_answered_with_what_is_known() {
        let by_path = latency_format_of(Path::new("out/latency.svg")).map(|found| found.name);
        assert_eq!(
            by_path.map_err(|error| error.to_string()),
            Err(
                "the name of the file \"latency.svg\" does not end like that of any format; \
                 known are: .txt .json .csv"
                    .to_owned()
            )
        );
        let by_name = latency_format("svg").map(|found| found.name);
        assert_eq!(
            by_name.map_err(|error| error.to_string()),
            Err("no format is called \"svg\"; there are: text json csv".to_owned())
        );
    }
}
