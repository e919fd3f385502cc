//! The delay until a change reaches the open streams.

use std::time::Instant;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::benchmarks::{Latencies, is_full_size, print_figure, scenario_limit, soak_size};
use crate::support::fault_rig::FaultRig;
use crate::support::load::{Load, wait_for_all_jobs};

#[actix_web::test]
async fn a_change_reaches_all_streams_at_once() {
    let (changes, streams) = (soak_size("CHANGES", 10), soak_size("STREAMS", 10));
    let Some(rig) = FaultRig::start(&[]).await else { return };
    let load = Load::prepare(&rig.cluster, 1, "").await;
    load.post(&rig.cluster, 1).await;
    wait_for_all_jobs(&rig.cluster, scenario_limit()).await;
    let id = load.ids().remove(0);
    for watchers in [1, streams] {
        let mut watching = join_all((0..watchers).map(|_| rig.cluster.open_events(&id, ""))).await;
        for events in &mut watching {
            events.next().await.expect("the state as it is");
        }
        let mut times = Vec::new();
        for change in 0..changes {
            let (path, title) = (format!("/api/meetings/{id}"), format!("{watchers} {change}"));
            let begin = Instant::now();
            let changed = async { rig.cluster.patch(&path, json!({ "title": title })).await.expect(200).json };
            let response = join_all(watching.iter_mut().map(|events| async {
                let response = events.next().await.expect("the change");
                (begin.elapsed(), response.data)
            }));
            let (answer, response) = futures_util::future::join(changed, response).await;
            assert!(response.iter().all(|(_, data)| data["title"] == answer["title"]), "{response:?}");
            times.extend(response.into_iter().map(|(took, _)| took));
        }
        let times = Latencies::from_times(times);
        print_figure(&format!("from a request that changes a meeting to {watchers} who watch it"), &times.summary());
        if is_full_size() {
            assert!(times.longest().as_millis() <= 100, "{}", times.summary());
        }
    }
}
