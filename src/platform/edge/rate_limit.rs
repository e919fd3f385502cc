//! Rate limits per client. Each gateway counts for itself: with two gateways a client may send twice as many requests.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::config;
use crate::platform::auth::layer::PROBES;
use crate::platform::http::client_address::client_prefix;
use crate::platform::http::problem::{Problem, RATE_LIMITED, RateLimitKind};

static RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
static RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");

const MINUTE: u32 = 60;

type Counters<K> = RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock, StateInformationMiddleware>;

/// A limit of requests per minute. A client may send all of them at once, and regains them evenly over the minute.
struct Policy<K: std::hash::Hash + Eq + Clone> {
    limit: RateLimitKind,
    quota: Quota,
    /// The value of `RateLimit-Policy`.
    header: HeaderValue,
    counters: Counters<K>,
}

/// The remaining quota of a client.
#[derive(Clone, Copy, Debug)]
pub struct RateLimitState {
    limit: RateLimitKind,
    remaining: u32,
    seconds: u64,
}

/// All rate limits of one gateway.
pub struct RateLimits {
    address: Option<Policy<IpAddr>>,
    /// Slows down password guessing.
    sign_in: Option<Policy<IpAddr>>,
    sign_in_prefixes: Vec<&'static str>,
    account: Option<Policy<String>>,
}

impl<K: std::hash::Hash + Eq + Clone> Policy<K> {
    fn new(limit: RateLimitKind, per_minute: u32) -> Option<Policy<K>> {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute)?);
        let name = limit.name();
        let header = HeaderValue::from_str(&format!("\"{name}\";q={per_minute};w={MINUTE}")).ok()?;
        Some(Policy { limit, quota, header, counters: RateLimiter::keyed(quota).with_middleware() })
    }

    fn count(&self, key: &K) -> Result<RateLimitState, Problem> {
        match self.counters.check_key(key) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let used = self.quota.burst_size().get().saturating_sub(remaining);
                let until_full = self.quota.replenish_interval().saturating_mul(used);
                Ok(RateLimitState { limit: self.limit, remaining, seconds: seconds(until_full) })
            }
            Err(until) => {
                let wait = until.wait_time_from(self.counters.clock().now());
                // rounded up: a retry at this time always succeeds
                let retry_after = u32::try_from(seconds(wait).max(1)).ok();
                let detail = format!("the limit is {} requests in a minute", self.quota.burst_size());
                let problem = Problem::new(RATE_LIMITED, detail);
                Err(Problem { retry_after, exceeded_limit: Some(self.limit), ..problem })
            }
        }
    }

    fn prune(&self) {
        self.counters.retain_recent();
        self.counters.shrink_to_fit();
    }
}

fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

impl RateLimits {
    /// As configured; 0 means no limit. Paths with one of these prefixes are those to sign in.
    pub fn new(limits: &config::Limits, sign_in_prefixes: Vec<&'static str>) -> RateLimits {
        RateLimits {
            address: Policy::new(RateLimitKind::Address, limits.per_address),
            sign_in: Policy::new(RateLimitKind::SignIn, limits.sign_in),
            sign_in_prefixes,
            account: Policy::new(RateLimitKind::Account, limits.per_account),
        }
    }

    /// Counts a request from this address.
    ///
    /// # Errors
    /// 429, with the time to wait.
    pub fn count_address(
        &self,
        address: IpAddr,
        method: &Method,
        path: &str,
    ) -> Result<Option<RateLimitState>, Problem> {
        if PROBES.contains(&path) {
            return Ok(None);
        }
        let address = client_prefix(address);
        let all = self.address.as_ref().map(|policy| policy.count(&address)).transpose()?;
        let is_sign_in =
            || *method != Method::GET && self.sign_in_prefixes.iter().any(|prefix| path.starts_with(prefix));
        let sign_in = self.sign_in.as_ref().filter(|_| is_sign_in());
        Ok(sign_in.map(|policy| policy.count(&address)).transpose()?.or(all))
    }

    /// Counts a request of this account.
    ///
    /// # Errors
    /// 429, with the time to wait.
    pub fn count_account(&self, id: &String) -> Result<Option<RateLimitState>, Problem> {
        self.account.as_ref().map(|policy| policy.count(id)).transpose()
    }

    /// Drops the counters of clients with a full quota.
    pub fn prune(&self) {
        [&self.address, &self.sign_in].into_iter().flatten().for_each(Policy::prune);
        self.account.iter().for_each(Policy::prune);
    }

    /// Adds the `RateLimit` headers to a response.
    pub fn add_headers(&self, state: RateLimitState, headers: &mut HeaderMap) {
        let policies =
            [&self.address, &self.sign_in].into_iter().flatten().map(|policy| (policy.limit, &policy.header));
        let mut all = policies.chain(self.account.iter().map(|policy| (policy.limit, &policy.header)));
        if let Some((_, policy)) = all.find(|(limit, _)| *limit == state.limit) {
            headers.insert(RATELIMIT_POLICY.clone(), policy.clone());
        }
        let RateLimitState { limit, remaining, seconds } = state;
        let (mut first, mut second) = (itoa::Buffer::new(), itoa::Buffer::new());
        // one allocation, because every response has it
        let state = ["\"", limit.name(), "\";r=", first.format(remaining), ";t=", second.format(seconds)].concat();
        if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(state)) {
            headers.insert(RATELIMIT.clone(), value);
        }
    }
}

impl RateLimitState {
    /// The state of a client that was refused.
    pub fn refused(problem: &Problem) -> Option<RateLimitState> {
        Some(RateLimitState { limit: problem.exceeded_limit?, remaining: 0, seconds: problem.retry_after?.into() })
    }
}
