//! An answer of a replica: its head, and its body as it comes.

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

/// An answer whose body is still to come. Who drops it before its end closes its connection. It changes hands so often on its way
/// that it is always boxed.
pub struct RpcResponse {
    head: ResponseHead,
    rest: Option<(Connection, ClientPayloadCodec)>,
    /// As answers did before they had lengths.
    ends_by_closing: bool,
    /// Until when the next part of its body is waited for.
    until: Instant,
    wire: Rc<ConnectionPool>,
}

impl RpcResponse {
    /// What was asked of `wire`, and is read from this connection.
    pub(super) fn new(
        wire: Rc<ConnectionPool>,
        connection: Connection,
        head: ResponseHead,
        codec: ClientCodec,
        until: Instant,
    ) -> Box<RpcResponse> {
        let length = content_length(&head.headers).filter(|length| *length > 0);
        let ends_by_closing = head.version < Version::HTTP_11 && length.is_none();
        let mut answer = Box::new(RpcResponse { head, rest: None, ends_by_closing, until, wire });
        let bodiless = matches!(answer.head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        match codec.message_type() {
            // without a length nobody knows where it ends: what comes yet must not be taken for another answer
            MessageType::None if bodiless || answer.head.headers.contains_key(CONTENT_LENGTH) => {
                answer.release(connection)
            }
            MessageType::None => {}
            _ if bodiless => {}
            _ => answer.rest = Some((connection, codec.into_payload_codec())),
        }
        answer
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// Its header fields.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// Its header fields, to keep; it has none then.
    pub fn take_headers(&mut self) -> HeaderMap {
        std::mem::take(&mut self.head.headers)
    }

    /// All of its body, if that is not more than `most` bytes.
    ///
    /// # Errors
    /// [`PayloadError::Overflow`], or how it broke off.
    pub async fn body(mut self: Box<RpcResponse>, most: usize) -> Result<Bytes, PayloadError> {
        let Some(first) = self.chunk().await? else { return Ok(Bytes::new()) };
        let mut all = match self.chunk().await? {
            None if first.len() <= most => return Ok(first),
            None => return Err(PayloadError::Overflow),
            Some(second) => {
                let mut both = BytesMut::with_capacity(first.len() + second.len());
                both.extend([first, second]);
                both
            }
        };
        while let Some(chunk) = self.chunk().await? {
            if all.len() + chunk.len() > most {
                return Err(PayloadError::Overflow);
            }
            all.extend_from_slice(&chunk);
        }
        if all.len() > most { Err(PayloadError::Overflow) } else { Ok(all.freeze()) }
    }

    /// Its body as it comes, however long it is; only standing still it may not.
    pub fn stream(self: Box<RpcResponse>) -> impl Stream<Item = Result<Bytes, PayloadError>> {
        unfold(Some(self), async |answer| {
            let mut answer: Box<RpcResponse> = answer?;
            answer.until = Instant::now() + answer.wire.patience;
            match answer.chunk().await {
                Ok(Some(chunk)) => Some((Ok(chunk), Some(answer))),
                Ok(None) => None,
                Err(why) => Some((Err(why), None)),
            }
        })
    }

    /// The next part of its body; `None` at its end.
    async fn chunk(&mut self) -> Result<Option<Bytes>, PayloadError> {
        while let Some((connection, codec)) = &mut self.rest {
            match codec.decode(&mut connection.read)? {
                Some(Some(chunk)) => return Ok(Some(chunk)),
                Some(None) => {
                    let finished = self.rest.take();
                    finished.into_iter().for_each(|(connection, _)| self.release(connection));
                    return Ok(None);
                }
                None => {}
            }
            match self.wire.timers.limit(self.until, connection.receive()).await {
                Some(Ok(0)) if self.ends_by_closing => self.rest = None,
                Some(Ok(0)) => return Err(PayloadError::Incomplete(None)),
                Some(Ok(_)) => {}
                Some(Err(why)) => return Err(PayloadError::Io(why)),
                None => return Err(PayloadError::Io(ErrorKind::TimedOut.into())),
            }
        }
        Ok(None)
    }

    fn release(&self, connection: Connection) {
        // what comes behind an answer belongs to nobody
        if self.head.keep_alive() && connection.read.is_empty() {
            self.wire.keep(connection);
        }
    }
}
