//! Counts the bytes of a connection behind the last empty line, which ends a head: what is behind the last request and its body is a
//! part of the next head.

/// The count, over all reads of a connection.
#[derive(Default)]
pub struct EmptyLineCounter {
    /// How much of an empty line the last bytes are.
    matched: usize,
    behind: u64,
}

impl EmptyLineCounter {
    /// Counts bytes that were read; returns how many have come since the last empty line.
    pub fn count(&mut self, bytes: &[u8]) -> u64 {
        const END: &[u8] = b"\r\n\r\n";
        if bytes.ends_with(END) {
            (self.matched, self.behind) = (0, 0);
            return 0;
        }
        for byte in bytes {
            self.matched = match END.get(self.matched) == Some(byte) {
                true => self.matched + 1,
                false => usize::from(*byte == b'\r'),
            };
            self.behind += 1;
            if self.matched == END.len() {
                (self.matched, self.behind) = (0, 0);
            }
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
        ] {
            let mut counter = EmptyLineCounter::default();
            let counts: Vec<u64> = reads.iter().map(|read| counter.count(read.as_bytes())).collect();
            assert_eq!(counts.last(), Some(&expected), "{reads:?}");
        }
    }
}
