//! How slots are ranked and why there are none: one rule of docs/RANKING.md in each test. `calendar.rs` tests all of them at once.

use crate::support::fixtures::sample_week;
use jiff::civil::date;
use std::ops::Range;
use w2meet::calendar::{
    Attendance, Attendee, Blocker, DistinctBy, Explanation, Grid, NearMiss, Overrides, RankingOptions, SearchWindow,
};
use w2meet::calendar::{Preference, Projector, Relaxation, Slot, Week, Zone, count_starts, explain, rank_slots};

/// A floating typical week.
fn week() -> SearchWindow {
    SearchWindow::typical_week(None, date(2026, 1, 1))
}

fn quarters(runs: &[(usize, usize)]) -> Grid {
    let mut grid = Grid::empty(672);
    runs.iter().for_each(|run| grid.insert(run.0..run.1));
    grid
}

/// A required attendee who is free in these quarters.
fn free(runs: &[(usize, usize)]) -> Attendee {
    Attendee { free: quarters(runs), ..Attendee::default() }
}

fn optional(attendee: Attendee) -> Attendee {
    Attendee { attendance: Attendance::Optional, ..attendee }
}

/// An hour, on any quarter.
fn hour(pick: Preference, limit: usize) -> RankingOptions {
    RankingOptions { pick: Some(pick), limit: Some(limit), duration: 4, step: 1, ..RankingOptions::default() }
}

fn starts(attendees: &[Attendee], options: &RankingOptions) -> Vec<usize> {
    rank_slots(&week(), attendees, options).slots.iter().map(|slot| slot.quarters.start).collect()
}

fn factor(slot: &Slot, name: &str) -> Option<u64> {
    slot.factors.iter().find(|factor| factor.name == name).map(|factor| factor.value)
}

#[test]
fn an_optional_attendee_improves_a_slot_but_does_not_make_it_possible() {
    let people = [free(&[(0, 20)]), optional(free(&[(12, 16)])), optional(free(&[(16, 20)]))];
    assert_eq!(starts(&people, &hour(Preference::First, 1)), [0]);
    assert_eq!(starts(&people, &hour(Preference::Best, 1)), [12]);
    assert_eq!(count_starts(&week(), &people, &hour(Preference::Best, 1)), 17);
}

#[test]
fn a_heavier_attendee_outweighs_two_lighter_ones() {
    let heavy = |weight| Attendee { weight, ..optional(free(&[(12, 16)])) };
    let light = || optional(free(&[(0, 4)]));
    assert_eq!(starts(&[free(&[(0, 20)]), light(), light(), heavy(3)], &hour(Preference::Best, 1)), [12]);
    assert_eq!(starts(&[free(&[(0, 20)]), light(), light(), heavy(2)], &hour(Preference::Best, 1)), [0]);
}

#[test]
fn a_quorum_requires_a_number_of_all_attendees() {
    let people = [free(&[(0, 40)]), optional(free(&[(8, 20)])), optional(free(&[(12, 30)]))];
    let at_least = |quorum| RankingOptions { quorum: Some(quorum), ..hour(Preference::First, 1) };
    assert_eq!(starts(&people, &at_least(1)), [0]);
    assert_eq!(starts(&people, &at_least(2)), [8]);
    assert_eq!(starts(&people, &at_least(3)), [12]);
    assert!(starts(&people, &at_least(4)).is_empty());
}

#[test]
fn no_slot_is_suggested_that_has_no_attendee() {
    let guests = [optional(free(&[(40, 44)])), optional(free(&[]))];
    assert_eq!(starts(&guests, &hour(Preference::First, 9)), [40]);
    assert!(starts(&guests[1..], &hour(Preference::First, 9)).is_empty());
}

#[test]
fn if_needed_is_used_only_if_needed() {
    let with_if_needed = Attendee { if_needed: quarters(&[(0, 8)]), ..free(&[(20, 24)]) };
    let everywhere = || free(&[(0, 24)]);
    for pick in [Preference::First, Preference::Last, Preference::Best, Preference::Random] {
        assert_eq!(starts(&[everywhere(), with_if_needed.clone()], &hour(pick, 1)), [20], "{pick:?}");
    }
    assert_eq!(starts(&[everywhere(), with_if_needed.clone()], &hour(Preference::First, 3)), [20, 0, 4]);
    // A slot may be free in part, and if needed in part.
    let split = Attendee { if_needed: quarters(&[(2, 4)]), ..free(&[(0, 2)]) };
    assert_eq!(starts(&[split], &hour(Preference::First, 1)), [0]);
}

#[test]
fn if_needed_time_of_an_optional_attendee_counts_only_for_a_quorum() {
    let guest = optional(Attendee { if_needed: quarters(&[(0, 40)]), ..free(&[(60, 64)]) });
    let people = [free(&[(0, 80)]), guest];
    assert_eq!(starts(&people, &hour(Preference::First, 1)), [0]);
    assert_eq!(starts(&people, &RankingOptions { quorum: Some(2), ..hour(Preference::First, 1) }), [60]);
}

#[test]
fn distinct_blocks_and_days_give_one_slot_each() {
    // Monday 09-12 and 13-17, Tuesday 09-12
    let people = [free(&[(36, 48), (52, 68), (132, 144)])];
    let distinct = |distinct, step| RankingOptions { distinct, step, ..hour(Preference::First, 20) };
    assert_eq!(starts(&people, &distinct(DistinctBy::Slot, 1)).len(), 3 + 4 + 3);
    assert_eq!(starts(&people, &distinct(DistinctBy::Block, 1)), [36, 52, 132]);
    assert_eq!(starts(&people, &distinct(DistinctBy::Block, 4)), [36, 52, 132]);
    assert_eq!(starts(&people, &distinct(DistinctBy::Day, 1)), [36, 132]);
}

#[test]
fn the_hour_that_is_fair_to_both_zones_wins() -> Result<(), Box<dyn std::error::Error>> {
    let zone = |name| Zone::parse(name);
    // In that week New York is five hours behind Paris, not six.
    let window = SearchWindow::dates(zone("Europe/Paris")?, date(2026, 3, 9), date(2026, 3, 9))?;
    let person = |name| -> Result<Attendee, w2meet::calendar::ZoneError> {
        Ok(Attendee { zone: Some(zone(name)?), free: Grid::full(window.len()), ..Attendee::default() })
    };
    let best = |people: &[Attendee]| rank_slots(&window, people, &hour(Preference::Best, 1)).slots.remove(0);
    let slot = best(&[person("Europe/Paris")?, person("America/New_York")?]);
    assert_eq!(window.day_and_time(slot.quarters.start, false).1, "14:00");
    assert_eq!(factor(&slot, "fairness"), Some(9_000_000));
    // Evening in Tokyo and morning in Paris: 09:00 in Paris is 17:00 in Tokyo, one hour after the best.
    let slot = best(&[person("Europe/Paris")?, person("Asia/Tokyo")?]);
    assert_eq!(window.day_and_time(slot.quarters.start, false).1, "09:00");
    assert_eq!(factor(&slot, "fairness"), Some(8_000_000));
    // The clocks of Berlin and Paris show the same time, so there is no fairness.
    let slot = best(&[person("Europe/Paris")?, person("Europe/Berlin")?]);
    assert_eq!(factor(&slot, "fairness"), None);
    // The clock of an attendee who does not come has no effect.
    let absent = optional(Attendee { free: Grid::default(), ..person("Asia/Tokyo")? });
    let slot = best(&[person("Europe/Paris")?, absent]);
    assert_eq!(
        (window.day_and_time(slot.quarters.start, false).1.as_str(), factor(&slot, "fairness")),
        ("09:00", Some(9_000_000))
    );
    Ok(())
}

#[test]
fn an_overridden_date_is_not_like_others() -> Result<(), Box<dyn std::error::Error>> {
    let paris = Zone::parse("Europe/Paris")?;
    let read = serde_json::json!({"2026-11-27": [], "2026-11-28": ["10:00-12:00"]});
    let overrides: Overrides = serde_json::from_value(read)?;
    let mut every_day = Week::EMPTY;
    (0..7).for_each(|day| every_day.insert(96 * day + 36..96 * day + 40));
    // Thursday to Sunday
    let window = SearchWindow::dates(paris.clone(), date(2026, 11, 26), date(2026, 11, 29))?;
    let runs = |overrides: &Overrides| -> Vec<_> {
        let grid = Projector::new(&window).project_with(&every_day, overrides, &paris);
        grid.runs().map(|run| (run.start, run.end)).collect()
    };
    assert_eq!(runs(&overrides), [(36, 40), (192 + 40, 192 + 48), (288 + 36, 288 + 40)]);
    assert_eq!(runs(&overrides.cleared()), [(36, 40), (288 + 36, 288 + 40)]);
    // The date is that of the attendee's own calendar: Friday noon in Auckland is Thursday night in Paris.
    let auckland = Zone::parse("Pacific/Auckland")?;
    let mut always = Week::EMPTY;
    always.insert(0..672);
    let grid = Projector::new(&window).project_with(&always, &overrides.cleared(), &auckland);
    assert_eq!(grid.runs().collect::<Vec<_>>(), [0..48, 48 + 192..384]);
    // A typical week has no dates.
    let typical = SearchWindow::typical_week(Some(paris.clone()), date(2026, 11, 27));
    assert_eq!(Projector::new(&typical).project_with(&always, &overrides, &paris), Grid::full(672));
    Ok(())
}

#[test]
fn hours_are_limited_in_the_zone_of_each_attendee() -> Result<(), Box<dyn std::error::Error>> {
    let window = SearchWindow::typical_week(Some(Zone::utc()), date(2026, 1, 1));
    let within = |zone: &str, earliest, latest| -> Result<Vec<Range<usize>>, w2meet::calendar::ZoneError> {
        Ok(Projector::new(&window).within_hours(&Zone::parse(zone)?, earliest, latest).runs().collect())
    };
    assert_eq!(within("UTC", Some(540), Some(1020))?[0], 36..68);
    assert_eq!(within("Asia/Tokyo", Some(540), Some(1020))?[0], 0..32);
    assert_eq!(within("UTC", Some(541), Some(1019))?[0], 37..67);
    assert_eq!(within("UTC", None, None)?.first(), Some(&(0..672)));
    assert!(within("UTC", Some(600), Some(600))?.is_empty());
    Ok(())
}

#[test]
fn an_empty_result_names_its_blockers_and_relaxations() {
    // On hours: Ana 08-12, Ben 10-14, Cleo 11:15-12 and 14-16 of Monday.
    let people = [free(&[(32, 48)]), free(&[(40, 56)]), free(&[(45, 48), (56, 64)])];
    let options = RankingOptions { step: 4, ..hour(Preference::Best, 1) };
    let starts = 168;
    let expected = Explanation {
        longest_common: 3,
        never: vec![],
        blocking: vec![
            Blocker { attendee: 2, slots: starts - 2, alone: 2 },
            Blocker { attendee: 0, slots: starts - 4, alone: 0 },
            Blocker { attendee: 1, slots: starts - 4, alone: 0 },
        ],
        nearest: vec![
            NearMiss { quarters: 40..44, missing: vec![2] },
            NearMiss { quarters: 44..48, missing: vec![2] },
            NearMiss { quarters: 32..36, missing: vec![1, 2] },
        ],
        relaxations: vec![(Relaxation::MakeOptional(2), 2)],
    };
    assert_eq!(explain(&week(), &people, &options), expected);
    // On quarters, 45 minutes fit.
    let relaxations = explain(&week(), &people, &RankingOptions { step: 1, ..options }).relaxations;
    assert_eq!(relaxations, [(Relaxation::Shorten(3), 1), (Relaxation::MakeOptional(2), 5)]);
}

#[test]
fn a_quorum_that_is_missed_is_explained_by_all() {
    let people = [free(&[(0, 8)]), optional(free(&[(4, 8)])), optional(free(&[]))];
    let explanation = explain(&week(), &people, &RankingOptions { quorum: Some(3), ..hour(Preference::Best, 1) });
    assert_eq!(explanation.never, [2]);
    assert_eq!(explanation.nearest[0], NearMiss { quarters: 4..8, missing: vec![2] });
    assert_eq!(explanation.blocking[0], Blocker { attendee: 2, slots: 669, alone: 1 });
    assert_eq!(explanation.relaxations, [(Relaxation::LowerQuorum(2), 1)]);
}

#[test]
fn many_attendees_are_counted_as_one_by_one() {
    let window = week();
    let person = |seed: u64| {
        let week = |seed| Week::from_bytes(&sample_week(seed)).unwrap_or_default();
        let grid = |seed| Projector::new(&window).project(&week(seed), &Zone::utc());
        Attendee {
            attendance: if seed.is_multiple_of(50) { Attendance::Required } else { Attendance::Optional },
            weight: 1 + (seed % 9) as u32,
            // Required attendees can nearly always come.
            free: if seed.is_multiple_of(50) { Grid::full(660) } else { grid(seed) },
            if_needed: if seed.is_multiple_of(3) { grid(seed + 10_000) } else { Grid::default() },
            ..Attendee::default()
        }
    };
    for count in [247, 248, 300, 520] {
        let people: Vec<Attendee> = (0..count).map(person).collect();
        let can = |one: &Attendee, start: usize| {
            (start..start + 4).all(|q| one.free.contains(q) || one.if_needed.contains(q))
        };
        let needs_if_needed =
            |one: &Attendee, start: usize| can(one, start) && !(start..start + 4).all(|q| one.free.contains(q));
        let come = |start: usize| people.iter().filter(move |one| can(one, start));
        let all = (0..=672 - 4)
            .filter(|start| people.iter().all(|one| one.attendance == Attendance::Optional || can(one, *start)));
        let all: Vec<usize> = all.collect();
        let key = |start: &usize| {
            let weight: u32 = come(*start).map(|one| one.weight).sum();
            let if_needed_count = people.iter().filter(|one| needs_if_needed(one, *start)).count();
            (weight, std::cmp::Reverse(if_needed_count))
        };
        let best = all.iter().map(key).max();
        let slots = rank_slots(&week(), &people, &hour(Preference::Best, 1)).slots;
        assert_eq!(slots.first().map(|slot| key(&slot.quarters.start)), best);
        let quorum = all.iter().map(|start| come(*start).count()).max().unwrap_or(0) - 3;
        let enough = all.iter().filter(|start| come(**start).count() >= quorum).count();
        assert_eq!(
            count_starts(&week(), &people, &RankingOptions { quorum: Some(quorum), ..hour(Preference::Best, 1) }),
            enough
        );
    }
}
