import type { DestinationProgress, ProgressView, RunRow } from '../../ipc';
import { formatBytes, formatCount } from '../format';

const PHASES: Record<string, string> = {
  waiting: 'Waiting', connecting: 'Connecting', preflight: 'Checking the server', opening: 'Opening the vault', listing: 'Listing',
  reading: 'Reading', dumping: 'Dumping databases', saving: 'Saving', checking: 'Checking', comparing: 'Comparing',
  restoring: 'Restoring', deleting: 'Deleting', packing: 'Packing',
  copying: 'Copying', thawing: 'Waiting for cold storage', pruning: 'Freeing room',
};

const VERBS: Record<string, string> = { backup: 'Backing up', restore: 'Restoring', download: 'Downloading', verify: 'Checking', sync: 'Syncing', prune: 'Freeing room at' };
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

/** "0.7 GiB of about 1.4 GiB"; without a total the bytes done; `null` while none. */
export function bytesText(progress: ProgressView): string | null {
  if (progress.bytes_total) return `${formatBytes(progress.bytes)} of about ${formatBytes(progress.bytes_total)}`;
  return progress.bytes > 0 ? formatBytes(progress.bytes) : null;
}

/** How far a destination is, 0 to 100, or `null` where no total is known. 100 only once it is done. */
export function placePart(place: DestinationProgress, total: number | null): number | null {
  if (place.state === 'done') return 100;
  if (place.state === 'waiting') return 0;
  const whole = place.bytes_total ?? total;
  if (whole) return Math.min(99, Math.floor((place.bytes / whole) * 100));
  return place.state === 'failed' ? 0 : null;
}

/** "64 MiB of 214 MiB", "64 MiB written". */
export function placeBytes(place: DestinationProgress): string {
  if (place.state === 'waiting' && place.bytes === 0) return '';
  return place.bytes_total ? `${formatBytes(place.bytes)} of ${formatBytes(place.bytes_total)}` : `${formatBytes(place.bytes)} written`;
}
