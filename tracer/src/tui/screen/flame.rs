//! The flame graph, its root at the top.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Line};

use super::{
    super::{
        app::{App, Screen},
        text::{count, fit, percent},
        theme::Theme,
    },
    line,
};
use crate::view::{Block, Flame, Label};

pub(super) fn draw(app: &App, flame: &Flame, area: Rect, buffer: &mut Buffer) {
    if flame.total == 0 {
        line(
            buffer,
            area,
            0,
            Line::styled(" no samples here", app.theme.dim()),
        );
        return;
    }
    let top = app.cursors[Screen::Flame.index()].top;
    let selected = flame.find(&app.selected);
    let rows = flame.rows.iter().enumerate().skip(top);
    for ((row, blocks), y) in rows.zip(area.y..area.bottom()) {
        for (index, block) in blocks.iter().enumerate() {
            let shade = shade(&block.label.text);
            let mut style = if app.by_dso {
                app.theme.block_of(file(&block.label), shade)
            } else {
                app.theme.block(block.label.kind, shade)
            };
            if block.matched {
                style = app.theme.matched_block();
            }
            if (row, index) == selected {
                style = app.theme.selected_block();
            }
            let above_zoom = row < flame.zoomed;
            put(buffer, area, y, block, style, above_zoom, app.theme);
        }
    }
}

fn put(
    buffer: &mut Buffer,
    area: Rect,
    y: u16,
    block: &Block,
    style: Style,
    above_zoom: bool,
    theme: Theme,
) {
    let (x, width) = (
        area.x + block.x,
        block.width.min(area.width.saturating_sub(block.x)),
    );
    buffer.set_style(Rect::new(x, y, width, 1), style);
    // Where there are no colours, neighbours need a line between them.
    let border = match theme {
        Theme::Mono => "│",
        _ => "",
    };
    let mark = if above_zoom { "⌃ " } else { "" };
    let text = format!("{border}{mark}{}", block.label.text);
    let room = usize::from(width);
    // A letter or two of a name say nothing.
    if room >= 4 || theme == Theme::Mono {
        // A column is left between two names.
        let room = if theme == Theme::Mono { room } else { room - 1 };
        buffer.set_stringn(x, y, fit(&text, room), room, style);
    }
}

/// The same for a name, whenever and wherever.
fn shade(name: &str) -> u8 {
    (hash(name) >> 13) as u8
}

fn file(label: &Label) -> u8 {
    (hash(&label.dso) >> 7) as u8
}

fn hash(text: &str) -> u32 {
    // FNV-1a.
    text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

pub(super) fn detail(app: &App, flame: &Flame) -> Option<String> {
    let (row, index) = flame.find(&app.selected);
    let block = flame.rows.get(row)?.get(index)?;
    let dso = match block.label.dso.as_str() {
        "" => String::new(),
        dso => format!("; {dso}"),
    };
    let mut text = format!(
        "{}: {} ({:.2}%), self {} of {} samples{dso}",
        block.label.text,
        count(block.total),
        percent(block.total, flame.total),
        count(block.self_weight),
        count(flame.total),
    );
    if let (Some(matched), Some(search)) = (flame.matched, &app.search) {
        let within = flame.rows.get(flame.zoomed).and_then(|row| row.first());
        let whole = within.map_or(flame.total, |block| block.total);
        text.insert_str(
            0,
            &format!(
                "'{search}' in {:.2}% ({}) · ",
                percent(matched, whole),
                count(matched)
            ),
        );
    }
    Some(text)
}
