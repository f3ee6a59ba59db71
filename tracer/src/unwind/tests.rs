//! What the rows of a function are, also in the forms that compilers rarely choose.

use tracer_common::unwind::{
    CFA_AT_FP, CFA_AT_REGISTER, CFA_AT_SP, CFA_PLT, CFA_REGISTER, CFA_SP, CODE_NONE, CODE_SIGNAL,
    CODE_STOP, CODE_UNSUPPORTED, FIRST_RULE, FP_AT_CFA, FP_AT_FP, FP_LOST, FP_SAME, RA_AT_CFA,
    RA_AT_CFA_PLUS, RA_REGISTER, Rule, inline_code, row,
};

use super::made::{CODE, Made};

/// CFA = stack pointer + `cfa`.
fn sp(cfa: i32) -> u32 {
    inline_code(false, cfa, None).unwrap()
}

#[test]
fn rows_hold_until_the_next_and_pages_begin_with_one() {
    let mut made = Made::new();
    // push; advance 2; CFA + 16, rbp saved; to the frame pointer; far on, back again
    made.fde(
        0x10,
        0x2100,
        &[
            0x42, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x03, 0, 0x20, 0x0c, 7, 8, 0xc6,
        ],
    );
    let saved = |fp| inline_code(fp, 16, Some(-16)).unwrap();
    made.check(&[
        (0, CODE_NONE),
        (0xf, CODE_NONE),
        (0x10, sp(8)),
        (0x11, sp(8)),
        (0x12, saved(false)),
        (0x15, saved(true)),
        (0x1000, saved(true)),
        (0x2014, saved(true)),
        (0x2015, sp(8)),
        (0x210f, sp(8)),
        (0x2110, CODE_NONE),
        (0x2fff, CODE_NONE),
    ]);
    let table = made.table();
    assert_eq!(table.first_page, 1);
    let expected = [
        row(0, 0),
        row(sp(8), 0x10),
        row(saved(false), 0x12),
        row(saved(true), 0x15),
        row(saved(true), 0),
        row(saved(true), 0),
        row(sp(8), 0x15),
        row(0, 0x110),
    ];
    assert_eq!(table.rows, expected);
    assert_eq!(table.pages, [4 << 32, 1 << 32 | 4, 3 << 32 | 5]);
    assert_eq!(table.code(0), CODE_NONE);
    assert_eq!(table.code(u64::MAX), CODE_NONE);
}

#[test]
fn a_gap_is_what_is_longer_than_padding() {
    let mut made = Made::new();
    made.fde(0, 0x11, &[])
        .fde(0x20, 0x10, &[])
        .fde(0x40, 0x10, &[]);
    made.check(&[
        (0x1f, sp(8)),
        (0x30, CODE_NONE),
        (0x3f, CODE_NONE),
        (0x40, sp(8)),
    ]);
    made.entry = CODE + 0x34;
    made.check(&[
        (0x33, CODE_NONE),
        (0x34, CODE_STOP),
        (0x3f, CODE_STOP),
        (0x40, sp(8)),
    ]);
    made.entry = CODE + 0x30;
    made.check(&[(0x2f, sp(8)), (0x30, CODE_STOP), (0x3f, CODE_STOP)]);
    made.entry = CODE + 0x60;
    made.check(&[
        (0x5f, CODE_NONE),
        (0x60, CODE_STOP),
        (0x15f, CODE_STOP),
        (0x160, CODE_NONE),
    ]);
    // Within a function it says nothing.
    made.entry = CODE + 0x48;
    made.check(&[(0x48, sp(8))]);
}

#[test]
fn unsorted_and_overlapping_functions_have_one_meaning() {
    let mut made = Made::new();
    made.fde(0x100, 0x10, &[0x0e, 32])
        .fde(0, 0x80, &[0x0e, 16])
        .fde(0x40, 0x10, &[0x0e, 24])
        .fde(0x40, 0x20, &[0x0e, 40]);
    made.check(&[
        (0, sp(16)),
        (0x3f, sp(16)),
        (0x40, sp(24)),
        (0x4f, sp(24)),
        (0x50, CODE_NONE),
        (0xff, CODE_NONE),
        (0x100, sp(32)),
    ]);
}

#[test]
fn a_signal_frame_begins_before_its_code() {
    let mut made = Made::new();
    let cie = made.frame.len();
    made.cie(b"zRS", &[0x1b], &[]);
    made.fde(0, 0x10, &[])
        .fde_of(cie, 0x40, 0x10, &[])
        .fde_of(cie, 0x50, 0x10, &[0xff]);
    made.check(&[
        (0x3e, CODE_NONE),
        (0x3f, CODE_SIGNAL),
        (0x5f, CODE_SIGNAL),
        (0x60, CODE_NONE),
    ]);
    let mut close = Made::new();
    close.cie(b"zRS", &[0x1b], &[]);
    close.fde(0, 0x40, &[]).fde_of(cie, 0x40, 0x10, &[]);
    close.check(&[(0x3f, sp(8)), (0x40, CODE_SIGNAL)]);
}

#[test]
fn what_is_not_understood_is_said_to_be_unsupported_from_there() {
    let check = |program: &[u8]| {
        let mut made = Made::new();
        let program = [&[0x44, 0x0e, 16][..], program].concat();
        made.fde(0, 0x40, &program).fde(0x40, 0x10, &[]);
        made.check(&[
            (0, sp(8)),
            (3, sp(8)),
            (4, CODE_UNSUPPORTED),
            (0x3f, CODE_UNSUPPORTED),
            (0x40, sp(8)),
        ]);
    };
    // An unknown instruction; one that is cut off; nothing to restore; an offset after an expression
    check(&[0x3f, 0x44, 0x0e, 8]);
    check(&[0x0e]);
    check(&[0x0b]);
    check(&[0x0f, 2, 0x77, 8, 0x0e, 8]);
    // An expression that is longer than the program; an unknown one; numbers out of range
    check(&[0x0f, 200, 1]);
    check(&[0x0f, 1, 0x97]);
    check(&[
        0x0e, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
    ]);
    check(&[0x0e, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]);
    check(&[0x04, 0, 0, 0]);
    // The caller's stack pointer is not the CFA
    check(&[0x87, 2]);
    check(&[0x08, 7]);
    // States nested too deep
    check(&[0x0a; 33]);
    // The return address is in memory that only a register points at
    check(&[0x10, 16, 2, 0x75, 0]);
    check(&[0x08, 16]);
}

#[test]
fn rules_stand_for_what_codes_cannot_say() {
    let usual = Rule {
        cfa_kind: CFA_SP,
        fp_kind: FP_SAME,
        ra_kind: RA_AT_CFA,
        register: 0,
        cfa: 8,
        fp: 0,
        post: 0,
        ra: 0,
    };
    let check = |program: &[u8], expected: Rule| {
        let mut made = Made::new();
        made.fde(0, 0x10, program).fde(0x10, 0x10, program);
        let table = made.table();
        assert_eq!(table.rules, [expected], "{program:x?}");
        assert_eq!(table.rows, [row(FIRST_RULE, 0), row(0, 0x20)]);
    };
    let plt = [
        0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22,
    ];
    check(
        &plt,
        Rule {
            cfa_kind: CFA_PLT,
            cfa: 11,
            ..usual
        },
    );
    check(&[0x0e, 12], Rule { cfa: 12, ..usual });
    check(
        &[0x0c, 10, 0],
        Rule {
            cfa_kind: CFA_REGISTER,
            register: 10,
            cfa: 0,
            ..usual
        },
    );
    check(
        &[0x0f, 3, 0x76, 0x78, 0x06],
        Rule {
            cfa_kind: CFA_AT_FP,
            cfa: -8,
            ..usual
        },
    );
    check(
        &[0x0f, 5, 0x77, 8, 0x06, 0x23, 8],
        Rule {
            cfa_kind: CFA_AT_SP,
            post: 8,
            ..usual
        },
    );
    check(
        &[0x0f, 3, 0x7a, 8, 0x06],
        Rule {
            cfa_kind: CFA_AT_REGISTER,
            register: 10,
            ..usual
        },
    );
    check(
        &[0x10, 6, 2, 0x76, 0],
        Rule {
            fp_kind: FP_AT_FP,
            ..usual
        },
    );
    check(
        &[0x07, 6],
        Rule {
            fp_kind: FP_LOST,
            ..usual
        },
    );
    check(
        &[0x09, 6, 3],
        Rule {
            fp_kind: FP_LOST,
            ..usual
        },
    );
    check(
        &[0x86, 1],
        Rule {
            fp_kind: FP_AT_CFA,
            fp: -8,
            ..usual
        },
    );
    check(
        &[0x09, 16, 5],
        Rule {
            ra_kind: RA_REGISTER,
            ra: 5,
            ..usual
        },
    );
    check(
        &[0x90, 2],
        Rule {
            ra_kind: RA_AT_CFA_PLUS,
            ra: -16,
            ..usual
        },
    );
    check(
        &[0x2f, 16, 2],
        Rule {
            ra_kind: RA_AT_CFA_PLUS,
            ra: 16,
            ..usual
        },
    );
}

#[test]
fn forms_that_are_seldom_chosen_mean_the_same() {
    let check = |program: &[u8], expected: u32| {
        let mut made = Made::new();
        made.fde(0, 0x10, program);
        made.check(&[(0, expected), (0xf, expected)]);
    };
    check(&[0x07, 16], CODE_STOP);
    check(&[0x2e, 0x20, 0x0e, 16], sp(16));
    check(&[0x13, 0x7e], sp(16));
    check(&[0x12, 7, 0x7e], sp(16));
    check(&[0x05, 6, 2, 0x06, 6], sp(8));
    check(
        &[0x11, 6, 2, 0x0e, 24],
        inline_code(false, 24, Some(-16)).unwrap(),
    );
    check(&[0x0a, 0x0e, 16, 0x86, 2, 0x0b], sp(8));
    check(&[0x0f, 2, 0x77, 16], sp(16));
    check(&[0x14, 7, 0], sp(8));
    check(&[0x40, 0x0e, 16], sp(16));
}
