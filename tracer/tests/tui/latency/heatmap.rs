//! What is answered adds up, whatever is asked.

use tracer::{
    profile::{Latencies, Window},
    view::{
        Filter, Pattern, Span,
        calls::{Answer, Content, Order, Question, Selection, Topic, answer, heatmap},
    },
};

use super::script::{BEGIN, SLICE, many, one};

fn ask(latencies: &Latencies, span: Span, selection: &Selection, topic: Topic) -> Answer {
    let question = Question {
        id: 1,
        span,
        selection: selection.clone(),
        search: None,
        topic,
    };
    answer(latencies, &[], &question)
}

fn spans() -> [Span; 6] {
    let window = |first: u64, last: u64| Window {
        start_ns: BEGIN + first * SLICE,
        end_ns: BEGIN + last * SLICE,
    };
    [
        Span::All,
        Span::Last(5_000_000_000),
        Span::Last(60_000_000_000),
        Span::Since(BEGIN + 100 * SLICE),
        Span::Fixed(window(3, 77)),
        Span::Fixed(window(1_000, 2_000)),
    ]
}

#[track_caller]
fn check(latencies: &Latencies, selection: &Selection) {
    for span in spans() {
        let all = ask(latencies, span, selection, Topic::Health).calls;
        for (columns, rows) in [(1, 1), (7, 3), (60, 14), (70, 36), (190, 104)] {
            let map = heatmap(latencies, selection, span, columns, rows);
            assert_eq!(map.total(), all.count(), "{span:?} in {columns}×{rows}");
            assert_eq!(map.beyond, 0);
            assert!(map.columns.count() <= columns, "{span:?} in {columns}");
            assert_eq!(map.scale.rows(), rows);
            let mut sum = 0;
            for column in 0..map.columns.count() {
                sum += (0..rows).map(|row| map.count(column, row)).sum::<u64>();
            }
            assert_eq!(sum, all.count());
        }
        let answer = ask(latencies, span, selection, Topic::Histogram(50));
        let Content::Histogram(_, moments) = answer.content else {
            panic!("not what was asked for");
        };
        let counted: u64 = moments.iter().map(|moment| moment.count).sum();
        assert_eq!(counted, all.count(), "{span:?}");
        let measured: u64 = moments.iter().map(|moment| moment.measured_ns).sum();
        assert_eq!(measured, answer.covered_ns, "{span:?}");
        let Content::Rows(rows) = ask(latencies, span, selection, Topic::Rows(Order::Sum)).content
        else {
            panic!("not what was asked for");
        };
        let counted: u64 = rows.rows.iter().map(|row| row.count).sum();
        assert_eq!(counted, all.count(), "{span:?}");
        assert_eq!(rows.sum, all.sum(), "{span:?}");
    }
}

#[test]
fn cells_columns_and_rows_add_up_to_the_calls() {
    check(&one(), &Selection::default());
    let many = many((80, 24)).latencies;
    check(&many, &Selection::default());
    let filter = |text, exclude| Filter {
        pattern: Pattern::parse(text).unwrap(),
        exclude,
    };
    let some = Selection {
        only: None,
        filters: vec![filter("module_3", false), filter("/_1[0-9]$/", true)],
    };
    check(&many, &some);
}

#[test]
fn rows_are_ordered_by_what_is_asked_and_filters_keep_what_matches() {
    let latencies = many((80, 24)).latencies;
    let mut order = Order::default();
    for _ in 0..7 {
        let topic = Topic::Rows(order);
        let Content::Rows(rows) = ask(&latencies, Span::All, &Selection::default(), topic).content
        else {
            panic!("not what was asked for");
        };
        assert_eq!((rows.rows.len(), rows.uncalled, rows.left_out), (50, 10, 0));
        for pair in rows.rows.windows(2) {
            let [one, other] = pair else { unreachable!() };
            let is_ordered = match order {
                Order::Sum => one.sum >= other.sum,
                Order::Count => one.count >= other.count,
                Order::Mean => one.mean >= other.mean,
                Order::P50 => one.percentiles[0].high >= other.percentiles[0].high,
                Order::P99 => one.percentiles[2].high >= other.percentiles[2].high,
                Order::Max => one.max >= other.max,
                Order::Name => one.name <= other.name,
            };
            assert!(is_ordered, "{order:?}: {one:?} {other:?}");
        }
        order = order.next();
    }
    assert_eq!(order, Order::default());
}

#[test]
fn columns_stay_where_they_are_while_time_goes_on() {
    let latencies = one();
    let starts = |end: u64| {
        let window = Window {
            start_ns: BEGIN + end * SLICE - 60_000_000_000,
            end_ns: BEGIN + end * SLICE,
        };
        let map = heatmap(
            &latencies,
            &Selection::default(),
            Span::Fixed(window),
            70,
            20,
        );
        let columns = map.columns;
        (0..columns.count())
            .map(|column| columns.start_ns(column))
            .collect::<Vec<_>>()
    };
    let (earlier, later) = (starts(270), starts(279));
    assert_eq!(earlier[5..20], later[3..18]);
}
