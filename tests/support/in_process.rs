//! Roles of a test beside those of the product, in this process.

use std::thread::JoinHandle;
use std::time::Duration;

use awc::http::Method;
use tokio::sync::oneshot;
use w2meet::config::{Addresses, Settings, load_from};
use w2meet::platform::role::Role;
use w2meet::{launch, roles};

use super::cluster::Sandbox;
use super::servers::free_port;
use super::{Client, Shape, within};

/// A running process of all roles and some more; it stops when it is dropped.
pub struct InProcess {
    pub client: Client,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// The effective settings.
    pub settings: Settings,
    _space: Sandbox,
}

impl InProcess {
    /// The roles of the product but those in `without`, and `more`, of which those in `without` are known and run nowhere.
    pub async fn start(shape: Shape, more: &[Role], without: &[&str], env: &[(&str, &str)]) -> InProcess {
        let mut space = Sandbox::with_owners(
            &more.iter().filter(|role| role.owns_data()).map(|role| role.name).collect::<Vec<_>>(),
        );
        let address = format!("127.0.0.1:{}", free_port());
        let mut all = space.env();
        if shape == Shape::Services {
            all.extend(space.services());
        }
        all.push(("W2MEET_GATEWAY__LISTEN".into(), address.clone()));
        all.extend(env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut settings = load_from(None, all.into_iter()).expect("settings").settings;
        for role in without {
            settings.upstreams.insert((*role).to_owned(), Addresses(vec!["http://127.0.0.1:9".to_owned()]));
        }
        let runs = |role: &&Role| !without.contains(&role.name);
        let table: &'static [Role] =
            more.iter().chain(roles::ALL.iter().filter(runs)).copied().collect::<Vec<_>>().leak();
        let run: Vec<&'static Role> = table.iter().filter(runs).collect();
        let kept = settings.clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            let runtime = runtime.expect("a runtime");
            runtime.block_on(async {
                tokio::select! {
                    ended = launch::serve(settings, &run, table) => ended.expect("it runs"),
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        let client = Client::new(&format!("http://{address}"));
        within(Duration::from_secs(30), "it is ready", async || {
            let ready = client.try_send(Method::GET, "/readyz", &[], None).await;
            ready.is_ok_and(|reply| reply.status == 200).then_some(())
        })
        .await;
        InProcess { client, stop: Some(stop), thread: Some(thread), settings: kept, _space: space }
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        drop(self.stop.take());
        drop(self.thread.take().map(JoinHandle::join));
    }
}
