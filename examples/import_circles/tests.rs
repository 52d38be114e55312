//! Small crates in memory, with a circle and without.

use crate::circles::{circles, text};
use crate::resolve::{Report, imports};

/// A crate of these files, below `src/`.
fn report(files: &[(&str, &str)]) -> Report {
    imports("src", &files.iter().map(|(path, text)| (format!("src/{path}"), (*text).to_owned())).collect())
}

/// The circles of a crate in which every name is found.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let report = report(files);
    assert_eq!(report.errors, Vec::<String>::new());
    circles(&report.imports).iter().map(|circle| text(circle, &report.imports)).collect()
}

/// Every import of a crate in which every name is found, as `a.rs -> b.rs`.
fn arrows(files: &[(&str, &str)]) -> Vec<String> {
    let report = report(files);
    assert_eq!(report.errors, Vec::<String>::new());
    report.imports.keys().map(|(from, to)| format!("{} -> {}", &from[4..], &to[4..])).collect()
}

#[test]
fn two_files_that_use_each_other_are_a_circle() {
    let files = [
        ("lib.rs", "mod a;\nmod b;"),
        ("a.rs", "use std::fmt;\nuse crate::b::Two;\npub struct One(Two);"),
        ("b.rs", "pub struct Two;\nfn f(_: super::a::One) {}"),
    ];
    let circle = "src/a.rs -> src/b.rs -> src/a.rs\n    src/a.rs:2: use crate::b::Two\n    src/b.rs:2: super::a::One\n";
    assert_eq!(found(&files), [circle]);
}

#[test]
fn a_circle_of_three_files_is_listed_once() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::c::C; pub struct A;"),
        ("b.rs", "use crate::a::A; pub struct B;"),
        ("c.rs", "use crate::b::B; pub struct C;"),
    ];
    let found = found(&files);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("src/a.rs -> src/c.rs -> src/b.rs -> src/a.rs\n"), "{found:?}");
}

#[test]
fn a_way_without_a_way_back_is_no_circle() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::{b::B, c::C};"),
        ("b.rs", "use crate::c::C; pub struct B;"),
        ("c.rs", "pub struct C;"),
    ];
    assert!(found(&files).is_empty());
    assert_eq!(arrows(&files), ["a.rs -> b.rs", "a.rs -> c.rs", "b.rs -> c.rs"]);
}

#[test]
fn a_reexport_is_followed_to_the_file_that_has_the_item() {
    let files = [
        ("lib.rs", "mod m; mod z;"),
        ("m/mod.rs", "mod a; mod b; pub use a::One; pub(crate) use b::*;"),
        ("m/a.rs", "use super::Two; pub struct One;"),
        ("m/b.rs", "use crate::m::One as Other; pub struct Two;"),
        ("z.rs", "use crate::m::One;"),
    ];
    assert_eq!(arrows(&files), ["m/a.rs -> m/b.rs", "m/b.rs -> m/a.rs", "z.rs -> m/a.rs"]);
    assert_eq!(found(&files).len(), 1);
}

#[test]
fn a_mod_file_that_only_passes_names_on_is_in_no_circle() {
    let files = [
        ("lib.rs", "pub mod m;"),
        ("m/mod.rs", "mod a; mod b; pub use a::One; pub use b::Two;"),
        ("m/a.rs", "use super::Two; pub struct One;"),
        ("m/b.rs", "pub struct Two;"),
    ];
    assert!(found(&files).is_empty());
    assert_eq!(arrows(&files), ["m/a.rs -> m/b.rs"]);
}

#[test]
fn a_mod_file_with_an_item_that_its_child_uses_is_in_a_circle_with_it() {
    let by_use = ("m/mod.rs", "mod a; use a::One; pub struct Own; fn f(_: One) {}");
    let by_path = ("m/mod.rs", "mod a; pub struct Own; fn f() { a::One::new(); }");
    let by_reexport = ("m/mod.rs", "mod a; pub use a::One; pub struct Own(One);");
    for own in [by_use, by_path, by_reexport] {
        let found = found(&[("lib.rs", "pub mod m;"), own, ("m/a.rs", "use super::Own; pub struct One; impl One { pub fn new() {} }")]);
        assert_eq!(found.len(), 1, "{own:?}");
        assert!(found[0].starts_with("src/m/a.rs -> src/m/mod.rs -> src/m/a.rs\n"), "{found:?}");
    }
    let only_passed_on = ("m/mod.rs", "mod a; pub use a::One; pub struct Own;");
    assert!(found(&[("lib.rs", "pub mod m;"), only_passed_on, ("m/a.rs", "use super::Own; pub struct One;")]).is_empty());
}

#[test]
fn a_circle_through_paths_in_code_is_found() {
    let backs = [
        "fn f() { crate::a::go() }",
        "use crate::a; fn f() { a::go() }",
        "use super::a as other; fn f() { other::go() }",
        "fn f() { use crate::a::go; go() }",
        "fn f() { println!(\"{}\", 1 + super::a::go()) }",
        "fn f() { vec![if true { crate::a::go() }] }",
        "impl Into<super::a::T> for u8 { fn into(self) -> super::a::T { todo!() } }",
        "struct S(#[serde(with = \"super::a\")] u8);",
        "#[serde(default = \"crate::a::go\")] struct S;",
        "#[arg(value_parser = crate::a::go)] struct S;",
        "use crate::*; fn f() { a::go() }",
        "use crate::a::*; fn f() { go() }",
        "use crate::a::T::*;",
        "fn f(t: &dyn Fn(Vec<crate::a::T>)) {}",
        "mod inner { fn f() { super::super::a::go() } }",
        "fn f() { match 1 { crate::a::NUMBER => {} _ => {} } }",
        "fn f() { written!() }",
    ];
    for back in backs {
        let b = format!("pub struct B; {back}");
        let a = "use crate::b::B; pub fn go() {} pub enum T { X } pub const NUMBER: u8 = 1;";
        let crate_ = [("lib.rs", "macro_rules! written { () => {} } mod a; mod b;"), ("a.rs", a), ("b.rs", &b)];
        let to = if back.contains("written") { "b.rs -> lib.rs" } else { "b.rs -> a.rs" };
        assert_eq!(arrows(&crate_), ["a.rs -> b.rs", to], "{back}");
        assert_eq!(found(&crate_).len(), usize::from(to.ends_with("a.rs")), "{back}");
    }
}

#[test]
fn items_that_macros_and_derives_write_are_found() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "macro_rules! id { ($n:ident) => { pub struct $n; } } id!(Job); pub(crate) use id;"),
        ("b.rs", "use crate::a::Job; crate::a::id!(Other);"),
        ("c.rs", "use crate::d::Kind; use crate::b::Other;"),
        ("d.rs", "#[kube(kind = \"Kind\", status = \"Status\")] pub struct KindSpec; pub struct Status;"),
    ];
    let files: Vec<_> = files.map(|(path, text)| (path, if path == "lib.rs" { "mod a; mod b; mod c; mod d;" } else { text })).into();
    assert_eq!(arrows(&files), ["b.rs -> a.rs", "c.rs -> b.rs", "c.rs -> d.rs"]);
}

#[test]
fn a_name_that_is_a_module_and_a_function_leads_to_both() {
    let files = [
        ("lib.rs", "mod m; mod a; mod b;"),
        ("m/mod.rs", "mod words; pub use words::words;"),
        ("m/words.rs", "pub fn words() {}"),
        ("a.rs", "use crate::m::words;"),
        ("b.rs", "fn f() { crate::m::words::words() }"),
    ];
    assert_eq!(arrows(&files), ["a.rs -> m/words.rs", "b.rs -> m/words.rs"]);
}

#[test]
fn tests_and_declarations_of_modules_import_nothing() {
    let files = [
        ("lib.rs", "mod a; #[cfg(test)] mod judge;"),
        (
            "a.rs",
            "mod below; pub fn go() {} #[cfg(test)] mod tests; #[cfg(test)] use below::x; #[cfg(all(test, unix))] fn f() { below::x() }",
        ),
        ("a/below.rs", "pub fn x() { super::go() } #[cfg(test)] mod tests { use super::*; }"),
        ("a/tests/mod.rs", "mod more; use super::below::x;"),
        ("a/tests/more.rs", "use crate::nothing;"),
        ("judge.rs", "use crate::a::go;"),
    ];
    assert!(found(&files).is_empty());
    assert_eq!(arrows(&files), ["a/below.rs -> a.rs"]);
    assert_eq!(report(&files).files, 3);
}

#[test]
fn code_that_is_not_only_for_tests_counts() {
    let files = [("lib.rs", "mod a; mod b;"), ("a.rs", "pub fn go() {}"), ("b.rs", "#[cfg(not(test))] fn f() { crate::a::go() }")];
    assert_eq!(arrows(&files), ["b.rs -> a.rs"]);
}

#[test]
fn what_cannot_be_resolved_or_read_is_an_error() {
    let one = |text: &str| report(&[("lib.rs", "mod a; mod words;"), ("a.rs", text), ("words.rs", "pub fn words() {}")]).errors;
    assert_eq!(one("\nuse crate::nothing::X;"), ["src/a.rs:2: crate::nothing::X is not found"]);
    assert_eq!(one("use super::words::other;"), ["src/a.rs:1: super::words::other is not found"]);
    assert_eq!(one("use super::words; fn f() { words::other() }"), ["src/a.rs:1: words::other is not found"]);
    assert_eq!(one("fn f() { println!(\"{}\", crate::words::words::more) }"), ["src/a.rs:1: crate::words::words::more is not found"]);
    assert_eq!(one("use super::super::X;"), ["src/a.rs:1: super::super::X is not found"]);
    assert_eq!(one("fn f() { m!(use super::{words::words};) }"), ["src/a.rs:1: super::{..} in a macro is not understood"]);
    assert_eq!(one("mod gone;"), ["src/a.rs:1: there is no file for mod gone"]);
    assert_eq!(one("#[path = \"x.rs\"] mod gone {}"), ["src/a.rs:1: a module with #[path] is not understood"]);
    assert_eq!(one("fn f( {"), ["src/a.rs:1: cannot parse string into token stream", "src/a.rs: was not read"]);
    assert!(one("use other_crate::X; fn f<T: Default>() -> T { T::default(); Vec::new(); u8::max(1, 2); X::y(); Self::z() }").is_empty());
    assert_eq!(report(&[("lib.rs", ""), ("a.rs", "")]).errors, ["src/a.rs: was not read"]);
    assert_eq!(report(&[("a.rs", "")]).errors, ["src: there is neither a lib.rs nor a main.rs", "src/a.rs: was not read"]);
}
