//! No folder depends, over other folders, on itself.
//!
//! A node is a folder of `calendar`, a child of `platform`, or a role. An edge is an import or a path outside of unit tests.

use std::collections::{BTreeMap, BTreeSet};

use super::{File, all_files};

/// For each edge, the file that makes it.
type Edges = BTreeMap<(String, String), String>;

/// The node that this path leads into. `names` are the names after `crate`.
fn node(names: &[&str], has_children: impl Fn(&str) -> bool) -> Option<String> {
    match names {
        ["calendar", child, ..] if has_children(&format!("calendar/{child}/")) => Some(format!("calendar::{child}")),
        [top @ ("platform" | "roles"), child, ..] => Some(format!("{top}::{child}")),
        _ => None,
    }
}

/// The names that `calendar/mod.rs` and `platform/mod.rs` re-export, with the paths they stand for.
fn re_exports(files: &[File]) -> BTreeMap<Vec<String>, Vec<String>> {
    let parents = files.iter().filter(|file| ["calendar/mod.rs", "platform/mod.rs"].contains(&file.path.as_str()));
    let names = parents.flat_map(|file| {
        file.source.imports.iter().filter_map(move |import| {
            let full = if import[0] == "crate" { import.clone() } else { [&file.module[..], &import[..]].concat() };
            Some(([&file.module[..], &[import.last()?.clone()]].concat(), full))
        })
    });
    names.collect()
}

fn edges(files: &[File]) -> Edges {
    let exports = re_exports(files);
    let has_children = |folder: &str| files.iter().any(|file| file.path.starts_with(folder));
    let mut edges = Edges::new();
    for file in files {
        let is_test = file.module.iter().any(|name| name == "tests");
        let Some(from) = node(&file.place(), has_children).filter(|_| !is_test && file.module.len() > 2) else {
            continue;
        };
        for path in file.source.dependencies.iter().filter(|path| path[0] == "crate") {
            let exported = (path.len() > 2).then(|| exports.get(&path[..3])).flatten();
            let names: Vec<&str> = exported.unwrap_or(path).iter().skip(1).map(String::as_str).collect();
            // `use crate::roles;` or `crate::platform` alone is no node
            if let Some(to) = node(&names, has_children).filter(|to| *to != from) {
                edges.entry((from.clone(), to)).or_insert_with(|| file.path.clone());
            }
        }
    }
    edges
}

/// One cycle among the edges, if there is one.
fn find_cycle(edges: &Edges) -> Option<Vec<String>> {
    // the nodes without a dependency are taken away until none is left; what stays is on a cycle, or leads into one
    let mut nodes: BTreeSet<&str> = edges.keys().flat_map(|(from, to)| [from.as_str(), to.as_str()]).collect();
    let depends = |nodes: &BTreeSet<&str>, node: &str| {
        edges.keys().find(|(from, to)| from == node && nodes.contains(to.as_str())).map(|(_, to)| to.as_str())
    };
    loop {
        let before = nodes.len();
        let copy = nodes.clone();
        nodes.retain(|node| depends(&copy, node).is_some());
        if nodes.len() == before {
            break;
        }
    }
    let mut road = vec![nodes.first().copied()?];
    loop {
        let next = depends(&nodes, road.last()?)?;
        if let Some(begin) = road.iter().position(|node| *node == next) {
            road.push(next);
            let steps = road[begin..].windows(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned()));
            return Some(steps.map(|edge| format!("{} -> {} in {}", edge.0, edge.1, edges[&edge])).collect());
        }
        road.push(next);
    }
}

#[test]
fn no_folder_depends_on_itself_over_others() {
    let edges = edges(&all_files());
    assert!(edges.len() > 20, "only {} edges", edges.len());
    assert_eq!(find_cycle(&edges), None, "cut one of these edges");
}

#[test]
fn a_cycle_is_found_through_re_exports_and_not_in_unit_tests() {
    let read =
        |texts: &[(&str, &str)]| -> Vec<File> { texts.iter().map(|(path, text)| File::new(path, text)).collect() };
    let cycle = read(&[
        ("calendar/mod.rs", "pub use ranking::Slot; pub use time::Week;"),
        ("calendar/time/mod.rs", "use crate::calendar::Slot;"),
        ("calendar/ranking/rank.rs", "fn f(_: super::super::time::Week) {}"),
    ]);
    let found = find_cycle(&edges(&cycle)).expect("a cycle");
    assert_eq!(
        found,
        [
            "calendar::ranking -> calendar::time in calendar/ranking/rank.rs",
            "calendar::time -> calendar::ranking in calendar/time/mod.rs",
        ]
    );
    let fine = read(&[
        ("platform/rpc/mod.rs", "use crate::platform::http::Body; mod tests { use crate::platform::server; }"),
        ("platform/server.rs", "use super::rpc;"),
        ("platform/rpc/tests.rs", "use crate::platform::server;"),
    ]);
    assert_eq!(find_cycle(&edges(&fine)), None);
}
