//! A plan that writes to two places.

use super::{World, tree};
use backstay_contract::{BackupRow, DestinationDraft, LayoutDraft, RunDetail};
use backstay_core::Result;
use backstay_lab::MemoryDestination;

/// A plan of the folder `data`, written to two buckets: their ids, and what lies in them.
pub struct Pair {
    pub world: World,
    pub a: (String, MemoryDestination),
    pub b: (String, MemoryDestination),
    pub plan: String,
}

impl Pair {
    /// Both hold one vault.
    pub async fn of_a_vault(world: World) -> Self {
        let drafts = [world.bucket("a"), world.bare_bucket("b")];
        Self::over(world, drafts, LayoutDraft::default()).await
    }
    /// Both hold archives.
    pub async fn of_archives(world: World, layout: LayoutDraft) -> Self {
        let drafts = [world.bare_bucket("a"), world.bare_bucket("b")];
        Self::over(world, drafts, layout).await
    }
    async fn over(world: World, [a, b]: [DestinationDraft; 2], layout: LayoutDraft) -> Self {
        let ids = [world.add(a).await, world.add(b).await];
        let plan = world.plan_of_data(&ids, layout).await;
        let bucket = |name: &str| world.parts.buckets.of(&format!("bucket-{name}"));
        let [a, b] = ids;
        let (a, b) = ((a, bucket("a")), (b, bucket("b")));
        Self { world, a, b, plan }
    }
    pub async fn newest(&self) -> BackupRow {
        self.world.engine.backups(Default::default()).await.unwrap().rows.remove(0)
    }
    pub async fn restore(&self, backup: &str, folder: &str) -> Result<RunDetail> {
        Ok(self.restore_warned(backup, folder).await?.0)
    }
    /// Restores, and returns what the preview warned of as well.
    pub async fn restore_warned(&self, backup: &str, folder: &str) -> Result<(RunDetail, Vec<String>)> {
        let preview = self.world.engine.plan_restore(self.world.restore_request(backup, folder)).await?;
        let run = self.world.engine.start_restore(&preview.id, None).await?;
        Ok((self.world.end(&run).await, preview.warnings))
    }
    /// What was restored into a folder is what was backed up.
    pub fn compare(&self, folder: &str) {
        assert_eq!(tree(&self.world.path(folder)), tree(&self.world.path("data")));
    }
}
