//! The facade's signatures, before their bodies.

use crate::Parts;
use backstay_contract::*;
use backstay_core::{Error, ErrorClass, Result};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::broadcast;

/// The whole application behind one handle. Cheap to clone; all methods may run at the same time.
#[derive(Clone)]
pub struct Backstay {
    events: broadcast::Sender<Event>,
}

fn pending<T>() -> Result<T> {
    Err(Error::new(ErrorClass::Unsupported, "This is not built yet"))
}

impl Backstay {
    /// Opens the application over its parts, with its state in `home`. Needs a Tokio runtime.
    pub async fn open(home: PathBuf, parts: Arc<dyn Parts>) -> Result<Self> {
        let _ = (home, parts);
        Ok(Self { events: broadcast::channel(1024).0 })
    }

    /// Returns a receiver of everything that changes from now on. One that lags behind should read all anew.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Returns what this installation is.
    pub async fn app_info(&self) -> Result<AppInfo> {
        pending()
    }

    /// Returns the settings.
    pub async fn settings(&self) -> Result<Settings> {
        pending()
    }

    /// Stores the settings.
    pub async fn save_settings(&self, settings: Settings) -> Result<Settings> {
        let _ = (settings,);
        pending()
    }

    /// Tells where secrets rest and whether they can be read now.
    pub async fn secrets_status(&self) -> Result<SecretsStatus> {
        pending()
    }

    /// Opens the sealed file of secrets.
    pub async fn secrets_unlock(&self, passphrase: &str) -> Result<SecretsStatus> {
        let _ = (passphrase,);
        pending()
    }

    /// Makes a sealed file of secrets.
    pub async fn secrets_create_file(&self, passphrase: &str) -> Result<SecretsStatus> {
        let _ = (passphrase,);
        pending()
    }

    /// Returns the first screen.
    pub async fn overview(&self) -> Result<Overview> {
        pending()
    }

    /// Returns all servers.
    pub async fn servers(&self) -> Result<Vec<ServerRow>> {
        pending()
    }

    /// Returns one server whole.
    pub async fn server(&self, id: &str) -> Result<ServerDetail> {
        let _ = (id,);
        pending()
    }

    /// Returns the hosts of `~/.ssh/config`, ready to be picked.
    pub async fn ssh_config_hosts(&self) -> Result<Vec<SshConfigHost>> {
        pending()
    }

    /// Asks for the host keys on the way to a server.
    pub async fn probe_host_key(&self, draft: ServerDraft) -> Result<HostKeyReport> {
        let _ = (draft,);
        pending()
    }

    /// Logs in to a server and tells step by step whether a backup could work.
    pub async fn test_server(&self, draft: ServerDraft) -> Result<ConnectionTest> {
        let _ = (draft,);
        pending()
    }

    /// Looks what is on a server.
    pub async fn discover_server(&self, draft: ServerDraft) -> Result<ServerFactsView> {
        let _ = (draft,);
        pending()
    }

    /// Adds a server, or changes it when `id` is set.
    pub async fn save_server(&self, draft: ServerDraft) -> Result<ServerRow> {
        let _ = (draft,);
        pending()
    }

    /// Removes a server.
    pub async fn remove_server(&self, id: &str) -> Result<()> {
        let _ = (id,);
        pending()
    }

    /// Lists a folder of a server.
    pub async fn browse_server(&self, id: &str, path: &str) -> Result<Listing> {
        let _ = (id, path);
        pending()
    }

    /// Returns all destinations.
    pub async fn destinations(&self) -> Result<Vec<DestinationRow>> {
        pending()
    }

    /// Tests a destination step by step.
    pub async fn test_destination(&self, draft: DestinationDraft) -> Result<DestinationTest> {
        let _ = (draft,);
        pending()
    }

    /// Adds a destination: makes a vault there or opens the one that is there.
    pub async fn add_destination(&self, draft: DestinationDraft) -> Result<DestinationAdded> {
        let _ = (draft,);
        pending()
    }

    /// Forgets a destination; what lies there stays.
    pub async fn remove_destination(&self, id: &str) -> Result<()> {
        let _ = (id,);
        pending()
    }

    /// Returns a destination's recovery kit.
    pub async fn recovery_kit(&self, id: &str) -> Result<RecoveryKit> {
        let _ = (id,);
        pending()
    }

    /// Writes a recovery kit into a file, as "html" or "txt".
    pub async fn save_recovery_kit(&self, id: &str, file: &str, format: &str) -> Result<()> {
        let _ = (id, file, format);
        pending()
    }

    /// Compares one word of the vault's password (counted from 1) with what the user read from the printed kit.
    pub async fn confirm_recovery_kit(&self, id: &str, word_number: u32, word: &str) -> Result<bool> {
        let _ = (id, word_number, word);
        pending()
    }

    /// Reads a destination's backups anew and returns how many there are.
    pub async fn refresh_destination(&self, id: &str) -> Result<u64> {
        let _ = (id,);
        pending()
    }

    /// Returns all plans.
    pub async fn plans(&self) -> Result<Vec<PlanRow>> {
        pending()
    }

    /// Returns one plan whole.
    pub async fn plan(&self, id: &str) -> Result<PlanView> {
        let _ = (id,);
        pending()
    }

    /// Adds a plan, or changes it when `id` is set.
    pub async fn save_plan(&self, draft: PlanDraft) -> Result<PlanRow> {
        let _ = (draft,);
        pending()
    }

    /// Removes a plan; its backups stay.
    pub async fn remove_plan(&self, id: &str) -> Result<()> {
        let _ = (id,);
        pending()
    }

    /// Leaves paths out of a plan's files from now on.
    pub async fn exclude_from_plan(&self, id: &str, paths: Vec<String>) -> Result<PlanRow> {
        let _ = (id, paths);
        pending()
    }

    /// Starts a plan's backup and returns the run's id.
    pub async fn start_backup(&self, plan: &str) -> Result<String> {
        let _ = (plan,);
        pending()
    }

    /// Returns a page of backups.
    pub async fn backups(&self, filter: BackupFilter) -> Result<BackupPage> {
        let _ = (filter,);
        pending()
    }

    /// Returns one backup whole.
    pub async fn backup(&self, id: &str) -> Result<BackupDetail> {
        let _ = (id,);
        pending()
    }

    /// Lists a folder of a backup.
    pub async fn backup_list(&self, id: &str, path: &str) -> Result<Vec<BackupEntry>> {
        let _ = (id, path);
        pending()
    }

    /// Finds entries of a backup by a part of their path.
    pub async fn backup_search(&self, id: &str, text: &str) -> Result<Vec<BackupEntry>> {
        let _ = (id, text);
        pending()
    }

    /// Compares two backups.
    pub async fn backup_diff(&self, older: &str, newer: &str) -> Result<DiffView> {
        let _ = (older, newer);
        pending()
    }

    /// Works out what a restore would do; nothing is changed.
    pub async fn plan_restore(&self, request: RestoreRequest) -> Result<RestorePreview> {
        let _ = (request,);
        pending()
    }

    /// Returns a page of a preview's list: "create", "overwrite" or "delete".
    pub async fn restore_preview_page(
        &self,
        preview: &str,
        change: &str,
        text: &str,
        offset: u64,
        limit: u64,
    ) -> Result<ChangePage> {
        let _ = (preview, change, text, offset, limit);
        pending()
    }

    /// Starts the restore that was previewed and returns the run's id.
    pub async fn start_restore(&self, preview: &str, typed_name: Option<String>) -> Result<String> {
        let _ = (preview, typed_name);
        pending()
    }

    /// Starts a download and returns the run's id.
    pub async fn start_download(&self, request: DownloadRequest) -> Result<String> {
        let _ = (request,);
        pending()
    }

    /// Starts reading a backup back whole and returns the run's id.
    pub async fn start_verify(&self, backup: &str) -> Result<String> {
        let _ = (backup,);
        pending()
    }

    /// Returns a page of runs, newest first.
    pub async fn runs(&self, filter: RunFilter) -> Result<RunPage> {
        let _ = (filter,);
        pending()
    }

    /// Returns one run whole.
    pub async fn run(&self, id: &str) -> Result<RunDetail> {
        let _ = (id,);
        pending()
    }

    /// Returns a page of a run's problems.
    pub async fn run_problems(&self, id: &str, text: &str, offset: u64, limit: u64) -> Result<ProblemPage> {
        let _ = (id, text, offset, limit);
        pending()
    }

    /// Cancels a run; one that is over already stays as it is.
    pub async fn cancel_run(&self, id: &str) -> Result<()> {
        let _ = (id,);
        pending()
    }

    /// Returns a page of the audit log, newest first.
    pub async fn audit(&self, offset: u64, limit: u64) -> Result<AuditPage> {
        let _ = (offset, limit);
        pending()
    }

    /// Recomputes the audit log's chain.
    pub async fn verify_audit(&self) -> Result<AuditCheck> {
        pending()
    }

    /// Writes the audit log into a file, one JSON object a line.
    pub async fn export_audit(&self, file: &str) -> Result<()> {
        let _ = (file,);
        pending()
    }
}
