//! A TCP proxy between a process and a server, which a test may cut, and whose connections may be slow to open.

use std::io::{Read, Write};
use std::mem::take;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Forwards bytes to a local port until it is cut.
pub struct ToxicProxy {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    cut: AtomicBool,
    /// How long the first bytes of the server are held back.
    delay: Duration,
    open: Mutex<Vec<TcpStream>>,
}

impl ToxicProxy {
    pub fn to_port(port: u16) -> ToxicProxy {
        ToxicProxy::slow_to_open(port, Duration::ZERO)
    }

    /// Each connection is this slow to open.
    pub fn slow_to_open(port: u16, delay: Duration) -> ToxicProxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(State { delay, ..State::default() });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if Arc::strong_count(&shared) == 1 {
                    return;
                }
                if !shared.cut.load(Ordering::SeqCst)
                    && let Ok(far) = TcpStream::connect(("127.0.0.1", port))
                {
                    shared.forward(&near, &far, Duration::ZERO);
                    shared.forward(&far, &near, shared.delay);
                }
            }
        });
        ToxicProxy { address, state }
    }

    pub fn redis_url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections were opened so far.
    pub fn count_opened(&self) -> usize {
        self.state.open.lock().expect("no thread panics").len() / 2
    }

    /// Closes every connection; new ones are closed at once.
    pub fn cut(&self) {
        self.state.cut.store(true, Ordering::SeqCst);
        let open = self.state.open.lock().expect("no thread panics");
        open.iter().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
    }

    pub fn restore(&self) {
        self.state.cut.store(false, Ordering::SeqCst);
    }
}

impl State {
    fn forward(&self, from: &TcpStream, to: &TcpStream, mut delay: Duration) {
        let (Ok(mut from), Ok(mut to), Ok(kept)) = (from.try_clone(), to.try_clone(), from.try_clone()) else {
            return;
        };
        self.open.lock().expect("no thread panics").push(kept);
        std::thread::spawn(move || {
            let mut bytes = [0; 16 << 10];
            while let Ok(count @ 1..) = from.read(&mut bytes) {
                std::thread::park_timeout(take(&mut delay));
                if to.write_all(&bytes[..count]).is_err() {
                    break;
                }
            }
            drop(to.shutdown(Shutdown::Both));
        });
    }
}

impl Drop for ToxicProxy {
    fn drop(&mut self) {
        self.cut();
        let address = self.address;
        self.state = Arc::default();
        drop(TcpStream::connect(address)); // wakes the listening thread, which ends
    }
}
