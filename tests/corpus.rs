//! The corpus of daylight-saving cases (tests/corpus): the calendar engine and the running product must give its answers.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};
use w2meet::calendar::{Day, Format, Grid, Projector, SearchWindow, Week, Zone, free_count, parse_week, week_to_json};

use crate::support::Cluster;

/// A request and the expected answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    why: String,
    time_zone: String,
    from: Option<Date>,
    to: Option<Date>,
    as_of: Option<Date>,
    duration_minutes: Option<usize>,
    step_minutes: Option<usize>,
    attendees: Vec<Person>,
    expected: Expected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    time_zone: String,
    availability: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    minutes: Option<usize>,
    periods: Option<Value>,
    common: Option<Value>,
    free_count: Option<Value>,
    starts: Option<Vec<String>>,
}

fn corpus() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let files = std::fs::read_dir(folder).expect("the corpus").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    files.sort();
    let read = |path| std::fs::read_to_string(path).expect("UTF-8");
    let cases = |text: String| serde_json::from_str::<Vec<Case>>(&text).expect("cases");
    files.into_iter().map(read).flat_map(cases).collect()
}

fn zone(name: &str) -> Zone {
    Zone::parse(name).expect("the corpus names zones")
}

impl Case {
    fn window(&self) -> SearchWindow {
        match self.as_of {
            Some(as_of) if self.time_zone == "floating" => SearchWindow::typical_week(None, as_of),
            Some(as_of) => SearchWindow::typical_week(Some(zone(&self.time_zone)), as_of),
            None => {
                let (from, to) = self.from.zip(self.to).expect("dates, or as_of");
                SearchWindow::dates(zone(&self.time_zone), from, to).expect("a window")
            }
        }
    }

    fn grids(&self, window: &SearchWindow) -> Vec<Grid> {
        let mut projector = Projector::new(window);
        let week = |one: &Person| parse_week(&one.availability).expect("a week");
        self.attendees.iter().map(|one| projector.project(&week(one), &zone(&one.time_zone))).collect()
    }

    /// The differences from the expected answer.
    fn differences(&self, found: &Expected) -> Vec<String> {
        let text = |value: &Option<Value>| value.as_ref().map(Value::to_string);
        let starts = |one: &Expected| one.starts.as_ref().map(|starts| json!(starts).to_string());
        let expected = &self.expected;
        let pairs = [
            (expected.minutes.map(|it| it.to_string()), found.minutes.map(|it| it.to_string())),
            (text(&expected.periods), text(&found.periods)),
            (text(&expected.common), text(&found.common)),
            (text(&expected.free_count), text(&found.free_count)),
            (starts(expected), starts(found)),
        ];
        let wrong = pairs.into_iter().filter(|(right, found)| right.is_some() && right != found);
        wrong.map(|(right, found)| format!("{}: {found:?} is not {right:?}; {}", self.name, self.why)).collect()
    }
}

/// The days of a week that are not empty.
fn some_days(week: Value) -> Value {
    let days = week.as_object().expect("days").clone();
    Value::Object(days.into_iter().filter(|(_, ranges)| *ranges != json!([])).collect())
}

fn answer_of_the_engine(case: &Case) -> Expected {
    let window = case.window();
    let grids = case.grids(&window);
    let mut common = Grid::full(window.len());
    grids.iter().for_each(|grid| common.and(grid));
    let period =
        |run: Range<usize>| json!({"start": window.format_quarter(run.start), "end": window.format_quarter(run.end)});
    let hours = window.hours();
    let counts = hours.iter().zip(free_count(&hours, &grids)).filter(|(_, count)| *count > 0);
    let counted = counts.map(|(hour, count)| json!({"start": window.format_quarter(hour.start), "count": count}));
    let mut starts = common.starts(case.duration_minutes.unwrap_or(15) / 15);
    starts.and(&window.steps(case.step_minutes.unwrap_or(15) / 15));
    let week = || Week::from_bytes(&common.to_bytes()).expect("a week");
    Expected {
        minutes: Some(15 * window.len()),
        periods: window.has_dates().then(|| common.runs().map(period).collect()),
        common: (!window.has_dates()).then(|| some_days(week_to_json(&week(), Format::Ranges))),
        free_count: Some(counted.collect()),
        starts: Some(starts.iter().map(|q| window.format_quarter(q)).collect()),
    }
}

#[test]
fn the_engine_solves_every_case_of_the_corpus() {
    let cases = corpus();
    let wrong: Vec<String> = cases.iter().flat_map(|case| case.differences(&answer_of_the_engine(case))).collect();
    assert_eq!(wrong, Vec::<String>::new());
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "each name once");
    assert!(cases.iter().all(|case| case.why.len() > 20), "each with its reason");
}

/// Whether a case has a day of the zone that is shorter, or one that is longer.
#[test]
fn the_corpus_has_both_changes_of_at_least_twelve_zones() {
    let cases = corpus();
    let days = |case: &&Case| case.from.zip(case.to).is_some_and(|(from, to)| from == to);
    let zones = |changed: &dyn Fn(usize) -> bool| -> BTreeSet<&str> {
        let found = cases.iter().filter(days).filter(|case| case.expected.minutes.is_some_and(changed));
        found.map(|case| case.time_zone.as_str()).collect()
    };
    let (shorter, longer) = (zones(&|it| it > 0 && it < 1440), zones(&|it| it > 1440));
    let both: Vec<&&str> = shorter.intersection(&longer).collect();
    assert!(both.len() >= 12, "{both:?}");
    for named in ["America/New_York", "Europe/Paris", "Europe/London", "Australia/Lord_Howe", "Pacific/Chatham"] {
        assert!(both.contains(&&named), "{named}");
    }
}

/// Registers the attendees, and one who is always free, because a request needs two.
async fn register(cluster: &Cluster, number: usize, case: &Case) -> String {
    let mut names = String::new();
    for (index, one) in case.attendees.iter().enumerate() {
        let email = format!("c{number}.{index}@example.com");
        cluster.register_in(&email, &one.time_zone, one.availability.clone()).await;
        names += &format!("attendee={email}&");
    }
    names + "attendee=always@example.com"
}

/// The answer of `/api/availability`, and of `/api/suggestions` for the first slot.
async fn answer_of_the_product(cluster: &Cluster, number: usize, case: &Case) -> Vec<String> {
    let names = register(cluster, number, case).await;
    let zone = case.time_zone.as_str();
    let when = match (case.as_of, case.from.zip(case.to)) {
        // A floating week has no date.
        (Some(_), _) if zone == "floating" => String::new(),
        (Some(as_of), _) => format!("&as_of={as_of}"),
        (_, Some((from, to))) => format!("&from={from}&to={to}"),
        _ => panic!("{} asks for nothing", case.name),
    };
    let asked = format!("{names}&time_zone={zone}{when}");
    let answer = cluster.get(&format!("/api/availability?{asked}")).await.expect(200).json;
    let has_dates = case.as_of.is_none();
    let found = Expected {
        minutes: case.expected.minutes,
        periods: has_dates.then(|| answer["periods"].clone()),
        common: (!has_dates).then(|| some_days(answer["common"].clone())),
        free_count: case.expected.free_count.clone(),
        starts: case.expected.starts.clone(),
    };
    let mut wrong = case.differences(&found);
    let Some(starts) = &case.expected.starts else { return wrong };
    let (duration, step) = (case.duration_minutes.unwrap_or(15), case.step_minutes.unwrap_or(15));
    let how = format!("&pick=first&duration_minutes={duration}&step_minutes={step}");
    let answer = cluster.get(&format!("/api/suggestions?{asked}{how}")).await.expect(200).json;
    let first = &answer["suggestions"][0];
    let shown = |text: &Value| text.as_str().unwrap_or("none").to_owned();
    let start = match has_dates || first.is_null() {
        true => shown(&first["start"]),
        false => format!("{} {}", shown(&first["day"]), shown(&first["start"])),
    };
    if start != *starts.first().map_or("none", |start| start.as_str()) {
        wrong.push(format!("{}: {start} is suggested, not {:?}; {}", case.name, starts.first(), case.why));
    }
    wrong
}

#[actix_web::test]
async fn the_api_solves_every_case_of_the_corpus() {
    let cluster = Cluster::all().await;
    let always = Day::ALL.map(|day| (day.name().to_owned(), json!(["00:00-24:00"])));
    cluster.register("always@example.com", Value::Object(always.into_iter().collect())).await;
    let mut wrong = Vec::new();
    for (number, case) in corpus().iter().enumerate() {
        wrong.extend(answer_of_the_product(&cluster, number, case).await);
    }
    assert_eq!(wrong, Vec::<String>::new());
}
