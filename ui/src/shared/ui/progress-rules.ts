import type { DestinationProgress, ProgressView, RunRow } from '../../ipc';
import { formatBytes, formatCount } from '../format';

const PHASES: Record<string, string> = {
  waiting: 'Waiting', connecting: 'Connecting', preflight: 'Checking the server', opening: 'Opening the vault', listing: 'Listing',
  reading: 'Reading', dumping: 'Dumping databases', saving: 'Saving', checking: 'Checking', comparing: 'Comparing',
  restoring: 'Restoring', deleting: 'Deleting', packing: 'Packing',
  copying: 'Copying', thawing: 'Waiting for cold storage', pruning: 'Freeing up space',
};

const VERBS: Record<string, string> = { backup: 'Backing up', restore: 'Restoring', download: 'Downloading', verify: 'Checking', sync: 'Syncing', prune: 'Freeing up space at' };
const KINDS: Record<string, string> = { backup: 'Backup', restore: 'Restore', download: 'Download', verify: 'Check', sync: 'Sync', prune: 'Clean-up' };

/** Returns the phase in words. */
export function phaseWord(phase: string): string {
  return PHASES[phase] ?? phase.replaceAll('_', ' ');
}

/** Returns "Backup", "Restore", … for a run's kind. */
export function kindWord(kind: string): string {
  return KINDS[kind] ?? kind;
}

/** Returns "Backing up web nightly". */
export function runTitle(run: Pick<RunRow, 'kind' | 'title'>): string {
  return `${VERBS[run.kind] ?? run.kind} ${run.title}`;
}

/** What can be told of a run that is not over: it waits, it goes on here, or another process works on it and tells no more. */
export function standing(run: Pick<RunRow, 'state' | 'progress' | 'elsewhere'>): 'waiting' | 'elsewhere' | 'running' {
  if (run.elsewhere) return 'elsewhere';
  return run.state === 'waiting' || !run.progress ? 'waiting' : 'running';
}

/** What is said of a run of another process. */
export function elsewhereText(run: Pick<RunRow, 'state'>): string {
  return run.state === 'waiting' ? 'Waits for its turn in another process' : 'Runs in another process';
}

/** How far a run is, 0 to 99, or `null` where no total is known. Never 100: only an ended run is done. */
export function percent(progress: ProgressView | null): number | null {
  if (!progress) return null;
  return progress.permille === null ? null : Math.max(0, Math.min(99, Math.floor(progress.permille / 10)));
}

/** After this long without any movement the last activity is shown in amber. */
export const SILENT_MS = 15_000;

/** Tells whether a run has been silent for long. */
export function isSilent(progress: ProgressView | null, now: number): boolean {
  return progress !== null && progress.last_activity > 0 && now - progress.last_activity > SILENT_MS;
}

/** "17,720 of 38,559 files"; without a total "17,720 files"; `null` while none. */
export function filesText(progress: ProgressView): string | null {
  if (progress.files_total) return `${formatCount(progress.files)} of ${formatCount(progress.files_total)} files`;
  return progress.files > 0 ? `${formatCount(progress.files)} files` : null;
}

/** "0.7 GiB of about 1.4 GiB"; without a total the bytes done, or else those that the furthest destination has; `null` while none. */
export function bytesText(progress: ProgressView): string | null {
  if (progress.bytes_total) return `${formatBytes(progress.bytes)} of about ${formatBytes(progress.bytes_total)}`;
  if (progress.bytes > 0) return formatBytes(progress.bytes);
  const written = mostWritten(progress);
  return written > 0 ? `${formatBytes(written)} written` : null;
}

function mostWritten(progress: ProgressView): number {
  return Math.max(0, ...progress.destinations.map((place) => place.bytes));
}

/**
 * How far a destination is, 0 to 100, or `null` where nothing tells. 100 only once it is done. While a backup is packed its own total is not
 * known: it is as far as the run has read, less what it lags behind the destination that is furthest.
 */
export function placePart(place: DestinationProgress, progress: ProgressView): number | null {
  if (place.state === 'done') return 100;
  if (place.state === 'waiting') return 0;
  if (place.bytes_total) return Math.min(99, Math.floor((place.bytes / place.bytes_total) * 100));
  if (place.state === 'failed') return 0;
  const run = percent(progress);
  const most = mostWritten(progress);
  return run === null || most <= 0 ? run : Math.floor((run * place.bytes) / most);
}

/** "64 MiB of 214 MiB", "64 MiB written". */
export function placeBytes(place: DestinationProgress): string {
  if (place.state === 'waiting' && place.bytes === 0) return '';
  return place.bytes_total ? `${formatBytes(place.bytes)} of ${formatBytes(place.bytes_total)}` : `${formatBytes(place.bytes)} written`;
}
