//! Moving about: from line to line, from frame to frame, into what is selected.

use super::{ask, follow, place::step};
use crate::{
    tui::{
        app::{App, Screen},
        keys::Action,
        layout::list_rows,
        lines::{self, FocusLine, ProcessLine},
        message::Effect,
    },
    view::{Base, Content, Expansion, Kind},
};

pub(super) fn by(app: &mut App, lines: isize) -> Vec<Effect> {
    if app.place.screen == Screen::Health {
        // Nothing is selected there: the page moves.
        let last = lines::count(app).saturating_sub(list_rows(app));
        let cursor = app.cursor_mut();
        cursor.top = cursor.top.saturating_add_signed(lines).min(last);
        cursor.at = cursor.top;
        return Vec::new();
    }
    let cursor = app.cursor_mut();
    cursor.at = cursor.at.saturating_add_signed(lines);
    let last = lines::count(app).saturating_sub(1);
    let cursor = app.cursor_mut();
    cursor.at = cursor.at.min(last);
    if let Some(Content::Flame(flame)) = app.content() {
        let selected = flame.path(app.cursor().at, 0);
        app.selected = selected;
    }
    follow(app);
    Vec::new()
}

/// From frame to frame.
pub(super) fn in_flame(app: &mut App, action: Action) -> Vec<Effect> {
    let Some(Content::Flame(flame)) = app.content() else {
        return Vec::new();
    };
    let (row, index) = flame.find(&app.selected);
    let blocks = |row: usize| flame.rows.get(row).map(Vec::as_slice).unwrap_or_default();
    let there = match action {
        Action::Up => {
            let caller = blocks(row).get(index).map(|block| block.parent);
            row.checked_sub(1).zip(caller)
        }
        Action::Down => {
            let below = blocks(row + 1).iter().enumerate();
            let below = below.filter(|(_, block)| block.parent == index);
            // The first of the widest.
            let widest = below.rev().max_by_key(|(_, block)| block.total);
            widest.map(|(below, _)| (row + 1, below))
        }
        Action::Left => index.checked_sub(1).map(|left| (row, left)),
        _ => Some((row, index + 1)).filter(|(_, right)| *right < blocks(row).len()),
    };
    if let Some((row, index)) = there {
        let selected = flame.path(row, index);
        app.selected = selected;
        follow(app);
    }
    Vec::new()
}

/// Opens or closes what is selected, or goes to what it is part of.
pub(super) fn open(app: &mut App, wanted: bool) -> Vec<Effect> {
    let at = app.cursor().at;
    match app.content() {
        Some(Content::Tree(tree)) => {
            let Some(row) = tree.rows.get(at) else {
                return Vec::new();
            };
            if row.has_children && row.open != wanted {
                let key = row.key;
                if !app.expansion.toggled.remove(&key) {
                    app.expansion.toggled.insert(key);
                }
                return ask(app);
            }
            let above = tree.rows.iter().take(at);
            let parent = above.rev().position(|other| other.depth < row.depth);
            match (wanted, parent) {
                (true, _) if row.open => by(app, 1),
                (false, Some(back)) => by(app, -(back as isize + 1)),
                _ => Vec::new(),
            }
        }
        Some(Content::Processes(table, ..)) => {
            let lines = lines::processes(app, &table.rows);
            let (row, back) = match lines.get(at) {
                Some(ProcessLine::Process(row)) => (*row, 0),
                Some(ProcessLine::Thread(row, _)) => {
                    let above = lines.iter().take(at).rev();
                    let back = above
                        .take_while(|line| matches!(line, ProcessLine::Thread(..)))
                        .count();
                    (*row, back + 1)
                }
                None => return Vec::new(),
            };
            let (is_open, process) = (app.is_open(row), row.process);
            if is_open != wanted && !app.toggled.remove(&process) {
                app.toggled.insert(process);
            }
            if wanted {
                by(app, 0)
            } else {
                by(app, -(back as isize))
            }
        }
        _ => Vec::new(),
    }
}

pub(super) fn all(app: &mut App, open: bool) -> Vec<Effect> {
    if app.place.screen == Screen::Processes {
        app.all_open = open;
        app.toggled.clear();
        follow(app);
        return Vec::new();
    }
    app.expansion = Expansion {
        base: if open { Base::All } else { Base::None },
        ..Expansion::default()
    };
    ask(app)
}

pub(super) fn enter(app: &mut App) -> Vec<Effect> {
    let at = app.cursor().at;
    match app.content() {
        Some(Content::Functions(table, ..)) => {
            let Some(row) = table.rows.get(at) else {
                return Vec::new();
            };
            let key = row.key.clone();
            step(app, |place| place.focus = Some(key))
        }
        Some(Content::Focus(focus)) => {
            let lines = lines::focus(focus);
            let function = lines.get(at).and_then(FocusLine::other);
            // A thread's name is no function.
            match function.filter(|row| row.kind != Kind::Comm) {
                Some(row) => {
                    let key = row.key.clone();
                    step(app, |place| place.focus = Some(key))
                }
                None => Vec::new(),
            }
        }
        Some(Content::Processes(table, ..)) => {
            let lines = lines::processes(app, &table.rows);
            let (process, thread, who) = match lines.get(at) {
                Some(ProcessLine::Process(row)) => {
                    (row.process, None, format!("{} (PID {})", row.comm, row.pid))
                }
                Some(ProcessLine::Thread(row, thread)) => (
                    row.process,
                    Some((row.process, thread.tid)),
                    format!("{} (TID {} of {})", thread.comm, thread.tid, row.pid),
                ),
                None => return Vec::new(),
            };
            step(app, |place| {
                place.query.processes = Some([process].into());
                place.query.thread = thread;
                place.who = Some(who);
                place.screen = Screen::Functions;
                place.focus = None;
                place.zoom.clear();
            })
        }
        Some(Content::Flame(_)) => {
            let zoom = app.selected.clone();
            if zoom == app.place.zoom {
                return Vec::new();
            }
            step(app, |place| place.zoom = zoom)
        }
        Some(Content::Tree(tree)) => {
            let wanted = tree.rows.get(at).is_some_and(|row| !row.open);
            open(app, wanted)
        }
        Some(Content::Health(..)) | None => Vec::new(),
    }
}

/// Where to look for a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Where one is, or else from the first line on, which matters most.
    First,
    /// Behind it.
    Next,
    /// Before it.
    Previous,
}

/// To a line, or a frame, that the search marks.
pub(super) fn to_match(app: &mut App, way: Way) -> Vec<Effect> {
    if app.search.is_none() {
        app.notice = Some("nothing is searched for; / does".to_owned());
        return Vec::new();
    }
    if let Some(Content::Flame(flame)) = app.content() {
        let here = flame.find(&app.selected);
        let mut marked = Vec::new();
        for (row, blocks) in flame.rows.iter().enumerate() {
            let matched = blocks.iter().enumerate().filter(|(_, block)| block.matched);
            marked.extend(matched.map(|(index, _)| (row, index)));
        }
        match neighbour(&marked, &here, way) {
            Some((row, index)) => {
                let selected = flame.path(row, index);
                app.selected = selected;
            }
            None => app.notice = Some("no match that is wide enough to be seen".to_owned()),
        }
    } else {
        match neighbour(&lines::marks(app), &app.cursor().at, way) {
            Some(at) => app.cursor_mut().at = at,
            None => app.notice = Some("no match".to_owned()),
        }
    }
    follow(app);
    Vec::new()
}

/// The next in a list that is in order, around its end.
fn neighbour<T: Ord + Copy>(marked: &[T], here: &T, way: Way) -> Option<T> {
    let next = match way {
        Way::First => marked.iter().find(|mark| *mark == here),
        Way::Next => marked.iter().find(|mark| *mark > here),
        Way::Previous => marked.iter().rev().find(|mark| *mark < here),
    };
    let around = match way {
        Way::First | Way::Next => marked.first(),
        Way::Previous => marked.last(),
    };
    next.or(around).copied()
}
