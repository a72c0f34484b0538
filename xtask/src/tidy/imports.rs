//! Circles of imports between the files of a crate: two files that need each other are one thing in two places.
//!
//! An edge is a path that begins with `crate` or `super`, in a `use` or anywhere in the code, to the file of the longest
//! module that it names. Tests do not count, and neither does what a module says of its own children.

use std::collections::{BTreeMap, BTreeSet};

use super::{Source, check_none, rust};

/// The sources of a crate, by folder.
const CRATES: [&str; 4] = ["engine/src/", "engine/protocol/src/", "ui/src/", "xtask/src/"];

/// Which file imports which.
type Graph<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

#[test]
fn no_two_files_import_each_other() {
    let sources = rust();
    let circles = CRATES.iter().flat_map(|folder| circles(&graph(folder, &sources)));
    check_none(circles.map(|circle| circle.join("\n  ")), "files import each other in a circle");
}

/// The files of the crate in `folder`, and what each imports of them.
fn graph<'a>(folder: &str, sources: &'a [Source]) -> Graph<'a> {
    let files = sources.iter().filter(|source| source.path.starts_with(folder) && !is_test(&source.path));
    let by_module: BTreeMap<Vec<&str>, &Source> =
        files.map(|source| (module(&source.path[folder.len()..]), source)).collect();
    let imports = |(here, source): (&Vec<&str>, &&'a Source)| {
        let targets = paths(&source.text).into_iter().filter_map(|path| {
            let mut path = absolute(here, &path)?;
            while !path.is_empty() && !by_module.contains_key(&path) {
                path.pop();
            }
            by_module.get(&path).map(|source| source.path.as_str())
        });
        (source.path.as_str(), targets.filter(|target| *target != source.path).collect())
    };
    by_module.iter().map(imports).collect()
}

fn is_test(path: &str) -> bool {
    path.split(['/', '.']).any(|part| part == "tests" || part == "tidy")
}

/// `gpu/kernels.rs` is `gpu::kernels`; the root of a crate has no name.
fn module(path: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
    if matches!(parts.last(), Some(&("lib" | "main" | "mod"))) {
        parts.pop();
    }
    parts
}

/// A path that begins with `crate` or `super`, seen from a module, as one from the root of the crate.
fn absolute<'a>(here: &[&'a str], path: &[&'a str]) -> Option<Vec<&'a str>> {
    let n_super = path.iter().take_while(|part| **part == "super").count();
    let start = if n_super == 0 { &[] } else { here.get(..here.len().checked_sub(n_super)?)? };
    Some(start.iter().chain(&path[n_super.max(1)..]).copied().collect())
}

/// Every path in the code, outside of the tests at its end, that begins with `crate` or `super`, groups taken apart.
fn paths(text: &str) -> Vec<Vec<&str>> {
    let text = text.split("#[cfg(test)]\nmod tests {").next().expect("split gives at least one part");
    let mut found = Vec::new();
    for line_start in starts(text) {
        tree(&text[line_start..], &mut Vec::new(), &mut found);
    }
    found
}

/// Where a word `crate` or `super` begins that a path goes on from; comments do not count.
fn starts(text: &str) -> Vec<usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$';
    let begins = |start: &usize| {
        let line = text[..*start].rsplit('\n').next().expect("rsplit gives at least one part");
        !line.contains("//") && !line.ends_with(is_part)
    };
    let words = ["crate::", "super::"];
    words.iter().flat_map(|word| text.match_indices(word)).map(|(start, _)| start).filter(begins).collect()
}

/// Reads `a::b` or `a::{b, c::d}` at the start of `text`, puts each path behind `prefix` into `found`, and gives the rest.
fn tree<'a>(text: &'a str, prefix: &mut Vec<&'a str>, found: &mut Vec<Vec<&'a str>>) -> &'a str {
    let n = prefix.len();
    let mut rest = text.trim_start();
    loop {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        prefix.push(&rest[..end]);
        rest = &rest[end..];
        match rest.strip_prefix("::") {
            Some(after) if after.starts_with('{') => {
                rest = &after[1..];
                while !rest.trim_start().starts_with('}') && !rest.is_empty() {
                    rest = tree(rest, prefix, found);
                    // A new name of what is imported says nothing of where it is from.
                    rest = &rest[rest.find([',', '}']).unwrap_or(rest.len())..];
                    rest = rest.strip_prefix(',').unwrap_or(rest);
                }
                rest = rest.trim_start().strip_prefix('}').unwrap_or(rest);
                break;
            }
            Some(after) if after.starts_with(|c: char| c.is_alphabetic() || c == '_') => rest = after,
            Some(_) | None => {
                found.push(prefix.clone());
                break;
            }
        }
    }
    prefix.truncate(n);
    rest
}

/// Files that reach each other: every group of two or more.
fn circles<'a>(graph: &Graph<'a>) -> Vec<Vec<&'a str>> {
    let reached: Graph<'a> = graph.keys().map(|file| (*file, reach(graph, file))).collect();
    let mut circles = BTreeSet::new();
    for (file, others) in &reached {
        let circle: Vec<&str> = others.iter().filter(|other| reached[*other].contains(file)).copied().collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

/// What can be reached from a file, over any number of edges.
fn reach<'a>(graph: &Graph<'a>, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut left: Vec<&str> = graph[from].iter().copied().collect();
    while let Some(file) = left.pop() {
        if reached.insert(file) {
            left.extend(&graph[file]);
        }
    }
    reached
}

#[test]
fn circles_are_found() {
    let file = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let sources = [
        file("x/src/lib.rs", "mod a; mod b; mod c; mod d;"),
        file("x/src/a.rs", "use crate::{c::{self, C}, b::deep::Thing as Other};\n// use crate::d::D;"),
        file("x/src/b.rs", "mod deep;"),
        file("x/src/b/deep.rs", "use super::super::c;"),
        file("x/src/c.rs", "fn f() -> crate::a::A {}\n#[cfg(test)]\nmod tests { use crate::d::D; }"),
        file("x/src/d.rs", "use crate::a::A;"),
    ];
    let graph = graph("x/src/", &sources);
    assert_eq!(graph["x/src/a.rs"], BTreeSet::from(["x/src/b/deep.rs", "x/src/c.rs"]));
    assert_eq!(circles(&graph), [["x/src/a.rs", "x/src/b/deep.rs", "x/src/c.rs"]]);
}
