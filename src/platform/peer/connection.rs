//! An open connection to a replica, in the middle of an exchange: what is sent on it, and the head that comes back.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;

use actix_http::h1::ClientCodec;
use actix_http::{ResponseHead, ServiceConfig};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::{Bytes, BytesMut};
use futures_util::future::poll_fn;
use thiserror::Error;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::codec::Decoder as _;

use crate::platform::call::put;

/// Room for what is read and written at a time: a head with a small body.
const ROOM: usize = 8 << 10;
/// Below this much room it is worth making more.
const LITTLE: usize = 1 << 10;

/// What comes with a request's head.
pub enum Load {
    Nothing,
    Whole(Bytes),
    Stream(BoxBody),
}

/// How an exchange came to nothing.
#[derive(Debug, Error)]
pub enum Failure {
    /// Nobody is there: no byte has left.
    #[error("{0}")]
    Unsent(io::Error),
    /// The other side went away, or said something senseless, before it had answered.
    #[error("{0}")]
    Broken(String),
    /// It takes longer than anybody waits.
    #[error("no answer in time")]
    Late,
    /// What was to be sent could not be read.
    #[error("{0}")]
    Load(String),
}

/// An open connection.
pub struct Connection {
    pub io: TcpStream,
    /// What has come, and was not looked at yet.
    pub read: BytesMut,
    /// The head that is to be sent.
    pub write: Vec<u8>,
    /// When this exchange began.
    pub used: Instant,
}

impl Connection {
    /// Sends the head that is written, its last fields, and what comes with it.
    pub async fn send(&mut self, load: Load) -> Result<(), Failure> {
        match load {
            Load::Nothing => {
                self.end_head(BodySize::None);
                self.push(&[], true).await
            }
            Load::Whole(body) => {
                self.end_head(body.size());
                self.push(&body, true).await
            }
            Load::Stream(body) => Box::pin(self.send_stream(body)).await,
        }
    }

    async fn send_stream(&mut self, mut body: BoxBody) -> Result<(), Failure> {
        let size = body.size();
        self.end_head(size);
        let chunked = size == BodySize::Stream;
        let mut first = true;
        while let Some(chunk) = poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await {
            let chunk = chunk.map_err(|why| Failure::Load(why.to_string()))?;
            if chunk.is_empty() {
                continue;
            }
            if chunked {
                self.write.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            }
            self.push(&chunk, first).await?;
            if chunked {
                self.write.extend_from_slice(b"\r\n");
            }
            first = false;
        }
        if chunked {
            self.write.extend_from_slice(b"0\r\n\r\n");
        }
        self.push(&[], first).await
    }

    fn end_head(&mut self, size: BodySize) {
        match size {
            BodySize::None => {}
            BodySize::Sized(length) => {
                put(&mut self.write, "content-length", itoa::Buffer::new().format(length).as_bytes());
            }
            BodySize::Stream => put(&mut self.write, "transfer-encoding", b"chunked"),
        }
        self.write.extend_from_slice(b"\r\n");
    }

    /// Sends what is written, and this behind it. If the `first` byte cannot be sent, nobody has seen anything.
    async fn push(&mut self, mut behind: &[u8], first: bool) -> Result<(), Failure> {
        let Connection { io, write, .. } = self;
        if behind.len() <= ROOM {
            write.extend_from_slice(behind);
            behind = &[];
        }
        let (all, mut sent) = (write.len() + behind.len(), 0);
        while sent < all {
            let head = write.get(sent..).unwrap_or_default();
            let rest = behind.get(sent.saturating_sub(write.len())..).unwrap_or_default();
            let written = match (head.is_empty(), rest.is_empty()) {
                (_, true) => io.try_write(head),
                (true, _) => io.try_write(rest),
                _ => io.try_write_vectored(&[IoSlice::new(head), IoSlice::new(rest)]),
            };
            match written {
                Ok(0) => return Err(Failure::Broken("it takes nothing more".to_owned())),
                Ok(count) => sent += count,
                Err(why) if why.kind() == ErrorKind::WouldBlock => {
                    io.writable().await.map_err(|why| Failure::Broken(why.to_string()))?;
                }
                Err(why) if first && sent == 0 => return Err(Failure::Unsent(why)),
                Err(why) => return Err(Failure::Broken(why.to_string())),
            }
        }
        write.clear();
        Ok(())
    }

    /// Reads the head of the answer.
    pub async fn receive_head(&mut self, config: &ServiceConfig) -> Result<(ResponseHead, ClientCodec), Failure> {
        let mut codec = ClientCodec::new(config.clone());
        loop {
            match self.receive(ROOM).await {
                Ok(0) => return Err(Failure::Broken("it closed the connection".to_owned())),
                Ok(_) => {}
                Err(why) => return Err(Failure::Broken(why.to_string())),
            }
            match codec.decode(&mut self.read) {
                Ok(Some(head)) if head.status.is_informational() => {
                    return Err(Failure::Broken(format!("it answered {}, which nobody asked for", head.status)));
                }
                Ok(Some(head)) => return Ok((head, codec)),
                Ok(None) => {}
                Err(why) => return Err(Failure::Broken(why.to_string())),
            }
        }
    }

    /// Reads what has come, or waits for it; 0 bytes is the end.
    pub async fn receive(&mut self, room: usize) -> io::Result<usize> {
        if self.read.capacity() - self.read.len() < LITTLE {
            self.read.reserve(room);
        }
        self.io.read_buf(&mut self.read).await
    }
}
