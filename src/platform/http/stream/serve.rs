//! Serves an app on a listener like `HttpServer`, but on guarded streams, and with `100 Continue` only when a handler reads the
//! body.

use std::cell::OnceCell;
use std::fmt::Debug;
use std::io::{ErrorKind, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, Request, Response};
use actix_rt::net::TcpStream;
use actix_server::Server;
use actix_service::{
    IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt as _, fn_factory, fn_service, map_config,
};
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::AppConfig;
use futures_util::future::ready;
use ipnet::IpNet;
use socket2::SockRef;

use super::{ConnectionState, GuardedStream, OpenConnections};
use crate::platform::http::client_address::{client_prefix, is_trusted};
use crate::platform::limiter::KeyedLimiter;
use crate::platform::wake_gate::WakeGated;

/// Length of the accept queue. Connections beyond it look open to their clients, and are lost.
const BACKLOG: i32 = 4096;
/// Bytes of a response that are buffered and sent in one write.
const WRITE_BUFFER: usize = 64 << 10;
/// Response to a connection above the limit of its address.
const TOO_MANY_CONNECTIONS: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Options of a server.
#[derive(Clone)]
pub struct ServerOptions {
    /// Number of worker threads.
    pub workers: usize,
    /// Limit of open connections; further ones wait to be accepted.
    pub connections: usize,
    /// Limit of connections per client address, if there is one.
    pub per_address: Option<Arc<KeyedLimiter<IpAddr>>>,
    /// Proxies that the limit per address does not apply to.
    pub trusted: Vec<IpNet>,
    /// Seconds that requests in flight have to finish.
    pub drain_seconds: u64,
}

/// Serves `app`, which is built once per worker thread. Also returns the open connections.
///
/// # Errors
/// The operating system refuses to use the listener.
pub fn serve<F, I, S, B>(
    listener: TcpListener,
    options: ServerOptions,
    app: F,
) -> std::io::Result<(Server, Arc<OpenConnections>)>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: Debug,
    S::Response: Into<Response<B>> + 'static,
    S::Future: 'static,
    S::Service: 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    let address = listener.local_addr()?;
    SockRef::from(&listener).listen(BACKLOG)?;
    let builder = Server::build()
        .workers(options.workers)
        .max_concurrent_connections(options.connections.div_ceil(options.workers).max(1))
        .shutdown_timeout(options.drain_seconds)
        .disable_signals();
    let connections = Arc::<OpenConnections>::default();
    let counted = Arc::clone(&connections);
    let name = format!("w2meet-{address}");
    let server = builder.listen(name, listener, move || {
        let factory = app().into_factory().map_err(|error| error.into().error_response());
        let factory = map_config(factory, |()| AppConfig::default());
        let service_cell = Rc::new(OnceCell::new());
        let shared = Rc::clone(&service_cell);
        let (counted, connections) = (Arc::clone(&counted), Arc::clone(&counted));
        let http = HttpService::build()
            .graceful_shutdown_signal(move || WakeGated::new(connections.ending()))
            .h1_write_buffer_size(WRITE_BUFFER)
            // the guarded stream does all of these
            .keep_alive(KeepAlive::Os)
            .client_request_timeout(Duration::ZERO)
            .client_disconnect_timeout(Duration::ZERO)
            .local_addr(address)
            .on_connect_ext(|stream: &GuardedStream, data| drop(data.insert(stream.state())))
            .expect(fn_service(move |req| handle_expectation(shared.get().cloned(), req)))
            .h1(fn_factory(move || {
                let (building, cell) = (factory.new_service(()), Rc::clone(&service_cell));
                async move { Ok::<_, S::InitError>(Rc::clone(cell.get_or_init({
                    let service = Rc::new(building.await?);
                    move || service
                }))) }
            }));
        let options = options.clone();
        fn_service(move |io| ready(accept(&options, &counted, io))).and_then(http)
    })?;
    Ok((server.run(), connections))
}

/// Accepts a connection, unless its address has reached the limit.
fn accept(
    options: &ServerOptions,
    connections: &Arc<OpenConnections>,
    io: TcpStream,
) -> Result<(GuardedStream, Option<SocketAddr>), DispatchError> {
    let peer = io.peer_addr().ok();
    let counted = options.per_address.as_ref().zip(peer).filter(|(_, peer)| !is_trusted(peer.ip(), &options.trusted));
    let open = connections.open();
    let Some((limiter, address)) = counted else { return Ok((GuardedStream::new(io, open, None), peer)) };
    match limiter.try_acquire(client_prefix(address.ip())) {
        Some(permit) => Ok((GuardedStream::new(io, open, Some(permit)), peer)),
        None => {
            tracing::debug!(%address, "connection refused: too many from this address");
            // a new socket buffers this at once; otherwise the client is closed without a response
            drop((&*SockRef::from(&io)).write(TOO_MANY_CONNECTIONS));
            Err(DispatchError::Io(ErrorKind::ConnectionRefused.into()))
        }
    }
}

/// Handles a request with `Expect: 100-continue`. actix would send `100 Continue` before any handler has run; here the app runs
/// first, and the stream sends it when the body is read. To actix the response is a failed expectation, the only kind that an
/// expect service can return.
async fn handle_expectation<S, B>(
    app: Option<Rc<S>>,
    req: Request,
) -> Result<Request, Response<actix_http::body::BoxBody>>
where
    S: Service<Request>,
    S::Error: Into<Response<actix_http::body::BoxBody>>,
    S::Response: Into<Response<B>>,
    B: MessageBody + 'static,
{
    let (Some(app), Some(connection)) = (app, req.conn_data::<Rc<ConnectionState>>().cloned()) else { return Ok(req) };
    connection.set_expectation(true);
    let response = app.call(req).await;
    connection.set_expectation(false);
    Err(response.map_or_else(Into::into, |response| response.into().map_into_boxed_body()))
}
