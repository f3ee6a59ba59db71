//! The account that tracer writes by `--ledger`.

use std::collections::BTreeMap;

use serde_json::Value;

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) fired: u64,
    pub(crate) recorded: u64,
    pub(crate) filtered: u64,
    pub(crate) thinned: u64,
    pub(crate) open: u64,
    pub(crate) lost: BTreeMap<String, u64>,
    pub(crate) complete: u64,
    pub(crate) truncated: BTreeMap<String, u64>,
    /// The same, from where they stop.
    stopped: BTreeMap<String, u64>,
}

impl Ledger {
    /// Every field must be there.
    pub(crate) fn parse(text: &str) -> Self {
        let json: Value = serde_json::from_str(text).expect("the ledger is JSON");
        let overhead = &json["overhead"];
        assert!(
            overhead["bpf_ns"].is_null() || overhead["bpf_ns"].is_u64(),
            "{overhead}"
        );
        assert!(
            overhead["user_cpu_ns"].is_u64() && overhead["wall_ns"].is_u64(),
            "{overhead}"
        );
        Self {
            fired: count(&json, "fired"),
            recorded: count(&json, "recorded"),
            filtered: count(&json, "filtered"),
            thinned: count(&json, "thinned"),
            open: count(&json, "open"),
            lost: counts(&json["lost"]),
            complete: count(&json["stacks"], "complete"),
            truncated: counts(&json["stacks"]["truncated"]),
            stopped: stopped(&json["stacks"]["by_dso"]),
        }
    }

    pub(crate) fn lost(&self, reason: &str) -> u64 {
        *self
            .lost
            .get(reason)
            .unwrap_or_else(|| panic!("no loss {reason:?} in {:?}", self.lost))
    }

    pub(crate) fn lost_total(&self) -> u64 {
        self.lost.values().sum()
    }

    pub(crate) fn balances(&self) -> bool {
        let told = self.recorded + self.filtered + self.thinned + self.open + self.lost_total();
        let stacks = self.complete + self.truncated.values().sum::<u64>();
        let mut truncated = self.truncated.clone();
        truncated.retain(|_, count| *count > 0);
        self.fired == told && stacks == self.recorded && truncated == self.stopped
    }
}

fn count(json: &Value, name: &str) -> u64 {
    json[name]
        .as_u64()
        .unwrap_or_else(|| panic!("no count {name:?} in {json}"))
}

fn counts(json: &Value) -> BTreeMap<String, u64> {
    let reasons = json
        .as_object()
        .unwrap_or_else(|| panic!("not counts by reason: {json}"));
    reasons
        .keys()
        .map(|reason| (reason.clone(), count(json, reason)))
        .collect()
}

fn stopped(json: &Value) -> BTreeMap<String, u64> {
    let rows = json.as_array();
    let rows = rows.unwrap_or_else(|| panic!("not a list of files: {json}"));
    let mut by_reason = BTreeMap::new();
    for row in rows {
        let [dso, reason] = ["dso", "reason"].map(|name| row[name].as_str());
        assert!(dso.is_some(), "{row}");
        let reason = reason.unwrap_or_else(|| panic!("no reason in {row}"));
        *by_reason.entry(reason.to_owned()).or_default() += count(row, "count");
    }
    by_reason
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(fired: u64, complete: u64, in_app: u64) -> Ledger {
        Ledger::parse(&format!(
            r#"{{"fired":{fired},"recorded":5,"filtered":2,"thinned":0,"open":1,
                "lost":{{"not_run":1,"ring_full":0,"map_full":1,"nested":0}},
                "stacks":{{"complete":{complete},"truncated":{{"too deep":2,"no table":0}},
                    "by_dso":[{{"dso":"app","reason":"too deep","count":{in_app}}},
                        {{"dso":"lib.so","reason":"too deep","count":1}}]}},
                "overhead":{{"bpf_ns":null,"user_cpu_ns":1,"wall_ns":2}}}}"#
        ))
    }

    #[test]
    fn all_sums_must_add_up() {
        assert!(ledger(10, 3, 1).balances());
        assert!(!ledger(11, 3, 1).balances());
        assert!(!ledger(10, 4, 1).balances());
        assert!(!ledger(10, 3, 2).balances());
        assert_eq!(ledger(10, 3, 1).lost("map_full"), 1);
    }

    #[test]
    #[should_panic(expected = "no loss \"other\"")]
    fn a_reason_that_is_not_there_is_not_zero() {
        ledger(10, 3, 1).lost("other");
    }
}
