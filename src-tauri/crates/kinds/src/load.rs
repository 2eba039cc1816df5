//! Loading: content from a backup into a tool's standard input.

use crate::dump::{Edges, Whole, tool_error};
use backstay_core::entry::ByteStream;
use backstay_core::host::{Command, Host, Process, read_tail};
use backstay_core::{Error, ErrorClass, Result, RunContext};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PIECE: usize = 256 << 10;

/// What is loaded.
pub(crate) struct Load<'a> {
    /// For messages: "database shop".
    pub subject: &'a str,
    /// The tool, for messages.
    pub tool: &'a str,
    /// What goes in before the content.
    pub before: Vec<u8>,
    /// What a whole dump looks like; another one is an error, after the fact.
    pub whole: Whole,
}

impl Load<'_> {
    /// Runs the tool with the content as its input. Returns how many bytes of content went in and what it said.
    ///
    /// The content's first bytes may be read already: they are in `before`, and `edges` knows them.
    pub(crate) async fn run(
        self,
        ctx: &RunContext,
        host: &dyn Host,
        command: Command,
        mut content: ByteStream,
        mut edges: Edges,
    ) -> Result<(u64, String)> {
        let tried = format!("Cannot restore {} on {}", self.subject, host.label());
        let Process { mut stdin, mut stdout, mut stderr, mut control } = host.start(command).await?;
        let feed = async {
            let mut piece = vec![0; PIECE];
            // A tool that gave up closes its input; its exit status and words say why.
            let mut open = stdin.write_all(&self.before).await.is_ok();
            loop {
                ctx.check()?;
                let read = content.read(&mut piece).await.map_err(|e| Error::io(format!("{tried}: the backup"), e))?;
                if read == 0 {
                    break;
                }
                edges.push(&piece[..read]);
                ctx.progress.advance(0, read as u64);
                open = open && ctx.while_it_runs(stdin.write_all(&piece[..read])).await.is_ok();
                if !open {
                    break;
                }
            }
            let fault = if open { self.whole.fault(edges.length, &edges.head, &edges.tail) } else { None };
            if let Some(fault) = fault {
                // The tool must not take a part for the whole: it is ended, not given an end of file.
                let hint = "Verify the backup, and restore an older one";
                return Err(Error::new(ErrorClass::Corrupt, format!("{tried}: {fault}")).hint(hint));
            }
            let _ = stdin.shutdown().await;
            drop(stdin);
            Ok(edges.length)
        };
        let watch = async { tokio::join!(read_tail(&mut stderr, 256 << 10), read_tail(&mut stdout, 64 << 10)) };
        tokio::pin!(feed, watch);
        let mut heard = None;
        let fed = loop {
            tokio::select! {
                fed = &mut feed => break fed,
                words = &mut watch, if heard.is_none() => heard = Some(words),
            }
        };
        let length = match fed {
            Ok(length) => length,
            Err(error) => {
                control.kill().await;
                return Err(error);
            }
        };
        let (said, _) = match heard {
            Some(words) => words,
            None => ctx.while_it_runs(watch).await,
        };
        let status = ctx.while_it_runs(control.wait()).await?;
        if !status.success() {
            return Err(tool_error(&tried, self.tool, &status.to_string(), &said));
        }
        Ok((length, said))
    }
}
