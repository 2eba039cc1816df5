//! What goes into the server's tar.

use super::{Restorer, archive_name};
use crate::files::outlet::Outlet;
use backstay_core::entry::{Entry, EntrySource, EntryType};
use backstay_core::{Error, ErrorClass, RawPath, Result, tar};
use std::collections::HashSet;
use tokio::io::AsyncReadExt;

impl Restorer<'_> {
    /// Sends what is picked of the backup. A file that is damaged there is left out, or set aside where tar has some of it
    /// already.
    pub(super) async fn send_all(
        &mut self,
        source: &mut dyn EntrySource,
        paths: &HashSet<RawPath>,
        outlet: &mut Outlet<'_>,
    ) -> Result<()> {
        while let Some(entry) = source.next().await? {
            self.ctx.check()?;
            if !paths.contains(&entry.path) || entry.kind == EntryType::Socket {
                continue;
            }
            let target = self.options.target(&entry.path)?;
            self.ctx.progress.current(&target.to_text());
            outlet.begin(tar::stored_size(entry.size_bytes, &[])).await?;
            match self.send_entry(source, &entry, &target, outlet).await {
                Err(error) if error.class == ErrorClass::Corrupt => {
                    // Another of its names must not lead to what was never sent whole.
                    self.first_names.remove(&(entry.device, entry.inode));
                    if outlet.take_back() {
                        self.leave_out(&target, error);
                    } else {
                        self.fill_up(target, error, outlet).await?;
                    }
                    continue;
                }
                sent => sent?,
            }
            if !entry.is_dir() {
                self.ctx.progress.advance(1, 0);
            }
            self.written.push((entry, target));
        }
        Ok(())
    }

    async fn send_entry(
        &mut self,
        source: &mut dyn EntrySource,
        entry: &Entry,
        target: &RawPath,
        outlet: &mut Outlet<'_>,
    ) -> Result<()> {
        self.awaited = 0;
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
        let padding = tar::padding(tar::stored_size(size, &holes));
        self.awaited = tar::stored_size(size, &holes) + padding as u64;
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
                    self.awaited -= read as u64;
                }
                at += read as u64;
                self.ctx.progress.advance(0, read as u64);
            }
        }
        outlet.put(&vec![0; padding]).await
    }
}
