//! The structure of the source: the dependencies that are allowed, and the place of things. docs/ARCHITECTURE.md has the rule.

mod cycles;
mod platform;

use std::path::{Path, PathBuf};

use crate::support::rust_source::Source;

/// Lines that a file may have.
const LONGEST: usize = 320;

/// The macros of `platform::data`.
const MACROS: [&str; 2] = ["read", "transact"];

/// A file of `src`, and the module that it is.
pub struct File {
    pub path: String,
    module: Vec<String>,
    text: String,
    pub source: Source,
}

impl File {
    pub fn new(path: &str, text: &str) -> File {
        let mut module = vec!["crate".to_owned()];
        module.extend(path.trim_end_matches(".rs").split('/').map(str::to_owned));
        if module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
            module.pop();
        }
        let names: Vec<&str> = module.iter().map(String::as_str).collect();
        File { path: path.to_owned(), source: Source::read(&names, text), text: text.to_owned(), module }
    }

    /// The module's names after `crate`.
    pub fn place(&self) -> Vec<&str> {
        self.module.iter().skip(1).map(String::as_str).collect()
    }
}

/// Every Rust file under this folder of the repository.
pub fn read_files(folder: &str) -> Vec<File> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => collect(&path, found),
                path if path.extension().is_some_and(|end| end == "rs") => found.push(path),
                _ => {}
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    collect(&root, &mut found);
    found.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a source file");
        File::new(path.strip_prefix(&root).expect("inside").to_str().expect("UTF-8"), &text)
    };
    let files: Vec<File> = found.into_iter().map(read).collect();
    assert!(files.len() > 30, "only {} files", files.len());
    files
}

fn all_files() -> Vec<File> {
    read_files("src")
}

/// The roles that `role` says it calls or observes.
fn neighbours(role: &str) -> Vec<&'static str> {
    let row = w2meet::roles::find(role);
    row.into_iter().flat_map(|row| row.calls.iter().chain(row.observes)).copied().collect()
}

/// Why a file may not depend on this path of ours; `None` if it may. `roles` are the neighbours of the file's own role.
fn objection(file: &File, path: &[String], roles: &[&str]) -> Option<String> {
    let names: Vec<&str> = path.iter().skip(1).map(String::as_str).collect();
    let place = file.place();
    let Some(target) = names.first().copied() else {
        return None; // `crate` alone
    };
    // a macro is exported at the top of the crate, but lives in platform::data
    let target = if MACROS.contains(&target) { "platform" } else { target };
    let own = |allowed: &[&str]| {
        (!allowed.contains(&target)).then(|| format!("{} may not depend on {target}", place.join("::")))
    };
    match place.as_slice() {
        ["calendar", ..] => own(&["calendar"]),
        ["config", ..] => own(&["config", "calendar"]),
        ["platform", ..] => own(&["platform", "config", "calendar"]),
        ["launch", ..] => own(&["launch", "platform", "config", "roles"]),
        ["roles", role, inside @ ..] => {
            if target != "roles" {
                return own(&["platform", "config", "calendar"]);
            }
            match names.get(1).copied() {
                Some(other) if other == *role => {
                    // what others may see must not hang on what they may not
                    let outer = inside.first() == Some(&"api") && names.get(2).is_some_and(|name| *name != "api");
                    outer.then(|| format!("{role}::api may not depend on the rest of its role"))
                }
                Some(other) if inside.first() != Some(&"api") && !roles.contains(&other) => {
                    Some(format!("{role} neither calls nor observes {other}"))
                }
                Some(_) if names.get(2).is_none_or(|name| *name == "api") => None,
                Some(other) => Some(format!("of {other}, only its api is for {role}")),
                None => Some(format!("{role} may not depend on the table of roles")),
            }
        }
        _ => None,
    }
}

/// What is wrong with a file's dependencies, once each.
fn objections(file: &File, roles: &[&str]) -> Vec<String> {
    let ours = file.source.all().filter(|path| path.first().is_some_and(|first| first == "crate"));
    let mut wrong: Vec<String> = ours
        // `use crate::roles::user` alone: what is used of it comes with its own path
        .filter_map(|path| objection(file, path, roles))
        .map(|why| format!("{}: {why}", file.path))
        .collect();
    wrong.sort();
    wrong.dedup();
    wrong
}

#[test]
fn everything_depends_only_on_what_lies_below_it() {
    let wrong: Vec<String> = all_files()
        .iter()
        .flat_map(|file| {
            let role = file.place().get(1).copied().filter(|_| file.place()[0] == "roles");
            objections(file, &role.map(neighbours).unwrap_or_default())
        })
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn the_rule_catches_what_breaks_it() {
    let cases = [
        ("calendar/week.rs", "use crate::config::Settings;", "calendar::week may not depend on config"),
        ("platform/db.rs", "fn f() { super::super::roles::ALL; }", "platform::db may not depend on roles"),
        (
            "platform/x/y.rs",
            "mod tests { use super::super::super::super::launch::serve; }",
            "platform::x::y may not depend on launch",
        ),
        (
            "roles/worker/model.rs",
            "use crate::{calendar, roles::user::api::UserAvailability};",
            "worker neither calls nor observes user",
        ),
        (
            "roles/worker/model.rs",
            "use crate::roles::suggestion; fn f() { suggestion::model::rank(); }",
            "of suggestion, only its api is for worker",
        ),
        (
            "roles/worker/model.rs",
            "use crate::roles::suggestion::{self as s, api}; fn f(_: s::store::X) {}",
            "of suggestion, only its api is for worker",
        ),
        ("roles/worker/model.rs", "fn f() { crate::roles::find(\"user\"); }", "worker neither calls nor observes find"),
        ("roles/worker/model.rs", "use crate::launch;", "roles::worker::model may not depend on launch"),
        ("roles/worker/api.rs", "use super::model::Job;", "worker::api may not depend on the rest of its role"),
        ("roles/worker/api.rs", "use crate::roles::user::store::Users;", "of user, only its api is for worker"),
        ("launch.rs", "use crate::cli;", "launch may not depend on cli"),
    ];
    for (path, text, expected) in cases {
        let found = objections(&File::new(path, text), &["suggestion"]);
        assert_eq!(found, [format!("{path}: {expected}")], "{text}");
    }
}

#[test]
fn the_rule_lets_pass_what_keeps_it() {
    let fine = "//! crate::launch\nuse crate::platform::{db::Db, role::*};\n\
        use crate::roles::suggestion::{self, api::Suggestions};\nuse super::store::{self, Job};\n\
        /* use crate::cli; */ fn f() { suggestion::api::ask(\"crate::cli::run\"); crate::read!(x); super::api::ROLE; }";
    assert_eq!(objections(&File::new("roles/worker/handlers.rs", fine), &["suggestion"]), Vec::<String>::new());
}

#[test]
fn every_file_says_what_it_is_for_and_is_short() {
    let files = all_files();
    let silent: Vec<&str> =
        files.iter().filter(|file| !file.text.starts_with("//! ")).map(|file| file.path.as_str()).collect();
    assert_eq!(silent, Vec::<&str>::new());
    let length = |file: &File| file.text.lines().count();
    let long: Vec<String> = files
        .iter()
        .filter(|file| length(file) > LONGEST)
        .map(|file| format!("{}: {}", file.path, length(file)))
        .collect();
    assert_eq!(long, Vec::<String>::new(), "past 300 lines, look for the second purpose");
}

#[test]
fn http_clients_are_made_in_four_places() {
    for file in all_files() {
        let makes = |path: &&Vec<String>| {
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            matches!(names.as_slice(), ["awc", "Client" | "ClientBuilder", "default" | "new" | "builder"])
        };
        let made = file.source.paths.iter().find(makes);
        let may = ["platform/observe/http_client.rs", "platform/outbound/client.rs", "client/mod.rs"]
            .contains(&file.path.as_str());
        assert!(may || made.is_none(), "{} makes a client of its own: {made:?}", file.path);
    }
    let hidden = File::new("roles/x/y.rs", "use awc::Client as C; fn f() { C::default(); }");
    assert_eq!(hidden.source.paths, [["awc", "Client", "default"]]);
}

#[test]
fn the_compat_folder_can_be_deleted_whole() {
    for file in all_files() {
        let may = ["roles/gateway/mod.rs", "roles/gateway/endpoints.rs"].contains(&file.path.as_str())
            || file.path.starts_with("roles/gateway/compat/");
        let mentions = file.source.words.iter().any(|word| word == "compat");
        let imports = file.source.imports.iter().flatten().any(|word| word == "compat");
        assert!(may || !mentions && !imports, "{} knows of the reference", file.path);
    }
    let mentions = |file: &File| file.source.words.iter().filter(|word| *word == "compat").count();
    let files = all_files();
    let of = |path: &str| files.iter().find(|file| file.path == path).map(mentions);
    let found = [of("roles/gateway/mod.rs"), of("roles/gateway/endpoints.rs")];
    assert_eq!(found, [Some(2), Some(1)], "its `mod`, the form of its errors, and its endpoints");
}

#[test]
fn the_image_is_built_of_files_that_docker_is_given() {
    let read =
        |name: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap_or_default();
    let (image, given) = (read("Dockerfile"), read(".dockerignore"));
    let copies = image.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|line| !line.starts_with("--from"));
    let sources = copies.flat_map(|line| line.rsplit_once(' ').map_or("", |(sources, _)| sources).split(' '));
    let missing: Vec<&str> = sources.filter(|source| !given.lines().any(|line| line == format!("!{source}"))).collect();
    assert_eq!(missing, [""; 0], "named by the Dockerfile, kept away by .dockerignore");
    assert!(image.contains("COPY src "), "it copies nothing");
}
