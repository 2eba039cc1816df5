import type { BackupItem, BackupRow, ChangeSum, DatabaseLogin, RestorePreview, RestoreRequest } from '../../ipc';
import { formatExact, plural } from '../../shared/format';
import { serverPathProblem, tidyPath } from '../../shared/paths/paths';

// The rules of the restore page, without a screen.

export const STEPS = ['What', 'Where', 'Preview', 'Restore'] as const;

/** A backup in a few words: its plan, and when it was made by this computer's clock. */
export function backupText(row: Pick<BackupRow, 'plan_name' | 'started'>): string {
  return `${row.plan_name}, ${formatExact(row.started)}`;
}

export type Mode = 'merge' | 'newer' | 'missing' | 'replace';

/** A mode in words. */
export interface ModeWords {
  mode: Mode;
  title: string;
  text: string;
  /** One short clause for the card "In short". */
  short: string;
}

export const MODES: readonly ModeWords[] = [
  {
    mode: 'merge',
    title: 'Merge',
    text: 'Brings back everything in the backup and overwrites what differs. Nothing is deleted.',
    short: 'overwrite what differs, delete nothing',
  },
  {
    mode: 'newer',
    title: 'Merge, keep newer files',
    text: 'The same, but a file that was changed on the server after the backup stays as it is.',
    short: 'keep files that are newer on the server',
  },
  {
    mode: 'missing',
    title: 'Only what is missing',
    text: 'Brings back only what is no longer there. Nothing is overwritten, nothing is deleted.',
    short: 'add what is missing, change nothing',
  },
  {
    mode: 'replace',
    title: 'Replace',
    text: 'Makes it exactly as in the backup: files made since then are deleted. You see the whole list first, and type the name of the server.',
    short: 'exactly as in the backup',
  },
];

/** Returns the words of a mode. */
export function modeWords(mode: string): ModeWords {
  return MODES.find((one) => one.mode === mode) ?? { mode: 'merge', title: mode, text: '', short: '' };
}

/** What the page holds. */
export interface RestoreForm {
  whole: boolean;
  paths: string[];
  server: string;
  place: 'original' | 'folder';
  folder: string;
  mode: Mode;
  /** How databases there are logged in to, by item; none: as the plan does. */
  logins: Record<string, DatabaseLogin>;
}

/** Returns the form as it opens: the whole backup, where it came from, deleting nothing. */
export function startForm(server: string | null, paths: readonly string[] = []): RestoreForm {
  return {
    whole: paths.length === 0,
    paths: [...paths],
    server: server ?? '',
    place: 'original',
    folder: '',
    mode: 'merge',
    logins: {},
  };
}

/** The items of a backup that a database log-in belongs to. */
export function databaseItems(items: readonly BackupItem[]): (BackupItem & { kind: 'mysql' | 'postgres' })[] {
  return items.filter((item): item is BackupItem & { kind: 'mysql' | 'postgres' } => item.kind === 'mysql' || item.kind === 'postgres');
}

/** A log-in nothing is filled in of: the tool's own defaults. */
export function emptyLogin(item: string): DatabaseLogin {
  return { item, user: '', password: null, host: '', socket: '', port: 0 };
}

/** Says why the page may not leave a step, or nothing. */
export function stepProblem(step: number, form: RestoreForm): string | null {
  switch (step) {
    case 0:
      return form.whole || form.paths.length > 0 ? null : 'Tick what to restore';
    case 1:
      if (form.server === '') return 'Choose the server to restore to';
      return form.place === 'folder' ? serverPathProblem(form.folder) : null;
    default:
      return null;
  }
}

/** Returns what is sent to ask for a preview. */
export function toRequest(backup: string, form: RestoreForm): RestoreRequest {
  return {
    backup,
    paths: form.whole ? [] : form.paths,
    server: form.server,
    target: form.place === 'folder' ? tidyPath(form.folder) : null,
    mode: form.mode,
    logins: Object.values(form.logins).map((login) => ({ ...login, password: login.password || null })),
  };
}

/** Says what to think of with the server chosen, or nothing. Not a refusal. */
export function serverNote(form: RestoreForm, origin: string | null): string | null {
  const other = origin !== null && form.server !== origin && form.server !== '' && form.place === 'original';
  return other ? 'This is another server than the one backed up. Its own files at the same places are touched.' : null;
}

/** Says what to think of with the mode chosen, or nothing. Not a refusal. */
export function modeNote(form: RestoreForm): string | null {
  return form.mode === 'replace' && form.place === 'folder' ? 'Replace deletes what is in the folder and not in the backup.' : null;
}

/** Says why the restore cannot start yet, or nothing. Names must be typed exactly. */
export function confirmProblem(preview: RestorePreview, typed: string): string | null {
  if (preview.blocked !== null) return preview.blocked;
  if (preview.needs_name && typed.trim() !== preview.server_name) return `Type ${preview.server_name} to go on`;
  return null;
}

/** How many lines a list of the preview has: folders too. */
export function changesOf(sum: ChangeSum): number {
  return sum.count + sum.folders;
}

/** Tells whether the restore would change anything at all. */
export function changesNothing(preview: RestorePreview): boolean {
  const touched = changesOf(preview.create) + changesOf(preview.overwrite) + changesOf(preview.delete);
  return touched === 0 && preview.databases.length === 0;
}

/** Says in whole sentences what confirming does, for the dialog. */
export function confirmSentences(preview: RestorePreview): string[] {
  const server = preview.server_name;
  const lines: string[] = [];
  // The counts of the engine hold databases too.
  const noun = (sum: ChangeSum) => things(sum, preview.databases.length > 0);
  if (changesOf(preview.create) > 0) lines.push(`${noun(preview.create)} will be created on ${server}.`);
  if (changesOf(preview.overwrite) > 0) lines.push(`${noun(preview.overwrite)} on ${server} will be overwritten.`);
  if (changesOf(preview.delete) > 0) lines.push(`${noun(preview.delete)} on ${server} will be deleted.`);
  for (const database of preview.databases) lines.push(`${database}.`);
  if (lines.length === 0) lines.push(`Nothing on ${server} differs from the backup, so nothing will change.`);
  return lines;
}

/** Says how many files and folders; "or databases" only where there are any. */
export function things(sum: ChangeSum, withDatabases: boolean): string {
  const files = withDatabases ? plural(sum.count, 'file or database', 'files and databases') : plural(sum.count, 'file');
  if (sum.folders === 0) return files;
  const folders = plural(sum.folders, 'folder');
  return sum.count === 0 ? folders : `${files}${withDatabases ? ',' : ''} and ${folders}`;
}

/** The tabs of the preview, the most dangerous one that holds anything first open. */
export type ChangeTab = 'create' | 'overwrite' | 'delete' | 'databases';

/** Returns the tab to open first. */
export function firstTab(preview: RestorePreview): ChangeTab {
  if (changesOf(preview.delete) > 0) return 'delete';
  if (changesOf(preview.overwrite) > 0) return 'overwrite';
  if (changesOf(preview.create) > 0) return 'create';
  return preview.databases.length > 0 ? 'databases' : 'create';
}
