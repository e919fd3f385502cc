//! `platform` names no role and no path of one, and what a role stores is its own.

use std::collections::{BTreeMap, BTreeSet};

use super::{File, all_files};

/// The paths that the platform serves for every role, or for every owner.
const COMMON: [&str; 5] = ["health", "livez", "readyz", "metrics", "jobs"];

/// The first segment of a path, without the `/api`, `/internal` and `/.well-known` that the platform gives to paths of any role.
fn first_segment(path: &str) -> &str {
    let path =
        ["/api", "/internal", "/.well-known"].iter().find_map(|prefix| path.strip_prefix(prefix)).unwrap_or(path);
    path.trim_start_matches('/').split(['/', '?', '{', ' ']).next().unwrap_or_default()
}

/// The first segments of all paths that roles serve.
fn segments(files: &[File]) -> BTreeSet<String> {
    let of_roles = files.iter().filter(|file| {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        file.path.starts_with("roles/") && ["mod.rs", "endpoints.rs"].contains(&name)
    });
    let texts = of_roles.flat_map(|file| &file.source.texts).filter(|text| text.starts_with('/'));
    let segments = texts.map(|text| first_segment(text).to_owned());
    let found: BTreeSet<String> =
        segments.filter(|segment| !segment.is_empty() && !COMMON.contains(&segment.as_str())).collect();
    assert!(found.contains("users") && found.contains("suggestions"), "{found:?}");
    found
}

/// The texts of a file that name a role, or a path of one.
fn roles_named(file: &File, segments: &BTreeSet<String>) -> Vec<String> {
    let is_path = |text: &str| text.starts_with('/') && segments.contains(first_segment(text));
    let holds_path = |text: &str| is_path(text) || text.match_indices("/api/").any(|(at, _)| is_path(&text[at..]));
    let is_role = |text: &str| {
        w2meet::roles::ALL.iter().any(|role| text == role.name || text.contains(&format!("{}-service", role.name)))
    };
    let named = |text: &&String| holds_path(text) || is_role(text);
    file.source.texts.iter().filter(named).cloned().collect()
}

#[test]
fn platform_and_launch_name_no_role_and_no_path_of_one() {
    let files = all_files();
    let segments = segments(&files);
    let below = |file: &&File| ["platform", "launch"].contains(&file.place().first().copied().unwrap_or_default());
    let named: BTreeMap<&str, Vec<String>> = files
        .iter()
        .filter(below)
        .map(|file| (file.path.as_str(), roles_named(file, &segments)))
        .filter(|(_, named)| !named.is_empty())
        .collect();
    assert!(named.is_empty(), "{named:#?}");
}

#[test]
fn names_and_paths_of_roles_are_found() {
    let segments = BTreeSet::from(["auth".to_owned(), "users".to_owned()]);
    for (text, is_named) in [
        ("\"/users/{user}\"", true),
        ("\"/users\"", true),
        ("\"see /api/auth/verification\"", true),
        ("\"gateway\"", true),
        ("\"user-service\"", true),
        ("\"/health\"", false),
        ("\"/api{path}\"", false),
        ("\"/internal/\"", false),
        ("\"a user\"", false),
        ("mod tests { fn f() { g(\"/users\"); } }", false),
    ] {
        let file = File::new("platform/x.rs", &format!("fn f() {{ {text} }}"));
        assert_eq!(!roles_named(&file, &segments).is_empty(), is_named, "{text}");
    }
}

/// The paths that lead into the `schema` of a role from outside of its folder.
fn foreign_schemas(file: &File) -> Vec<String> {
    let ours = file.source.all().filter(|path| path.starts_with(&["crate".to_owned(), "roles".to_owned()]));
    let is_module = |path: &[String]| {
        let mut modules = path.iter().take_while(|name| name.starts_with(char::is_lowercase));
        modules.any(|name| name == "schema")
    };
    let foreign = ours
        .filter(|path| path.len() > 3 && is_module(&path[3..]) && file.place().get(..2) != Some(&["roles", &path[2]]));
    foreign.map(|path| path.join("::")).collect()
}

#[test]
fn the_schema_of_a_role_is_used_in_its_folder_alone() {
    for file in all_files() {
        assert_eq!(foreign_schemas(&file), Vec::<String>::new(), "{}", file.path);
    }
    let outside = File::new("cli.rs", "use crate::roles::user::{api, schema::users};");
    assert_eq!(foreign_schemas(&outside), ["crate::roles::user::schema::users"]);
    let inside = File::new("roles/user/auth/store.rs", "use super::super::schema::users;");
    assert_eq!(foreign_schemas(&inside), Vec::<String>::new());
}
