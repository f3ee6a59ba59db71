//! Probes that were moved to a cheaper instruction count what probes at the functions' beginnings count.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitStatus};

use serde_json::Value;

use crate::common::fixture;
use crate::common::guard::kernel;
use crate::common::tracer::tracer;

/// Those whose functions are counted, and two more.
const LIBRARIES: [&str; 5] = ["libc", "libcrypto", "libstdc++", "libz", "libm"];
const COUNTED: [&str; 3] = ["libc.so", "libcrypto.so", "libstdc++.so"];
/// Functions of these that the programs must call, together.
const LEAST: usize = 2000;

/// Makes keys and certificates for the programs to read.
const KEYS: &str = "
    openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out rsa.pem
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.pem
    openssl req -x509 -key rsa.pem -subj /C=XX/O=A/CN=b -addext subjectAltName=DNS:c,IP:1.2.3.4 -out cert.pem
    openssl req -new -key ec.pem -subj /CN=d -out request.pem
    openssl pkcs12 -export -iter 1 -inkey rsa.pem -in cert.pem -passout pass:a -out both.p12
    openssl crl2pkcs7 -nocrl -certfile cert.pem -out certs.p7
    openssl cms -sign -signer cert.pem -inkey rsa.pem -in /etc/hostname -nodetach -outform PEM -out signed.pem
    openssl ts -query -data /etc/passwd -no_nonce -out query.tsq
";

/// What is run, a line each, in the directory of the keys: what adds most functions for its time. None
/// reads all objects that libcrypto knows, as `openssl x509` does in four million calls.
const PROGRAMS: &str = "
    openssl dgst -md5 -hmac key /etc/passwd
    openssl verify -CAfile cert.pem cert.pem
    openssl req -in request.pem -text
    openssl enc -aes-256-cbc -K 00 -iv 00 -in /etc/passwd -a
    openssl pkcs12 -in both.p12 -passin pass:a -nodes
    openssl cms -cmsout -print -in signed.pem -inform PEM
    openssl ocsp -issuer cert.pem -cert cert.pem -reqout request.ocsp
    openssl pkcs7 -in certs.p7 -print_certs -text
    openssl ts -query -in query.tsq -text
    openssl mac -cipher AES-128-CBC -macopt hexkey:00112233445566778899aabbccddeeff -in /etc/passwd CMAC
    openssl ciphers -v
    openssl nseq -in cert.pem
    openssl prime 12345
    openssl asn1parse -genstr UTF8:hello -noout
    openssl list -digest-algorithms -public-key-algorithms
    openssl errstr 0A000086
    id root
    sort -R --random-source=/etc/passwd /etc/passwd
    sed -e s/root/toor/g /etc/passwd
    getent services http
    find /etc/ssl -maxdepth 1 -name *.c*
    ls -la /etc/ssl
    iconv -f UTF-8 -t UTF-16LE /etc/passwd
    locale -a
    tar cf - /etc/hostname
    date -d 2024-05-06 +%c
    grep -E ^(ro+t|b.n): /etc/passwd
";

/// How often each function was called: by file and name.
type Counts = BTreeMap<(String, String), u64>;

/// What a run showed.
struct Ran {
    counts: Counts,
    /// Standard output of the command.
    said: Vec<u8>,
    status: ExitStatus,
    /// What tracer said of its probes.
    told: String,
}

#[track_caller]
fn run(directory: &Path, at_start: bool, command: &[&str]) -> Ran {
    let file = directory.join("out.json");
    let mut tracer = tracer();
    tracer.args([
        "hist",
        "--yes",
        "--by",
        "function",
        "-I",
        "600",
        "--no-children",
    ]);
    tracer.arg("-o").arg(&file).current_dir(directory);
    if at_start {
        tracer.arg("--at-start");
    }
    tracer.args(LIBRARIES.map(|library| format!("uprobe:{library}:*")));
    // Symbols are bound at once, so that the dynamic linker's calls do not depend on what is probed.
    let output = tracer
        .arg("--")
        .args(command)
        .env("LD_BIND_NOW", "1")
        .output()
        .expect("tracer can be run");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("probing "), "{command:?}: {told}");
    Ran {
        counts: counts(&file),
        said: output.stdout,
        status: output.status,
        told,
    }
}

fn counts(file: &Path) -> Counts {
    let text = std::fs::read_to_string(file).expect("it was written");
    let mut counts = Counts::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        // Of a library that the program does not load there is one row without a function.
        let (Some(dso), Some(name)) = (line["dso"].as_str(), line["function"].as_str()) else {
            continue;
        };
        let fired = line["ledger"]["fired"].as_u64().expect("a count");
        *counts.entry((dso.to_owned(), name.to_owned())).or_default() += fired;
    }
    counts
}

/// Functions whose counts differ.
fn differences(one: &Counts, other: &Counts) -> Vec<(String, String)> {
    let all = one.keys().chain(other.keys());
    let mut differ: Vec<_> = all
        .filter(|function| one.get(*function) != other.get(*function))
        .cloned()
        .collect();
    differ.dedup();
    differ
}

#[test]
fn moved_probes_count_what_probes_at_the_beginning_count() {
    let Some(_kernel) = kernel("moved_probes_count_what_probes_at_the_beginning_count") else {
        return;
    };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let directory = directory.path();
    for line in KEYS.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split(' ').collect();
        let made = Command::new(words[0])
            .args(&words[1..])
            .current_dir(directory)
            .output();
        let made = made.expect("openssl is installed");
        assert!(made.status.success(), "{line}: {made:?}");
    }
    let cpp = fixture::program("library");
    let sql = "create table t(a integer primary key, b text); \
               with recursive n(i) as (select 1 union all select i + 1 from n where i < 300) \
               insert into t select i, hex(i * 7919) from n; \
               select count(*), sum(a), max(b), group_concat(substr(b, 1, 2)) from t where b like '3%'; \
               select upper(b), round(a / 7.0, 2), strftime('%Y', a * 86400, 'unixepoch') from t limit 9;";
    let mut programs = vec![
        vec![cpp.to_str().expect("a path")],
        vec!["sqlite3", ":memory:", sql],
    ];
    let lines = PROGRAMS.lines().map(str::trim);
    programs.extend(
        lines
            .filter(|line| !line.is_empty())
            .map(|line| line.split(' ').collect()),
    );
    let (mut compared, mut unstable) = (Counts::new(), 0);
    for program in programs {
        let moved = run(directory, false, &program);
        let at_start = run(directory, true, &program);
        let mut plain = Command::new(program[0]);
        let plain = plain.args(&program[1..]).current_dir(directory).output();
        let plain = plain.expect("it can be run");
        for ran in [&moved, &at_start] {
            assert_eq!(
                (&ran.said, ran.status),
                (&plain.stdout, plain.status),
                "{program:?}"
            );
        }
        assert!(moved.told.contains(" of them moved"), "{}", moved.told);
        assert!(
            !at_start.told.contains(" of them moved"),
            "{}",
            at_start.told
        );
        let mut counts = moved.counts;
        let differ = differences(&counts, &at_start.counts);
        if !differ.is_empty() {
            // What differs from run to run with the same probes says nothing.
            let again = run(directory, true, &program);
            let random = differences(&at_start.counts, &again.counts);
            let wrong: Vec<_> = differ
                .iter()
                .filter(|function| !random.contains(function))
                .collect();
            assert!(wrong.is_empty(), "{program:?}: {wrong:?}");
            unstable += random.len();
            counts.retain(|function, _| !random.contains(function));
        }
        let of_library = |dso: &str| COUNTED.iter().any(|library| dso.starts_with(library));
        counts.retain(|(dso, _), _| of_library(dso));
        for (function, count) in counts {
            *compared.entry(function).or_default() += count;
        }
    }
    let calls: u64 = compared.values().sum();
    println!(
        "{} functions, {calls} calls; {unstable} left out as random",
        compared.len()
    );
    assert!(
        compared.len() >= LEAST,
        "{} functions were called",
        compared.len()
    );
}
