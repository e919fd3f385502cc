//! The durations of requests, by role, method, route and status. Every worker thread has its own counters; the page adds them.
//!
//! A route is the path template of a resource: values in a path are in no label.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::http::Method;
use actix_web::{HttpRequest, Resource, web};

/// The bounds of OpenTelemetry's `http.server.request.duration`, in seconds.
pub(super) const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
const UNMATCHED: &str = "unmatched";
const METHODS: [&str; 9] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT"];

/// The path template of a resource, in its app data.
#[derive(Clone, Copy)]
pub struct Template(pub &'static str);

impl Template {
    /// The template of the resource that a request matched.
    pub fn of(req: &HttpRequest) -> Option<&'static str> {
        req.app_data().map(|Template(path)| *path)
    }
}

/// A resource whose path template is its route in metrics and traces.
#[expect(clippy::disallowed_methods, reason = "the one place that creates resources")]
pub fn resource(path: &'static str) -> Resource {
    // a slash at the end makes no other route
    let template = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
    web::resource(path).app_data(Template(template))
}

/// A method as a label. A client may send any text as a method: unknown methods share one label.
pub fn method_label(method: &Method) -> &'static str {
    METHODS.into_iter().find(|known| method.as_str() == *known).unwrap_or("_OTHER")
}

/// The labels of one series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub role: &'static str,
    pub method: &'static str,
    pub route: &'static str,
    pub status: u16,
}

/// A histogram of durations.
#[derive(Default)]
struct Durations {
    /// The last bucket is for longer requests.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

/// The addresses of the static texts of route and method, and the status: comparing addresses is three times as fast.
type CacheKey = (usize, usize, u16);

/// The counters of one worker thread of a role.
pub struct RequestMetrics {
    role: &'static str,
    /// The series that this thread has used: few enough for a linear search.
    cache: RefCell<Vec<(CacheKey, Arc<Durations>)>>,
    shard: Arc<Shard>,
}

struct Shard {
    role: &'static str,
    in_flight: AtomicI64,
    all: Mutex<Vec<(Key, Arc<Durations>)>>,
}

static SHARDS: Mutex<Vec<Arc<Shard>>> = Mutex::new(Vec::new());

/// A request in flight.
pub struct InFlightRequest(Rc<RequestMetrics>);

impl Drop for InFlightRequest {
    fn drop(&mut self) {
        self.0.shard.change_in_flight(-1);
    }
}

impl Shard {
    /// As [`add`].
    fn change_in_flight(&self, by: i64) {
        self.in_flight.store(self.in_flight.load(Ordering::Relaxed) + by, Ordering::Relaxed);
    }
}

impl RequestMetrics {
    /// The counters for one worker thread of a role.
    pub fn new(role: &'static str) -> Rc<RequestMetrics> {
        let shard = Arc::new(Shard { role, in_flight: AtomicI64::new(0), all: Mutex::default() });
        SHARDS.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&shard));
        Rc::new(RequestMetrics { role, cache: RefCell::default(), shard })
    }

    /// Counts a request as in flight until the returned value is dropped.
    pub fn begin(self: &Rc<Self>) -> InFlightRequest {
        self.shard.change_in_flight(1);
        InFlightRequest(Rc::clone(self))
    }

    /// Records the duration of a request.
    pub fn end(&self, method: &'static str, route: Option<&'static str>, status: u16, took: Duration) {
        let route = route.unwrap_or(UNMATCHED);
        let key = (route.as_ptr().addr(), method.as_ptr().addr(), status);
        let mut known = self.cache.borrow_mut();
        let at = known.iter().position(|(one, _)| *one == key).unwrap_or_else(|| {
            let durations = Arc::<Durations>::default();
            let labels = Key { role: self.role, method, route, status };
            self.shard.all.lock().unwrap_or_else(PoisonError::into_inner).push((labels, Arc::clone(&durations)));
            known.push((key, durations));
            known.len() - 1
        });
        known[at].1.record(took);
    }
}

impl Durations {
    fn record(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let at = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        add(&self.buckets[at], 1);
        add(&self.nanoseconds, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }
}

/// Adds to a counter that only this thread changes: other threads only read it, so no atomic read-modify-write is needed.
fn add(sum: &AtomicU64, more: u64) {
    sum.store(sum.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

/// A histogram over all threads: the count of each bucket alone, and the sum in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Totals {
    pub buckets: [u64; BOUNDS.len() + 1],
    pub seconds: f64,
}

/// The histograms of all threads, added up.
pub(super) fn durations() -> BTreeMap<Key, Totals> {
    let mut totals: BTreeMap<Key, Totals> = BTreeMap::new();
    for shard in SHARDS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        for (key, durations) in shard.all.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let series = totals.entry(*key).or_default();
            for (total, own) in series.buckets.iter_mut().zip(&durations.buckets) {
                *total += own.load(Ordering::Relaxed);
            }
            series.seconds += durations.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9;
        }
    }
    totals
}

/// The requests in flight, by role.
pub(super) fn in_flight() -> BTreeMap<&'static str, i64> {
    let mut sums = BTreeMap::new();
    for shard in SHARDS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        *sums.entry(shard.role).or_default() += shard.in_flight.load(Ordering::Relaxed);
    }
    sums
}
