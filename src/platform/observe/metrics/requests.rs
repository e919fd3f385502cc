//! How long requests take, by role, method, route and status. Each worker thread counts for itself; whoever reads the page adds up.
//!
//! A route is the template that its resource was made with: what a path holds is in no label.

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

/// The path that a resource was made with; lies in its data.
#[derive(Clone, Copy)]
pub struct Template(pub &'static str);

impl Template {
    /// That of the resource that a request was for.
    pub fn of(req: &HttpRequest) -> Option<&'static str> {
        req.app_data().map(|Template(path)| *path)
    }
}

/// A resource that metrics and traces know by its path.
#[expect(clippy::disallowed_methods, reason = "this is where all resources are made")]
pub fn resource(path: &'static str) -> Resource {
    web::resource(path).app_data(Template(path))
}

/// [`resource`] for a path that may be written in two ways; it is known by the first.
#[expect(clippy::disallowed_methods, reason = "this is where all resources are made")]
pub fn resource_of(paths: [&'static str; 2]) -> Resource {
    web::resource(paths).app_data(Template(paths[0]))
}

/// A method as a label; strangers can write what they like.
pub fn method_label(method: &Method) -> &'static str {
    METHODS.into_iter().find(|known| method.as_str() == *known).unwrap_or("_OTHER")
}

/// What is counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub role: &'static str,
    pub method: &'static str,
    pub route: &'static str,
    pub status: u16,
}

/// Requests of one kind, by how long they took.
#[derive(Default)]
struct Durations {
    /// The last one is for those beyond all bounds.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

/// Route, method and status by where their texts lie: they are part of the program, and addresses are found three times as fast.
type Near = (usize, usize, u16);

/// The numbers of one worker thread of a role.
pub struct RequestMetrics {
    role: &'static str,
    /// The way to those that this thread has found before: few enough to be looked through.
    known: RefCell<Vec<(Near, Arc<Durations>)>>,
    shard: Arc<Shard>,
}

struct Shard {
    role: &'static str,
    in_flight: AtomicI64,
    all: Mutex<Vec<(Key, Arc<Durations>)>>,
}

static SHARDS: Mutex<Vec<Arc<Shard>>> = Mutex::new(Vec::new());

/// A request that is being answered.
pub struct Running(Rc<RequestMetrics>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.shard.step(-1);
    }
}

impl Shard {
    /// As [`add`] does.
    fn step(&self, by: i64) {
        self.in_flight.store(self.in_flight.load(Ordering::Relaxed) + by, Ordering::Relaxed);
    }
}

impl RequestMetrics {
    /// For one worker thread of a role.
    pub fn new(role: &'static str) -> Rc<RequestMetrics> {
        let shard = Arc::new(Shard { role, in_flight: AtomicI64::new(0), all: Mutex::default() });
        SHARDS.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&shard));
        Rc::new(RequestMetrics { role, known: RefCell::default(), shard })
    }

    /// A request has come. It is in flight until what this returns is dropped, however it ends.
    pub fn begin(self: &Rc<Self>) -> Running {
        self.shard.step(1);
        Running(Rc::clone(self))
    }

    /// It was answered.
    pub fn end(&self, method: &'static str, route: Option<&'static str>, status: u16, took: Duration) {
        let route = route.unwrap_or(UNMATCHED);
        let near = (route.as_ptr().addr(), method.as_ptr().addr(), status);
        let mut known = self.known.borrow_mut();
        let at = known.iter().position(|(one, _)| *one == near).unwrap_or_else(|| {
            let durations = Arc::<Durations>::default();
            let key = Key { role: self.role, method, route, status };
            self.shard.all.lock().unwrap_or_else(PoisonError::into_inner).push((key, Arc::clone(&durations)));
            known.push((near, durations));
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

/// Adds to what this thread alone changes: others only read it, so nobody is kept out meanwhile.
fn add(sum: &AtomicU64, more: u64) {
    sum.store(sum.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

/// How many took how long: each bucket by itself, and the sum in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Totals {
    pub buckets: [u64; BOUNDS.len() + 1],
    pub seconds: f64,
}

/// All threads' numbers added up.
pub(super) fn durations() -> BTreeMap<Key, Totals> {
    let mut sums: BTreeMap<Key, Totals> = BTreeMap::new();
    for shard in SHARDS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        for (key, durations) in shard.all.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let sum = sums.entry(*key).or_default();
            for (total, own) in sum.buckets.iter_mut().zip(&durations.buckets) {
                *total += own.load(Ordering::Relaxed);
            }
            sum.seconds += durations.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9;
        }
    }
    sums
}

/// Requests that each role is answering.
pub(super) fn in_flight() -> BTreeMap<&'static str, i64> {
    let mut sums = BTreeMap::new();
    for shard in SHARDS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        *sums.entry(shard.role).or_default() += shard.in_flight.load(Ordering::Relaxed);
    }
    sums
}
