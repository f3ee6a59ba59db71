//! How far to trust all this: what was lost, cut short and not named, and what tracer costs.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Line};

use super::{
    super::{
        app::App,
        layout::list_rows,
        text::{bytes, count, duration, fit, percent},
    },
    cell, line,
};
use crate::{
    kernel::Health,
    profile::Ledger,
    view::{Content, Quality},
};

/// A line, by what it is.
enum Row {
    Title(String),
    /// A count that is fine whatever it is.
    Count(u64, String),
    /// A count that should be 0.
    Loss(u64, String),
    Text(String),
    /// What would help against the row above.
    Help(String),
}

pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let lines = lines(app);
    let shown = lines.into_iter().skip(app.cursor().top);
    for (row, text) in shown.take(list_rows(app)).enumerate() {
        line(buffer, area, row, text);
    }
}

/// Which of the lines are on the screen.
pub(super) fn detail(app: &App) -> String {
    let (count, top) = (lines(app).len(), app.cursor().top);
    let last = count.min(top + list_rows(app));
    let more = if last < count { ", ↓ for more" } else { "" };
    format!("lines {} to {last} of {count}{more}", (top + 1).min(last))
}

/// All lines of the screen.
pub(in crate::tui) fn lines(app: &App) -> Vec<Line<'static>> {
    let theme = app.theme;
    let width = usize::from(app.size.0);
    let rows = rows(app).into_iter().map(|row| match row {
        Row::Title(text) => Line::from(cell(fit(&format!(" {text}"), width), theme.title())),
        Row::Text(text) => Line::from(cell(fit(&format!("   {text}"), width), Style::new())),
        Row::Help(text) => {
            let text = fit(&format!("{:26}{text}", ""), width);
            Line::from(cell(text, theme.dim()))
        }
        Row::Count(number, text) => Line::from(vec![
            cell(format!("{:>14}  ", count(number)), Style::new()),
            cell(fit(&text, width.saturating_sub(16)), Style::new()),
        ]),
        Row::Loss(number, text) => {
            let style = if number > 0 {
                theme.loss()
            } else {
                theme.good()
            };
            Line::from(vec![
                cell(format!("{:>14}  ", count(number)), style),
                cell(fit(&text, width.saturating_sub(16)), Style::new()),
            ])
        }
    });
    rows.collect()
}

fn rows(app: &App) -> Vec<Row> {
    let (Some(Content::Health(whole, quality, unnamed)), Some(shown)) = (app.content(), &app.shown)
    else {
        return Vec::new();
    };
    let answer = &shown.answer;
    let vitals = &shown.vitals;
    let mut rows = vec![Row::Title(format!(
        "Observations in the window, {}",
        duration(answer.covered_ns)
    ))];
    account(&mut rows, &answer.ledger);
    rows.push(Row::Title("Observations since the start".to_owned()));
    account(&mut rows, whole);

    stacks(&mut rows, quality);

    rows.push(Row::Title("Frames without a name".to_owned()));
    rows.push(Row::Count(
        unnamed.all.frames,
        format!(
            "of {} frames, in {:.2}% of the samples",
            count(unnamed.frames),
            percent(unnamed.all.samples, unnamed.samples)
        ),
    ));
    for (why, of) in &unnamed.by_reason {
        rows.push(Row::Count(
            of.frames,
            format!("{why}, in {} samples", count(of.samples)),
        ));
    }

    rows.push(Row::Title("tracer itself".to_owned()));
    let cost = |percent: Option<f64>| {
        percent.map_or("not known yet".to_owned(), |cost| {
            format!("{cost:.2}% of a CPU")
        })
    };
    rows.push(Row::Text(format!(
        "cost: {}, of it in BPF programs {}",
        cost(vitals.cost_percent),
        cost(vitals.bpf_percent)
    )));
    let held = &answer.held;
    rows.push(Row::Text(format!(
        "held: {} of {} in {} slices; {} stacks, {} processes; {} of memory",
        duration(held.end_ns.saturating_sub(held.start_ns)),
        duration(app.facts.history_ns),
        count(held.slices as u64),
        count(held.stacks as u64),
        count(held.processes as u64),
        bytes(held.bytes as u64),
    )));
    for (number, what) in &vitals.troubles {
        rows.push(Row::Loss(*number, (*what).to_owned()));
    }

    rows.push(Row::Title("Maps, when they were last emptied".to_owned()));
    for map in &vitals.health.maps {
        rows.push(Row::Count(
            map.used,
            format!(
                "of {} {} ({:.1}%): {}",
                count(map.capacity),
                map.unit,
                percent(map.used, map.capacity),
                map.what
            ),
        ));
    }

    rows.push(Row::Title(
        "Programs, since this screen was opened".to_owned(),
    ));
    let Health {
        maps: _,
        programs,
        refused,
    } = &vitals.health;
    if programs.is_empty() {
        let why = refused.as_deref().unwrap_or("not known yet");
        rows.push(Row::Text(why.to_owned()));
    }
    rows.extend(programs.iter().map(|program| {
        let each = program.time_ns.checked_div(program.runs).unwrap_or(0);
        let misses = match program.misses {
            0 => String::new(),
            misses => format!(", {} did not run", count(misses)),
        };
        let runs = format!("runs of {}, {} ns each{misses}", program.name, count(each));
        Row::Count(program.runs, runs)
    }));
    rows
}

fn account(rows: &mut Vec<Row>, ledger: &Ledger) {
    let Ledger {
        fired,
        recorded,
        filtered,
        thinned,
        open,
        lost,
        complete,
        truncated,
    } = ledger;
    rows.push(Row::Count(*fired, "fired".to_owned()));
    rows.push(Row::Count(*recorded, "recorded".to_owned()));
    rows.push(Row::Count(
        *filtered,
        "filtered: idle, tracer itself, or not asked for".to_owned(),
    ));
    for (number, what) in [(thinned, "thinned"), (open, "open")] {
        if *number > 0 {
            rows.push(Row::Count(*number, what.to_owned()));
        }
    }
    for (why, number) in lost {
        let share = percent(*number, *fired);
        rows.push(Row::Loss(
            *number,
            format!("lost: {} ({share:.2}%)", why.name()),
        ));
    }
    let share = percent(*complete, *recorded);
    rows.push(Row::Count(
        *complete,
        format!("complete stacks ({share:.2}%)"),
    ));
    for (why, number) in truncated {
        let share = percent(*number, *recorded);
        rows.push(Row::Loss(
            *number,
            format!("truncated: {} ({share:.2}%)", why.name()),
        ));
    }
}

/// Places of truncated stacks that come with a remedy.
const REMEDIES: usize = 3;

fn stacks(rows: &mut Vec<Row>, quality: &Quality) {
    rows.push(Row::Title(
        "Stacks of what is shown, and where the truncated ones stop".to_owned(),
    ));
    if quality.total() == 0 {
        rows.push(Row::Text("none".to_owned()));
        return;
    }
    rows.push(Row::Text(quality.line()));
    for (index, place) in quality.places.iter().enumerate() {
        let share = percent(place.truncated, quality.total());
        rows.push(Row::Count(
            place.truncated,
            format!("{share:>6.2}%  {}", place.line()),
        ));
        let remedy = place.remedy().filter(|_| index < REMEDIES);
        rows.extend(remedy.map(|remedy| Row::Help(remedy.to_owned())));
    }
}
