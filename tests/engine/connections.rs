//! Connections that stay open from a preview to its restore.
#![cfg(unix)]

use crate::support::{World, files, text, tree};
use backstay_contract::{RestoreRequest, ServerDraft};
use backstay_lab::proxy::FaultProxy;
use backstay_lab::ssh::Sshd;
use std::sync::atomic::Ordering;

impl World {
    /// Adds the server "lab", reached through a proxy; returns its id.
    pub async fn server_behind(&self, sshd: &Sshd, proxy: &FaultProxy) -> String {
        self.parts.network.store(true, Ordering::SeqCst);
        let draft = ServerDraft {
            name: "lab".into(),
            host: "127.0.0.1".into(),
            port: proxy.port(),
            user: sshd.root().name.clone(),
            auth: "key".into(),
            key_file: Some(text(&sshd.key_file())),
            fingerprint: Some(sshd.fingerprint()),
            ..ServerDraft::default()
        };
        self.engine.save_server(draft).await.unwrap().id
    }
}

struct Backed {
    world: World,
    proxy: FaultProxy,
    server: String,
    backup: String,
    /// Runs as long as the test.
    _sshd: Sshd,
}

impl Backed {
    async fn up() -> Option<Self> {
        let sshd = Sshd::start()?;
        let world = World::new().await;
        let proxy = FaultProxy::start(sshd.port()).await.unwrap();
        let server = world.server_behind(&sshd, &proxy).await;
        world.write("data/a.txt", b"a");
        world.write("data/sub/b.txt", b"b");
        let destination = world.vault().await;
        let plan = world.plan_at(&server, "p", &destination, vec![files(&world.path("data"))]).await;
        let run = world.back_up(&plan).await;
        assert_eq!(run.row.state, "done", "{:?}", run.row.error);
        Some(Self { world, proxy, server, backup: run.row.backup.unwrap(), _sshd: sshd })
    }
    async fn preview(&self) -> String {
        let request = RestoreRequest {
            backup: self.backup.clone(),
            server: self.server.clone(),
            target: Some(text(&self.world.path("restored"))),
            mode: "merge".into(),
            ..RestoreRequest::default()
        };
        self.world.engine.plan_restore(request).await.unwrap().id
    }
    async fn restore(&self, preview: &str) {
        let run = self.world.engine.start_restore(preview, None).await.unwrap();
        let run = self.world.end(&run).await;
        assert_eq!(run.row.state, "done", "{:?}", run.row.error);
        let restored = tree(&self.world.path("restored"));
        assert!(!restored.is_empty());
        std::fs::remove_dir_all(self.world.path("restored")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn previews_and_the_restore_go_over_one_connection() {
    let Some(backed) = Backed::up().await else { return };
    let before = backed.proxy.connections();
    backed.preview().await;
    let last = backed.preview().await;
    backed.restore(&last).await;
    assert_eq!(backed.proxy.connections(), before + 1);
    // The restore has closed it.
    let again = backed.preview().await;
    assert_eq!(backed.proxy.connections(), before + 2);
    backed.restore(&again).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_since_the_preview_is_opened_anew() {
    let Some(backed) = Backed::up().await else { return };
    let preview = backed.preview().await;
    backed.proxy.cut_now();
    backed.restore(&preview).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_leaves_the_connection_to_who_browses() {
    let Some(backed) = Backed::up().await else { return };
    let preview = backed.preview().await;
    let folder = text(&backed.world.path("data"));
    let browse = backed.world.engine.browse_server(&backed.server, &folder);
    let (listing, ()) = tokio::join!(browse, backed.restore(&preview));
    assert_eq!(listing.unwrap().entries.len(), 2);
}
