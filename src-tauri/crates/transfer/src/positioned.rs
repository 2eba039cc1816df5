//! Reading and writing at an offset: the standard library has it for each system under another name.

use std::fs::File;
use std::io;

/// Writes all of `content` at `offset`. Where the file's own position is afterwards is not told.
#[cfg(unix)]
pub fn write_all_at(file: &File, content: &[u8], offset: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    file.write_all_at(content, offset)
}

/// Reads at `offset` what one call gives; 0 at the end. Where the file's own position is afterwards is not told.
#[cfg(unix)]
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    use std::os::unix::fs::FileExt;
    file.read_at(buffer, offset)
}

/// Writes all of `content` at `offset`. Where the file's own position is afterwards is not told.
#[cfg(windows)]
pub fn write_all_at(file: &File, mut content: &[u8], mut offset: u64) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !content.is_empty() {
        let written = file.seek_write(content, offset)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        content = &content[written..];
        offset += written as u64;
    }
    Ok(())
}

/// Reads at `offset` what one call gives; 0 at the end. Where the file's own position is afterwards is not told.
#[cfg(windows)]
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    use std::os::windows::fs::FileExt;
    file.seek_read(buffer, offset)
}
