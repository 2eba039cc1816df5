import type { BackupFilter, RunFilter } from '../../ipc';

/** Every key of the query cache, in one place. The first word is what an event invalidates. */
export const keys = {
  appInfo: ['app'] as const,
  settings: ['settings'] as const,
  secrets: ['secrets'] as const,
  overview: ['overview'] as const,
  servers: ['servers'] as const,
  server: (id: string) => ['servers', id] as const,
  sshConfig: ['ssh-config'] as const,
  browse: (id: string, path: string) => ['browse', id, path] as const,
  destinations: ['destinations'] as const,
  destination: (id: string) => ['destinations', 'one', id] as const,
  s3Providers: ['s3-providers'] as const,
  // The steps of a test under way, as their events come in.
  testSteps: (test: string) => ['test-steps', test] as const,
  limits: ['limits'] as const,
  plans: ['plans'] as const,
  plan: (id: string) => ['plans', id] as const,
  backups: ['backups'] as const,
  backupPages: (filter: Partial<BackupFilter>) => ['backups', 'pages', filter] as const,
  backup: (id: string) => ['backups', 'one', id] as const,
  // What lies in a backup never changes, so these are under a word of their own that no event touches.
  backupList: (id: string, path: string) => ['backup-tree', id, path] as const,
  backupSearch: (id: string, text: string) => ['backup-tree', id, 'search', text] as const,
  backupDiff: (older: string, newer: string) => ['backup-diff', older, newer] as const,
  previewPage: (preview: string, change: string, text: string) => ['preview', preview, change, text] as const,
  runs: ['runs'] as const,
  runPages: (filter: Partial<RunFilter>) => ['runs', 'pages', filter] as const,
  activeRuns: ['runs', 'active'] as const,
  run: (id: string) => ['runs', 'one', id] as const,
  // What this window asked to stop; the engine tells only once it has ended.
  cancelAsked: (id: string) => ['cancel-asked', id] as const,
  runProblems: (id: string, text: string) => ['runs', 'problems', id, text] as const,
  audit: ['audit'] as const,
};
