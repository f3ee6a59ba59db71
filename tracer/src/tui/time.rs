//! Columns of the timeline, and the times that they stand for.
//!
//! A column begins at a multiple of its length, so that what has happened stays in its column while
//! time goes on.

use crate::{profile::Window, view::Bar};

use super::app::App;

/// A column.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Column {
    /// The weight of samples, and the time that was measured.
    pub(super) weight: u64,
    pub(super) measured_ns: u64,
    pub(super) lost: u64,
}

/// The number of the column that holds the newest slice.
fn newest(app: &App) -> Option<u64> {
    let bars = &app.shown.as_ref()?.answer.timeline;
    Some(bars.last()?.start_ns / app.column_ns)
}

/// The time that a column of the screen stands for.
pub(super) fn window_of_column(app: &App, x: u16) -> Option<Window> {
    let right = app.size.0.checked_sub(1)?;
    let number = newest(app)?.checked_sub(u64::from(right.checked_sub(x)?))?;
    Some(Window {
        start_ns: number * app.column_ns,
        end_ns: (number + 1) * app.column_ns,
    })
}

/// The column of the screen in which a moment is, if it is on the screen.
pub(super) fn column_of(app: &App, at_ns: u64) -> Option<u16> {
    let back = newest(app)?.checked_sub(at_ns / app.column_ns)?;
    let right = app.size.0.checked_sub(1)?;
    right.checked_sub(u16::try_from(back).ok()?)
}

/// The stretch of time between two moments, in whole columns.
pub(super) fn window_between(app: &App, one_ns: u64, other_ns: u64) -> Window {
    let column = app.column_ns;
    Window {
        start_ns: one_ns.min(other_ns) / column * column,
        end_ns: (one_ns.max(other_ns) / column + 1) * column,
    }
}

/// What is in each column of the screen.
pub(super) fn columns(app: &App) -> Vec<Column> {
    let width = usize::from(app.size.0);
    let mut columns = vec![Column::default(); width];
    let (Some(newest), Some(shown)) = (newest(app), &app.shown) else {
        return columns;
    };
    for bar in shown.answer.timeline.iter().rev() {
        let Bar {
            start_ns,
            end_ns,
            weight,
            lost,
        } = *bar;
        let back = newest.saturating_sub(start_ns / app.column_ns);
        let index = usize::try_from(back).ok();
        let index = index.and_then(|back| (width.checked_sub(1)?).checked_sub(back));
        let Some(column) = index.and_then(|index| columns.get_mut(index)) else {
            break;
        };
        column.weight += weight;
        column.lost += lost;
        column.measured_ns += end_ns.saturating_sub(start_ns);
    }
    columns
}

/// The busiest stretch of so many columns on the screen: its first and its last.
pub(super) fn busiest(app: &App, columns_wanted: usize) -> Option<(usize, usize)> {
    let columns = columns(app);
    let weight = |stretch: &[Column]| stretch.iter().map(|column| column.weight).sum::<u64>();
    let stretches = columns.windows(columns_wanted.max(1)).enumerate();
    let (first, most) = stretches
        .map(|(first, stretch)| (first, weight(stretch)))
        .max_by_key(|(_, weight)| *weight)?;
    (most > 0).then_some((first, first + columns_wanted.max(1) - 1))
}

impl Column {
    /// How many CPUs were busy with what is asked for.
    pub(super) fn load(self, hertz: u64) -> Option<f64> {
        let ticks = self.measured_ns as f64 / 1e9 * hertz as f64;
        (ticks > 0.0).then(|| self.weight as f64 / ticks)
    }
}
