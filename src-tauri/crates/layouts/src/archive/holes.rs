//! Finds runs of zeros in content as it goes by.

const PAGE: usize = 4096;
/// Shorter runs are not worth a hole.
const SHORTEST: u64 = 64 << 10;
/// More holes than this are not told of: the zeros themselves are in the archive anyway.
const MOST: usize = 100_000;

/// Looks at content from its first byte on.
#[derive(Default)]
pub(crate) struct HoleFinder {
    at: u64,
    /// Whether the page that is going by was nothing but zeros so far.
    page_is_zero: bool,
    run: u64,
    holes: Vec<(u64, u64)>,
}

impl HoleFinder {
    /// Takes the next bytes.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let filled = (self.at % PAGE as u64) as usize;
            if filled == 0 {
                self.page_is_zero = true;
            }
            let take = bytes.len().min(PAGE - filled);
            self.page_is_zero = self.page_is_zero && bytes[..take].iter().all(|byte| *byte == 0);
            self.at += take as u64;
            bytes = &bytes[take..];
            if filled + take == PAGE {
                self.end_page();
            }
        }
    }

    fn end_page(&mut self) {
        if self.page_is_zero {
            self.run += PAGE as u64;
        } else {
            self.end_run(self.at - PAGE as u64);
        }
    }

    fn end_run(&mut self, end: u64) {
        if self.run >= SHORTEST && self.holes.len() < MOST {
            self.holes.push((end - self.run, self.run));
        }
        self.run = 0;
    }

    /// Returns the runs of whole pages of zeros: sorted (offset, length) pairs.
    pub fn finish(mut self) -> Vec<(u64, u64)> {
        let rest = self.at % PAGE as u64;
        self.end_run(self.at - rest);
        self.holes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(content: &[u8], piece: usize) -> Vec<(u64, u64)> {
        let mut finder = HoleFinder::default();
        content.chunks(piece).for_each(|piece| finder.push(piece));
        finder.finish()
    }

    #[test]
    fn long_runs_of_whole_pages_are_found_however_they_come() {
        let mut content = vec![0; 500_000];
        content[100_000] = 1;
        content[110_000] = 1;
        content[499_999] = 1;
        for piece in [1, 1000, 4096, 70_000, 500_000] {
            assert_eq!(find(&content, piece), [(0, 98_304), (110_592, 389_120)]);
        }
        assert_eq!(find(&[0; 65_536], 999), [(0, 65_536)]);
        assert_eq!(find(&[0; 65_535], 999), []);
    }
}
