//! The calendar engine beside the naive way: `cargo bench --bench calendar`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jiff::ToSpan;
use jiff::civil::date;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};
use std::hint::black_box;
use std::time::Duration;
use w2meet::calendar::{
    Attendance, Attendee, DistinctBy, Grid, Preference, Projector, RankingOptions, SearchWindow, Week, Zone,
};
use w2meet::calendar::{explain, free_count, rank_slots};

const ZONES: [&str; 5] = ["Europe/Paris", "America/New_York", "Asia/Kolkata", "UTC", "Asia/Tokyo"];

/// Weeks that all share Wednesday noon (UTC), and are otherwise their own.
fn weeks(count: usize) -> Vec<Week> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut week = || {
        let mut week = Week::EMPTY;
        week.insert(2 * 96 + 20..2 * 96 + 92);
        for day in 0..7 {
            let start = 96 * day + (rng.next_u32() % 48) as usize;
            week.insert(start..start + (rng.next_u32() % 40) as usize);
        }
        week
    };
    (0..count).map(|_| week()).collect()
}

/// The simplest count: every attendee is tested for every hour.
fn naive(weeks: &[Week]) -> Vec<u32> {
    let free = |week: &&Week, hour: usize| (4 * hour..4 * hour + 4).all(|q| week.contains(q));
    (0..168).map(|hour| weeks.iter().filter(|week| free(week, hour)).count() as u32).collect()
}

/// The quarters that all grids share.
fn common(grids: &[Grid]) -> Grid {
    let mut common = Grid::full(grids.first().map_or(0, Grid::len));
    grids.iter().for_each(|grid| common.and(grid));
    common
}

fn kernels(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("weeks");
    let all = weeks(1_000_000);
    let window = SearchWindow::typical_week(None, date(2026, 3, 1));
    let (hours, mut projector) = (window.hours(), Projector::new(&window));
    let all_grids: Vec<Grid> = all.iter().map(|week| projector.project(week, &Zone::utc())).collect();
    for count in [2, 100, 10_000, 1_000_000] {
        let (weeks, grids) = (&all[..count], &all_grids[..count]);
        group.throughput(Throughput::Elements(count as u64));
        let id = |name| BenchmarkId::new(name, count);
        group.bench_function(id("common"), |b| b.iter(|| common(black_box(grids))));
        group.bench_function(id("free_count"), |b| b.iter(|| free_count(&hours, black_box(grids))));
        // At a million the naive count is run over a hundredth; the time for each element compares.
        let sample = &weeks[..count.min(10_000)];
        group.throughput(Throughput::Elements(sample.len() as u64));
        assert_eq!(free_count(&hours, &grids[..sample.len()]), naive(sample));
        group.bench_function(id("naive"), |b| b.iter(|| naive(black_box(sample))));
    }
}

/// A request over one window, from weeks to slots and heat map.
fn questions(criterion: &mut Criterion) {
    let paris = Zone::parse(ZONES[0]).unwrap_or_else(|_| Zone::utc());
    let window = SearchWindow::dates(paris.clone(), date(2026, 3, 23), date(2026, 4, 5));
    let typical = SearchWindow::typical_week(Some(paris), date(2026, 3, 1));
    let all = weeks(10_000);
    for (name, window) in [("typical", Some(typical)), ("fortnight", window.ok())] {
        let Some(window) = window else { continue };
        let mut group = criterion.benchmark_group(name);
        for count in [2, 100, 1_000, 10_000] {
            let weeks = &all[..count];
            group.throughput(Throughput::Elements(count as u64));
            let id = |name| BenchmarkId::new(name, count);
            let options =
                RankingOptions { pick: Some(Preference::Best), duration: 4, step: 1, ..RankingOptions::default() };
            group.bench_function(id("project+suggest"), |b| {
                b.iter(|| rank_slots(&window, &attendees(&window, black_box(weeks)), &options));
            });
            let (hours, grids) = (window.hours(), grids(&window, weeks));
            group.bench_function(id("free_count"), |b| {
                b.iter(|| free_count(&hours, black_box(&grids)));
            });
        }
    }
}

/// The engine alone, from grids to slots or to the reasons why there are none: growth in attendees, and in days.
fn ranking(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rank");
    let sizes = [2, 100, 1_000, 10_000].into_iter().flat_map(|count| [7, 62].map(|days| (count, days)));
    let days = [1, 14, 31].map(|days| (1_000, days));
    let all = weeks(10_000);
    for (count, days) in sizes.chain(days) {
        let from = date(2026, 3, 25);
        let paris = Zone::parse(ZONES[0]).unwrap_or_else(|_| Zone::utc());
        let Ok(window) = SearchWindow::dates(paris, from, from.saturating_add((days - 1).days())) else { continue };
        group.throughput(Throughput::Elements(count as u64));
        let id = |name: &str| BenchmarkId::new(format!("{name}/{days} days"), count);
        let options =
            RankingOptions { pick: Some(Preference::Best), duration: 4, step: 1, ..RankingOptions::default() };
        let plain = attendees(&window, &all[..count]);
        group.bench_function(id("all required"), |b| b.iter(|| rank_slots(&window, black_box(&plain), &options)));
        let opinions = opinions(&window, &all[..count]);
        let quorum = Some(count / 2);
        let asked = RankingOptions { quorum, distinct: DistinctBy::Day, ..options.clone() };
        assert!(!rank_slots(&window, &opinions, &asked).slots.is_empty());
        group.bench_function(id("opinions"), |b| b.iter(|| rank_slots(&window, black_box(&opinions), &asked)));
        // One attendee can never come, and all are required: there is no slot, and every relaxation is tried.
        for (name, mut people, quorum) in [("explained", plain, None), ("opinions explained", opinions, Some(count))] {
            people[1].free = Grid::empty(window.len());
            people[1].if_needed = Grid::default();
            let all = RankingOptions { quorum, step: 4, ..options.clone() };
            let answer = |people: &[Attendee]| (rank_slots(&window, people, &all), explain(&window, people, &all));
            let (ranking, reasons) = answer(&people);
            assert!(ranking.slots.is_empty() && !reasons.relaxations.is_empty());
            group.bench_function(id(name), |b| b.iter(|| answer(black_box(&people))));
        }
    }
}

/// Attendees with zones: some are optional, some weigh more, and half have `if_needed` time.
fn opinions(window: &SearchWindow, weeks: &[Week]) -> Vec<Attendee> {
    let mut people = attendees(window, weeks);
    let hesitant = grids(window, &weeks.iter().rev().copied().collect::<Vec<_>>());
    for (index, (one, if_needed)) in people.iter_mut().zip(hesitant).enumerate() {
        one.zone = Zone::parse(ZONES[index % ZONES.len()]).ok();
        one.attendance = if index % 3 == 0 { Attendance::Required } else { Attendance::Optional };
        one.weight = 1 + index as u32 % 9;
        if index % 2 == 0 {
            one.if_needed = if_needed;
        }
    }
    people
}

/// The weeks of the attendees on the window. Zones are parsed for each attendee, as a request does.
fn grids(window: &SearchWindow, weeks: &[Week]) -> Vec<Grid> {
    let mut projector = Projector::new(window);
    let zones = ZONES.iter().cycle();
    let zone = |name: &str| Zone::parse(name).unwrap_or_else(|_| Zone::utc());
    let people = weeks.iter().zip(zones);
    people.map(|(week, name)| projector.project(week, &zone(name))).collect()
}

fn attendees(window: &SearchWindow, weeks: &[Week]) -> Vec<Attendee> {
    let attendee = |free| Attendee { free, ..Attendee::default() };
    grids(window, weeks).into_iter().map(attendee).collect()
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = kernels, questions, ranking
}
criterion_main!(benches);
