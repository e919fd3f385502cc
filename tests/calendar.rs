//! The calendar engine against brute-force reference models: property tests, and the days on which clocks jump.

use crate::support::fixtures::{SampleAttendee, any_zone, sample_attendee, sample_week, windows};
use crate::support::oracle::ranking_model::{Asked, Person};
use crate::support::oracle::time_model::{self, ClockReading};
use jiff::ToSpan;
use jiff::civil::{Date, date};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use w2meet::calendar::{
    Attendance, Attendee, DistinctBy, Format, Grid, Overrides, Preference, RankingOptions, Relaxation, SearchWindow,
};
use w2meet::calendar::{Projector, free_count, parse_week, week_to_json};
use w2meet::calendar::{Week, Zone, count_starts, explain, rank_slots};

/// The same 10,000 draws every time, or a green main could turn red by chance.
/// To explore: `PROPTEST_RNG_SEED=$RANDOM PROPTEST_CASES=1000000 cargo test --release --test main calendar::`.
fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    let rng_seed = match asked.rng_seed {
        RngSeed::Random => RngSeed::Fixed(5545),
        chosen @ RngSeed::Fixed(_) => chosen,
    };
    ProptestConfig { cases: asked.cases.max(10_000), rng_seed, failure_persistence: None, ..asked }
}

fn zone(name: &str) -> Zone {
    Zone::parse(name).expect("the zones of these tests exist")
}

fn bools(grid: &Grid) -> Vec<bool> {
    (0..grid.len()).map(|q| grid.contains(q)).collect()
}

fn week(packed: &[u8; 84]) -> Week {
    Week::from_bytes(packed).expect("84 bytes")
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_window_has_the_free_quarters_of_the_wall_clock(
        (own, other, from, to) in windows(),
        seed: u64,
    ) {
        let window = SearchWindow::dates(zone(own), from, to).expect("a window");
        let packed = sample_week(seed);
        let quarters = time_model::window(own, from, to);
        prop_assert_eq!(window.len(), quarters.len());
        let grid = Projector::new(&window).project(&week(&packed), &zone(other));
        let expected = time_model::project_window(&quarters, &time_model::table(&packed), other);
        prop_assert_eq!(bools(&grid), expected);
    }

    #[test]
    fn a_typical_week_is_turned_by_the_offsets_of_its_day(
        own in any_zone(),
        other in any_zone(),
        days in 0..84_000i64,
        seed: u64,
    ) {
        // Half of the cases at a time when some offsets were odd.
        let as_of = date(1970, 1, 1).saturating_add((if seed & 1 == 0 { days } else { days % 4000 }).days());
        let window = SearchWindow::typical_week(Some(zone(own)), as_of);
        let packed = sample_week(seed);
        let grid = Projector::new(&window).project(&week(&packed), &zone(other));
        let expected = time_model::project_typical(own, as_of, &time_model::table(&packed), other);
        prop_assert_eq!(bools(&grid), expected);
        let floating = SearchWindow::typical_week(None, as_of);
        let grid = Projector::new(&floating).project(&week(&packed), &zone(other));
        prop_assert_eq!(grid.to_bytes(), packed);
    }

    #[test]
    fn hours_steps_and_texts_follow_the_wall_clock(
        (own, _, from, to) in windows(),
        step in prop::sample::select(vec![1usize, 2, 4]),
    ) {
        let window = SearchWindow::dates(zone(own), from, to).expect("a window");
        let quarters = time_model::window(own, from, to);
        prop_assert_eq!(window.hours(), time_model::hours(&quarters, own));
        prop_assert_eq!(bools(&window.steps(step)), time_model::steps(&quarters, own, step));
        for (q, second) in quarters.iter().enumerate().step_by(7) {
            prop_assert_eq!(window.instant(q).as_second(), *second);
            let text = window.format_quarter(q);
            prop_assert_eq!(text.parse::<jiff::Timestamp>().expect("RFC 3339"), window.instant(q));
            let shown = window.instant(q).to_zoned(time_model::rules(own));
            let (day, time) = window.day_and_time(q, false);
            prop_assert_eq!(time, shown.strftime("%H:%M").to_string());
            prop_assert_eq!(day.name(), shown.strftime("%A").to_string().to_lowercase());
            if shown.offset().seconds() % 60 == 0 {
                prop_assert_eq!(text, shown.strftime("%FT%T%:z").to_string());
            }
        }
    }

    #[test]
    fn the_free_count_of_an_hour_counts_attendees_who_are_free_for_all_of_it(
        people in prop_oneof![98 => 0..10usize, 1 => 240..270usize, 1 => 480..520usize],
        seed: u64,
    ) {
        let packed: Vec<_> = (0..people as u64).map(|n| sample_week(seed.wrapping_add(n))).collect();
        let weeks: Vec<_> = packed.iter().map(week).collect();
        let free = |packed: &[u8; 84]| (0..672).map(|q| packed[q / 8] >> (q % 8) & 1 == 1).collect();
        let free: Vec<Vec<bool>> = packed.iter().map(free).collect();
        let hours: Vec<_> = (0..168).map(|hour| 4 * hour..4 * hour + 4).collect();
        let expected = time_model::free_count(&hours, &free);
        let window = SearchWindow::typical_week(None, date(2026, 1, 1));
        let mut projector = Projector::new(&window);
        let grids: Vec<_> = weeks.iter().map(|week| projector.project(week, &Zone::utc())).collect();
        prop_assert_eq!(free_count(&window.hours(), &grids), expected);
    }

    #[test]
    fn the_free_count_of_windows_counts_whole_hours((own, other, from, to) in windows(), seed: u64) {
        let window = SearchWindow::dates(zone(own), from, to).expect("a window");
        let mut projector = Projector::new(&window);
        let people = (0..seed % 12).map(|n| week(&sample_week(seed ^ n)));
        let grids: Vec<_> = people.map(|week| projector.project(&week, &zone(other))).collect();
        let free: Vec<_> = grids.iter().map(bools).collect();
        let hours = window.hours();
        prop_assert_eq!(free_count(&hours, &grids), time_model::free_count(&hours, &free));
    }

    #[test]
    fn runs_and_starts_are_those_found_one_by_one(
        len in 0..400usize,
        runs in prop::collection::vec((0..400usize, 0..70usize), 0..12),
        duration in prop_oneof![5 => 1..20usize, 1 => 20..420usize],
    ) {
        let mut grid = Grid::empty(len);
        let mut free = vec![false; len];
        for (start, length) in runs {
            grid.insert(start..start + length);
            free.iter_mut().skip(start).take(length).for_each(|free| *free = true);
        }
        prop_assert_eq!(bools(&grid), free.clone());
        prop_assert_eq!(grid.runs().collect::<Vec<_>>(), time_model::runs(&free));
        prop_assert_eq!(grid.starts(duration).iter().collect::<Vec<_>>(), time_model::starts(&free, duration));
        prop_assert_eq!(Grid::from_text(len, &grid.to_text()), Some(grid));
    }

    #[test]
    fn a_week_reads_back_as_it_was_written(seed: u64) {
        let week = week(&sample_week(seed));
        prop_assert_eq!(parse_week(&week_to_json(&week, Format::Ranges)), Ok(week));
        let hours = parse_week(&week_to_json(&week, Format::Hours));
        prop_assert_eq!(&hours, &parse_week(&week_to_json(&week, Format::Grid)));
        let whole_hours = (0..168).filter(|hour| (4 * hour..4 * hour + 4).all(|q| week.contains(q))).count();
        prop_assert_eq!(hours.map(|week| week.count()), Ok(4 * whole_hours));
    }

    #[test]
    fn slots_and_explanations_equal_those_of_the_oracle(
        kind in scene_kinds(),
        seeds in prop::collection::vec(any::<u64>(), 1..6),
        duration in prop_oneof![12 => 1..10usize, 3 => 10..50usize, 1 => 50..420usize],
        step in prop::sample::select(vec![1usize, 2, 4]),
        pick in prop_oneof![1 => Just(None), 3 => prop::sample::select(Preference::ALL.to_vec()).prop_map(Some)],
        limit in prop::option::of(0..8usize),
        quorum in prop_oneof![2 => Just(None), 1 => (0..8usize).prop_map(Some)],
        distinct in prop::sample::select(vec![DistinctBy::Slot, DistinctBy::Block, DistinctBy::Day]),
        seed: u64,
    ) {
        let scene = Scene::new(kind);
        let options = RankingOptions { pick, seed, duration, step, limit, quorum, distinct };
        let people: Vec<_> = seeds.into_iter().map(|seed| sample_attendee(seed, &scene.zones, scene.from)).collect();
        let attendees = scene.attendees(&people);
        let asked = scene.asked(&people, &options);
        for (attendee, person) in attendees.iter().zip(&asked.people) {
            let all = |grid: &Grid| (0..scene.window.len()).map(|q| grid.contains(q)).collect::<Vec<_>>();
            prop_assert_eq!(all(&attendee.free), person.free.clone());
            prop_assert_eq!(all(&attendee.if_needed), person.if_needed.clone());
        }
        let question = asked.clone().evaluate();
        let ranking = rank_slots(&scene.window, &attendees, &options);
        question.check(&ranking)?;
        prop_assert_eq!(&ranking, &rank_slots(&scene.window, &attendees, &options));
        prop_assert_eq!(count_starts(&scene.window, &attendees, &options), question.candidates().len());
        let explanation = explain(&scene.window, &attendees, &options);
        prop_assert_eq!(&explanation, &question.explanation());
        for (relaxation, slots) in explanation.relaxations {
            let (attendees, options) = relaxed(&attendees, &options, relaxation);
            prop_assert_eq!(count_starts(&scene.window, &attendees, &options), slots);
            let limit = Some(1);
            prop_assert_eq!(rank_slots(&scene.window, &attendees, &RankingOptions { limit, ..options }).slots.len(), 1);
        }
    }
}

/// The input with a relaxation, applied by hand.
fn relaxed(
    attendees: &[Attendee],
    options: &RankingOptions,
    relaxation: Relaxation,
) -> (Vec<Attendee>, RankingOptions) {
    let (mut attendees, mut options) = (attendees.to_vec(), options.clone());
    match relaxation {
        Relaxation::MakeOptional(index) => attendees[index].attendance = Attendance::Optional,
        Relaxation::Shorten(quarters) => options.duration = quarters,
        Relaxation::LowerQuorum(quorum) => options.quorum = Some(quorum),
        Relaxation::UseQuarters => options.step = 1,
    }
    (attendees, options)
}

/// The kind of a search window, with its zones and dates.
#[derive(Clone, Debug)]
enum SceneKind {
    Window { own: &'static str, other: &'static str, from: Date, days: i64 },
    Typical { own: &'static str, other: &'static str, as_of: Date },
    Floating { other: &'static str },
}

fn scene_kinds() -> impl Strategy<Value = SceneKind> {
    let days = prop_oneof![6 => 1..3i64, 1 => 3..5i64];
    let window =
        (windows(), days).prop_map(|((own, other, from, _), days)| SceneKind::Window { own, other, from, days });
    let typical = windows().prop_map(|(own, other, as_of, _)| SceneKind::Typical { own, other, as_of });
    let floating = any_zone().prop_map(|other| SceneKind::Floating { other });
    prop_oneof![20 => window, 2 => typical, 1 => floating]
}

/// The readings of a clock in each quarter, minute by minute.
type ClockReadings = Vec<Vec<ClockReading>>;

/// A search window, for the engine and for the reference models.
struct Scene {
    window: SearchWindow,
    kind: SceneKind,
    from: Date,
    /// The zones of the attendees.
    zones: Vec<&'static str>,
    /// The Unix seconds of a window's quarters.
    seconds: Vec<i64>,
}

impl Scene {
    fn new(kind: SceneKind) -> Scene {
        let typical = |own: Option<&str>, as_of| SearchWindow::typical_week(own.map(zone), as_of);
        let epoch = date(1970, 1, 1);
        let (window, from, zones, seconds) = match kind {
            SceneKind::Window { own, other, from, days } => {
                let to = from.saturating_add((days - 1).days());
                let window = SearchWindow::dates(zone(own), from, to).expect("a window");
                (window, from, vec![own, other, other], time_model::window(own, from, to))
            }
            SceneKind::Typical { own, other, as_of } => {
                (typical(Some(own), as_of), as_of, vec![own, other], Vec::new())
            }
            SceneKind::Floating { other } => (typical(None, epoch), epoch, vec!["UTC", other], Vec::new()),
        };
        Scene { window, kind, from, zones, seconds }
    }

    /// The attendees as input of the engine.
    fn attendees(&self, people: &[SampleAttendee]) -> Vec<Attendee> {
        let mut projector = Projector::new(&self.window);
        let mut attendee = |one: &SampleAttendee| {
            let home = zone(one.zone);
            let mut overrides = Overrides::default();
            for (date, runs) in &one.overrides {
                overrides.insert(*date, 0..0);
                runs.iter().for_each(|run| overrides.insert(*date, run.clone()));
            }
            let mut free = projector.project_with(&week(&one.week), &overrides, &home);
            let mut if_needed = projector.project_with(&week(&one.if_needed), &overrides.cleared(), &home);
            let within = projector.within_hours(&home, one.earliest, one.latest);
            for grid in [&mut free, &mut if_needed] {
                grid.and(&within);
                for busy in one.busy.iter().filter(|_| self.window.has_dates()) {
                    let instant = |second: i64| self.window.instant(0) + second.seconds();
                    grid.remove(self.window.quarters_overlapping(instant(busy.start), instant(busy.end)));
                }
            }
            Attendee {
                preference: one.preference,
                attendance: one.attendance,
                weight: one.weight,
                zone: one.has_clock.then_some(home),
                free,
                // The product leaves an empty one out.
                if_needed: if if_needed.is_empty() { Grid::default() } else { if_needed },
            }
        };
        people.iter().map(&mut attendee).collect()
    }

    /// The same attendees and options as input of the reference models.
    fn asked(&self, people: &[SampleAttendee], options: &RankingOptions) -> Asked {
        let mut readings: BTreeMap<&str, ClockReadings> = BTreeMap::new();
        for one in people {
            readings.entry(one.zone).or_insert_with(|| self.clock_readings(one.zone));
        }
        let clocks: Vec<&ClockReadings> =
            people.iter().filter(|one| one.has_clock).map(|one| &readings[one.zone]).collect();
        let times =
            |readings: &&ClockReadings| -> Vec<usize> { readings.iter().flatten().map(|now| now.minute).collect() };
        let zones: BTreeSet<&str> = people.iter().filter(|one| one.has_clock).map(|one| one.zone).collect();
        let differ = zones.len() > 1 && clocks.iter().any(|clock| times(clock) != times(&clocks[0]));
        let steps = |step: usize| match self.kind {
            SceneKind::Window { own, .. } => time_model::steps(&self.seconds, own, step),
            _ => (0..672).map(|q| q % step == 0).collect(),
        };
        Asked {
            has_fairness: differ,
            steps: steps(options.step),
            quarters: steps(1),
            dates: match self.kind {
                SceneKind::Window { own, .. } => time_model::dates(&self.seconds, own),
                _ => (0..672).map(|q| q / 96).collect(),
            },
            people: people.iter().map(|one| self.person(one, &readings[one.zone])).collect(),
            options: options.clone(),
        }
    }

    fn clock_readings(&self, zone: &str) -> ClockReadings {
        match self.kind {
            SceneKind::Window { .. } => time_model::shown_in_window(&self.seconds, zone),
            SceneKind::Typical { own, as_of, .. } => time_model::shown_in_typical_week(Some(own), as_of, zone),
            SceneKind::Floating { .. } => time_model::shown_in_typical_week(None, self.from, zone),
        }
    }

    fn person(&self, one: &SampleAttendee, readings: &ClockReadings) -> Person {
        let hours = one.earliest.unwrap_or(0).into()..one.latest.unwrap_or(1440).into();
        let nothing = one.overrides.keys().map(|date| (*date, Vec::new())).collect();
        let mut free =
            time_model::free_quarters(readings, &time_model::table(&one.week), &one.overrides, hours.clone());
        let mut if_needed = time_model::free_quarters(readings, &time_model::table(&one.if_needed), &nothing, hours);
        for (q, second) in self.seconds.iter().enumerate() {
            let after = second - self.seconds[0];
            let is_busy = |busy: &Range<i64>| !busy.is_empty() && busy.start < after + 900 && after < busy.end;
            if one.busy.iter().any(is_busy) {
                (free[q], if_needed[q]) = (false, false);
            }
        }
        let points = one.has_clock.then(|| time_model::points(readings));
        let required = one.attendance == Attendance::Required;
        let weight = one.weight.into();
        Person { preference: one.preference, required, weight, free, if_needed, points }
    }
}

/// The free periods, as texts, of one day in which Monday to Sunday are free in `range`.
fn periods(own: &str, day: Date, other: &str, range: &str) -> Vec<(String, String)> {
    let window = SearchWindow::dates(zone(own), day, day).expect("a window");
    let name = |day: w2meet::calendar::Day| (day.name().to_owned(), serde_json::json!([range]));
    let days = w2meet::calendar::Day::ALL.map(name).into_iter().collect();
    let week = parse_week(&serde_json::Value::Object(days)).expect("a week");
    let grid = Projector::new(&window).project(&week, &zone(other));
    let text = |run: Range<usize>| (window.format_quarter(run.start), window.format_quarter(run.end));
    grid.runs().map(text).collect()
}

fn pair(start: &str, end: &str) -> (String, String) {
    (start.to_owned(), end.to_owned())
}

#[test]
fn an_hour_that_a_gap_skips_does_not_exist() {
    let day = date(2026, 3, 8);
    let none = periods("America/New_York", day, "America/New_York", "02:00-03:00");
    assert_eq!(none, []);
    let shorter = periods("America/New_York", day, "America/New_York", "01:30-03:30");
    let hour = pair("2026-03-08T01:30:00-05:00", "2026-03-08T03:30:00-04:00");
    assert_eq!(shorter, [hour]);
}

#[test]
fn an_hour_that_a_fold_repeats_exists_twice() {
    let day = date(2026, 11, 1);
    let twice = periods("America/New_York", day, "America/New_York", "01:00-02:00");
    assert_eq!(twice, [pair("2026-11-01T01:00:00-04:00", "2026-11-01T02:00:00-05:00")]);
    let halves = periods("America/New_York", day, "America/New_York", "01:30-02:00");
    let first = pair("2026-11-01T01:30:00-04:00", "2026-11-01T01:00:00-05:00");
    let second = pair("2026-11-01T01:30:00-05:00", "2026-11-01T02:00:00-05:00");
    assert_eq!(halves, [first, second]);
}

#[test]
fn nine_in_paris_moves_by_an_hour_for_new_york_between_their_two_changes() {
    let nine = |day| periods("America/New_York", day, "Europe/Paris", "09:00-10:00");
    let usual = nine(date(2026, 3, 6));
    assert_eq!(usual, [pair("2026-03-06T03:00:00-05:00", "2026-03-06T04:00:00-05:00")]);
    let between = nine(date(2026, 3, 20));
    assert_eq!(between, [pair("2026-03-20T04:00:00-04:00", "2026-03-20T05:00:00-04:00")]);
}

#[test]
fn a_quarter_that_two_wall_quarters_share_is_free_only_if_both_are() {
    // In Monrovia clocks ran 44:30 behind until 1972-01-07.
    let day = date(1972, 1, 1);
    let shared = periods("UTC", day, "Africa/Monrovia", "09:00-10:00");
    assert_eq!(shared, [pair("1972-01-01T09:45:00+00:00", "1972-01-01T10:30:00+00:00")]);
}

#[test]
fn a_quarter_cut_by_a_jump_needs_only_what_its_parts_touch() {
    // At 00:00 on that Friday, 00:44:30 UTC, clocks in Monrovia jumped to 00:44:30. The quarter from
    // 00:30 UTC is Thursday's last on their wall and then half a minute of the one from 00:30.
    let day = date(1972, 1, 7);
    let window = SearchWindow::dates(zone("UTC"), day, day).expect("a window");
    let free = |quarters: &[usize]| {
        let mut week = Week::EMPTY;
        quarters.iter().for_each(|q| week.insert(*q..q + 1));
        let grid = Projector::new(&window).project(&week, &zone("Africa/Monrovia"));
        grid.contains(2)
    };
    let friday = 4 * 96;
    assert!(free(&[friday - 1, friday + 2]));
    assert!(!free(&[friday - 1, friday, friday + 1]));
    assert!(!free(&[friday, friday + 1, friday + 2]));
}

#[test]
fn a_zone_may_lie_a_day_ahead_in_the_circular_week() {
    // Sunday evening in Pago Pago is Monday evening in Kiritimati.
    let as_of = date(2026, 1, 1);
    let window = SearchWindow::typical_week(Some(zone("Pacific/Pago_Pago")), as_of);
    let mut week = Week::EMPTY;
    week.insert(72..76);
    let grid = Projector::new(&window).project(&week, &zone("Pacific/Kiritimati"));
    let run = grid.runs().next().expect("one run");
    assert_eq!(window.day_and_time(run.start, false), (w2meet::calendar::Day::Sunday, "17:00".into()));
}
