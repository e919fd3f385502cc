//! Identifiers and file names use the field's words: retired words do not return.

use std::collections::BTreeSet;

use crate::architecture::{File, read_files};

/// Identifiers that are retired as a whole, and the word of the field.
const NAMES: &[(&str, &str)] = &[
    // calendar
    ("Ask", "RankingOptions"),
    ("Choice", "Ranking"),
    ("Clock", "ZoneClock, ZoneRules"),
    ("Clockwork", "ZoneMapping"),
    ("Days", "FormattedWeek"),
    ("Frame", "SearchWindow"),
    ("Guest", "Attendee"),
    ("Lasting", "EventDuration"),
    ("Miss", "NearMiss"),
    ("Moment", "DateTimeValue"),
    ("NoLine", "ParseError"),
    ("Piece", "Segment"),
    ("Scale", "Scorer"),
    ("Survey", "CandidateScan"),
    ("Unreadable", "ParseError"),
    ("Wall", "WallClockBits"),
    ("who_else_can_come", "select_optional_attendees"),
    // platform
    ("Arriving", "BodyStream"),
    ("Aside", "CacheAside"),
    ("Costly", "OverheadExceeded"),
    ("Door", "AuthLayer"),
    ("Entrance", "IngressMiddleware"),
    ("Gate", "EdgeFilter, TokenAuth"),
    ("Heard", "EventStream"),
    ("Hop", "Attempt"),
    ("Identities", "TokenVerifier"),
    ("Kept", "StoredResponse"),
    ("LastWord", "TrackedBody"),
    ("Lite", "SqliteConn"),
    ("Means", "AuthMethod"),
    ("NeverSent", "NotSent"),
    ("Place", "a permit, a location, an index"),
    ("Places", "AttendeeBreakdown"),
    ("Repeats", "RetryPolicy"),
    ("Seat", "InFlightGuard, a permit"),
    ("Shown", "Metric, a formatted value"),
    ("Standing", "RateLimitState"),
    ("Tell", "ConfirmSender"),
    ("UnderWay", "InFlightRequest"),
    ("Unsent", "NotConnected, PublishError"),
    ("Way", "Transport, an exporter"),
    ("Wire", "ConnectionPool, GuardedStream"),
    // roles
    ("Brought", "CalendarInput"),
    ("Card", "UserAvailability"),
    ("Drawn", "GeneratedKey"),
    ("Gathered", "GroupAvailability"),
    ("KeyRow", "a row named after its table"),
    ("Kit", "JobContext"),
    ("News", "MeetingUpdate, RefreshResult"),
    ("Note", "DeliveryRecord"),
    ("Order", "StartedJob"),
    ("Passed", "StatusChange"),
    ("Presence", "AttendeeAvailability"),
    ("Stop", "TxError"),
    ("Turn", "a permit, the result of a pass"),
    ("Verdict", "RetryDecision"),
    // tests
    ("Plant", "FaultRig"),
    ("hire", "add_worker"),
];

/// Words that no identifier and no file name holds, and the word of the field.
const WORDS: &[(&str, &str)] = &[
    ("anybody", "anonymous, any account"),
    ("asker", "principal, viewer"),
    ("bell", "waker"),
    ("carrier", "mailer"),
    ("chooser", "picker"),
    ("clerk", "confirm callback"),
    ("clockwork", "zone mapping"),
    ("crowd", "limiter, many clients"),
    ("deaf", "read closed"),
    ("desk", "state, context"),
    ("entrance", "ingress"),
    ("everybody", "all"),
    ("farewell", "deletion, final response"),
    ("fate", "retryability"),
    ("flaw", "error"),
    ("graded", "availability view"),
    ("hesitant", "if needed"),
    ("hub", "streams"),
    ("letter", "mail"),
    ("letters", "mails"),
    ("mishap", "attempt error"),
    ("mourning", "delay before a redeclaration"),
    ("nobody", "none, unknown, unreachable"),
    ("obstacle", "blocker"),
    ("plant", "rig"),
    ("ragged", "unaligned"),
    ("reluctance", "if needed"),
    ("reluctant", "if needed"),
    ("resting", "ejected"),
    ("roomy", "with capacity"),
    ("said", "output, response"),
    ("senseless", "invalid"),
    ("shelf", "memory queue"),
    ("slip", "account mail"),
    ("snatch", "retry"),
    ("somebody", "attendee, caller, user"),
    ("telltale", "fingerprint"),
    ("told", "reported, response"),
    ("turnout", "attendance"),
    ("twin", "oracle"),
    ("whoever", "caller, client"),
    ("whom", "attendees, recipient"),
    ("wish", "draft, request body"),
    ("wishes", "requests"),
    ("woken", "wake gate"),
];

/// Retired words that are right in their place: file or folder, identifier, reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("src/", "TOO_MANY_LETTERS", "clients know the problem type `too-many-letters`"),
    ("src/", "letters_per_hour", "operators know the setting `jobs.letters_per_hour`"),
    ("src/platform/email.rs", "letters_beyond_ascii_are_never_folded_into_ascii", "letters of an alphabet"),
    ("src/platform/", "Miss", "the miss of a cache"),
    ("src/launch/", "Stop", "the signal to stop a process"),
];

/// The words of an identifier in lower case: `AuthLayer` and `auth_layer` have two.
fn words(identifier: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in identifier.chars() {
        if c == '_' || (c.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        was_lower = c.is_lowercase() || c.is_numeric();
        if let Some(word) = words.last_mut().filter(|_| c != '_') {
            word.extend(c.to_lowercase());
        }
    }
    words
}

/// The retired words in an identifier, or in a path of files, each with the word of the field.
fn retired(identifier: &str) -> Vec<(&'static str, &'static str)> {
    let words = words(identifier);
    let names = NAMES.iter().filter(|(name, _)| *name == identifier);
    names.chain(WORDS.iter().filter(|(word, _)| words.iter().any(|one| one == word))).copied().collect()
}

/// The identifiers of a file, and the names of its folders and of itself.
fn identifiers(file: &File) -> BTreeSet<&str> {
    let path = file.path.trim_end_matches(".rs").split('/');
    path.chain(file.source.words.iter().map(String::as_str)).collect()
}

/// Every retired word in the source: path, identifier, word, and the word of the field.
fn find_retired() -> Vec<(String, String, &'static str, &'static str)> {
    let mut found = Vec::new();
    for folder in ["src", "tests"] {
        for file in read_files(folder) {
            let path = format!("{folder}/{}", file.path);
            for identifier in identifiers(&file) {
                let words = retired(identifier).into_iter();
                found.extend(words.map(|(word, instead)| (path.clone(), identifier.to_owned(), word, instead)));
            }
        }
    }
    found
}

#[test]
fn no_retired_word_is_in_an_identifier_or_a_file_name() {
    let mut exceptions: BTreeSet<_> = EXCEPTIONS.iter().map(|(place, identifier, _)| (*place, *identifier)).collect();
    let mut wrong = Vec::new();
    for (path, identifier, word, instead) in find_retired() {
        let excepted = EXCEPTIONS.iter().find(|(place, one, _)| path.starts_with(place) && *one == identifier);
        match excepted {
            Some((place, one, _)) => drop(exceptions.remove(&(*place, *one))),
            None => wrong.push(format!("{path}: {identifier} ({word} -> {instead})")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(exceptions.is_empty(), "remove these exceptions: {exceptions:?}");
}

#[test]
fn retired_words_are_found_in_every_spelling() {
    let found = |identifier: &str| retired(identifier).into_iter().map(|(word, _)| word).collect::<Vec<_>>();
    assert_eq!(found("is_told_once"), ["told"]);
    assert_eq!(found("MishapKind"), ["mishap"]);
    assert_eq!(found("TOO_MANY_LETTERS"), ["letters"]);
    assert_eq!(found("Frame"), ["Frame"]);
    assert_eq!(found("DataFrame"), [""; 0]);
    assert_eq!(found("unfold"), [""; 0]);
}
