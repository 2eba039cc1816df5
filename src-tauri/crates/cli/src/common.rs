//! What all verbs share: the session, and names looked up.

use crate::options::ProgressForm;
use crate::watch::Stops;
use backstay_contract::{BackupFilter, BackupRow, DestinationRow, PlanRow, ServerRow};
use backstay_core::{Error, ErrorClass, Result};
use backstay_engine::Backstay;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows asked for at once; the engine gives no more.
const PAGE: u64 = 1000;

/// One call of the program.
pub struct Session {
    pub backstay: Backstay,
    pub json: bool,
    pub progress: ProgressForm,
    pub stops: Arc<Stops>,
}

impl Session {
    /// Finds a server by name or id.
    pub async fn server(&self, name: &str) -> Result<ServerRow> {
        let rows = self.backstay.servers().await?;
        rows.into_iter()
            .find(|row| row.name == name || row.id == name)
            .ok_or_else(|| missing("server", name, "backstay server list"))
    }
    /// Finds a destination's id by its name or id. No destination is asked: another one may be offline.
    pub fn destination_id(&self, name: &str) -> Result<String> {
        let found = self.backstay.destination_id(name)?;
        found.ok_or_else(|| missing("destination", name, "backstay destination list"))
    }
    /// Finds a destination by name or id, and looks how it stands.
    pub async fn destination(&self, name: &str) -> Result<DestinationRow> {
        self.backstay.destination_row(&self.destination_id(name)?).await
    }
    /// Finds a plan by name or id.
    pub async fn plan(&self, name: &str) -> Result<PlanRow> {
        let rows = self.backstay.plans().await?;
        rows.into_iter()
            .find(|row| row.name == name || row.id == name)
            .ok_or_else(|| missing("plan", name, "backstay plan list"))
    }
    /// Finds a backup by its id, the start of it, or as `PLAN@latest`.
    pub async fn backup(&self, text: &str) -> Result<String> {
        let Some(plan) = text.strip_suffix("@latest") else { return Ok(text.to_owned()) };
        let newest = self.newest(plan).await?;
        newest.map(|row| row.id).ok_or_else(|| {
            Error::new(ErrorClass::Missing, format!("There is no backup of the plan {plan}"))
                .hint(format!("Make one: backstay backup {plan}"))
        })
    }
    async fn newest(&self, plan: &str) -> Result<Option<BackupRow>> {
        let known = self.backstay.plans().await?.into_iter().find(|row| row.name == plan || row.id == plan);
        if let Some(row) = known {
            let filter = BackupFilter { plan: Some(row.id), limit: 1, ..BackupFilter::default() };
            let newest = self.backstay.backups(filter).await?.rows.into_iter().next();
            if newest.is_some() {
                return Ok(newest);
            }
        }
        // The plan may be of another computer: its backups still carry its name.
        let filter = BackupFilter { text: plan.to_owned(), limit: 1000, ..BackupFilter::default() };
        let rows = self.backstay.backups(filter).await?.rows;
        Ok(rows.into_iter().find(|row| row.plan_name == plan))
    }
}

fn missing(what: &str, name: &str, list: &str) -> Error {
    Error::new(ErrorClass::Missing, format!("There is no {what} called {name}")).hint(format!("See: {list}"))
}

/// Returns all rows of what comes in pages. `page` takes where to begin and how many rows to return; it returns them, and
/// how many there are in all.
pub async fn all_pages<T>(page: impl AsyncFn(u64, u64) -> Result<(Vec<T>, u64)>) -> Result<Vec<T>> {
    let mut rows = Vec::new();
    loop {
        let (more, total) = page(rows.len() as u64, PAGE).await?;
        let is_last = more.is_empty();
        rows.extend(more);
        if is_last || rows.len() as u64 >= total {
            return Ok(rows);
        }
    }
}

/// Makes a path absolute against the current folder: the engine has no current folder.
pub fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|e| Error::io(format!("Cannot use the path {}", path.display()), e))
}

/// Returns a path as text.
pub fn path_text(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Error::new(ErrorClass::Invalid, format!("Cannot use {}: the path is not valid UTF-8", path.display()))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[tokio::test]
    async fn all_pages_are_read_to_the_last_row() {
        let rows = all_pages(async |offset, limit| Ok(((offset..2_500.min(offset + limit)).collect(), 2_500))).await;
        assert_eq!(rows.unwrap(), (0..2_500).collect::<Vec<u64>>());
        // What grew shorter meanwhile ends as well.
        let rows = all_pages(async |offset, _| Ok((if offset == 0 { vec!["first"] } else { Vec::new() }, 5))).await;
        assert_eq!(rows.unwrap(), ["first"]);
    }
}
