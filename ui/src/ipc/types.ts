// What crosses the wire, as the contract crate writes it. Replaced by the generated bindings once they exist.

/** An error over IPC and in `--json`. `code` is an error class ("offline", "refused", …); the window acts on nothing else. */
export type IpcError = {
  /** The class. */
  code: string;
  /** What was tried, on what, why it failed. */
  message: string;
  /** What to do next. */
  hint: string | null;
  /** Technical detail. */
  detail: string | null;
};

/** About this installation. */
export type AppInfo = {
  /** Version. */
  version: string;
  /** "linux", "macos" or "windows". */
  platform: string;
  /** Where state lives. */
  home: string;
  /** The user's home folder on this computer, for file dialogs. */
  user_home: string;
  /** The user's name on this computer, as the audit log writes it. */
  user: string;
};

/** The window's and the app's settings. */
export type Settings = {
  /** "system", "light" or "dark". */
  theme: string;
  /** Notify when a run ends: "never", "problems" or "always". */
  notify: string;
  /** A run without any progress for so many minutes fails; 0 means never. */
  stall_minutes: number;
  /** A server without a good backup for so many days is stale. */
  stale_days: number;
};

/** Where secrets rest, and whether they can be read now. */
export type SecretsStatus = {
  /** "keyring", "file" or "none". */
  backend: string;
  /** "ready", "locked" (give the passphrase), "not_set_up" (no keyring: make a sealed file). */
  state: string;
  /** Why the keyring is not used, in words. */
  reason: string | null;
  /** The sealed file's path, where one is used or would be. */
  file: string | null;
};

/** The first screen. */
export type Overview = {
  /** Servers with their protection. */
  servers: ServerRow[];
  /** What needs the user, most urgent first. */
  needs: Need[];
  /** Bytes at all destinations; `None` while unknown. */
  stored_bytes: number | null;
  /** Bytes of the newest backup of each plan, added up: what would come back. */
  protected_bytes: number;
  /** Bytes added in the last 7 days. */
  added_bytes_7d: number;
  /** Counts for the sidebar. */
  counts: Counts;
  /** Steps of a new installation, done or not. */
  first_steps: FirstSteps;
  /** Runs going on or waiting. */
  active: RunRow[];
};

/** Counts for the sidebar. */
export type Counts = {
  /** Servers. */
  servers: number;
  /** Plans. */
  plans: number;
  /** Backups. */
  backups: number;
  /** Destinations. */
  destinations: number;
};

/** Steps of a new installation. */
export type FirstSteps = {
  /** A server other than this computer was added. */
  server: boolean;
  /** A destination was added. */
  destination: boolean;
  /** A plan was made. */
  plan: boolean;
  /** A backup was made. */
  backup: boolean;
};

/** One thing that needs the user. */
export type Need = {
  /** "no_backup", "failed", "problems", "interrupted", "kit_not_confirmed", "secrets_locked". */
  kind: string;
  /** The subject: a plan's, server's or destination's name. */
  subject: string;
  /** What is the matter, in words. */
  text: string;
  /** The plan to act on. */
  plan: string | null;
  /** The server to act on. */
  server: string | null;
  /** The destination to act on. */
  destination: string | null;
  /** The run to look at. */
  run: string | null;
};

/** One audit entry. */
export type AuditRow = {
  /** Number. */
  seq: number;
  /** When. */
  at: number;
  /** Who. */
  who: string;
  /** What. */
  action: string;
  /** On what. */
  subject: string;
  /** How it ended. */
  outcome: string;
  /** Its hash. */
  hash: string;
};

/** A page of audit entries, newest first. */
export type AuditPage = {
  /** Rows. */
  rows: AuditRow[];
  /** In all. */
  total: number;
};

/** Whether the audit chain is whole. */
export type AuditCheck = {
  /** Good entries. */
  good: number;
  /** What is wrong, if anything. */
  fault: string | null;
};

/** A line of the server list. */
export type ServerRow = {
  /** Id. */
  id: string;
  /** Name. */
  name: string;
  /** "this computer" or "root@10.0.0.5:22". */
  address: string;
  /** Whether it is this computer. */
  local: boolean;
  /** Operating system, where known. */
  os: string | null;
  /** Kinds found there. */
  kinds: string[];
  /** Plans that read it. */
  plans: number;
  /** When its newest good backup was made. */
  last_backup: number | null;
  /** Size of that backup. */
  last_bytes: number | null;
  /** At how many destinations it lies. */
  places: number;
  /** When a backup of it was last restored or read back whole. */
  last_proof: number | null;
  /** "protected", "problems", "stale", "never" (plans but no backup), "unplanned", "running", "failed". */
  state: string;
  /** Why, in a few words. */
  state_text: string;
};

/** One server whole. */
export type ServerDetail = {
  /** Its row. */
  row: ServerRow;
  /** How it is reached, as the wizard would show it; without secrets. */
  draft: ServerDraft;
  /** What was found last. */
  facts: ServerFactsView | null;
  /** The route in words. */
  route: string;
  /** The pinned fingerprint. */
  fingerprint: string | null;
};

/** How a server is reached, as the wizard fills it in. Secrets come in and never go out: `None` keeps what is stored. */
export type ServerDraft = {
  /** Set when an existing server is changed. */
  id: string | null;
  /** Name. */
  name: string;
  /** This computer. */
  local: boolean;
  /** Host name or address. */
  host: string;
  /** Port. */
  port: number;
  /** User. */
  user: string;
  /** "agent", "key" or "password". */
  auth: string;
  /** The key file, for "key". */
  key_file: string | null;
  /** The key's passphrase. */
  key_passphrase: string | null;
  /** The password, for "password". */
  password: string | null;
  /** "none", "without_password" or "with_password". */
  sudo: string;
  /** Sudo's password; `None` for "with_password" on a password log-in means the same one. */
  sudo_password: string | null;
  /** Jump hosts, first one first. */
  jumps: JumpDraft[];
  /** The accepted fingerprint, `SHA256:…`. */
  fingerprint: string | null;
};

/** A jump host. Logs in by the agent, or by its own key file. */
export type JumpDraft = {
  /** Host name or address. */
  host: string;
  /** Port. */
  port: number;
  /** User. */
  user: string;
  /** "same" (as the server itself), "agent" or "key". */
  auth: string;
  /** The key file, for "key". */
  key_file: string | null;
  /** The accepted fingerprint. */
  fingerprint: string | null;
};

/** A host of `~/.ssh/config`, ready to be picked. */
export type SshConfigHost = {
  /** The alias. */
  alias: string;
  /** Filled-in draft. */
  draft: ServerDraft;
  /** "root@10.0.0.5:22 through bastion, key ~/.ssh/id_ed25519". */
  summary: string;
};

/** What the server's host key is, asked for before any log-in. */
export type HostKeyReport = {
  /** The keys on the way, jump hosts first, the server last. Later hosts are missing while an earlier one is unknown. */
  keys: HostKeyView[];
};

/** One host key. */
export type HostKeyView = {
  /** "10.0.0.5:22". */
  host: string;
  /** "ssh-ed25519". */
  algorithm: string;
  /** `SHA256:…`. */
  fingerprint: string;
  /** "pinned" (known and equal), "known_hosts" (in the user's known_hosts and equal), "unknown", "changed". */
  state: string;
  /** For "changed": the fingerprint expected. */
  expected: string | null;
};

/** A step of a test, ticked live. */
export type TestStep = {
  /** What was tried. */
  title: string;
  /** "ok", "note", "failed" or "skipped". */
  state: string;
  /** What came of it. */
  text: string;
  /** What to do about it. */
  hint: string | null;
};

/** The result of a connection test. */
export type ConnectionTest = {
  /** Whether a backup could work. */
  ok: boolean;
  /** The route in words. */
  route: string;
  /** The steps. */
  steps: TestStep[];
  /** A ready line for `/etc/sudoers.d`, where sudo was asked for and refused. */
  sudoers: string | null;
};

/** What was found on a server. */
export type ServerFactsView = {
  /** When. */
  seen: number | null;
  /** Operating system. */
  os: string;
  /** Kernel and machine. */
  kernel: string;
  /** Host name. */
  hostname: string;
  /** The user we are there. */
  user: string;
  /** Tools with versions. */
  tools: NamedText[];
  /** File systems. */
  space: SpaceView[];
  /** Big or telling folders. */
  folders: FolderView[];
  /** Databases and other things to tick. */
  found: FoundView[];
  /** Whether commands can run there (false: SFTP only). */
  commands: boolean;
};

/** A name and a text. */
export type NamedText = {
  /** Name. */
  name: string;
  /** Text. */
  text: string;
};

/** A file system. */
export type SpaceView = {
  /** Mount point. */
  path: string;
  /** Total. */
  total_bytes: number;
  /** Free. */
  free_bytes: number;
};

/** A folder worth a look. */
export type FolderView = {
  /** Path. */
  path: string;
  /** Size where known. */
  bytes: number | null;
};

/** Something found, ready to be ticked. */
export type FoundView = {
  /** Kind. */
  kind: string;
  /** "MariaDB 10.11: shop". */
  title: string;
  /** More words. */
  note: string;
  /** Size where known. */
  bytes: number | null;
  /** The item to put into a plan. */
  item: ItemDraft;
  /** Tick it without being asked. */
  suggested: boolean;
};

/** One folder of a server. */
export type Listing = {
  /** The folder. */
  path: string;
  /** Its parent; `None` at the root. */
  parent: string | null;
  /** What is in it, folders first, by name. */
  entries: ListingEntry[];
};

/** One line of a folder. */
export type ListingEntry = {
  /** Name, in text form. */
  name: string;
  /** Full path, in text form. */
  path: string;
  /** "dir", "file", "link" or "other". */
  kind: string;
  /** Size. */
  bytes: number;
  /** Last change, Unix milliseconds. */
  modified: number;
};

/** A line of the destination list. */
export type DestinationRow = {
  /** Id. */
  id: string;
  /** Name. */
  name: string;
  /** "local". */
  kind: string;
  /** "/mnt/backup". */
  place: string;
  /** Bytes used by the vault; `None` while unknown or out of reach. */
  used_bytes: number | null;
  /** Free room. */
  free_bytes: number | null;
  /** Total room. */
  total_bytes: number | null;
  /** Backups there. */
  backups: number;
  /** Plans that write to it. */
  plans: number;
  /** "ok", "offline", "locked" (its key cannot be read), "kit_not_confirmed". */
  state: string;
  /** Why, in words. */
  state_text: string;
};

/** A destination as the wizard fills it in. */
export type DestinationDraft = {
  /** Name. */
  name: string;
  /** "local". */
  kind: string;
  /** The folder, for "local". */
  path: string;
  /** The vault's password: given to open an existing one, or to choose one; else a strong one is made. */
  vault_password: string | null;
};

/** The result of a destination's test. */
export type DestinationTest = {
  /** Whether it can be used. */
  ok: boolean;
  /** The steps. */
  steps: TestStep[];
  /** "empty" (a vault will be made), "vault" (there is one: its password is needed), "foreign" (other files are there; a vault is made beside them only if the user picks an empty folder). */
  found: string;
};

/** What adding a destination gave. */
export type DestinationAdded = {
  /** The destination. */
  destination: DestinationRow;
  /** Whether a new vault was made (false: an existing one was opened). */
  created: boolean;
  /** Backups found in it. */
  backups: number;
  /** The kit to print; shown once more any time by `recovery_kit`. */
  kit: RecoveryKit;
  /** Which word of the password (1-based) the wizard asks back. */
  ask_word: number;
};

/** Everything needed to restore without Backstay. */
export type RecoveryKit = {
  /** The destination's name. */
  destination: string;
  /** The repository as restic takes it with `-r`. */
  repository: string;
  /** The vault's id. */
  vault_id: string;
  /** The password: words joined by `-` when Backstay made it. */
  password: string;
  /** The password's words, numbered from 1 on the page. */
  words: string[];
  /** When it was made, Unix milliseconds. */
  created: number;
  /** The printable page, self-contained HTML. */
  html: string;
  /** The same as plain text. */
  text: string;
};

/** A line of the plan list. */
export type PlanRow = {
  /** Id. */
  id: string;
  /** Name. */
  name: string;
  /** The server's id. */
  server: string;
  /** The server's name. */
  server_name: string;
  /** The items in words: "/srv/www · all databases". */
  what: string;
  /** The kinds. */
  kinds: string[];
  /** The destinations' names. */
  destinations: string[];
  /** When it last ran, whatever came of it. */
  last_run: number | null;
  /** The last run's id. */
  last_run_id: string | null;
  /** The last run's state, or "never". */
  state: string;
  /** Why, in a few words: "2 problems", "connection refused". */
  state_text: string;
  /** When its newest good backup was made. */
  last_backup: number | null;
  /** Its size. */
  last_bytes: number | null;
};

/** A plan whole. */
export type PlanView = {
  /** Its row. */
  row: PlanRow;
  /** Its settings, as the wizard shows them. */
  draft: PlanDraft;
};

/** A plan as the wizard fills it in. */
export type PlanDraft = {
  /** Set when an existing plan is changed. */
  id: string | null;
  /** Name. */
  name: string;
  /** The server's id. */
  server: string;
  /** The items. */
  items: ItemDraft[];
  /** The destinations' ids, the primary first. */
  destinations: string[];
};

/** One item. `password` comes in and never goes out: `None` keeps what is stored. */
export type ItemDraft = {
  /** Its name, unique in the plan; empty lets Backstay choose. */
  name: string;
  /** The kind with its settings. */
  settings: ItemSettings;
  /** The password of its database log-in. */
  password: string | null;
};

/** Settings of kind "files". */
export type FilesSettings = {
  /** Absolute paths, text form. */
  paths: string[];
  /** Patterns left out: an absolute path, or a name pattern with `*`, `?`, `[…]` matched against any single path part ("*.log", "node_modules"), or, if it holds a slash inside, against the whole path. */
  excludes: string[];
  /** Do not cross into other file systems. */
  one_file_system: boolean;
};

/** Settings of kind "mysql". */
export type DatabaseSettings = {
  /** Databases by name; empty means all but the system's own. */
  databases: string[];
  /** Socket path on the server; empty means the tool's default. */
  socket: string;
  /** Host as seen from the server; empty means the socket. */
  host: string;
  /** Port; 0 means the default. */
  port: number;
  /** User; empty means the tool's default (the option files of the user there). */
  user: string;
};

/** Settings of kind "postgres". */
export type PostgresSettings = {
  /** Databases by name; empty means all but templates. */
  databases: string[];
  /** Socket folder or host as seen from the server; empty means the tool's default. */
  host: string;
  /** Port; 0 means the default. */
  port: number;
  /** User; empty means `postgres` by peer log-in (`sudo -u postgres` where we are root). */
  user: string;
  /** "custom" (pg_dump -Fc) or "plain". */
  format: string;
  /** Roles and tablespaces too (pg_dumpall --globals-only). */
  globals: boolean;
};

/** Settings of kind "sqlite". */
export type SqliteSettings = {
  /** Absolute paths of database files, text form. */
  paths: string[];
};

/** Which backups, in which order. */
export type BackupFilter = {
  /** Text in plan or server name, or the start of an id. */
  text: string;
  /** Of this server. */
  server: string | null;
  /** Of this plan. */
  plan: string | null;
  /** At this destination. */
  destination: string | null;
  /** With this kind in it. */
  kind: string | null;
  /** "good" or "problems"; `None` is both. */
  state: string | null;
  /** "started", "plan", "server", "size" or "added". */
  sort: string;
  /** Smallest first. */
  ascending: boolean;
  /** Skip so many. */
  offset: number;
  /** At most so many (1 to 1,000). */
  limit: number;
};

/** A page of backups. */
export type BackupPage = {
  /** Rows. */
  rows: BackupRow[];
  /** Matching in all. */
  total: number;
};

/** A line of the backup list. */
export type BackupRow = {
  /** Id. */
  id: string;
  /** When it began. */
  started: number;
  /** When it was committed. */
  ended: number;
  /** The plan's id, where known. */
  plan: string | null;
  /** The plan's name. */
  plan_name: string;
  /** The server's id, where known. */
  server: string | null;
  /** The server's name. */
  server_name: string;
  /** Kinds in it. */
  kinds: string[];
  /** "good" or "problems". */
  state: string;
  /** How many problems. */
  problems: number;
  /** Files. */
  files: number;
  /** Size of all in it. */
  bytes: number;
  /** What it added at the destination. */
  added_bytes: number;
  /** Names of the destinations it lies at. */
  destinations: string[];
  /** When its data was last read back whole. */
  verified: number | null;
};

/** One backup whole. */
export type BackupDetail = {
  /** Its row. */
  row: BackupRow;
  /** The backup before it of the same plan, if it is still there. */
  previous: string | null;
  /** Items in words, with their place in the tree. */
  items: BackupItem[];
  /** Files read and bytes read from the server. */
  files_read: number;
  /** Bytes read from the server. */
  bytes_read: number;
  /** Files new since the one before. */
  files_new: number;
  /** Files changed since the one before. */
  files_changed: number;
  /** Facts: tools and versions. */
  facts: string[];
  /** The first 100 problems. */
  problem_list: ProblemRow[];
  /** Copies. */
  copies: CopyView[];
  /** The run that made it, if this computer knows it. */
  run: string | null;
};

/** An item of a backup. */
export type BackupItem = {
  /** Name. */
  name: string;
  /** Kind. */
  kind: string;
  /** In words. */
  text: string;
  /** Where it lies in the backup's tree; empty for files, which lie at their own places. */
  path: string;
};

/** One copy. */
export type CopyView = {
  /** The destination's id. */
  destination: string;
  /** Its name. */
  destination_name: string;
  /** "there". */
  state: string;
};

/** One line of a backup's tree. */
export type BackupEntry = {
  /** Name, text form. */
  name: string;
  /** Path in the backup, text form, relative. */
  path: string;
  /** "dir", "file", "link", "fifo", "device". */
  kind: string;
  /** Size with all below it. */
  bytes: number;
  /** Files in it. */
  files: number;
  /** Last change, Unix milliseconds. */
  modified: number;
  /** "rw-r--r--". */
  mode: string;
  /** "www-data:www-data". */
  owner: string;
  /** Link target, for "link". */
  target: string | null;
  /** "added", "changed" or `None`, against the backup before (files and links only; folders: "changed" if any below). */
  change: string | null;
};

/** A comparison of two backups. */
export type DiffView = {
  /** The older. */
  older: string;
  /** The newer. */
  newer: string;
  /** Files added. */
  added: number;
  /** Files removed. */
  removed: number;
  /** Files changed. */
  changed: number;
  /** Bytes by which the backup grew (negative: shrank). */
  grown_bytes: number;
  /** The lines that changed size most first; at most 1,000. */
  lines: DiffLineView[];
  /** How many lines there are in all. */
  total: number;
};

/** One line of a comparison. */
export type DiffLineView = {
  /** "added", "removed", "changed" or "metadata". */
  change: string;
  /** Path, text form. */
  path: string;
  /** Size before. */
  old_bytes: number;
  /** Size after. */
  new_bytes: number;
};

/** A download of a backup or parts of it. */
export type DownloadRequest = {
  /** The backup. */
  backup: string;
  /** Paths in it; empty means all. */
  paths: string[];
  /** "tar.gz", "tar.zst" or "zip". */
  format: string;
  /** The folder of this computer to write into. */
  folder: string;
};

/** What to restore, and where to. */
export type RestoreRequest = {
  /** The backup. */
  backup: string;
  /** Paths in it, text form; empty means all. */
  paths: string[];
  /** The server's id. */
  server: string;
  /** A folder on that server to restore into; `None` means the original places. */
  target: string | null;
  /** "merge", "newer", "missing" or "replace". */
  mode: string;
};

/** What a restore would do. Kept by the engine under its id for an hour, so that what is confirmed is what was seen. */
export type RestorePreview = {
  /** Its id. */
  id: string;
  /** The backup's words: "web nightly, 20 Nov 2026 10:12". */
  backup_text: string;
  /** The server's name, to be typed for "replace". */
  server_name: string;
  /** The server's address. */
  server_address: string;
  /** The mode. */
  mode: string;
  /** What will happen, in one or two sentences. */
  sentence: string;
  /** To create. */
  create: ChangeSum;
  /** To overwrite. */
  overwrite: ChangeSum;
  /** To delete. */
  delete: ChangeSum;
  /** Databases dropped and loaded, or made. */
  databases: string[];
  /** Left alone. */
  kept: number;
  /** Bytes to transfer. */
  transfer_bytes: number;
  /** Free room at the target, where known. */
  free_bytes: number | null;
  /** Warnings, most serious first. */
  warnings: string[];
  /** Facts: versions. */
  facts: string[];
  /** Why it cannot be done as asked, if so (no room, nothing picked). */
  blocked: string | null;
  /** Whether the server's name must be typed. */
  needs_name: boolean;
};

/** A count with its bytes. */
export type ChangeSum = {
  /** How many files, links and objects (folders are not counted). */
  count: number;
  /** Their bytes. */
  bytes: number;
};

/** A page of a preview's list. */
export type ChangePage = {
  /** Rows. */
  rows: ChangeRow[];
  /** Matching in all. */
  total: number;
};

/** One line of a preview. */
export type ChangeRow = {
  /** Path on the target, or "database shop". */
  target: string;
  /** Whether it is a folder. */
  is_dir: boolean;
  /** Size. */
  bytes: number;
  /** Last change at the target, Unix milliseconds. */
  modified: number | null;
};

/** Which runs; newest first. */
export type RunFilter = {
  /** Only those going on or waiting. */
  active: boolean;
  /** Of this plan. */
  plan: string | null;
  /** Of this server. */
  server: string | null;
  /** "backup", "restore", "download" or "verify". */
  kind: string | null;
  /** Skip so many. */
  offset: number;
  /** At most so many (1 to 1,000). */
  limit: number;
};

/** A page of runs. */
export type RunPage = {
  /** Rows. */
  rows: RunRow[];
  /** Matching in all. */
  total: number;
};

/** A line of the run list. */
export type RunRow = {
  /** Id. */
  id: string;
  /** "backup", "restore", "download" or "verify". */
  kind: string;
  /** "waiting", "running", "done", "done_with_problems", "failed", "cancelled" or "interrupted". */
  state: string;
  /** Title: "web nightly". */
  title: string;
  /** The plan. */
  plan: string | null;
  /** The server. */
  server: string | null;
  /** The server's name. */
  server_name: string | null;
  /** The backup made or used. */
  backup: string | null;
  /** When it was asked for. */
  created: number;
  /** When it began. */
  started: number | null;
  /** When it ended. */
  ended: number | null;
  /** Problems that spoil the outcome. */
  problems: number;
  /** Why it failed. */
  error: IpcError | null;
  /** Files in the result. */
  files: number;
  /** Bytes in the result. */
  bytes: number;
  /** Bytes read from the server. */
  bytes_read: number;
  /** Bytes added at the destination. */
  bytes_added: number;
  /** Where a download went, or a sentence on what came of it. */
  result: string | null;
  /** Live progress, while it goes on. */
  progress: ProgressView | null;
};

/** One run whole. */
export type RunDetail = {
  /** Its row. */
  row: RunRow;
  /** Files whose content was read. */
  files_read: number;
  /** Files new since the backup before. */
  files_new: number;
  /** Files changed since the backup before. */
  files_changed: number;
  /** Files deleted at the target. */
  files_deleted: number;
  /** Log lines. */
  log: LogLine[];
  /** What to do next, in words, for the report. */
  next: string | null;
};

/** A line of a run's log. */
export type LogLine = {
  /** When. */
  at: number;
  /** Text. */
  text: string;
};

/** Live progress. Never 100 % before it is done; never backwards within a phase. */
export type ProgressView = {
  /** The run. */
  run: string;
  /** "waiting", "connecting", "preflight", "opening", "listing", "reading", "dumping", "saving", "checking", "comparing", "restoring", "deleting" or "packing". */
  phase: string;
  /** Files done. */
  files: number;
  /** Files in all, where known. */
  files_total: number | null;
  /** Bytes done. */
  bytes: number;
  /** Bytes in all, where known. */
  bytes_total: number | null;
  /** Bytes a second over the last seconds. */
  rate: number;
  /** Seconds left, where it can be told. */
  seconds_left: number | null;
  /** What is being worked on. */
  current: string;
  /** Problems so far. */
  problems: number;
  /** When something last moved, Unix milliseconds. */
  last_activity: number;
  /** Destinations, each with its own state. */
  destinations: DestinationProgress[];
};

/** How one destination of a run stands. */
export type DestinationProgress = {
  /** Its name. */
  name: string;
  /** Bytes written there. */
  bytes: number;
  /** "writing", "done" or "failed". */
  state: string;
};

/** A page of problems. */
export type ProblemPage = {
  /** Rows. */
  rows: ProblemRow[];
  /** Matching in all. */
  total: number;
};

/** One problem. */
export type ProblemRow = {
  /** "unreadable", "vanished", "changed", "skipped", "unwritable", "database", "damaged" or "other". */
  kind: string;
  /** The item. */
  item: string;
  /** Path or object. */
  subject: string;
  /** Reason in words. */
  reason: string;
};

/** Settings by kind. */
export type ItemSettings =
  | ({ kind: 'files' } & FilesSettings)
  | ({ kind: 'mysql' } & DatabaseSettings)
  | ({ kind: 'postgres' } & PostgresSettings)
  | ({ kind: 'sqlite' } & SqliteSettings);

/** Something changed. */
export type Event =
  | { type: 'progress'; progress: ProgressView }
  | { type: 'run'; run: RunRow }
  | { type: 'changed'; what: string };
