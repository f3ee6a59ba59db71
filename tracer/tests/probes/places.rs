//! Where in real functions the probes go.

use tracer::{plan::Status, probe::Class};

use super::fixture::{Workshop, in_file, only, refused};

/// Functions in assembly, each with one thing to look out for.
const ASSEMBLY: (&str, &str) = (
    "places.c",
    "#define FUNCTION(name, body) \\\n\
         __asm__(\".text\\n.globl \" #name \"\\n.type \" #name \",@function\\n\" #name \":\\n\" body \"\\n.size \" #name \",.-\" #name);\n\
     FUNCTION(simple, \"endbr64; xor %eax,%eax; push %rbp; pop %rbp; ret\")\n\
     FUNCTION(pushes, \"push %rbp; pop %rbp; ret\")\n\
     FUNCTION(looped, \"endbr64; xor %eax,%eax; 1: push %rbp; pop %rbp; dec %edi; jnz 1b; ret\")\n\
     FUNCTION(entered, \"endbr64; xor %eax,%eax; push %rbp; pop %rbp; ret\")\n\
     FUNCTION(intruder, \"endbr64; jmp entered+4\")\n\
     FUNCTION(switched, \"endbr64; xor %eax,%eax; push %rbp; pop %rbp; jmp *%rdi\")\n\
     FUNCTION(switched_late, \"endbr64; push %rbp; pop %rbp; jmp *%rdi\")\n\
     FUNCTION(named_inside, \"endbr64; xor %eax,%eax; inner: push %rbp; pop %rbp; ret\")\n\
     FUNCTION(moves, \"endbr64; sub $8,%rsp; push %rbp; pop %rbp; add $8,%rsp; ret\")\n\
     int main(void) { return 0; }\n",
);

#[test]
fn moved_only_where_every_call_comes_by_once() {
    let shop = Workshop::new();
    let file = shop.compile("places", ASSEMBLY, &["-O1"]);
    for (name, moved, class, instruction) in [
        ("simple", 6, Class::Emulated, "push rbp"),
        ("pushes", 0, Class::Emulated, "push rbp"),
        ("looped", 0, Class::Stepped, "endbr64"),
        ("entered", 0, Class::Stepped, "endbr64"),
        ("switched", 0, Class::Stepped, "endbr64"),
        ("switched_late", 4, Class::Emulated, "push rbp"),
        ("named_inside", 0, Class::Stepped, "endbr64"),
        ("moves", 0, Class::Stepped, "endbr64"),
    ] {
        let site = only(&file, name);
        assert_eq!(
            (
                site.offset - site.start,
                site.class,
                site.instruction.as_str()
            ),
            (moved, class, instruction),
            "{name}"
        );
    }
}

#[test]
fn offsets_that_somebody_chose() {
    let shop = Workshop::new();
    let file = shop.compile("places", ASSEMBLY, &["-O1"]);
    let chosen = only(&file, "simple+4");
    assert_eq!(chosen.offset - chosen.start, 4);
    assert_eq!(chosen.class, Class::Stepped);
    assert_eq!(only(&file, "simple+0x6").class, Class::Emulated);
    refused(&file, "simple+5", &["inside of an instruction", "+4", "+6"]);
    refused(&file, "simple+7", &["stack pointer"]);
    refused(&file, "simple+99", &["bytes long"]);
    refused(&file, "looped+6", &["twice"]);
    refused(&file, "entered+4", &["twice"]);
    let wrong = in_file(&file, "simple+5").unwrap_err();
    assert_eq!(wrong.status(), Status::Usage);
    let missing = in_file(&file, "simpel+4").unwrap_err();
    assert_eq!(missing.status(), Status::Nothing);
}

#[test]
fn a_function_ends_where_another_is_jumped_to() {
    const SOURCE: (&str, &str) = (
        "ends.cc",
        "int other(int); struct A { virtual int run(int); };\n\
         __attribute__((noinline)) static int near(int x) { return other(x) + 1; }\n\
         int by_stub(int x) { return x < 0 ? 1 : other(x + 1); }\n\
         int by_table(A *a, int x) { return x < 0 ? 1 : a->run(x + 1); }\n\
         int by_name(int x) { return x < 0 ? 1 : near(x + 1); }\n",
    );
    let shop = Workshop::new();
    for protection in ["none", "full"] {
        let protection = format!("-fcf-protection={protection}");
        let flags = ["-O2", "-fPIC", "-shared", protection.as_str()];
        let file = shop.compile("ends.so", SOURCE, &flags);
        for name in ["by_stub", "by_table", "by_name"] {
            let site = only(&file, name);
            assert_eq!(site.exits.len(), 2, "{name} with {protection}: {site:?}");
        }
    }
}
