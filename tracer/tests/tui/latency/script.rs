//! Scripted calls, and the interface that looks at them.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tracer::{
    profile::{
        CallBatch, CallKey, Calls, Function, FunctionId, Histogram, Latencies, Loss, SpanLedger,
    },
    tui::{
        Theme,
        latency::{self, App, Effect, Export, Facts, Message, News, Request},
    },
    view::calls::{Question, answer},
};

use crate::{
    driver::{Picture, keys_of, picture_of},
    state,
};

/// When the first slice begins.
pub(crate) const BEGIN: u64 = 1_000_000_000_000;
/// The time of every answer.
pub(crate) const STAMP: &str = "20250102T030405Z";
/// How long a slice is.
pub(crate) const SLICE: u64 = 250_000_000;

/// Owns the state and whoever it asks.
pub(crate) struct Driver {
    pub(crate) app: App,
    pub(crate) latencies: Latencies,
    pub(crate) question: Question,
    /// What it had done but asking, in words.
    pub(crate) effects: Vec<String>,
    costs: Vec<f64>,
}

impl Driver {
    pub(crate) fn new(latencies: Latencies, facts: Facts, size: (u16, u16)) -> Self {
        let mut app = App::new(facts, size, Theme::Dark);
        let question = app.question();
        let costs = vec![2_100.0; latencies.functions().len()];
        let mut driver = Self {
            app,
            latencies,
            question,
            effects: Vec::new(),
            costs,
        };
        driver.answer();
        driver
    }

    /// Answers the last question.
    pub(crate) fn answer(&mut self) {
        let answer = answer(&self.latencies, &self.costs, &self.question);
        self.send(Message::News(News::Answer(
            Box::new(answer),
            STAMP.to_owned(),
        )));
    }

    pub(crate) fn send(&mut self, message: Message) {
        let mut asked = false;
        for effect in latency::update(&mut self.app, message) {
            match effect {
                Effect::Request(Request::Ask(question)) => {
                    self.question = *question;
                    asked = true;
                }
                Effect::Request(Request::Export(export)) => {
                    let Export {
                        path,
                        span,
                        selection,
                        words,
                        by_function,
                    } = *export;
                    let each = if by_function { " by function" } else { "" };
                    let only = selection.only.map_or("", |_| " of one row");
                    let filters = selection.filters.len();
                    let words = words.join(", ");
                    self.effects.push(format!(
                        "export {path} {}{each}{only}, {filters} filters [{words}]",
                        state::span(span)
                    ));
                }
                Effect::Suspend => self.effects.push("suspend".to_owned()),
                Effect::Repaint => {}
                Effect::Quit => self.effects.push("quit".to_owned()),
            }
        }
        if asked {
            self.answer();
        }
    }

    /// Presses keys, by their names.
    pub(crate) fn press(&mut self, keys: &str) -> &mut Self {
        for (code, modifiers) in keys_of(keys) {
            self.key(code, modifiers);
        }
        self
    }

    pub(crate) fn key(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.send(Message::Key(KeyEvent::new(code, modifiers)));
    }

    /// More calls come, and the last question is answered anew.
    pub(crate) fn take(&mut self, batch: CallBatch) {
        self.latencies.apply(batch);
        self.answer();
    }

    pub(crate) fn picture(&self) -> Picture {
        picture_of(self.app.size, |frame| latency::draw(&self.app, frame))
    }
}

/// Numbers that look like chance, and are the same each time.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new() -> Self {
        Self(42)
    }

    /// From 0 to 1.
    pub(crate) fn part(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / (1u64 << 24) as f64
    }

    /// About so many nanoseconds, now and then many more.
    pub(crate) fn latency(&mut self, median: f64) -> u64 {
        let spread = (self.part() + self.part() + self.part() - 1.5) * 0.9;
        let tail = if self.part() > 0.99 { 30.0 } else { 1.0 };
        (median * spread.exp() * tail) as u64
    }
}

pub(crate) fn function(name: &str) -> Function {
    Function {
        name: name.to_owned(),
        dso: "app".to_owned(),
        probe: 0,
    }
}

pub(crate) fn facts(functions: usize, by: Option<&str>) -> Facts {
    Facts {
        host: "box".to_owned(),
        kernel: "6.12.1".to_owned(),
        probes: vec!["uprobe:app:handle_request".to_owned()],
        functions,
        target: "app (1234)".to_owned(),
        by: by.map(str::to_owned),
    }
}

/// An empty slice.
pub(crate) fn slice(index: u64) -> CallBatch {
    CallBatch {
        start_ns: BEGIN + index * SLICE,
        end_ns: BEGIN + (index + 1) * SLICE,
        ..CallBatch::default()
    }
}

/// Puts calls into a slice, with an account that balances.
pub(crate) fn add(batch: &mut CallBatch, function: u32, key: CallKey, latencies: &[u64]) {
    let mut histogram = Histogram::default();
    latencies.iter().for_each(|ns| histogram.add(*ns, 1));
    let recorded = latencies.len() as u64;
    batch.calls.push(Calls {
        function: FunctionId(function),
        key,
        histogram,
    });
    let ledger = SpanLedger {
        fired: recorded,
        recorded,
        ..SpanLedger::default()
    };
    batch.ledgers.push((FunctionId(function), ledger));
}

/// One function for 70 s: two ways through it, one of which gets slower half-way.
pub(crate) fn one() -> Latencies {
    let mut latencies = Latencies::new(
        vec!["uprobe:app:handle_request".to_owned()],
        vec![function("handle_request")],
    );
    let mut chance = Chance::new();
    for index in 0..280 {
        let mut batch = slice(index);
        let slow = if index > 180 { 400_000.0 } else { 120_000.0 };
        let calls = 180 + (60.0 * (index as f64 / 12.0).sin()) as u64;
        let calls: Vec<u64> = (0..calls)
            .map(|_| {
                let is_slow = chance.part() > 0.7;
                chance.latency(if is_slow { slow } else { 3_000.0 })
            })
            .collect();
        add(&mut batch, 0, CallKey::All, &calls);
        latencies.apply(batch);
    }
    latencies
}

/// The same, in a terminal.
pub(crate) fn busy(size: (u16, u16)) -> Driver {
    Driver::new(one(), facts(1, None), size)
}

/// Many functions, each slower and rarer than the one before.
pub(crate) fn many(size: (u16, u16)) -> Driver {
    let names: Vec<Function> = (0..60)
        .map(|index| function(&format!("app::module_{}::function_{index}", index % 7)))
        .collect();
    let mut latencies = Latencies::new(vec!["uprobe:app:*".to_owned()], names);
    let mut chance = Chance::new();
    for index in 0..80 {
        let mut batch = slice(index);
        for function in 0..50_u32 {
            let calls: Vec<u64> = (0..60 / (function + 1))
                .map(|_| chance.latency(800.0 * f64::from(function + 1).powf(1.3)))
                .collect();
            if !calls.is_empty() {
                add(&mut batch, function, CallKey::All, &calls);
            }
        }
        latencies.apply(batch);
    }
    Driver::new(latencies, facts(60, None), size)
}

/// One function, by process.
pub(crate) fn by_process(size: (u16, u16)) -> Driver {
    let mut latencies = Latencies::new(Vec::new(), vec![function("handle_request")]);
    let mut chance = Chance::new();
    for index in 0..40 {
        let mut batch = slice(index);
        for pid in 1..6_u32 {
            let key = CallKey::Process(100 * pid);
            let calls: Vec<u64> = (0..20 * pid).map(|_| chance.latency(5_000.0)).collect();
            add(&mut batch, 0, key, &calls);
            if index == 0 {
                batch.names.push((key, format!("worker-{pid}")));
            }
        }
        latencies.apply(batch);
    }
    Driver::new(latencies, facts(1, Some("pid")), size)
}

/// Nothing is called.
pub(crate) fn idle(size: (u16, u16)) -> Driver {
    let mut latencies = Latencies::new(Vec::new(), vec![function("handle_request")]);
    (0..10).for_each(|index| latencies.apply(slice(index)));
    Driver::new(latencies, facts(1, None), size)
}

/// Calls began, and none has ended.
pub(crate) fn open(size: (u16, u16)) -> Driver {
    let mut driver = idle(size);
    let mut batch = slice(10);
    let ledger = SpanLedger {
        fired: 3,
        open: 3,
        ..SpanLedger::default()
    };
    batch.ledgers.push((FunctionId(0), ledger));
    driver.take(batch);
    driver
}

/// A tenth is lost, for every reason.
pub(crate) fn lossy(size: (u16, u16)) -> Driver {
    let mut driver = busy(size);
    let mut batch = slice(280);
    let lost = Loss::OF_CALLS.map(|why| (why, 1_000)).into();
    let ledger = SpanLedger {
        fired: 4_012,
        filtered: 10,
        open: 2,
        lost,
        ..SpanLedger::default()
    };
    batch.ledgers.push((FunctionId(0), ledger));
    driver.take(batch);
    driver
}

/// Before anything is known.
pub(crate) fn waiting(size: (u16, u16)) -> Driver {
    let mut driver = idle(size);
    driver.app = App::new(facts(1, None), size, Theme::Dark);
    driver
}
