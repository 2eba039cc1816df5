import type { BackupFilter, BackupRow, DeletePreview, DiffView, DownloadRequest } from '../../ipc';
import { localFolderProblem } from '../../shared/paths/paths';

// The rules of the backup list and its dialogs, without a screen.

/** What the filter bar holds; empty means all. */
export interface ListFilter {
  text: string;
  server: string;
  plan: string;
  kind: string;
  destination: string;
  state: string;
}

export const NO_FILTER: ListFilter = { text: '', server: '', plan: '', kind: '', destination: '', state: '' };

/** The columns the list can be sorted by. */
const SORT_COLUMNS = ['started', 'plan', 'server', 'size', 'added'] as const;
export type SortColumn = (typeof SORT_COLUMNS)[number];

/** How the list is sorted. */
export interface Sort {
  column: SortColumn;
  ascending: boolean;
}

/** Newest first: what the page opens with. */
export const NEWEST_FIRST: Sort = { column: 'started', ascending: false };

/** Returns the filter as the engine takes it. */
export function toFilter(filter: ListFilter, sort: Sort, offset: number, limit: number): BackupFilter {
  const orNull = (value: string) => (value === '' ? null : value);
  return {
    text: filter.text.trim(),
    server: orNull(filter.server),
    plan: orNull(filter.plan),
    kind: orNull(filter.kind),
    destination: orNull(filter.destination),
    state: orNull(filter.state),
    sort: sort.column,
    ascending: sort.ascending,
    offset,
    limit,
  };
}

/** Reads a filter from the query of the page's address: a link from a server or plan opens its backups. */
export function filterFrom(query: URLSearchParams): ListFilter {
  const filter = { ...NO_FILTER };
  for (const name of Object.keys(NO_FILTER) as (keyof ListFilter)[]) filter[name] = query.get(name) ?? '';
  return filter;
}

/** Reads the order from the query of the page's address. */
export function sortFrom(query: URLSearchParams): Sort {
  const column = SORT_COLUMNS.find((one) => one === query.get('sort'));
  return column ? { column, ascending: query.get('order') === 'up' } : NEWEST_FIRST;
}

/** The address of the list as it stands, so that whoever comes back finds it so. */
export function listPlace(filter: ListFilter, sort: Sort, open: string | null): string {
  const query = new URLSearchParams(Object.entries(filter).filter(([, value]) => value !== ''));
  if (sort.column !== NEWEST_FIRST.column || sort.ascending !== NEWEST_FIRST.ascending) {
    query.set('sort', sort.column);
    query.set('order', sort.ascending ? 'up' : 'down');
  }
  if (open !== null) query.set('open', open);
  const text = query.toString();
  return text === '' ? '/backups' : `/backups?${text}`;
}

let left = '/backups';

/** Keeps how the list was left. */
export function leaveList(place: string): void {
  left = place;
}

/** Returns where the list was left, for the way back from a backup. */
export function listLeft(): string {
  return left;
}

/** Tells whether anything is filtered. */
export function isFiltered(filter: ListFilter): boolean {
  return Object.values(filter).some((value) => value.trim() !== '');
}

/** Returns the sort after a click on a column: names start at A, sizes and times at the most. */
export function nextSort(sort: Sort, column: SortColumn): Sort {
  if (sort.column === column) return { column, ascending: !sort.ascending };
  return { column, ascending: column === 'plan' || column === 'server' };
}

/** Says the state of a backup: the key of its badge and its words. */
export function stateOf(row: BackupRow): { state: string; text: string } {
  if (row.state === 'problems') return { state: 'problems', text: row.problems === 1 ? '1 problem' : `${row.problems} problems` };
  return row.verified === null ? { state: row.state, text: '' } : { state: 'verified', text: 'Verified' };
}

/** A download format with what it is good for. */
export interface FormatWords {
  format: string;
  title: string;
  text: string;
}

export const FORMATS: readonly FormatWords[] = [
  {
    format: 'tar.gz',
    title: '.tar.gz',
    text: 'Opens everywhere. Keeps owners, rights, links and exact times. The best choice for Linux servers.',
  },
  {
    format: 'tar.zst',
    title: '.tar.zst',
    text: 'As .tar.gz, but smaller and much faster. Opening it needs zstd.',
  },
  {
    format: 'zip',
    title: '.zip',
    text: 'Opens by double click on Windows and macOS. Does not keep owners; what a zip cannot hold is listed when it is done.',
  },
];

const AS_IS: FormatWords = {
  format: 'as_is',
  title: 'As it lies there',
  text: 'The file just as it is at its destination; a sealed one stays sealed. The fastest.',
};

/** The formats offered: archives that are wanted whole can be fetched as they are. */
export function formatsFor(backups: readonly Pick<BackupRow, 'layout'>[], paths: readonly string[]): FormatWords[] {
  const archives = backups.length > 0 && paths.length === 0 && backups.every((backup) => backup.layout !== 'vault');
  return archives ? [AS_IS, ...FORMATS] : [...FORMATS];
}

/** Says how a download goes on that was stopped, by its format. */
export function goesOn(format: string): string {
  if (format === 'as_is') return 'it goes on where it was';
  return format === 'zip' ? 'a .zip is then packed anew' : 'it goes on after the last file that was packed whole';
}

/** What must be ticked before a backup that is the plan's last or newest is deleted, or nothing. */
export function deleteDanger(preview: Pick<DeletePreview, 'only' | 'newest'>, backup: Pick<BackupRow, 'plan_name' | 'server_name'>): { text: string; tick: string } | null {
  if (preview.only) return { text: `This is the only backup of ${backup.plan_name}. After this nothing of it can be brought back to ${backup.server_name}.`, tick: 'Delete the only backup' };
  if (preview.newest) return { text: `This is the newest good backup of ${backup.plan_name}. After this ${backup.server_name} can only be brought back to an older state.`, tick: 'Delete the newest backup' };
  return null;
}

/** What the download dialog holds. */
export interface DownloadForm {
  format: string;
  folder: string;
}

/** Says why the download cannot start, or nothing. */
export function downloadProblem(form: DownloadForm): string | null {
  if (![AS_IS, ...FORMATS].some((one) => one.format === form.format)) return 'Choose a format';
  return localFolderProblem(form.folder);
}

/** Returns what is sent. */
export function toDownload(backups: readonly string[], paths: readonly string[], form: DownloadForm): DownloadRequest {
  return { backups: [...backups], paths: [...paths], format: form.format, destination: null, folder: form.folder.trim() };
}

/** Says how a backup differs from the one before in one line. */
export function diffText(diff: DiffView): string {
  const count = (n: number) => n.toLocaleString('en-GB');
  return `${count(diff.added)} added, ${count(diff.changed)} changed, ${count(diff.removed)} removed`;
}

/** Orders lines of a comparison as the engine promises: what changed size most first. */
export function sizeChange(line: { old_bytes: number; new_bytes: number }): number {
  return line.new_bytes - line.old_bytes;
}
