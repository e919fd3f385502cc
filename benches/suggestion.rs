//! What a request costs inside the suggestion role, from the bytes that availability sends to the bytes of the answer:
//! `cargo bench --bench suggestion`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jiff::ToSpan;
use jiff::civil::{Date, date};
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};
use std::hint::black_box;
use std::time::Duration;
use w2meet::calendar::{Attendance, Grid, Preference, Projector, SearchWindow, Week, Zone};
use w2meet::platform::email::Email;
use w2meet::roles::availability::api::{AttendeeAvailability, GroupDetail, Window};
use w2meet::roles::suggestion::api::RankRequest;
use w2meet::roles::suggestion::model::Candidates;
use w2meet::roles::suggestion::request::SuggestionRequest;

const ZONES: [&str; 5] = ["Europe/Paris", "America/New_York", "Asia/Kolkata", "UTC", "Asia/Tokyo"];
const MONDAY: Date = date(2026, 3, 23);

/// What kind of people there are.
#[derive(Clone, Copy)]
enum Crowd {
    /// All must come, and share Wednesday noon.
    Agreed,
    /// Half of them need not, every third has times that are possible if they must be, and sixty percent must be there.
    Opinionated,
    /// All must come, and share nothing.
    Apart,
}

impl Crowd {
    fn name(self) -> &'static str {
        match self {
            Crowd::Agreed => "agreed",
            Crowd::Opinionated => "opinionated",
            Crowd::Apart => "apart",
        }
    }
}

/// What availability would send of so many people over so many days.
fn detail(crowd: Crowd, people: usize, days: i64) -> Option<Vec<u8>> {
    let window = Window { from: MONDAY, to: MONDAY.saturating_add((days - 1).days()) };
    let zones: Vec<Zone> = ZONES.iter().filter_map(|name| Zone::parse(name).ok()).collect();
    let search = SearchWindow::dates(zones.first()?.clone(), window.from, window.to).ok()?;
    let mut projector = Projector::new(&search);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut week = |shared: bool| {
        let mut week = Week::EMPTY;
        if shared {
            week.insert(2 * 96 + 20..2 * 96 + 92);
        }
        for day in 0..7 {
            let start = 96 * day + (rng.next_u32() % 48) as usize;
            week.insert(start..start + (rng.next_u32() % 40) as usize);
        }
        week
    };
    let mut presence = |at: usize| {
        let zone = &zones[at % zones.len()];
        let free = match crowd {
            Crowd::Agreed | Crowd::Opinionated => projector.project(&week(true), zone),
            Crowd::Apart if at == 0 => Grid::empty(search.len()),
            Crowd::Apart => projector.project(&week(false), zone),
        };
        let opinion = matches!(crowd, Crowd::Opinionated) && at.is_multiple_of(3);
        Some(AttendeeAvailability {
            email: Email::parse(&format!("attendee{at}@example.com")).ok()?,
            preference: Preference::First,
            attendance: match crowd {
                Crowd::Opinionated if at % 2 == 1 => Attendance::Optional,
                _ => Attendance::Required,
            },
            weight: 1,
            zone: at % zones.len(),
            if_needed: opinion.then(|| projector.project(&week(false), zone).to_text()),
            busy: None,
            is_week_empty: false,
            free: free.to_text(),
        })
    };
    let attendees = (0..people).map(&mut presence).collect::<Option<Vec<_>>>()?;
    let detail = GroupDetail {
        attendees,
        unknown: Vec::new(),
        time_zone: zones.first().cloned(),
        zones,
        as_of: MONDAY,
        window: Some(window),
        data_version: "0".to_owned(),
    };
    serde_json::to_vec(&detail).ok()
}

fn request(crowd: Crowd, people: usize, pick: Preference) -> SuggestionRequest {
    let (pick, organizer) = (Some(pick), None);
    let rank = RankRequest { detail: (), duration_minutes: 60, pick, seed: None, step_minutes: 15, organizer };
    let mut request = SuggestionRequest::for_ranking(&rank);
    request.options.quorum = matches!(crowd, Crowd::Opinionated).then(|| (people * 6).div_ceil(10));
    request
}

/// Decode, rank, explain, encode.
fn answer(request: &SuggestionRequest, bytes: &[u8]) -> Option<Vec<u8>> {
    let detail: GroupDetail = serde_json::from_slice(bytes).ok()?;
    let mut candidates = Candidates::from_detail(request, detail, || 7).ok()?;
    serde_json::to_vec(&candidates.suggest()).ok()
}

fn requests(criterion: &mut Criterion) {
    for (search, days) in [("week", 7), ("62 days", 62)] {
        for crowd in [Crowd::Agreed, Crowd::Opinionated, Crowd::Apart] {
            for pick in [Preference::First, Preference::Best] {
                let mut group = criterion.benchmark_group(format!("{search}, {}, {}", crowd.name(), pick.name()));
                for people in [2, 10, 100, 1_000, 10_000] {
                    let Some(bytes) = detail(crowd, people, days) else { continue };
                    let request = request(crowd, people, pick);
                    group.throughput(Throughput::Elements(people as u64));
                    group.bench_function(BenchmarkId::from_parameter(people), |b| {
                        b.iter(|| answer(&request, black_box(&bytes)));
                    });
                }
            }
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = requests
}
criterion_main!(benches);
