//! A stream that leaves out interim responses, such as `103 Early Hints`: awc takes the first head for the response.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_rt::net::{ActixStream, Ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A longer head is left to awc, which refuses it.
const MAX_HEAD: usize = 16 << 10;

/// A plain or an encrypted stream.
pub trait DuplexStream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> DuplexStream for T {}

/// A connection for one exchange, with the bytes of the first heads.
pub struct SkipInterim<IO> {
    io: IO,
    /// What was read, as far as it was not passed on; `None` once the head of the response was.
    head: Option<Vec<u8>>,
}

impl<IO> SkipInterim<IO> {
    /// Leaves out the interim responses of a connection that was just opened.
    pub fn new(io: IO) -> SkipInterim<IO> {
        SkipInterim { io, head: Some(Vec::new()) }
    }
}

impl<IO> fmt::Debug for SkipInterim<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a connection for one exchange")
    }
}

/// Whether the bytes begin an interim response; `None` while that cannot be told. 101 ends HTTP on the connection.
fn is_interim(head: &[u8]) -> Option<bool> {
    const STATUS: usize = "HTTP/1.1 ".len();
    let status = head.get(STATUS..STATUS + 3)?;
    Some(head.starts_with(b"HTTP/1.") && status[0] == b'1' && status != b"101")
}

/// Removes the complete interim responses at the beginning. Returns whether the rest can be passed on.
fn remove_interim(head: &mut Vec<u8>) -> bool {
    loop {
        match is_interim(head) {
            None => return false,
            Some(false) => return true,
            Some(true) => match head.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(end) => drop(head.drain(..end + 4)),
                None => return head.len() > MAX_HEAD,
            },
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for SkipInterim<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let SkipInterim { io, head: held } = &mut *self;
        while let Some(head) = held {
            let mut bytes = [0; 2 << 10];
            let mut part = ReadBuf::new(&mut bytes);
            let is_whole = remove_interim(head);
            if !is_whole {
                ready!(Pin::new(&mut *io).poll_read(cx, &mut part))?;
                head.extend_from_slice(part.filled());
            }
            if is_whole || part.filled().is_empty() {
                let count = head.len().min(buf.remaining());
                buf.put_slice(&head[..count]);
                head.drain(..count);
                if head.is_empty() {
                    *held = None;
                }
                return Poll::Ready(Ok(()));
            }
        }
        Pin::new(io).poll_read(cx, buf)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for SkipInterim<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Readiness is for streams that are used without polling. Here a read or a write says whether it would wait.
impl<IO: AsyncRead + AsyncWrite + Unpin> ActixStream for SkipInterim<IO> {
    fn poll_read_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        Poll::Ready(Ok(Ready::READABLE))
    }
    fn poll_write_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        Poll::Ready(Ok(Ready::WRITABLE))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::SkipInterim;

    #[actix_rt::test]
    async fn interim_responses_are_left_out_wherever_they_are_cut() -> std::io::Result<()> {
        let whole = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 103";
        for at in 0..whole.len() {
            let (first, second) = whole.as_bytes().split_at(at);
            let mut text = String::new();
            SkipInterim::new(first.chain(second)).read_to_string(&mut text).await?;
            assert_eq!(text, "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 103", "{at}");
        }
        for other in ["HTTP/1.1 101 Switching\r\n\r\n", "HTTP", "", "nonsense that is long enough"] {
            let mut text = String::new();
            SkipInterim::new(other.as_bytes()).read_to_string(&mut text).await?;
            assert_eq!(text, other);
        }
        Ok(())
    }
}
