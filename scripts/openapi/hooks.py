"""What the OpenAPI document cannot say: values of formats, and rules between fields."""

import base64
import datetime
import os

import schemathesis
from hypothesis import strategies as st

# the team of `w2meet demo`: without existing users, most answers are 404
PEOPLE = [f"{name}@example.com" for name in "ana bruno chidi dana emre freya kenji priya".split()]
STRANGERS = ["nobody@example.org", "Odd.Case@EXAMPLE.org", "a+b@example.org", "josé@example.org", "a@exämple.org", "o'k@example.org"]
ZONES = ["UTC", "Europe/Lisbon", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "Australia/Lord_Howe", "europe/paris"]

def quarter(of):
    return f"{of // 4:02}:{of % 4 * 15:02}"


RANGES = st.integers(0, 95).flatmap(lambda start: st.integers(start + 1, 96).map(lambda end: f"{quarter(start)}-{quarter(end)}"))
NOW = datetime.datetime.now(datetime.timezone.utc)
DATES = st.one_of(
    st.integers(0, 30).map(lambda days: (NOW.date() + datetime.timedelta(days)).isoformat()),
    st.dates(datetime.date(1970, 1, 1), datetime.date(2199, 12, 31)).map(datetime.date.isoformat),
)
INSTANTS = st.integers(-10, 1000).map(lambda hours: (NOW + datetime.timedelta(hours=hours)).isoformat(timespec="seconds"))
CALENDAR = """BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//schemathesis//EN\r
BEGIN:VAVAILABILITY\r
UID:1\r
DTSTAMP:20260101T000000Z\r
BEGIN:AVAILABLE\r
UID:2\r
DTSTAMP:20260101T000000Z\r
DTSTART:20260105T090000Z\r
DTEND:20260105T120000Z\r
RRULE:FREQ=WEEKLY;BYDAY=MO,TU\r
END:AVAILABLE\r
END:VAVAILABILITY\r
BEGIN:VEVENT\r
UID:3\r
DTSTAMP:20260101T000000Z\r
DTSTART:20261201T090000Z\r
DTEND:20261201T100000Z\r
END:VEVENT\r
END:VCALENDAR\r
"""

known = schemathesis.openapi.format
known("idn-email", st.one_of(st.sampled_from(PEOPLE), st.sampled_from(PEOPLE), st.sampled_from(STRANGERS)))
known("time-zone", st.sampled_from(ZONES))
known("time-range", RANGES)
known("date", DATES)
known("date-time", INSTANTS)
known("entity-tags", st.sampled_from(['"1"', '"2"', 'W/"1"', "*", '"1", "x"', '"none of ours"']))
known("https-url", st.sampled_from(["https://hooks.example.com/x", "https://example.com:8443/?a=b", "https://93.184.215.14/"]))
known("webhook-secret", st.binary(min_size=24, max_size=64).map(lambda key: "whsec_" + base64.b64encode(key).decode()))
known("password", st.sampled_from(["der Zug nach Lissabon war leer", "8Jq#vZr2!mWp6xT-and-more", "passwordpassword"]))
known("refresh-token", st.text("abcdefghijklmnop0123456789_-", min_size=1, max_size=100))
known("future-date-time", st.integers(1, 1000).map(lambda days: (NOW + datetime.timedelta(days=days)).isoformat(timespec="seconds")))
schemathesis.openapi.media_type("text/calendar", st.just(CALENDAR.encode()))

# Reasons to refuse a request that fits its schema: rules between fields, or between the request and the stored data. Any other
# refusal is a fault of the document, or of the product.
REASONS = {
    "half_a_window": "week alone, or from and to together",
    "not_a_window": "from is after to, or they are more than 62 days apart",
    "window_and_week": "as_of, floating and format belong to the typical week",
    "start_and_window": "a start fixes the time",
    "in_the_past": "a start lies in the future",
    "no_callback": "a secret signs a callback",
    "empty_hours": "latest is later than earliest",
    "missing": "one of the three lists of attendees, or a first callback's secret",
    "number_of_attendees": "at least two different attendees",
    "answer_too_long": "limit times attendees",
    "not_a_quorum": "at most the number of attendees",
    "not_changeable": "the organizer stays",
    "unknown_field": "title needs notify",
    "too_many_calendars": "20 for each user",
    "too_many": "50 API keys for each account",
    "not_a_scope": "an admin API key, requested by another user",
    "not_a_calendar": "the content of a calendar",
    "other_time_zone": "a VAVAILABILITY is in the zone of its user",
    "no_time_zone": "a VAVAILABILITY is in the zone of its user",
    "not_an_availability": "a VAVAILABILITY whose weeks cannot be read",
    "too_common": "a password that is easy to guess",
    "duplicate_day": "two spellings of a day",
    "not_a_date": "a week that its year does not have, or a year out of reach",
    "not_a_week": "a week that its year does not have",
}


def has_a_written_fraction(value):
    """JSON Schema takes 60.0 for an integer; W2Meet wants integers without a fraction."""
    if isinstance(value, dict):
        return any(map(has_a_written_fraction, value.values()))
    if isinstance(value, list):
        return any(map(has_a_written_fraction, value))
    return isinstance(value, float)


@schemathesis.check
def refused_for_a_reason_that_no_schema_can_tell(ctx, response, case):
    """Checks that a schema-valid request is refused only for one of the reasons above."""
    meta = case.meta
    if meta is None or not meta.generation.mode.is_positive or response.status_code not in (400, 422):
        return None
    problem = response.json()
    if problem.get("type") == "/problems/idempotency-key-reused" or has_a_written_fraction(case.body):
        return None
    codes = {fault["code"] for fault in problem.get("errors", [])}
    if isinstance(problem.get("detail"), list):
        codes |= {fault["type"] for fault in problem["detail"]}
    strange = codes - REASONS.keys()
    assert codes and not strange, f"a schema-valid request was refused: {response.status_code} {problem.get('detail')} {strange}"
    return None


def is_team(case):
    return (case.path_parameters or {}).get("user", "").lower() in [*PEOPLE, "admin@example.com"]


@schemathesis.hook
def before_call(context, case, kwargs):
    """Keeps the team: requests may change its users but not delete them, because other requests need them."""
    if case.method == "DELETE" and is_team(case) and "calendars" not in case.path:
        case.path_parameters["user"] = "gone@example.com"


TOKEN = os.environ.get("W2MEET_TOKEN")
if TOKEN:

    @schemathesis.auth()
    class Bearer:
        def get(self, case, context):
            return TOKEN

        def set(self, case, data, context):
            case.headers = case.headers or {}
            case.headers["Authorization"] = f"Bearer {data}"
