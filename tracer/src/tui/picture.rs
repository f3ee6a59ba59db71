//! The screen as an SVG: what a terminal would show of a state, for people who have no terminal
//! before them.
//!
//! A cell is 8 wide and 16 high, so that the eighths of block elements are whole numbers. Those are
//! drawn as rectangles, and each text says how long it is: the grid holds in every font.

mod palette;

use std::fmt::Write as _;

use ratatui::{
    Frame, Terminal,
    backend::TestBackend,
    buffer::{Buffer, Cell},
    style::Modifier,
};

use super::{app::App, draw::draw, text::width, theme::Theme};

/// The size of a cell.
const CELL: (usize, usize) = (8, 16);
/// From the top of a cell to the line that letters stand on, and to the one that underlines them.
const BASELINE: usize = 12;
const UNDERLINE: usize = 14;
/// Around everything.
const MARGIN: usize = 8;
const FONTS: &str = "ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace";

/// The state as an SVG.
pub fn picture(app: &App) -> String {
    pictured(app.size, app.theme, |frame| draw(app, frame))
}

/// What is drawn, in a size and colours, as an SVG.
pub(super) fn pictured(
    (columns, rows): (u16, u16),
    theme: Theme,
    draw: impl FnOnce(&mut Frame<'_>),
) -> String {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(columns, rows));
    let Ok(drawn) = terminal.draw(draw);
    svg(drawn.buffer, theme)
}

fn svg(buffer: &Buffer, theme: Theme) -> String {
    let (ground, text) = palette::ground(theme);
    let mut layers = Layers::default();
    for (y, row) in buffer.area.rows().enumerate() {
        let mut x = 0;
        while let Some(cell) = (x < row.width)
            .then(|| buffer.cell((row.x + x, row.y)))
            .flatten()
        {
            // What a wide character covers is not looked at.
            let columns = width(cell.symbol()).max(1);
            layers.add(cell, (usize::from(x), y), columns, theme);
            x = x.saturating_add(u16::try_from(columns).unwrap_or(1));
        }
        layers.end_text();
    }
    let columns = usize::from(buffer.area.width) * CELL.0;
    let rows = usize::from(buffer.area.height) * CELL.1;
    let (wide, high) = (columns + 2 * MARGIN, rows + 2 * MARGIN);
    let Layers {
        mut behind,
        mut blocks,
        texts,
        ..
    } = layers;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide}\" height=\"{high}\" \
         viewBox=\"-{MARGIN} -{MARGIN} {wide} {high}\" font-family=\"{FONTS}\" \
         font-size=\"13.3\" fill=\"{text}\" xml:space=\"preserve\">\n\
         <rect x=\"-{MARGIN}\" y=\"-{MARGIN}\" width=\"{wide}\" height=\"{high}\" rx=\"6\" \
         fill=\"{ground}\"/>\n\
         <g shape-rendering=\"crispEdges\">\n{}{}</g>\n{texts}</svg>\n",
        behind.finish(),
        blocks.finish(),
    )
}

/// What lies over what.
#[derive(Default)]
struct Layers {
    behind: Rects,
    /// Block elements and lines below text.
    blocks: Rects,
    texts: String,
    text: Option<Text>,
}

/// A text of one style that is not complete yet.
struct Text {
    at: (usize, usize),
    columns: usize,
    /// Spaces at the end; they count only if something follows.
    spaces: usize,
    style: String,
    escaped: String,
}

impl Layers {
    fn add(&mut self, cell: &Cell, (x, y): (usize, usize), columns: usize, theme: Theme) {
        let (ground, own) = palette::ground(theme);
        let (mut front, mut back) = (palette::hex(cell.fg), palette::hex(cell.bg));
        if cell.modifier.contains(Modifier::REVERSED) {
            let dark = back.unwrap_or_else(|| ground.to_owned());
            back = Some(front.unwrap_or_else(|| own.to_owned()));
            front = Some(dark);
        }
        let (left, top) = (x * CELL.0, y * CELL.1);
        let wide = columns * CELL.0;
        if let Some(back) = back {
            self.behind.add([left, top, wide, CELL.1], &back);
        }
        let color = front.as_deref().unwrap_or(own);
        if cell.modifier.contains(Modifier::UNDERLINED) {
            self.blocks.add([left, top + UNDERLINE, wide, 1], color);
        }
        if let Some([from_left, from_top, wide, high]) = block(cell.symbol()) {
            self.end_text();
            let area = [left + from_left, top + from_top, wide, high];
            self.blocks.add(area, color);
            return;
        }
        self.add_text(cell, (x, y), columns, front.as_deref());
    }

    fn add_text(&mut self, cell: &Cell, at: (usize, usize), columns: usize, color: Option<&str>) {
        if cell.symbol() == " " {
            // A wider gap ends a text, so that what follows stands where it belongs whatever reads
            // this.
            match &mut self.text {
                Some(text) if text.spaces == 0 => text.spaces = 1,
                _ => self.end_text(),
            }
            return;
        }
        let style = style(cell, color);
        if self.text.as_ref().is_some_and(|text| text.style != style) {
            self.end_text();
        }
        let text = self.text.get_or_insert_with(|| Text {
            at,
            columns: 0,
            spaces: 0,
            style,
            escaped: String::new(),
        });
        for _ in 0..std::mem::take(&mut text.spaces) {
            text.columns += 1;
            text.escaped.push(' ');
        }
        text.columns += columns;
        escape(cell.symbol(), &mut text.escaped);
    }

    fn end_text(&mut self) {
        let Some(text) = self.text.take() else { return };
        let Text {
            at: (x, y),
            columns,
            style,
            escaped,
            ..
        } = text;
        let (left, line, wide) = (x * CELL.0, y * CELL.1 + BASELINE, columns * CELL.0);
        // What is written to a string arrives.
        _ = writeln!(
            self.texts,
            "<text x=\"{left}\" y=\"{line}\" textLength=\"{wide}\"{style}>{escaped}</text>"
        );
    }
}

/// The attributes of a text.
fn style(cell: &Cell, color: Option<&str>) -> String {
    let mut style = color.map_or_else(String::new, |color| format!(" fill=\"{color}\""));
    for (modifier, attribute) in [
        (Modifier::BOLD, " font-weight=\"bold\""),
        (Modifier::ITALIC, " font-style=\"italic\""),
        (Modifier::DIM, " opacity=\".6\""),
    ] {
        if cell.modifier.contains(modifier) {
            style.push_str(attribute);
        }
    }
    style
}

/// The part of a cell that a block element fills: left, top, width and height.
fn block(symbol: &str) -> Option<[usize; 4]> {
    let mut characters = symbol.chars();
    let (character, None) = (characters.next()?, characters.next()) else {
        return None;
    };
    let place = u32::from(character) as usize;
    match character {
        '▁'..='█' => {
            let high = (place - 0x2580) * CELL.1 / 8;
            Some([0, CELL.1 - high, CELL.0, high])
        }
        '▉'..='▏' => Some([0, 0, (0x2590 - place) * CELL.0 / 8, CELL.1]),
        _ => None,
    }
}

/// Rectangles; those that continue one another are one.
#[derive(Default)]
struct Rects {
    done: String,
    last: Option<([usize; 4], String)>,
}

impl Rects {
    fn add(&mut self, area: [usize; 4], color: &str) {
        if let Some((last, of)) = &mut self.last
            && of == color
            && last[0] + last[2] == area[0]
            && (last[1], last[3]) == (area[1], area[3])
        {
            last[2] += area[2];
            return;
        }
        self.finish_last();
        self.last = Some((area, color.to_owned()));
    }

    fn finish_last(&mut self) {
        if let Some(([x, y, wide, high], color)) = self.last.take() {
            // What is written to a string arrives.
            _ = writeln!(
                self.done,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{high}\" fill=\"{color}\"/>"
            );
        }
    }

    fn finish(&mut self) -> &str {
        self.finish_last();
        &self.done
    }
}

/// Text as XML can have it.
fn escape(text: &str, escaped: &mut String) {
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ if character.is_control() => escaped.push('\u{fffd}'),
            _ => escaped.push(character),
        }
    }
}

#[cfg(test)]
mod tests;
