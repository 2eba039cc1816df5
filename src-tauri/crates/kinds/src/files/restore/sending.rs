//! What goes into the server's tar.

use super::{Restorer, archive_name};
use crate::files::outlet::Outlet;
use backstay_core::entry::{Entry, EntrySource, EntryType};
use backstay_core::{Error, ErrorClass, RawPath, Result, tar};
use std::collections::HashSet;
use tokio::io::AsyncReadExt;

/// How far a stream came.
pub(super) enum Sent {
    /// To the end of the backup.
    All,
    /// Into a file that is damaged from there on. What follows it needs a stream of its own.
    Cut,
}

impl Restorer<'_> {
    /// Sends what is picked of the backup. A file that is damaged there is left out, where tar has seen nothing of it yet.
    pub(super) async fn send_all(
        &mut self,
        source: &mut dyn EntrySource,
        paths: &HashSet<RawPath>,
        outlet: &mut Outlet<'_>,
    ) -> Result<Sent> {
        while let Some(entry) = source.next().await? {
            self.ctx.check()?;
            if !paths.contains(&entry.path) || entry.kind == EntryType::Socket {
                continue;
            }
            let target = self.options.target(&entry.path)?;
            self.ctx.progress.current(&target.to_text());
            self.begun = Some((entry.clone(), target.clone()));
            outlet.begin(tar::stored_size(entry.size_bytes, &[])).await?;
            match self.send_entry(source, &entry, &target, outlet).await {
                Err(error) if error.class == ErrorClass::Corrupt => {
                    // Another of its names must not lead to what was never sent whole.
                    self.first_names.remove(&(entry.device, entry.inode));
                    self.begun = None;
                    if !outlet.take_back() {
                        self.cut_off(target, error);
                        return Ok(Sent::Cut);
                    }
                    self.leave_out(&target, error);
                    continue;
                }
                sent => sent?,
            }
            if !entry.is_dir() {
                self.ctx.progress.advance(1, 0);
            }
            self.written.extend(self.begun.take());
        }
        Ok(Sent::All)
    }

    async fn send_entry(
        &mut self,
        source: &mut dyn EntrySource,
        entry: &Entry,
        target: &RawPath,
        outlet: &mut Outlet<'_>,
    ) -> Result<()> {
        let name = archive_name(target);
        let inode = (entry.device, entry.inode);
        if entry.is_hard_linked() {
            if let Some(first) = self.first_names.get(&inode) {
                let header = tar::header(entry, &name, 0, Some(first), &[]);
                self.ctx.progress.advance(0, entry.size_bytes);
                return outlet.put(&header).await;
            }
            self.first_names.insert(inode, name.clone());
        }
        let size = entry.size_bytes;
        let holes = if entry.is_file() { source.holes() } else { Vec::new() };
        outlet.put(&tar::header(entry, &name, size, None, &holes)).await?;
        if !entry.is_file() || size == 0 {
            return Ok(());
        }
        let mut content = source.content();
        let mut at = 0;
        for (offset, length) in tar::data_segments(size, &holes).into_iter().chain([(size, 0)]) {
            let end = offset + length;
            while at < end {
                self.ctx.check()?;
                // Up to the segment are the zeros of a hole, which are not sent.
                let (limit, is_data) = if at < offset { (offset - at, false) } else { (end - at, true) };
                let room = outlet.room(limit).await?;
                let read = content
                    .read(room)
                    .await
                    .map_err(|e| Error::io(format!("Cannot read {} from the backup", entry.path), e))?;
                if read == 0 {
                    let why = format!("Cannot restore {target}: the backup holds {at} bytes where {size} are recorded");
                    return Err(
                        Error::new(ErrorClass::Corrupt, why).hint("Verify the backup, and restore an older one")
                    );
                }
                if is_data {
                    outlet.filled(read);
                }
                at += read as u64;
                self.ctx.progress.advance(0, read as u64);
            }
        }
        outlet.put(&vec![0; tar::padding(tar::stored_size(size, &holes))]).await
    }
}
