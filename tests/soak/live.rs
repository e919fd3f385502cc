//! How soon a change reaches those who watch.

use std::time::Instant;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::benchmarks::{Times, figure, long, size, strict};
use crate::support::fault_rig::Plant;
use crate::support::load::{Load, all_done};

#[actix_web::test]
async fn a_change_reaches_all_who_watch_at_once() {
    let (changes, streams) = (size("CHANGES", 10), size("STREAMS", 10));
    let Some(plant) = Plant::open(&[]).await else { return };
    let load = Load::prepare(&plant.cluster, 1, "").await;
    load.post(&plant.cluster, 1).await;
    all_done(&plant.cluster, long()).await;
    let id = load.ids().remove(0);
    for watchers in [1, streams] {
        let mut watching = join_all((0..watchers).map(|_| plant.cluster.events(&id, ""))).await;
        for events in &mut watching {
            events.next().await.expect("the state as it is");
        }
        let mut times = Vec::new();
        for change in 0..changes {
            let (path, title) = (format!("/api/meetings/{id}"), format!("{watchers} {change}"));
            let begin = Instant::now();
            let changed = async { plant.cluster.patch(&path, json!({ "title": title })).await.expect(200).json };
            let told = join_all(watching.iter_mut().map(|events| async {
                let told = events.next().await.expect("the change");
                (begin.elapsed(), told.data)
            }));
            let (answer, told) = futures_util::future::join(changed, told).await;
            assert!(told.iter().all(|(_, data)| data["title"] == answer["title"]), "{told:?}");
            times.extend(told.into_iter().map(|(took, _)| took));
        }
        let times = Times::of(times);
        figure(&format!("from a request that changes a meeting to {watchers} who watch it"), &times.tell());
        if strict() {
            assert!(times.longest().as_millis() <= 100, "{}", times.tell());
        }
    }
}
