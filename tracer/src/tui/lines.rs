//! The lines of the lists: what the cursor can be on.

use crate::{
    profile::ProcessId,
    view::{
        CallRow, Content, Focus, FunctionKey, FunctionRow, PathKey, Pattern, ProcessRow, ThreadRow,
    },
};

use super::app::App;

/// A line of the list of processes.
#[derive(Clone, Copy, Debug)]
pub(super) enum ProcessLine<'a> {
    Process(&'a ProcessRow),
    Thread(&'a ProcessRow, &'a ThreadRow),
}

/// A line of a function among its neighbours.
#[derive(Clone, Copy, Debug)]
pub(super) enum FocusLine<'a> {
    Title(&'static str),
    Caller(&'a FunctionRow),
    Itself(&'a FunctionRow),
    Callee(&'a FunctionRow),
}

/// What tells lines apart while numbers change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LineKey {
    Function(FunctionKey),
    Process(ProcessId, Option<u32>),
    Call(PathKey),
    /// What it is to the function in the middle, and which.
    Neighbour(&'static str, FunctionKey),
    Number(usize),
}

pub(super) fn processes<'a>(app: &App, rows: &'a [ProcessRow]) -> Vec<ProcessLine<'a>> {
    let mut lines = Vec::new();
    for row in rows {
        lines.push(ProcessLine::Process(row));
        if app.is_open(row) {
            lines.extend(
                row.threads
                    .iter()
                    .map(|thread| ProcessLine::Thread(row, thread)),
            );
        }
    }
    lines
}

pub(super) fn focus(focus: &Focus) -> Vec<FocusLine<'_>> {
    let mut lines = vec![FocusLine::Title("Called by")];
    lines.extend(focus.callers.iter().map(FocusLine::Caller));
    lines.push(FocusLine::Title("Function"));
    lines.push(FocusLine::Itself(&focus.function));
    lines.push(FocusLine::Title("Calls"));
    lines.extend(focus.callees.iter().map(FocusLine::Callee));
    lines
}

impl FocusLine<'_> {
    /// The function that it stands for, if that is another one than is shown.
    pub(super) fn other(&self) -> Option<&FunctionRow> {
        match self {
            Self::Caller(row) | Self::Callee(row) => Some(row),
            Self::Title(_) | Self::Itself(_) => None,
        }
    }

    /// Whether a search marks it.
    pub(super) fn is_marked(&self, search: &Pattern) -> bool {
        match self {
            Self::Title(_) => false,
            Self::Caller(row) | Self::Itself(row) | Self::Callee(row) => {
                search.matches(&row.key.symbol)
            }
        }
    }

    fn key(&self) -> LineKey {
        match self {
            Self::Title(title) => LineKey::Neighbour(title, FunctionKey::default()),
            Self::Caller(row) => LineKey::Neighbour("caller", row.key.clone()),
            Self::Itself(row) => LineKey::Neighbour("itself", row.key.clone()),
            Self::Callee(row) => LineKey::Neighbour("callee", row.key.clone()),
        }
    }
}

impl ProcessLine<'_> {
    /// Whether a search marks it: by its name, or its number.
    pub(super) fn is_marked(&self, search: &Pattern) -> bool {
        let (comm, number) = match self {
            Self::Process(row) => (&row.comm, row.pid),
            Self::Thread(_, thread) => (&thread.comm, thread.tid),
        };
        search.matches(comm) || search.matches(&number.to_string())
    }
}

/// How many lines the list that is shown has.
pub(super) fn count(app: &App) -> usize {
    match app.content() {
        None => 0,
        Some(Content::Functions(table, ..)) => table.rows.len(),
        Some(Content::Focus(of)) => focus(of).len(),
        Some(Content::Processes(table, ..)) => processes(app, &table.rows).len(),
        Some(Content::Flame(flame)) => flame.rows.len(),
        Some(Content::Tree(tree)) => tree.rows.len(),
        Some(Content::Health(..)) => super::screen::health::lines(app).len(),
    }
}

/// What the cursor is on.
pub(super) fn key(app: &App) -> Option<LineKey> {
    let at = app.cursor().at;
    Some(match app.content()? {
        Content::Functions(table, ..) => LineKey::Function(table.rows.get(at)?.key.clone()),
        Content::Processes(table, ..) => match processes(app, &table.rows).get(at)? {
            ProcessLine::Process(row) => LineKey::Process(row.process, None),
            ProcessLine::Thread(row, thread) => LineKey::Process(row.process, Some(thread.tid)),
        },
        Content::Tree(tree) => LineKey::Call(tree.rows.get(at)?.key),
        Content::Focus(of) => focus(of).get(at)?.key(),
        Content::Flame(..) | Content::Health(..) => LineKey::Number(at),
    })
}

/// Where the line with a key is now.
pub(super) fn find(app: &App, wanted: &LineKey) -> Option<usize> {
    match (app.content()?, wanted) {
        (Content::Functions(table, ..), LineKey::Function(key)) => {
            table.rows.iter().position(|row| row.key == *key)
        }
        (Content::Processes(table, ..), LineKey::Process(process, tid)) => {
            let lines = processes(app, &table.rows);
            lines.iter().position(|line| match line {
                ProcessLine::Process(row) => row.process == *process && tid.is_none(),
                ProcessLine::Thread(row, thread) => {
                    row.process == *process && *tid == Some(thread.tid)
                }
            })
        }
        (Content::Tree(tree), LineKey::Call(key)) => {
            tree.rows.iter().position(|row: &CallRow| row.key == *key)
        }
        (Content::Focus(of), LineKey::Neighbour(..)) => {
            focus(of).iter().position(|line| line.key() == *wanted)
        }
        (_, LineKey::Number(number)) => Some(*number),
        _ => None,
    }
}

/// The lines that the search marks.
pub(super) fn marks(app: &App) -> Vec<usize> {
    match app.content() {
        Some(Content::Functions(_, marks, _)) => marks.clone(),
        Some(Content::Focus(of)) => marked(app, &focus(of), FocusLine::is_marked),
        // Threads are among the lines.
        Some(Content::Processes(table, ..)) => {
            marked(app, &processes(app, &table.rows), ProcessLine::is_marked)
        }
        Some(Content::Tree(tree)) => {
            let rows = tree.rows.iter().enumerate();
            rows.filter(|(_, row)| row.matched)
                .map(|(index, _)| index)
                .collect()
        }
        _ => Vec::new(),
    }
}

fn marked<T>(app: &App, lines: &[T], is_marked: impl Fn(&T, &Pattern) -> bool) -> Vec<usize> {
    let Some(search) = &app.search else {
        return Vec::new();
    };
    let lines = lines.iter().enumerate();
    lines
        .filter(|(_, line)| is_marked(line, search))
        .map(|(index, _)| index)
        .collect()
}
