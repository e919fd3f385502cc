//! The files for Docker Compose, compared with the settings and the roles of the code.

use std::collections::{BTreeMap, BTreeSet};

use w2meet::config::load_from;
use w2meet::roles;

const COMPOSE: &str = include_str!("../compose.yaml");
const EXAMPLE: &str = include_str!("../.env.example");

/// A line of the file: its depth, and what it says.
fn lines() -> impl Iterator<Item = (usize, &'static str)> {
    let all = COMPOSE.lines().map(|line| (line.len() - line.trim_start().len(), line.trim()));
    all.filter(|(_, text)| !text.is_empty() && !text.starts_with('#'))
}

/// The lines below a key at this depth, up to the next one at its depth.
fn below(key: &str, depth: usize) -> Vec<(usize, &'static str)> {
    let from = lines().skip_while(|(at, text)| *at != depth || text.split(' ').next() != Some(key)).skip(1);
    from.take_while(|(at, _)| *at > depth).collect()
}

/// A value, with the values of `.env.example` or the defaults in place of `${NAME:-default}`.
fn filled(value: &str) -> String {
    let mut text = value.trim_matches('"').to_owned();
    while let Some((start, end)) = text.find("${").and_then(|start| Some((start, start + text[start..].find('}')?))) {
        let name = text[start + 2..end].split(':').next().unwrap_or_default();
        let value = examples().get(name).copied().unwrap_or_else(|| panic!("{name} is not in .env.example"));
        text.replace_range(start..=end, &value.replace("change-me", &"7c".repeat(24)));
    }
    text
}

fn examples() -> BTreeMap<&'static str, &'static str> {
    EXAMPLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('=')).collect()
}

/// The `W2MEET_` variables of a service, those of the shared blocks that it merges among them.
fn environment(service: &str) -> Vec<(String, String)> {
    let own = below(&format!("{service}:"), 2);
    let merged = own.iter().find(|(depth, text)| *depth == 6 && text.starts_with("<<:")).map_or("", |(_, text)| text);
    let inline = own.iter().find_map(|(_, text)| text.strip_prefix("environment:")).unwrap_or_default();
    let own_block = below(&format!("{service}:"), 2).into_iter().filter(|(depth, _)| *depth == 6);
    let shared =
        ["access", "queue"].into_iter().filter(|name| format!("{merged}{inline}").contains(&format!("*{name}")));
    let shared = shared.flat_map(|name| below(&format!("x-{name}:"), 0));
    let all = shared.chain(own_block).filter_map(|(_, text)| text.split_once(": "));
    all.filter(|(name, _)| name.starts_with("W2MEET_")).map(|(name, value)| (name.to_owned(), filled(value))).collect()
}

/// The defect with number 13 of the earlier implementation: Compose set a variable that the code did not read.
#[test]
fn compose_sets_the_variables_that_the_code_reads() {
    for role in roles::ALL {
        let environment = environment(role.name);
        let value = |name: &str| environment.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str());
        assert_eq!(value("W2MEET_ROLE"), Some(role.name));
        let loaded = load_from(None, environment.iter().cloned()).expect("valid settings");
        assert_eq!(loaded.warnings, Vec::<String>::new(), "{}", role.name);
        let settings = loaded.settings;
        assert!(settings.listen(role.name).starts_with("0.0.0.0:"), "{} listens inside its container", role.name);
        for called in role.required_roles(roles::ALL) {
            let bases = settings.upstreams(called);
            assert!(
                bases.len() == 1 && bases[0].starts_with(&format!("http://{called}:")),
                "{} of {}",
                called,
                role.name
            );
        }
        assert!(!role.owns_data() || settings.database.url.scheme() == "postgres", "{}", role.name);
        assert!(!role.keeps_cache || settings.cache.url.scheme() == "redis", "{}", role.name);
        assert!(!role.uses_queue || settings.queue.url.scheme() == "amqp", "{}", role.name);
    }
    let used: BTreeSet<&str> = COMPOSE.split("${").skip(1).filter_map(|rest| rest.split([':', '}']).next()).collect();
    assert_eq!(used, examples().into_keys().collect(), "compose.yaml uses what .env.example has");
}

/// The defect with number 17 of the earlier implementation: the volume of PostgreSQL was declared and not mounted.
#[test]
fn every_volume_is_mounted_where_its_server_writes() {
    let declared: BTreeSet<&str> =
        below("volumes:", 0).into_iter().map(|(_, text)| text.trim_end_matches(':')).collect();
    let mounts = lines().filter(|(depth, _)| *depth == 4).filter_map(|(_, text)| text.strip_prefix("volumes: [\""));
    let mounts: BTreeMap<&str, &str> = mounts.filter_map(|text| text.trim_end_matches("\"]").split_once(':')).collect();
    assert_eq!(declared, mounts.keys().copied().collect());
    assert_eq!(mounts["postgres-data"], "/var/lib/postgresql/data");
    assert_eq!(mounts["rabbitmq-data"], "/var/lib/rabbitmq");
    let outbox = environment("worker").into_iter().find(|(name, _)| name == "W2MEET_MAIL__OUTBOX_DIR");
    assert_eq!(outbox.map(|(_, value)| value).as_deref(), Some(mounts["invitations"]));
}
