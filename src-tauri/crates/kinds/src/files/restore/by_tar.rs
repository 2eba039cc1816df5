//! Restoring through the server's GNU tar: one stream, and what tar says of it.

use super::sending::Sent;
use super::{Restorer, since, unset};
use crate::files::outlet::Outlet;
use crate::gnu;
use backstay_core::entry::EntrySource;
use backstay_core::host::{Command, ExitStatus, Process, read_tail};
use backstay_core::kind::RestoreMode;
use backstay_core::run::ProblemKind;
use backstay_core::{Error, ErrorClass, RawPath, Result, tar};
use std::collections::HashSet;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// What GNU tar says of a stream that ends in the midst of a file.
const ENDS_EARLY: &str = "Unexpected EOF in archive";
/// How long tar may take to write what it has when no more is to come.
const LAST_WORDS: Duration = Duration::from_secs(10);

impl Restorer<'_> {
    pub(super) fn extract_command(&self) -> Command {
        let owner = if self.tools.root { "--same-owner" } else { "--no-same-owner" };
        let options = self.tools.tar_knows(&[
            owner,
            "--same-permissions",
            "--delay-directory-restore",
            // A folder that was moved away and linked since the plan was made is not lost for that.
            "--keep-directory-symlink",
            // 64 KiB, what a pipe holds: of the usual 10 KiB it would read and write six times as many.
            "--blocking-factor=128",
            "--xattrs",
            "--xattrs-include=*",
            "--quoting-style=escape",
            "--warning=no-timestamp",
        ]);
        Command::new("tar").args(["--extract", "--file=-", "--directory=/"]).args(options).packable()
    }

    /// Returns what writes files. What the chosen way of restoring keeps may have appeared since the preview.
    fn write_command(&self) -> Command {
        let keeps: &[&str] = match self.options.mode {
            RestoreMode::Missing => &["--skip-old-files"],
            RestoreMode::Newer => &["--keep-newer-files"],
            RestoreMode::Merge | RestoreMode::Replace => &[],
        };
        let keeps = self.tools.tar_knows(keeps);
        // A word as old as the option, and an error to a tar that does not know it.
        let says = keeps.contains(&"--skip-old-files").then_some("--warning=existing-file");
        self.extract_command().args(keeps).args(says)
    }

    pub(super) async fn write_through_tar(
        &mut self,
        source: &mut dyn EntrySource,
        paths: &HashSet<RawPath>,
    ) -> Result<()> {
        loop {
            match self.stream(source, paths).await {
                Ok(Sent::All) => break,
                Ok(Sent::Cut) => {}
                Err(error) => {
                    self.clear_halves(&error).await;
                    return Err(error);
                }
            }
        }
        if self.cut.is_empty() {
            return Ok(());
        }
        // Each tar gave the folders their times when it ended, and the next one wrote into them.
        let folders =
            self.written.iter().filter(|(entry, _)| entry.is_dir()).map(|(_, target)| target.clone()).collect();
        self.ctx.or_cancel(self.touch(&folders)).await
    }

    async fn stream(&mut self, source: &mut dyn EntrySource, paths: &HashSet<RawPath>) -> Result<Sent> {
        let ctx = self.ctx;
        let mut process = ctx.or_cancel(self.host.start(self.write_command())).await?;
        let mut outlet = Outlet::new(&mut process.stdin, self.host.label());
        let sending = async {
            let sent = self.send_all(source, paths, &mut outlet).await?;
            if matches!(sent, Sent::All) {
                outlet.put(&tar::END).await?;
            }
            outlet.flush().await?;
            Ok(sent)
        };
        let sent = ctx.or_cancel(sending).await;
        self.end(process, sent).await
    }

    /// Ends the stream, waits for tar and turns its complaints into problems. That a stream ends in the midst of a file is
    /// none where it was cut there.
    async fn end(&mut self, process: Process, sent: Result<Sent>) -> Result<Sent> {
        let ctx = self.ctx;
        let Process { mut stdin, mut stdout, mut stderr, mut control } = process;
        let ending = async move {
            // Never killed: only a tar that comes to the end of what it has puts links and folders as they are to be.
            let _ = stdin.shutdown().await;
            drop(stdin);
            let words = async { tokio::join!(read_tail(&mut stderr, 16 << 20), read_tail(&mut stdout, 1024)) };
            let (text, _) = ctx.while_it_runs(words).await;
            (text, ctx.while_it_runs(control.wait()).await)
        };
        tokio::pin!(ending);
        // Our own fault or the user's will is the outcome, whatever tar says.
        let (text, status, sent) = match sent {
            Err(error) if error.class != ErrorClass::Offline => return self.give_up(error, ending).await,
            sent => match ctx.or_cancel(async { Ok(ending.as_mut().await) }).await {
                Ok((text, status)) => {
                    self.leave_what_stayed(&text);
                    (text, status?, sent)
                }
                Err(error) => return self.give_up(error, ending).await,
            },
        };
        let is_cut = matches!(sent, Ok(Sent::Cut));
        let sent_to = self.written.iter().map(|(_, target)| target);
        let known: HashSet<RawPath> = sent_to.chain(&self.cut).chain(&self.stayed).cloned().collect();
        let of_the_cut =
            |line: &str| is_cut && (line.contains(ENDS_EARLY) || line.contains("Error is not recoverable"));
        let (mut unexplained, spoiled) = (Vec::new(), self.problems.spoiling());
        let said = text.lines().filter(|line| !line.is_empty() && !line.contains("Exiting with failure status"));
        let is_named = |line: &str| since::read(line, |path| self.stayed.contains(path)).is_some();
        let said: Vec<&str> = said.filter(|line| !of_the_cut(line) && !is_named(line)).collect();
        for line in said {
            let complaint = gnu::tar_complaint(line, |path| known.contains(path));
            match complaint.path {
                Some(path) => self.problems.path(ProblemKind::Unwritable, &path, complaint.reason),
                None => match unset::read(line, |path| known.contains(path)) {
                    Some((file, reason)) => _ = self.unset.entry(reason).or_default().insert(file),
                    None => unexplained.push(complaint.reason),
                },
            }
        }
        let place = self.host.label();
        // A short write to a file has no other cause either.
        if ["No space left on device", "Disk quota exceeded", ": Wrote only "].iter().any(|words| text.contains(words))
        {
            let why = format!("Cannot write all files to {place}: no room is left there");
            return Err(Error::new(ErrorClass::Full, why).hint("Make room there, then restore again").detail(text));
        }
        let usual = matches!(status, ExitStatus::Code(0..=2)) && (status.success() || text.lines().count() > 0);
        // Not all was sent, which no problem named so far explains.
        let is_source = status.success() || text.is_empty() || text.contains(ENDS_EARLY);
        let sent = match sent {
            Err(error) if is_source => return Err(error),
            sent => sent.ok(),
        };
        let is_explained = status.success() || unexplained.is_empty() || self.problems.spoiling() > spoiled;
        let Some(sent) = sent.filter(|_| usual && is_explained) else {
            let why = format!("Cannot write files to {place}: tar ended with {status}");
            return Err(Error::new(ErrorClass::Internal, why).hint(gnu::ended_hint(&text)).detail(text));
        };
        unexplained.iter().for_each(|line| self.ctx.progress.log(&format!("tar: {line}")));
        Ok(sent)
    }

    /// Lets tar write what it has, so that what is at the target stands still, and returns `error`.
    async fn give_up<T>(&mut self, error: Error, ending: impl Future<Output = (String, T)>) -> Result<Sent> {
        let _unbroken = self.ctx.unbroken.token();
        // A tar that hangs is ended when it is dropped.
        if let Ok((text, _)) = tokio::time::timeout(LAST_WORDS, ending).await {
            self.leave_what_stayed(&text);
        }
        Err(error)
    }
}
