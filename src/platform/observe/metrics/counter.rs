//! Counters whose labels are known beforehand, and gauges: each is one atomic number.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;

/// Something that has a place on the page.
pub trait Metric: Sync {
    /// Writes its series.
    ///
    /// # Errors
    /// None but those of the page.
    fn encode(&self, page: &mut DescriptorEncoder<'_>) -> fmt::Result;
}

/// What roles have put on the page beside what every role has.
static MORE: Mutex<Vec<&'static dyn Metric>> = Mutex::new(Vec::new());

/// Puts metrics on the page of this process; each once.
pub fn show(metrics: &[&'static dyn Metric]) {
    let mut more = MORE.lock().unwrap_or_else(PoisonError::into_inner);
    for metric in metrics {
        if !more.iter().any(|one| std::ptr::addr_eq(*one, *metric)) {
            more.push(*metric);
        }
    }
}

/// What [`show`] was given so far.
pub(super) fn shown() -> Vec<&'static dyn Metric> {
    MORE.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The counter's type, spelled out: it has no exemplars.
pub(super) const NO_EXEMPLAR: Option<&Exemplar<NoLabelSet, f64>> = None;

/// A label, and all values that it can have.
type Label = (&'static str, &'static [&'static str]);

/// A counter with `N` series: one for each combination of its labels' values.
pub struct CounterVec<const N: usize> {
    /// Without the `_total` that the page adds.
    name: &'static str,
    help: &'static str,
    labels: &'static [Label],
    cells: [AtomicU64; N],
}

impl<const N: usize> CounterVec<N> {
    /// All zero.
    pub const fn new(name: &'static str, help: &'static str, labels: &'static [Label]) -> CounterVec<N> {
        CounterVec { name, help, labels, cells: [const { AtomicU64::new(0) }; N] }
    }

    /// Adds to the series with these values, in the order of the labels; values that no label has are not counted.
    pub fn add(&self, values: &[&str], more: u64) {
        let at =
            self.labels.iter().zip(values).try_fold(0, |at, ((_, known), value)| {
                Some(at * known.len() + known.iter().position(|one| one == value)?)
            });
        if let Some(cell) = at.and_then(|at| self.cells.get(at)) {
            cell.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// The values of the series at this place.
    fn values(&self, mut at: usize) -> Vec<(&'static str, &'static str)> {
        let mut labels: Vec<_> = self
            .labels
            .iter()
            .rev()
            .map(|(name, known)| {
                let value = known[at % known.len()];
                at /= known.len();
                (*name, value)
            })
            .collect();
        labels.reverse();
        labels
    }
}

impl<const N: usize> Metric for CounterVec<N> {
    fn encode(&self, page: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut metric = page.encode_descriptor(self.name, self.help, None, MetricType::Counter)?;
        for (at, cell) in self.cells.iter().enumerate() {
            let labels = self.values(at);
            metric.encode_family(&labels)?.encode_counter(&cell.load(Ordering::Relaxed), NO_EXEMPLAR)?;
        }
        Ok(())
    }
}

/// A number that goes up and down, without labels. Not on the page before it is known.
pub struct Gauge {
    name: &'static str,
    help: &'static str,
    bits: AtomicU64,
}

impl Gauge {
    /// Not known yet.
    pub const fn new(name: &'static str, help: &'static str) -> Gauge {
        Gauge { name, help, bits: AtomicU64::new(f64::NAN.to_bits()) }
    }

    /// It is this now.
    pub fn set(&self, value: f64) {
        self.bits.store(value.to_bits(), Ordering::Relaxed);
    }
}

impl Metric for Gauge {
    fn encode(&self, page: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let value = f64::from_bits(self.bits.load(Ordering::Relaxed));
        if value.is_nan() {
            return Ok(());
        }
        page.encode_descriptor(self.name, self.help, None, MetricType::Gauge)?.encode_gauge(&value)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::CounterVec;

    #[test]
    fn each_combination_of_values_has_a_series_of_its_own() {
        let counts: CounterVec<6> =
            CounterVec::new("x", "y", &[("kind", &["a", "b"]), ("state", &["new", "done", "dead"])]);
        counts.add(&["a", "dead"], 1);
        counts.add(&["b", "new"], 2);
        counts.add(&["b", "unheard of"], 7);
        counts.add(&["c", "new"], 7);
        let all: Vec<u64> = counts.cells.iter().map(|cell| cell.load(Ordering::Relaxed)).collect();
        assert_eq!(all, [0, 0, 1, 2, 0, 0]);
        assert_eq!(counts.values(2), [("kind", "a"), ("state", "dead")]);
        assert_eq!(counts.values(3), [("kind", "b"), ("state", "new")]);
    }
}
