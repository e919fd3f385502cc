//! The metrics that are computed when the page is read: requests, calls to replicas, and the process itself.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector as PageCollector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::requests::{BOUNDS, durations, in_flight};
use crate::platform::balancer::{AddressBook, OUTCOMES};

/// The size of a page of memory, on every supported system.
const MEMORY_PAGE: u64 = 4096;

/// Computes metrics for one page.
pub struct Collector {
    book: Arc<AddressBook>,
    started: SystemTime,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collector")
    }
}

impl Collector {
    /// A registry with this collector alone; `book` lists the roles that this process calls.
    pub fn registry(book: Arc<AddressBook>) -> Registry {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Collector { book, started: SystemTime::now() }));
        registry
    }

    fn encode_requests(page: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Time from a request's head to the head of its response";
        let mut metric =
            page.encode_descriptor("http_request_duration", help, Some(&Unit::Seconds), MetricType::Histogram)?;
        for (key, totals) in durations() {
            let status = key.status.to_string();
            let labels =
                [("role", key.role), ("method", key.method), ("route", key.route), ("status", status.as_str())];
            let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(totals.buckets).collect();
            let count = totals.buckets.iter().sum();
            metric.encode_family(&labels)?.encode_histogram::<NoLabelSet>(totals.seconds, count, &buckets, None)?;
        }
        let help = "Requests without a response so far";
        let mut metric = page.encode_descriptor("http_requests_in_flight", help, None, MetricType::Gauge)?;
        for (role, count) in in_flight() {
            ConstGauge::new(count).encode(metric.encode_family(&[("role", role)])?)?;
        }
        Ok(())
    }

    /// The current replicas alone: the series of a replica end with it.
    fn encode_upstreams(&self, page: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let known: Vec<_> = self
            .book
            .0
            .iter()
            .flat_map(|(role, all)| all.known().iter().map(|it| (*role, Arc::clone(it))).collect::<Vec<_>>())
            .collect();
        let help = "Calls to a replica of another role, by outcome";
        let mut metric = page.encode_descriptor("w2meet_upstream_requests", help, None, MetricType::Counter)?;
        for (role, replica) in &known {
            for (outcome, count) in OUTCOMES.iter().zip(&replica.outcomes) {
                let labels = [("upstream", *role), ("replica", replica.host()), ("outcome", outcome)];
                ConstCounter::new(count.load(Ordering::Relaxed)).encode(metric.encode_family(&labels)?)?;
            }
        }
        let help = "1 while no call goes to the replica: it failed and is ejected, or reports that it is not ready";
        let mut metric = page.encode_descriptor("w2meet_upstream_ejected", help, None, MetricType::Gauge)?;
        for (role, replica) in &known {
            let ejected = i64::from(replica.is_ejected() || !replica.is_ready());
            let labels = [("upstream", *role), ("replica", replica.host())];
            ConstGauge::new(ejected).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn encode_process(&self, page: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "1, with the version that runs";
        let mut metric = page.encode_descriptor("w2meet_build_info", help, None, MetricType::Gauge)?;
        ConstGauge::new(1_i64).encode(metric.encode_family(&[("version", env!("CARGO_PKG_VERSION"))])?)?;
        let started = self.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let help = "Start of this process, in seconds since 1970";
        encode_gauge(page, "process_start_time", help, Some(&Unit::Seconds), started)?;
        // without /proc, the next two are missing
        if let Some(bytes) = resident_memory() {
            encode_gauge(page, "process_resident_memory", "Memory in use", Some(&Unit::Bytes), bytes)?;
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            encode_gauge(page, "process_open_fds", "Open files and sockets", None, open.count() as u64)?;
        }
        Ok(())
    }
}

fn encode_gauge(
    page: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: u64,
) -> fmt::Result {
    ConstGauge::new(value as f64).encode(page.encode_descriptor(name, help, unit, MetricType::Gauge)?)
}

fn resident_memory() -> Option<u64> {
    let sizes = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = sizes.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * MEMORY_PAGE)
}

impl PageCollector for Collector {
    fn encode(&self, mut page: DescriptorEncoder<'_>) -> fmt::Result {
        Collector::encode_requests(&mut page)?;
        self.encode_upstreams(&mut page)?;
        self.encode_process(&mut page)
    }
}
