//! Names in C, C++ and Rust, as people write them.

use super::fixture::{Workshop, in_file, names, only, refused};

const C: (&str, &str) = (
    "names.c",
    "int alpha(int x) { return x + 1; }\n\
     int alphabet(int x) { return x + 2; }\n\
     int twin(int x) __attribute__((alias(\"alpha\")));\n\
     __attribute__((noinline)) static int hidden(int x) { return x * 3; }\n\
     static int quick(void) { return 1; }\n\
     static void *pick(void) { return quick; }\n\
     int chosen(void) __attribute__((ifunc(\"pick\")));\n\
     int main(int argc, char **argv) { return alpha(argc) + twin(argc) + hidden(argc) + chosen(); }\n",
);

const CPP: (&str, &str) = (
    "names.cc",
    "#include <vector>\n\
     #include <string>\n\
     namespace app {\n\
     int serve(int x) { return x + 1; }\n\
     int serve(const char *x) { return x[0]; }\n\
     struct V { int x; V(int y); ~V(); int operator+(int y) const; int operator[](int y) const; };\n\
     V::V(int y) : x(y) {}\n\
     V::~V() { x = 0; }\n\
     int V::operator+(int y) const { return x + y; }\n\
     int V::operator[](int y) const { return x * y; }\n\
     }\n\
     template <class T> __attribute__((noinline)) T twice(T x) { return x + x; }\n\
     int main(int argc, char **argv) {\n\
         std::vector<int> v; v.push_back(argc);\n\
         app::V w(argc);\n\
         return app::serve(argc) + app::serve(argv[0]) + (w + 1) + w[2] + twice(v[0]) + (int)twice(1.0);\n\
     }\n",
);

const RUST: (&str, &str) = (
    "names.rs",
    "mod app {\n\
         pub struct Server(pub u32);\n\
         impl Server {\n\
             #[inline(never)] pub fn run(&self) -> u32 { self.0 + 1 }\n\
         }\n\
         #[inline(never)] pub fn serve(x: u32) -> u32 { x * 3 }\n\
         #[inline(never)] pub fn many<T: Copy + Into<u64>>(x: T) -> u64 { x.into() * 5 }\n\
     }\n\
     fn main() {\n\
         let x = std::env::args().count() as u32;\n\
         println!(\"{} {} {} {}\", app::serve(x), app::many(x), app::many(x as u8), app::Server(x).run());\n\
     }\n",
);

#[test]
fn c() {
    let shop = Workshop::new();
    let file = shop.compile("names", C, &["-O1"]);
    assert_eq!(names(&file, "alpha"), ["alpha"]);
    assert_eq!(names(&file, "twin"), ["twin"], "the name that was typed");
    assert_eq!(names(&file, "hidden"), ["hidden"]);
    assert_eq!(names(&file, "alpha*"), ["alpha", "alphabet"]);
    assert_eq!(names(&file, "/^alphab.t$/"), ["alphabet"]);
    assert_eq!(names(&file, "alph[ab]?et"), ["alphabet"]);
    let (alpha, twin) = (only(&file, "alpha"), only(&file, "twin"));
    assert_eq!((alpha.start, alpha.offset), (twin.start, twin.offset));
    // Both names of one function are one place.
    let both = in_file(&file, "/^(alpha|twin)$/").unwrap();
    assert_eq!(both.sites.len(), 1);
    assert_eq!(both.sites[0].name, "twin", "the shortest");
    assert_eq!(both.sites[0].dso, "names");
}

#[test]
fn what_cannot_be_probed() {
    let shop = Workshop::new();
    let file = shop.compile("names", C, &["-O1"]);
    refused(&file, "chosen", &["IFUNC"]);
    refused(&file, "_start", &["return address"]);
    refused(&file, "alpa", &["no function", "alpha"]);
    refused(&file, "nothing*", &["no function", "nothing*"]);
    let all = in_file(&file, "*").unwrap();
    let skipped: Vec<&str> = all.skipped.iter().map(|it| it.name.as_str()).collect();
    assert!(
        skipped.contains(&"chosen") && skipped.contains(&"_start"),
        "{skipped:?}"
    );
    let stripped = shop.compile("stripped", C, &["-O1", "-s"]);
    refused(&stripped, "hidden", &["stripped", "debug"]);
    let narrow = shop.path("narrow");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[4] = 1;
    std::fs::write(&narrow, bytes).unwrap();
    refused(&narrow, "alpha", &["32-bit"]);
    let text = shop.path("text");
    std::fs::write(&text, "no program").unwrap();
    refused(&text, "alpha", &["not an ELF file"]);
    refused(&shop.path("none"), "alpha", &["there is no file"]);
}

#[test]
fn damaged_files_are_refused_or_read() {
    let shop = Workshop::new();
    let whole = std::fs::read(shop.compile("names", C, &["-O1"])).unwrap();
    let damaged = shop.path("damaged");
    for cut in (0..whole.len()).step_by(97) {
        std::fs::write(&damaged, &whole[..cut]).unwrap();
        _ = in_file(&damaged, "*");
    }
    let mut seed = 1_u64;
    for _ in 0..200 {
        let mut bytes = whole.clone();
        for _ in 0..40 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Headers and tables more often than code.
            let span = if seed & 1 == 0 { 1024 } else { bytes.len() };
            let at = 20 + (seed >> 33) as usize % (span - 20);
            bytes[at] = (seed >> 24) as u8;
        }
        std::fs::write(&damaged, bytes).unwrap();
        _ = in_file(&damaged, "*");
    }
}

#[test]
fn cpp() {
    let shop = Workshop::new();
    let file = shop.compile("names", CPP, &["-O0"]);
    assert_eq!(
        names(&file, "app::serve"),
        ["app::serve(char const*)", "app::serve(int)"],
        "all overloads"
    );
    assert_eq!(names(&file, "app::serve(int)").len(), 1);
    assert_eq!(names(&file, "app::serve(char const*)").len(), 1);
    assert_eq!(names(&file, "_ZN3app5serveEi").len(), 1);
    assert_eq!(names(&file, "app::V::operator+"), ["app::V::operator+"]);
    assert_eq!(names(&file, "app::V::operator[]"), ["app::V::operator[]"]);
    assert_eq!(names(&file, "app::V::~V").len(), 1);
    assert_eq!(names(&file, "app::V::V").len(), 1);
    assert_eq!(names(&file, "twice").len(), 2, "all instances");
    assert_eq!(names(&file, "twice<double>").len(), 1);
    assert_eq!(names(&file, "std::vector<int>::push_back").len(), 1);
    assert_eq!(names(&file, "std::vector::push_back").len(), 1);
    assert_eq!(names(&file, "app::serve*").len(), 2);
    assert_eq!(names(&file, "/app::.*operator/").len(), 2);
    refused(&file, "app::serv", &["app::serve"]);
}

#[test]
fn rust() {
    let shop = Workshop::new();
    // Which scheme is the default depends on the compiler.
    for scheme in [None, Some("-Csymbol-mangling-version=v0")] {
        let mut flags = vec!["-Copt-level=1", "-Ccodegen-units=1"];
        flags.extend(scheme);
        let file = shop.compile("names", RUST, &flags);
        assert_eq!(names(&file, "names::app::serve"), ["names::app::serve"]);
        assert_eq!(
            names(&file, "names::app::Server::run").len(),
            1,
            "{scheme:?}"
        );
        assert_eq!(names(&file, "names::app::many").len(), 2, "{scheme:?}");
    }
}
