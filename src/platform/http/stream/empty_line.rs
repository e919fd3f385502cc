//! Counts the bytes of a connection behind the last empty line, which ends a head: what is behind the last request and its body is a
//! part of the next head.

use memchr::memmem;

const EMPTY_LINE: &[u8] = b"\r\n\r\n";

/// The count, over all reads of a connection.
#[derive(Default)]
pub struct EmptyLineCounter {
    /// The last bytes: an empty line may begin in them and end in the next read.
    last: [u8; 3],
    behind: u64,
}

impl EmptyLineCounter {
    /// Counts bytes that were read; returns how many have come since the last empty line.
    pub fn count(&mut self, bytes: &[u8]) -> u64 {
        if bytes.ends_with(EMPTY_LINE) {
            // a request without a body, which is the usual case
            *self = EmptyLineCounter { last: *b"\n\r\n", behind: 0 };
            return 0;
        }
        let edge: Vec<u8> = self.last.iter().chain(bytes.iter().take(3)).copied().collect();
        let over_the_edge = memmem::find(&edge, EMPTY_LINE).map(|at| at + EMPTY_LINE.len() - self.last.len());
        let within = memmem::find_iter(bytes, EMPTY_LINE).last().map(|at| at + EMPTY_LINE.len());
        self.behind = match within.or(over_the_edge) {
            Some(end) => bytes.len().saturating_sub(end) as u64,
            None => self.behind + bytes.len() as u64,
        };
        if let Some(last) = bytes.last_chunk().or_else(|| edge.last_chunk()) {
            self.last = *last;
        }
        self.behind
    }
}

#[cfg(test)]
mod tests {
    use super::EmptyLineCounter;

    #[test]
    fn bytes_behind_an_empty_line_are_counted_over_reads() {
        for (reads, expected) in [
            (&["GET / HTTP/1.1\r\n\r\n"][..], 0),
            (&["GET / HTTP/1.1\r\n\r", "\n"], 0),
            (&["GET / HTTP/1.1\r\n\r", "\nab"], 2),
            (&["GET / HTTP/1.1\r\n\r\nGET", " /"], 5),
            (&["a\r\r\n\r\nb"], 1),
            (&["abc"], 3),
            (&["\r", "\n", "\r", "\n", "d"], 1),
            (&["a\r\n\r\nb\r\n\r\ncde"], 3),
            (&["a\r\n\r", "\nb\r\n\r\n"], 0),
        ] {
            let mut counter = EmptyLineCounter::default();
            let counts: Vec<u64> = reads.iter().map(|read| counter.count(read.as_bytes())).collect();
            assert_eq!(counts.last(), Some(&expected), "{reads:?}");
        }
    }
}
