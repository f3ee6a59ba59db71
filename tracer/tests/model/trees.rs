//! Call trees and flame graphs of the scripted profiles: what is below something is part of it.

use std::collections::BTreeMap;

use tracer::view::{self, Base, CallTree, Expansion, Flame, Pattern, Tree};

use crate::views::{Asked, weights_by_name};

pub(crate) fn check_call_trees(asked: &Asked<'_>, tree: &Tree) {
    let what = &asked.what;
    let open = |base| Expansion {
        base,
        ..Expansion::default()
    };
    let down = |base| view::call_tree(tree, &open(base), None);
    let up = |base| {
        let (profile, symbols) = (asked.profile, asked.symbols);
        view::caller_tree(profile, symbols, &asked.query, &open(base), None)
    };
    for (way, some) in [("down", &down as &dyn Fn(Base) -> CallTree), ("up", &up)] {
        let whole = some(Base::All);
        assert_eq!(
            (whole.total, whole.left_out),
            (tree.total(), 0),
            "{what} {way}"
        );
        check_lines(&whole, &format!("{what} {way}"));
        for base in [Base::Large, Base::None] {
            // What is closed hides lines and changes none.
            let part = some(base);
            check_lines(&part, &format!("{what} {way} {base:?}"));
            assert_eq!(part.total, whole.total);
            let mut rows = whole.rows.iter();
            for row in &part.rows {
                let same = rows.find(|other| other.key == row.key).unwrap();
                assert_eq!(
                    (row.self_weight, row.total, row.depth, row.has_children),
                    (same.self_weight, same.total, same.depth, same.has_children),
                    "{what} {way}: {row:?}"
                );
            }
            assert!(base != Base::None || part.rows.iter().all(|row| row.depth == 0));
        }
    }
    // Read upwards, the first lines are the leaves, and the sums of self are again everything.
    let whole = up(Base::All);
    assert_eq!(
        whole.rows.iter().map(|row| row.self_weight).sum::<u64>(),
        tree.total(),
        "{what}"
    );
    let leaves = whole.rows.iter().filter(|row| row.depth == 0);
    let leaves: BTreeMap<&str, u64> = leaves
        .map(|row| (row.label.text.as_str(), row.total))
        .collect();
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, (own, _)) in weights_by_name(tree) {
        expected.insert(name, own);
    }
    expected.retain(|_, own| *own > 0);
    assert_eq!(leaves, expected, "{what}: leaves");
}

/// Each line is followed by what is below it, which is no more than it is, the largest first.
fn check_lines(tree: &CallTree, what: &str) {
    let mut keys: Vec<_> = tree.rows.iter().map(|row| row.key).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), tree.rows.len(), "{what}: keys");
    let firsts = tree.rows.iter().filter(|row| row.depth == 0);
    assert_eq!(
        firsts.map(|row| row.total).sum::<u64>(),
        tree.total,
        "{what}"
    );
    for (index, row) in tree.rows.iter().enumerate() {
        let below = tree.rows.iter().skip(index + 1);
        let below = below.take_while(|other| other.depth > row.depth);
        let children: Vec<u64> = below
            .filter(|other| other.depth == row.depth + 1)
            .map(|other| other.total)
            .collect();
        assert!(
            children.is_sorted_by(|one, other| one >= other),
            "{what}: order below {row:?}"
        );
        assert_eq!(row.open, !children.is_empty(), "{what}: {row:?}");
        let rest = row.total - row.self_weight;
        assert_eq!(row.has_children, rest > 0, "{what}: {row:?}");
        if row.open {
            assert_eq!(children.iter().sum::<u64>(), rest, "{what}: below {row:?}");
        }
    }
}

pub(crate) fn check_flames(asked: &Asked<'_>, tree: &Tree) {
    let search = Pattern::parse("main").unwrap();
    for width in [1, 2, 7, 40, 200, u16::MAX] {
        let flame = view::flame(tree, asked.query.group, &[], width, Some(&search));
        check_flame(&flame, tree.total(), width, &asked.what);
        let Some(last) = flame.rows.len().checked_sub(1) else {
            continue;
        };
        let zoom = flame.path(last, 0);
        let zoomed = view::flame(tree, asked.query.group, &zoom, width, None);
        check_flame(&zoomed, tree.total(), width, &asked.what);
        assert_eq!(zoomed.zoomed, zoom.len(), "{}", asked.what);
        let block = &zoomed.rows[zoomed.zoomed][0];
        assert_eq!((block.x, block.width), (0, width), "{}", asked.what);
        let gone = ["not".to_owned(), "there".to_owned()];
        let zoomed = view::flame(tree, asked.query.group, &gone, width, None);
        assert_eq!(zoomed.zoomed, 0, "{}", asked.what);
    }
}

/// Blocks of a row follow each other without overlap, within what called them.
fn check_flame(flame: &Flame, total: u64, width: u16, what: &str) {
    assert_eq!(flame.total, total, "{what}");
    assert!(
        flame.matched.is_none_or(|matched| matched <= total),
        "{what}"
    );
    for (row, blocks) in flame.rows.iter().enumerate() {
        let mut right = 0;
        for (index, block) in blocks.iter().enumerate() {
            assert!(
                block.width > 0 && block.x >= right,
                "{what}: {block:?} in row {row}"
            );
            right = block.x + block.width;
            assert!(right <= width, "{what}: {block:?}");
            if let Some(above) = row.checked_sub(1) {
                let parent = &flame.rows[above][block.parent];
                assert!(
                    parent.x <= block.x
                        && right <= parent.x + parent.width
                        && block.total <= parent.total,
                    "{what}: {block:?} under {parent:?}"
                );
            }
            assert_eq!(flame.find(&flame.path(row, index)), (row, index), "{what}");
        }
    }
}
