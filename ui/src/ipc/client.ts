import { toIpcError, transport, type DialogOptions, type SaveOptions } from './transport';
import type * as T from './generated/bindings';

type Wire = typeof T.commands;
type Result<C extends keyof Wire> = Extract<Awaited<ReturnType<Wire[C]>>, { status: 'ok' }>['data'];
/** The commands as the generated bindings have them; `api` is held against this, so that neither can change alone. */
type Commands = { [C in Exclude<keyof Wire, 'subscribe'>]: (...args: Parameters<Wire[C]>) => Promise<Result<C>> };

async function call<R>(command: string, args: Record<string, unknown> = {}): Promise<R> {
  try {
    return await transport().call<R>(command, args);
  } catch (thrown) {
    throw toIpcError(thrown);
  }
}

/** One function for each command of the contract. All of them throw an `IpcError`. */
export const api = {
  appInfo: () => call<T.AppInfo>('app_info'),
  settings: () => call<T.Settings>('settings'),
  saveSettings: (settings: T.Settings) => call<T.Settings>('save_settings', { settings }),
  secretsStatus: () => call<T.SecretsStatus>('secrets_status'),
  secretsTryKeyring: () => call<T.SecretsStatus>('secrets_try_keyring'),
  secretsUnlock: (passphrase: string) => call<T.SecretsStatus>('secrets_unlock', { passphrase }),
  secretsCreateFile: (passphrase: string) => call<T.SecretsStatus>('secrets_create_file', { passphrase }),
  quit: () => call<null>('quit'),
  overview: () => call<T.Overview>('overview'),

  servers: () => call<T.ServerRow[]>('servers'),
  server: (id: string) => call<T.ServerDetail>('server', { id }),
  sshConfigHosts: () => call<T.SshConfigHost[]>('ssh_config_hosts'),
  probeHostKey: (draft: T.ServerDraft, destination: string | null) => call<T.HostKeyReport>('probe_host_key', { draft, destination }),
  testServer: (draft: T.ServerDraft) => call<T.ConnectionTest>('test_server', { draft }),
  discoverServer: (draft: T.ServerDraft) => call<T.ServerFactsView>('discover_server', { draft }),
  saveServer: (draft: T.ServerDraft) => call<T.ServerRow>('save_server', { draft }),
  removeServer: (id: string) => call<null>('remove_server', { id }),
  browseServer: (id: string, path: string) => call<T.Listing>('browse_server', { id, path }),

  destinations: () => call<T.DestinationRow[]>('destinations'),
  s3Providers: () => call<T.S3Provider[]>('s3_providers'),
  destination: (id: string) => call<T.DestinationDraft>('destination', { id }),
  testDestination: (draft: T.DestinationDraft, test: string) => call<T.DestinationTest>('test_destination', { draft, test }),
  lookAtDestination: (draft: T.DestinationDraft, test: string) => call<T.DestinationTest>('look_at_destination', { draft, test }),
  setCleanupRule: (destination: string) => call<T.CleanupRule>('set_cleanup_rule', { destination }),
  makeBucket: (draft: T.DestinationDraft) => call<T.BucketMade>('make_bucket', { draft }),
  addDestination: (draft: T.DestinationDraft) => call<T.DestinationAdded>('add_destination', { draft }),
  changeDestination: (draft: T.DestinationDraft) => call<T.DestinationRow>('change_destination', { draft }),
  openExisting: (draft: T.DestinationDraft, key: string) => call<T.ExistingFound>('open_existing', { draft, key }),
  adoptConfiguration: (destination: string, configuration: string) =>
    call<T.Adopted>('adopt_configuration', { destination, configuration }),
  limits: () => call<T.Limits>('limits'),
  saveLimits: (limits: T.Limits) => call<T.Limits>('save_limits', { limits }),
  startSync: (destination: string) => call<string>('start_sync', { destination }),
  startPrune: (destination: string) => call<string>('start_prune', { destination }),
  removeDestination: (id: string) => call<null>('remove_destination', { id }),
  recoveryKit: (id: string) => call<T.RecoveryKit>('recovery_kit', { id }),
  saveRecoveryKit: (id: string, file: string, format: string) =>
    call<null>('save_recovery_kit', { id, file, format }),
  confirmRecoveryKit: (id: string, wordNumber: number, word: string) =>
    call<boolean>('confirm_recovery_kit', { id, wordNumber, word }),
  refreshDestination: (id: string) => call<number>('refresh_destination', { id }),

  plans: () => call<T.PlanRow[]>('plans'),
  plan: (id: string) => call<T.PlanView>('plan', { id }),
  savePlan: (draft: T.PlanDraft) => call<T.PlanSaved>('save_plan', { draft }),
  planKit: (id: string) => call<T.RecoveryKit>('plan_kit', { id }),
  archiveName: (draft: T.PlanDraft) => call<string>('archive_name', { draft }),
  removePlan: (id: string) => call<null>('remove_plan', { id }),
  excludeFromPlan: (id: string, paths: string[]) => call<T.PlanRow>('exclude_from_plan', { id, paths }),
  startBackup: (plan: string) => call<string>('start_backup', { plan }),

  backups: (filter: T.BackupFilter) => call<T.BackupPage>('backups', { filter }),
  backup: (id: string) => call<T.BackupDetail>('backup', { id }),
  backupList: (id: string, path: string) => call<T.BackupEntry[]>('backup_list', { id, path }),
  backupSearch: (id: string, text: string) => call<T.BackupEntry[]>('backup_search', { id, text }),
  backupDiff: (older: string, newer: string) => call<T.DiffView>('backup_diff', { older, newer }),

  planRestore: (request: T.RestoreRequest) => call<T.RestorePreview>('plan_restore', { request }),
  restorePreviewPage: (preview: string, change: string, text: string, offset: number, limit: number) =>
    call<T.ChangePage>('restore_preview_page', { preview, change, text, offset, limit }),
  startRestore: (preview: string, typedName: string | null) => call<string>('start_restore', { preview, typedName }),
  startDownload: (request: T.DownloadRequest) => call<string>('start_download', { request }),
  resumeDownload: (run: string) => call<string>('resume_download', { run }),
  deletePreview: (backup: string, destinations: string[]) =>
    call<T.DeletePreview>('delete_preview', { backup, destinations }),
  deleteBackup: (backup: string, destinations: string[]) => call<T.DeleteReport>('delete_backup', { backup, destinations }),
  makeLink: (backup: string, destination: string, minutes: number) =>
    call<T.LinkView>('make_link', { backup, destination, minutes }),
  thawBackup: (backup: string, destination: string, days: number) =>
    call<T.CopyView>('thaw_backup', { backup, destination, days }),
  startVerify: (backup: string) => call<string>('start_verify', { backup }),

  runs: (filter: T.RunFilter) => call<T.RunPage>('runs', { filter }),
  run: (id: string) => call<T.RunDetail>('run', { id }),
  runProblems: (id: string, text: string, offset: number, limit: number) =>
    call<T.ProblemPage>('run_problems', { id, text, offset, limit }),
  cancelRun: (id: string) => call<null>('cancel_run', { id }),

  audit: (offset: number, limit: number) => call<T.AuditPage>('audit', { offset, limit }),
  verifyAudit: () => call<T.AuditCheck>('verify_audit'),
  exportAudit: (file: string) => call<null>('export_audit', { file }),

  /** Hears events until the window closes. */
  subscribe: (onEvent: (event: T.Event) => void) => transport().subscribe(onEvent),
} satisfies Commands & { subscribe: unknown };

/** Native dialogs of this computer; each gives `null` when cancelled. */
export const dialogs = {
  pickFolder: (options: DialogOptions) => transport().pickFolder(options),
  pickFile: (options: DialogOptions) => transport().pickFile(options),
  saveFile: (options: SaveOptions) => transport().saveFile(options),
};
