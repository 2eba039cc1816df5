//! A dump that goes into a database of another name.
//!
//! Its head is not the only place that names the database: `USE` comes again before the views, `ALTER DATABASE` stands
//! around triggers, routines and events, and a trigger may name it too. Left alone, these would change the original
//! database.

use super::client::quoted;
use super::trigger::{self, Head};
use backstay_core::entry::ByteStream;
use bytes::Bytes;
use std::io;
use tokio::io::AsyncReadExt;
use tokio_util::io::StreamReader;

const PIECE: usize = 256 << 10;
/// The head of a trigger's definition is no longer than this.
const HEAD: usize = 64 << 10;

/// Returns the dump with its commands about the database `from` naming `to`. Rows are left alone: a line break in a
/// value is written as `\n`, so no line of a value begins with a command.
pub(super) fn renamed(content: ByteStream, from: &str, to: &str) -> ByteStream {
    let (from, to) = (quoted(from), quoted(to));
    let pair = |before: &str, after: &str| {
        (format!("{before}{from}{after}").into_bytes(), format!("{before}{to}{after}").into_bytes())
    };
    let commands = vec![pair("USE ", ";\n"), pair("ALTER DATABASE ", " CHARACTER SET ")];
    let to = to.into_bytes();
    let state = Renamer { content, commands, to, rest: Vec::new(), at_line: true, ended: false };
    let stream = futures::stream::try_unfold(state, |mut state| async move {
        let piece = state.next().await?;
        io::Result::Ok((!piece.is_empty()).then_some((Bytes::from(piece), state)))
    });
    Box::new(StreamReader::new(Box::pin(stream)))
}

struct Renamer {
    content: ByteStream,
    /// What a line may begin with, and what it begins with then.
    commands: Vec<(Vec<u8>, Vec<u8>)>,
    /// The new name, in quotes.
    to: Vec<u8>,
    /// Read, but not passed on: the begin of a line that may become a command.
    rest: Vec<u8>,
    /// `rest` begins at the begin of a line.
    at_line: bool,
    ended: bool,
}

impl Renamer {
    /// Returns what can be passed on next; nothing at the end.
    async fn next(&mut self) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        while out.is_empty() && !(self.ended && self.rest.is_empty()) {
            let mut piece = vec![0; PIECE];
            let read = if self.ended { 0 } else { self.content.read(&mut piece).await? };
            self.ended = read == 0;
            self.rest.extend_from_slice(&piece[..read]);
            self.pass(&mut out);
        }
        Ok(out)
    }

    fn pass(&mut self, out: &mut Vec<u8>) {
        let mut at = 0;
        while at < self.rest.len() {
            let rest = &self.rest[at..];
            if self.at_line {
                let mut begins = self.commands.iter().map(|(from, _)| from.as_slice()).chain([trigger::BEGIN]);
                let open = begins.any(|begin| begin.len() > rest.len() && begin.starts_with(rest));
                let head = if rest.starts_with(trigger::BEGIN) { trigger::head(rest) } else { Head::Other };
                if (open || head == Head::Open && rest.len() < HEAD) && !self.ended {
                    break;
                }
                if let Head::Trigger(databases, end) = head {
                    let mut from = 0;
                    for database in databases {
                        out.extend_from_slice(&rest[from..database.start]);
                        out.extend_from_slice(&self.to);
                        from = database.end;
                    }
                    out.extend_from_slice(&rest[from..end]);
                    at += end;
                    self.at_line = false;
                    continue;
                }
                self.at_line = false;
                if let Some((from, to)) = self.commands.iter().find(|(from, _)| rest.starts_with(from)) {
                    out.extend_from_slice(to);
                    at += from.len();
                    self.at_line = from.ends_with(b"\n");
                    continue;
                }
            }
            let end = rest.iter().position(|b| *b == b'\n').map(|end| end + 1);
            self.at_line = end.is_some();
            let end = end.unwrap_or(rest.len());
            out.extend_from_slice(&rest[..end]);
            at += end;
        }
        self.rest.drain(..at);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    async fn renamed_in_pieces(dump: &str, size: usize) -> String {
        let pieces: Vec<io::Result<Bytes>> =
            dump.as_bytes().chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let content: ByteStream = Box::new(StreamReader::new(futures::stream::iter(pieces)));
        let mut got = String::new();
        renamed(content, "a", "b`c").read_to_string(&mut got).await.unwrap();
        got
    }

    #[tokio::test]
    async fn triggers_that_name_their_database_name_the_other_one() {
        let begin = "DELIMITER ;;\n/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 ";
        let dump = format!(
            "{begin}TRIGGER a . w\n AFTER INSERT\nON `a`.c\n FOR EACH ROW insert into a.t values (1) */;;\n\
             {begin}TRIGGER `a` BEFORE INSERT ON `a` FOR EACH ROW set new.a = 1 */;;\nUSE `a`;\n"
        );
        let want = format!(
            "{begin}TRIGGER `b``c` . w\n AFTER INSERT\nON `b``c`.c\n FOR EACH ROW insert into a.t values (1) */;;\n\
             {begin}TRIGGER `a` BEFORE INSERT ON `a` FOR EACH ROW set new.a = 1 */;;\nUSE `b``c`;\n"
        );
        for size in [1, 2, 3, 7, 1000] {
            assert_eq!(renamed_in_pieces(&dump, size).await, want, "in pieces of {size}");
        }
        let cut = format!("{begin}TRIGGER a . w\n AFTER");
        assert_eq!(renamed_in_pieces(&cut, 7).await, cut);
    }

    #[tokio::test]
    async fn commands_name_the_other_database_and_rows_do_not() {
        let dump = "USE `a`;\nINSERT INTO `t` VALUES ('USE `a`;\\nALTER DATABASE `a` CHARACTER SET x');\n\
                    ALTER DATABASE `a` CHARACTER SET utf8mb4 COLLATE x ;\n x USE `a`;\nUSE `ab`;\nUSE `a`;\n\nUSE `a";
        let want = "USE `b``c`;\nINSERT INTO `t` VALUES ('USE `a`;\\nALTER DATABASE `a` CHARACTER SET x');\n\
                    ALTER DATABASE `b``c` CHARACTER SET utf8mb4 COLLATE x ;\n x USE `a`;\nUSE `ab`;\nUSE `b``c`;\n\nUSE `a";
        for size in [1, 2, 3, 7, 1000] {
            assert_eq!(renamed_in_pieces(dump, size).await, want, "in pieces of {size}");
        }
    }
}
