import { ipcError } from '../transport';
import type * as T from '../generated/bindings';
import { NOTES, PROBLEMS, previewRequest } from './backups';
import { GIB, HALF_RESTORED, MIB, runRow, type World } from './data';

const PHASES: Record<string, string[]> = {
  backup: ['connecting', 'preflight', 'listing', 'reading', 'reading', 'reading', 'reading', 'dumping', 'saving'],
  restore: ['connecting', 'comparing', 'restoring', 'restoring', 'restoring', 'checking'],
  download: ['opening', 'packing', 'packing', 'packing'],
  verify: ['opening', 'checking', 'checking', 'checking'],
  sync: ['opening', 'comparing', 'copying', 'copying', 'copying', 'checking'],
  prune: ['opening', 'listing', 'pruning', 'pruning'],
};

const TICK_MS = 250;
const TICKS = 80;
const STOP_MS = 600;

/** A run counts what it did only at its end. */
const NO_COUNTS = { files_read: 0, files_new: 0, files_changed: 0, files_deleted: 0 };

function put(w: World, run: T.RunRow): void {
  w.runs = w.runs.some((r) => r.id === run.id) ? w.runs.map((r) => (r.id === run.id ? run : r)) : [run, ...w.runs];
  w.emit({ type: 'run', run });
}

/** One destination of a run: the second stumbles for a while, the third fails past the middle. */
function placeAt(w: World, name: string, i: number, tick: number): T.DestinationProgress {
  const total = 214 * MIB;
  const place = { name, bytes: Math.round((tick / TICKS) * total * (1 - i * 0.25)), bytes_total: total, rate: [98, 31, 2][i % 3]! * MIB, state: 'writing', text: null, limit: null };
  if (i === 1 && tick >= 40 && tick < 50) return { ...place, rate: 0, state: 'retrying', text: 'the connection was reset; trying again in 4 s' };
  if (i === 2 && tick >= 45) return { ...place, bytes: Math.round(0.3 * total), rate: 0, state: 'failed', text: 'connection refused. Sync makes it good later' };
  const rule = w.destinations.find((d) => d.name === name)?.bandwidth.rules[0];
  return rule ? { ...place, limit: rule.bytes_per_second } : place;
}

function progressAt(w: World, run: T.RunRow, tick: number): T.ProgressView {
  const phases = PHASES[run.kind] ?? ['reading'];
  const phase = phases[Math.min(phases.length - 1, Math.floor((tick / TICKS) * phases.length))] ?? 'reading';
  const early = ['connecting', 'preflight', 'opening', 'listing', 'comparing'].includes(phase);
  const part = tick / TICKS;
  const total = 1.4 * GIB;
  const places = w.plans.find((p) => p.id === run.plan)?.destinations ?? [];
  return {
    run: run.id, phase, files: phase === 'listing' ? Math.round(part * 90_000) : Math.round(part * 38_559), files_total: early ? null : 38_559,
    bytes: Math.round(part * total), bytes_total: early ? null : total, rate: early ? 0 : 142 * MIB, seconds_left: early ? null : Math.round((TICKS - tick) * TICK_MS / 1000),
    current: phase === 'reading' ? `/srv/game/world/region/r.${tick}.${tick % 7}.mca` : '', problems: tick > 56 ? 1 : 0, permille: early ? null : Math.round(part * 999), last_activity: Date.now(),
    destinations: places.map((name, i) => placeAt(w, name, i, tick)),
  };
}

/** Lets a run go on until it is done or cancelled. `from` is where it stands at first, 0 to 80; `still`: there it stays. */
export function drive(w: World, id: string, from = 0, still = false): void {
  let tick = from;
  const timer = setInterval(() => {
    const run = w.runs.find((r) => r.id === id);
    if (!run || run.state === 'cancelled') return clearInterval(timer);
    tick += 1;
    // Held short of the end on the first screen, so that drawings always show something running.
    if (from > 0 && tick > 60) tick = 34;
    if (tick >= TICKS) {
      clearInterval(timer);
      const done = { ...run, state: 'done', ended: Date.now(), progress: null, files: 38_559, bytes: 31.2 * GIB, bytes_read: 1.4 * GIB, bytes_added: 214 * MIB };
      return put(w, run.kind === 'restore' ? { ...done, result: `1,207 files restored on ${run.server_name}` } : done);
    }
    const progress = progressAt(w, run, tick);
    if (run.state === 'waiting') put(w, { ...run, state: 'running', started: Date.now(), progress });
    w.runs = w.runs.map((r) => (r.id === id ? { ...r, progress } : r));
    w.emit({ type: 'progress', progress });
    if (still) clearInterval(timer);
  }, TICK_MS);
}

/** Starts a made-up run. */
export function begin(w: World, part: Partial<T.RunRow> & Pick<T.RunRow, 'kind' | 'title'>): string {
  const id = `run-new-${w.nextId++}`;
  put(w, runRow({ id, state: 'waiting', created: Date.now(), ...part }));
  drive(w, id);
  return id;
}

/** Commands about runs. */
export const runs = {
  start_backup: (w: World, { plan }: { plan: string }) => {
    const row = w.plans.find((p) => p.id === plan);
    if (!row) throw ipcError('missing', 'Cannot back up: the plan was removed');
    return begin(w, { kind: 'backup', title: row.name, plan, server: row.server, server_name: row.server_name });
  },
  start_restore: (w: World, { preview, typedName }: { preview: string; typedName: string | null }) => {
    const request = previewRequest(preview);
    const server = w.servers.find((s) => s.id === request?.server);
    if (!request || !server) throw ipcError('missing', 'Cannot restore: the preview is too old', 'Make a new preview.');
    if (request.mode === 'replace' && typedName !== server.name) throw ipcError('invalid', `Cannot restore to ${server.name}: its name was not typed`, 'Type the name as it stands.');
    return begin(w, { kind: 'restore', title: `web nightly to ${server.name}`, server: server.id, server_name: server.name, backup: request.backup });
  },
  start_download: (w: World, { request }: { request: T.DownloadRequest }) =>
    begin(w, { kind: 'download', title: request.backups.length > 1 ? `${request.backups.length} backups` : `backup ${request.backups[0]?.slice(0, 6)}`, backup: request.backups[0] ?? null, result: `${request.folder}/backup.${request.format === 'as_is' ? 'tar.zst.sealed' : request.format}` }),
  resume_download: (w: World, { run }: { run: string }) => {
    const old = w.runs.find((r) => r.id === run);
    if (!old?.resumable) throw ipcError('missing', 'Cannot go on with the download: what was loaded is gone', 'Start it anew from the backup.');
    w.runs = w.runs.map((r) => (r.id === run ? { ...r, resumable: false } : r));
    w.emit({ type: 'run', run: { ...old, resumable: false } });
    return begin(w, { kind: 'download', title: old.title, backup: old.backup, result: '/home/anna/Downloads/web-nightly.tar.zst, SHA-256 checked' });
  },
  start_verify: (w: World, { backup }: { backup: string }) => begin(w, { kind: 'verify', title: `backup ${backup.slice(0, 6)}`, backup }),
  runs: (w: World, { filter }: { filter: T.RunFilter }): T.RunPage => {
    const live = (r: T.RunRow) => r.state === 'running' || r.state === 'waiting';
    const rows = w.runs.filter((r) => (!filter.active || live(r)) && (!filter.plan || r.plan === filter.plan) && (!filter.server || r.server === filter.server) && (!filter.kind || r.kind === filter.kind));
    return { rows: rows.slice(filter.offset, filter.offset + filter.limit), total: rows.length };
  },
  run: (w: World, { id }: { id: string }): T.RunDetail => {
    const row = w.runs.find((r) => r.id === id);
    if (!row) throw ipcError('missing', 'Cannot show the run: it is not known here');
    const at = row.started ?? row.created;
    return {
      row, ...(row.state === 'cancelled' || row.state === 'interrupted' ? NO_COUNTS : { files_read: 1516, files_new: 312, files_changed: 1204, files_deleted: 0 }),
      log: ['Connected to 10.0.0.5:22 as root', 'find lists 38,559 entries in 4.1 s', '1,516 files changed since the backup before', 'tar streams 1.4 GiB', 'mariadb-dump 10.11.6: shop, blog', 'Snapshot saved and read back'].map((text, i) => ({ at: at + i * 9000, text })),
      next: row.kind !== 'restore' ? null : ['cancelled', 'interrupted'].includes(row.state) ? HALF_RESTORED : 'Look at what was restored, then reload the services that use it.',
    };
  },
  run_problems: (w: World, { id, text, offset, limit }: { id: string; text: string; offset: number; limit: number }): T.ProblemPage => {
    const run = w.runs.find((r) => r.id === id);
    const count = run?.progress?.problems ?? run?.problems ?? 0;
    const rows = (id === 'r98' ? NOTES : PROBLEMS.slice(0, count)).filter((p) => `${p.subject} ${p.reason}`.toLowerCase().includes(text.toLowerCase()));
    return { rows: rows.slice(offset, offset + limit), total: rows.length };
  },
  cancel_run: (w: World, { id }: { id: string }) => {
    // A clean end takes a while.
    setTimeout(() => {
      const run = w.runs.find((r) => r.id === id);
      if (run) put(w, { ...run, state: 'cancelled', ended: Date.now(), progress: null });
    }, STOP_MS);
    return null;
  },
};
