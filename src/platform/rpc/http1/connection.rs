//! An open connection to a replica during an exchange: writing the request, and reading the head of the response.

use std::io::{self, ErrorKind, IoSlice};
use std::iter;
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

use crate::platform::rpc::request::push_field;

/// Size of the read buffer: a head, 64 KiB of a body, and the slack that keeps the codec from reallocating.
const READ_BUFFER: usize = 68 << 10;
/// Parts up to this size are copied into one write.
const MAX_COPIED: usize = 1 << 10;

/// The body of a request.
pub enum RequestBody<'a> {
    Empty,
    Buffered(&'a [Bytes]),
    Streaming(BoxBody),
}

/// Why an exchange failed, and so whether a retry is safe.
#[derive(Debug, Error)]
pub enum SendError {
    /// The connection could not be opened: no byte was sent.
    #[error("{0}")]
    NotSent(io::Error),
    /// The replica closed the connection, or sent a malformed response: it may have processed the request.
    #[error("{0}")]
    Reset(String),
    /// The deadline passed: the replica may still be processing the request.
    #[error("no response in time")]
    Timeout,
    /// The request body could not be read: the replica is not at fault.
    #[error("{0}")]
    RequestBody(String),
}

/// An open connection.
pub struct Connection {
    pub io: TcpStream,
    /// Received bytes that are not parsed yet.
    pub read: BytesMut,
    /// The head to send.
    pub write: Vec<u8>,
    /// Start of this exchange.
    pub started: Instant,
}

impl Connection {
    /// Sends the prepared head, its framing fields and the body.
    pub async fn send(&mut self, body: RequestBody<'_>) -> Result<(), SendError> {
        match body {
            RequestBody::Empty => {
                self.end_head(BodySize::None);
                self.push(&[], true).await
            }
            RequestBody::Buffered(body) => {
                self.end_head(BodySize::Sized(body.iter().map(|part| part.len() as u64).sum()));
                self.push(body, true).await
            }
            RequestBody::Streaming(body) => Box::pin(self.send_stream(body)).await,
        }
    }

    async fn send_stream(&mut self, mut body: BoxBody) -> Result<(), SendError> {
        let size = body.size();
        self.end_head(size);
        let chunked = size == BodySize::Stream;
        let mut first = true;
        while let Some(chunk) = poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await {
            let chunk = chunk.map_err(|why| SendError::RequestBody(why.to_string()))?;
            if chunk.is_empty() {
                continue;
            }
            if chunked {
                self.write.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            }
            self.push(&[chunk], first).await?;
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
                push_field(&mut self.write, "content-length", itoa::Buffer::new().format(length).as_bytes());
            }
            BodySize::Stream => push_field(&mut self.write, "transfer-encoding", b"chunked"),
        }
        self.write.extend_from_slice(b"\r\n");
    }

    /// Sends the buffered head and these parts of the body. As long as nothing was sent, an error of the `first` write means that the
    /// replica has seen nothing.
    async fn push(&mut self, mut body: &[Bytes], first: bool) -> Result<(), SendError> {
        let Connection { io, write, .. } = self;
        while let Some((part, rest)) = body.split_first().filter(|(part, _)| part.len() <= MAX_COPIED) {
            write.extend_from_slice(part);
            body = rest;
        }
        let all = iter::once(&write[..]).chain(body.iter().map(Bytes::as_ref));
        let mut parts: Vec<IoSlice<'_>> = all.map(IoSlice::new).collect();
        let (mut left, mut unsent) = (&mut parts[..], first);
        // skip empty parts
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            let written = match &left[..] {
                [only] => io.try_write(only),
                all => io.try_write_vectored(all),
            };
            match written {
                Ok(0) => return Err(SendError::Reset("it accepts no more bytes".to_owned())),
                Ok(count) => {
                    IoSlice::advance_slices(&mut left, count);
                    unsent = false;
                }
                Err(why) if why.kind() == ErrorKind::WouldBlock => {
                    io.writable().await.map_err(|why| SendError::Reset(why.to_string()))?;
                }
                Err(why) if unsent => return Err(SendError::NotSent(why)),
                Err(why) => return Err(SendError::Reset(why.to_string())),
            }
        }
        drop(parts);
        write.clear();
        Ok(())
    }

    /// Reads the head of the response.
    pub async fn receive_head(&mut self, config: &ServiceConfig) -> Result<(ResponseHead, ClientCodec), SendError> {
        let mut codec = ClientCodec::new(config.clone());
        loop {
            match self.receive().await {
                Ok(0) => return Err(SendError::Reset("it closed the connection".to_owned())),
                Ok(_) => {}
                Err(why) => return Err(SendError::Reset(why.to_string())),
            }
            match codec.decode(&mut self.read) {
                Ok(Some(head)) if head.status.is_informational() => {
                    return Err(SendError::Reset(format!("unexpected interim response {}", head.status)));
                }
                Ok(Some(head)) => return Ok((head, codec)),
                Ok(None) => {}
                Err(why) => return Err(SendError::Reset(why.to_string())),
            }
        }
    }

    /// Reads the bytes that have arrived, or waits for some; 0 is the end of the stream.
    pub async fn receive(&mut self) -> io::Result<usize> {
        let read = &mut self.read;
        // reclaims the buffer unless earlier bytes are still referenced, such as header values of the last responses
        if !read.try_reclaim(READ_BUFFER) && read.capacity() - read.len() < READ_BUFFER / 2 {
            match read.is_empty() {
                true => *read = BytesMut::with_capacity(READ_BUFFER),
                // an incomplete frame: keep it
                false => read.reserve(READ_BUFFER),
            }
        }
        self.io.read_buf(&mut self.read).await
    }
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};
    use futures_util::future::join;
    use socket2::SockRef;
    use tokio::io::AsyncReadExt as _;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::Instant;

    use super::{Connection, RequestBody};

    /// An open connection with a small send buffer, and its other end.
    async fn connection_with_small_buffer() -> std::io::Result<(Connection, TcpStream)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let io = TcpStream::connect(listener.local_addr()?).await?;
        SockRef::from(&io).set_send_buffer_size(4 << 10)?;
        let (read, write, started) = (BytesMut::new(), b"POST / HTTP/1.1\r\n".to_vec(), Instant::now());
        Ok((Connection { io, read, write, started }, listener.accept().await?.0))
    }

    #[actix_rt::test]
    async fn parts_arrive_in_order_through_a_small_send_buffer() -> std::io::Result<()> {
        let (mut connection, mut other) = connection_with_small_buffer().await?;
        let sizes = [1, 3000, 0, 700, 500_000, 5, 5, 90_000];
        let part = |(at, size)| Bytes::from(vec![b'a' + at as u8; size]);
        let parts: Vec<Bytes> = sizes.into_iter().enumerate().map(part).collect();
        let mut received = Vec::new();
        let (sent, read) = join(
            async {
                let sent = connection.send(RequestBody::Buffered(&parts)).await;
                drop(connection);
                sent
            },
            other.read_to_end(&mut received),
        )
        .await;
        assert!(sent.is_ok() && read? > 0, "{sent:?}");
        let head = format!("POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n", sizes.iter().sum::<usize>());
        assert!(received == [head.as_bytes(), &parts.concat()].concat(), "{} bytes received", received.len());
        Ok(())
    }
}
