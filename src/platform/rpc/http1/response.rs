//! A response of a replica: its head, and its body as a stream.

use std::io::ErrorKind;
use std::rc::Rc;

use actix_http::ResponseHead;
use actix_http::h1::{ClientCodec, ClientPayloadCodec, MessageType};
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};
use actix_web::http::{StatusCode, Version};
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::time::Instant;
use tokio_util::codec::Decoder as _;

use super::connection::Connection;
use super::pool::ConnectionPool;
use crate::platform::http::headers::content_length;

/// A response whose body may not have been read yet. Dropping it before the end closes its connection. It is boxed because it
/// is moved often.
pub struct RpcResponse {
    head: ResponseHead,
    unread: Option<(Connection, ClientPayloadCodec)>,
    /// HTTP/1.0 framing: the body ends when the connection closes.
    ends_at_close: bool,
    /// Deadline for the next chunk of the body.
    deadline: Instant,
    pool: Rc<ConnectionPool>,
}

impl RpcResponse {
    /// The response that was read from this connection of the pool.
    pub(super) fn new(
        pool: Rc<ConnectionPool>,
        connection: Connection,
        head: ResponseHead,
        codec: ClientCodec,
        deadline: Instant,
    ) -> Box<RpcResponse> {
        let length = content_length(&head.headers).filter(|length| *length > 0);
        let ends_at_close = head.version < Version::HTTP_11 && length.is_none();
        let mut response = Box::new(RpcResponse { head, unread: None, ends_at_close, deadline, pool });
        let has_no_body = matches!(response.head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        match codec.message_type() {
            // without a length the end of the response is unknown: later bytes must not be read as another response
            MessageType::None if has_no_body || response.head.headers.contains_key(CONTENT_LENGTH) => {
                response.release(connection)
            }
            MessageType::None => {}
            _ if has_no_body => {}
            _ => response.unread = Some((connection, codec.into_payload_codec())),
        }
        response
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// The header fields.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// Takes the header fields; the response has none afterwards.
    pub fn take_headers(&mut self) -> HeaderMap {
        std::mem::take(&mut self.head.headers)
    }

    /// Buffers the body, up to `limit` bytes.
    ///
    /// # Errors
    /// [`PayloadError::Overflow`], or the failure of the connection.
    pub async fn body(mut self: Box<RpcResponse>, limit: usize) -> Result<Bytes, PayloadError> {
        let Some(first) = self.chunk().await? else { return Ok(Bytes::new()) };
        let mut all = match self.chunk().await? {
            None if first.len() <= limit => return Ok(first),
            None => return Err(PayloadError::Overflow),
            Some(second) => {
                let mut both = BytesMut::with_capacity(first.len() + second.len());
                both.extend([first, second]);
                both
            }
        };
        while let Some(chunk) = self.chunk().await? {
            if all.len() + chunk.len() > limit {
                return Err(PayloadError::Overflow);
            }
            all.extend_from_slice(&chunk);
        }
        if all.len() > limit { Err(PayloadError::Overflow) } else { Ok(all.freeze()) }
    }

    /// Streams the body. Its length is not limited, but every chunk has a deadline.
    pub fn stream(self: Box<RpcResponse>) -> impl Stream<Item = Result<Bytes, PayloadError>> {
        unfold(Some(self), async |response| {
            let mut response: Box<RpcResponse> = response?;
            response.deadline = Instant::now() + response.pool.chunk_timeout;
            match response.chunk().await {
                Ok(Some(chunk)) => Some((Ok(chunk), Some(response))),
                Ok(None) => None,
                Err(why) => Some((Err(why), None)),
            }
        })
    }

    /// The next chunk of the body; `None` at its end.
    async fn chunk(&mut self) -> Result<Option<Bytes>, PayloadError> {
        while let Some((connection, codec)) = &mut self.unread {
            match codec.decode(&mut connection.read)? {
                Some(Some(chunk)) => return Ok(Some(chunk)),
                Some(None) => {
                    let finished = self.unread.take();
                    finished.into_iter().for_each(|(connection, _)| self.release(connection));
                    return Ok(None);
                }
                None => {}
            }
            match self.pool.timers.timeout_at(self.deadline, connection.receive()).await {
                Some(Ok(0)) if self.ends_at_close => self.unread = None,
                Some(Ok(0)) => return Err(PayloadError::Incomplete(None)),
                Some(Ok(_)) => {}
                Some(Err(why)) => return Err(PayloadError::Io(why)),
                None => return Err(PayloadError::Io(ErrorKind::TimedOut.into())),
            }
        }
        Ok(None)
    }

    fn release(&self, connection: Connection) {
        // bytes after the end of a response belong to no request
        if self.head.keep_alive() && connection.read.is_empty() {
            self.pool.put_back(connection);
        }
    }
}
