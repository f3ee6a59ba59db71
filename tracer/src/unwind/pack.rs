//! Rows of functions, put in order and laid out in pages.

use std::ops::Range;

use tracer_common::unwind::{
    CODE_NONE, CODE_SIGNAL, CODE_STOP, FIRST_RULE, SEGMENT_WORDS, TABLE_PAGE, row,
};

use super::Table;
use super::rows::{Rows, Rules};

/// Pages that a table may have: 2 GiB, which is what code can reach without detours.
const MAX_PAGES: u64 = SEGMENT_WORDS as u64;

/// Code between two functions that is taken for the first one's: what aligns the second.
const PADDING: u64 = 15;

/// How much code at the file's entry is taken for its outermost function, if nothing is said of it.
const ENTRY_SIZE: u64 = 256;

/// `entry`: where the program begins, to the end of that segment.
pub(super) fn table(mut rows: Rows, entry: Option<Range<u64>>) -> Table {
    let mut blocks = std::mem::take(&mut rows.blocks);
    if !blocks.is_sorted_by_key(|block| block.start) {
        blocks.sort_by_key(|block| block.start);
    }
    // Of several for the same code, the first one counts.
    blocks.dedup_by_key(|block| block.start);
    let mut pack = Pack::new(&rows.rules, rows.len(), entry.unwrap_or_default());
    let mut end = 0;
    for (index, block) in blocks.iter().enumerate() {
        let mut start = block.start;
        // The return address of a signal's handler, or of a coroutine's function, is the first byte,
        // and the call is looked for before it.
        if rows
            .of(block)
            .next()
            .is_some_and(|(_, code)| code == CODE_SIGNAL || code == CODE_STOP)
            && start > end
        {
            start -= 1;
        }
        pack.gap(end..start);
        // Where two overlap, the one that begins later counts, and nothing is known behind it.
        end = match blocks.get(index + 1) {
            Some(next) => block.end.min(next.start),
            None => block.end,
        };
        for (offset, code) in rows.of(block) {
            if offset >= end {
                break;
            }
            pack.push(if offset == block.start { start } else { offset }, code);
        }
    }
    pack.gap(end..u64::MAX);
    pack.finish()
}

struct Pack<'a> {
    table: Table,
    from: &'a Rules,
    rules: Rules,
    entry: Range<u64>,
    /// Code of the last row, as it came and as it is written.
    last: u32,
    written: u32,
}

impl<'a> Pack<'a> {
    fn new(from: &'a Rules, rows: usize, entry: Range<u64>) -> Self {
        let table = Table {
            first_page: 0,
            pages: Vec::new(),
            rows: Vec::with_capacity(rows + rows / 8),
            rules: Vec::new(),
        };
        Self {
            table,
            from,
            rules: Rules::default(),
            entry,
            last: CODE_NONE,
            written: CODE_NONE,
        }
    }

    /// Code that nothing is said of.
    fn gap(&mut self, gap: Range<u64>) {
        let Range { start, end } = self.entry;
        let entered = start < end && gap.contains(&start);
        if gap.end.saturating_sub(gap.start) > PADDING && !(entered && start == gap.start) {
            self.push(gap.start, CODE_NONE);
        }
        if entered {
            self.push(start, CODE_STOP);
            let end = end.min(start.saturating_add(ENTRY_SIZE));
            if end < gap.end {
                self.push(end, CODE_NONE);
            }
        }
    }

    /// A row, behind all others.
    #[inline]
    fn push(&mut self, offset: u64, code: u32) {
        if code == self.last {
            return;
        }
        let page = offset / TABLE_PAGE;
        if self.table.pages.is_empty() {
            self.table.first_page = page as u32;
        }
        let Some(index) = page.checked_sub(self.table.first_page.into()) else {
            return;
        };
        if index >= MAX_PAGES {
            return;
        }
        while self.table.pages.len() as u64 <= index {
            let last = self.table.pages.len() as u64 == index;
            self.table.pages.push(self.table.rows.len() as u64);
            if !last || !offset.is_multiple_of(TABLE_PAGE) {
                self.row(row(self.written, 0));
            }
        }
        self.written = if code >= FIRST_RULE {
            self.renumber(code)
        } else {
            code
        };
        self.last = code;
        self.row(row(self.written, offset as u32));
    }

    fn row(&mut self, row: u32) {
        self.table.rows.push(row);
        if let Some(page) = self.table.pages.last_mut() {
            *page += 1 << 32;
        }
    }

    /// Rules are numbered in the order of the code that first needs them.
    fn renumber(&mut self, code: u32) -> u32 {
        let rule = self.from.rules[(code - FIRST_RULE) as usize];
        self.rules.number(rule)
    }

    fn finish(mut self) -> Table {
        let table = &mut self.table;
        // Nothing is known behind the last page anyway.
        if table.pages.last().is_some_and(|page| page >> 32 == 1) && self.written == CODE_NONE {
            table.pages.pop();
            table.rows.pop();
        }
        table.rules = self.rules.rules;
        table.rows.shrink_to_fit();
        self.table
    }
}
