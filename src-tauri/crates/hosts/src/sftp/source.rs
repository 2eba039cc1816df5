//! A server's files for a destination: connections of their own, opened when they are needed and again after a loss.

use crate::{ConnectOptions, HostSecrets};
use async_trait::async_trait;
use backstay_core::config::SshConnection;
use backstay_core::host::HostKeyPins;
use backstay_core::remote::{RemoteFiles, RemoteFilesSource};
use backstay_core::{Error, ErrorClass, Result};
use std::sync::Arc;

struct Source {
    name: String,
}

/// Returns the files of a server over SFTP. `name` is how messages call the server; `channels` is how many SFTP channels
/// may be open at the same time at most. Connects at the first [`RemoteFilesSource::open`].
pub fn remote_files_source(
    name: &str,
    _connection: &SshConnection,
    _secrets: HostSecrets,
    _pins: Arc<dyn HostKeyPins>,
    _options: ConnectOptions,
    _channels: usize,
) -> Arc<dyn RemoteFilesSource> {
    Arc::new(Source { name: name.to_owned() })
}

#[async_trait]
impl RemoteFilesSource for Source {
    fn label(&self) -> &str {
        &self.name
    }
    async fn open(&self) -> Result<Arc<dyn RemoteFiles>> {
        Err(Error::new(ErrorClass::Unsupported, format!("Cannot open {} yet", self.name)))
    }
}
