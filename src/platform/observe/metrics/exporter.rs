//! The page that Prometheus reads, in OpenMetrics' text: put together anew each time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::counter::{NO_EXEMPLAR, shown};
use super::requests::{BOUNDS, durations, in_flight};
use super::{Metric as _, RETRIES};
use crate::platform::role::AddressBook;
use crate::platform::rpc::replicas::OUTCOMES;

/// What the page says of itself.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Bytes of a page of memory, on every system that we run on.
const MEMORY_PAGE: u64 = 4096;

/// Everything that is on the page.
pub struct Exporter {
    book: Arc<AddressBook>,
    started: SystemTime,
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exporter")
    }
}

impl Exporter {
    /// The page of this process; `book` knows the roles that it calls.
    pub fn registry(book: Arc<AddressBook>) -> Registry {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Exporter { book, started: SystemTime::now() }));
        registry
    }

    fn encode_requests(page: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let about = "Time from a request's head to the head of its answer";
        let mut metric =
            page.encode_descriptor("http_request_duration", about, Some(&Unit::Seconds), MetricType::Histogram)?;
        for (key, sums) in durations() {
            let status = key.status.to_string();
            let labels =
                [("role", key.role), ("method", key.method), ("route", key.route), ("status", status.as_str())];
            let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(sums.buckets).collect();
            let count = sums.buckets.iter().sum();
            metric.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sums.seconds, count, &buckets, None)?;
        }
        let about = "Requests that are being answered";
        let mut metric = page.encode_descriptor("http_requests_in_flight", about, None, MetricType::Gauge)?;
        for (role, count) in in_flight() {
            metric.encode_family(&[("role", role)])?.encode_gauge(&count)?;
        }
        Ok(())
    }

    /// Only replicas that are there now: those that went take their numbers along.
    fn encode_upstreams(&self, page: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let known: Vec<_> = self
            .book
            .0
            .iter()
            .flat_map(|(role, all)| all.known().iter().map(|it| (*role, Arc::clone(it))).collect::<Vec<_>>())
            .collect();
        let about = "Calls to a replica of another role, by how they ended";
        let mut metric = page.encode_descriptor("w2meet_upstream_requests", about, None, MetricType::Counter)?;
        for (role, replica) in &known {
            for (outcome, count) in OUTCOMES.iter().zip(&replica.outcomes) {
                let labels = [("upstream", *role), ("replica", replica.host()), ("outcome", outcome)];
                metric.encode_family(&labels)?.encode_counter(&count.load(Ordering::Relaxed), NO_EXEMPLAR)?;
            }
        }
        let about = "1 while nobody asks a replica: it failed and rests, or says that it is not ready";
        let mut metric = page.encode_descriptor("w2meet_upstream_ejected", about, None, MetricType::Gauge)?;
        for (role, replica) in &known {
            let out = u32::from(replica.is_resting() || !replica.is_ready());
            metric.encode_family(&[("upstream", *role), ("replica", replica.host())])?.encode_gauge(&out)?;
        }
        Ok(())
    }

    fn encode_process(&self, page: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let about = "1, with the version that runs";
        let mut metric = page.encode_descriptor("w2meet_build_info", about, None, MetricType::Gauge)?;
        metric.encode_family(&[("version", env!("CARGO_PKG_VERSION"))])?.encode_gauge(&1)?;
        let started = self.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let about = "When this process began, in seconds since 1970";
        gauge(page, "process_start_time", about, Some(&Unit::Seconds), started)?;
        // where there is no /proc, these two are missing
        if let Some(bytes) = resident_memory() {
            gauge(page, "process_resident_memory", "Memory in use", Some(&Unit::Bytes), bytes)?;
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            gauge(page, "process_open_fds", "Open files and sockets", None, open.count() as u64)?;
        }
        Ok(())
    }
}

fn gauge(page: &mut DescriptorEncoder<'_>, name: &str, about: &str, unit: Option<&Unit>, value: u64) -> fmt::Result {
    page.encode_descriptor(name, about, unit, MetricType::Gauge)?.encode_gauge(&(value as f64))
}

fn resident_memory() -> Option<u64> {
    let sizes = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = sizes.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * MEMORY_PAGE)
}

impl Collector for Exporter {
    fn encode(&self, mut page: DescriptorEncoder<'_>) -> fmt::Result {
        Exporter::encode_requests(&mut page)?;
        self.encode_upstreams(&mut page)?;
        RETRIES.encode(&mut page)?;
        for metric in shown() {
            metric.encode(&mut page)?;
        }
        self.encode_process(&mut page)
    }
}
