import { ipcError } from '../transport';
import type * as T from '../generated/bindings';
import { PROBLEMS, previewRequest } from './backups';
import { GIB, MIB, runRow, type World } from './data';

const PHASES: Record<string, string[]> = {
  backup: ['connecting', 'preflight', 'listing', 'reading', 'reading', 'reading', 'reading', 'dumping', 'saving'],
  restore: ['connecting', 'comparing', 'restoring', 'restoring', 'restoring', 'checking'],
  download: ['opening', 'packing', 'packing', 'packing'],
  verify: ['opening', 'checking', 'checking', 'checking'],
};

const TICK_MS = 250;
const TICKS = 80;

function put(w: World, run: T.RunRow): void {
  w.runs = w.runs.some((r) => r.id === run.id) ? w.runs.map((r) => (r.id === run.id ? run : r)) : [run, ...w.runs];
  w.emit({ type: 'run', run });
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
    current: phase === 'reading' ? `/srv/game/world/region/r.${tick}.${tick % 7}.mca` : '', problems: tick > 50 ? 1 : 0, permille: early ? null : Math.round(part * 999), last_activity: Date.now(),
    destinations: places.map((name, i) => ({ name, bytes: Math.round(part * total * (1 - i * 0.2)), state: 'writing' })),
  };
}

/** Lets a run go on until it is done or cancelled. `from` is where it stands at first, 0 to 80. */
export function drive(w: World, id: string, from = 0): void {
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
  }, TICK_MS);
}

function begin(w: World, part: Partial<T.RunRow> & Pick<T.RunRow, 'kind' | 'title'>): string {
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
    begin(w, { kind: 'download', title: `backup ${request.backup.slice(0, 6)}`, backup: request.backup, result: `${request.folder}/backup.${request.format}` }),
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
      row, files_read: 1516, files_new: 312, files_changed: 1204, files_deleted: 0,
      log: ['Connected to 10.0.0.5:22 as root', 'find lists 38,559 entries in 4.1 s', '1,516 files changed since the backup before', 'tar streams 1.4 GiB', 'mariadb-dump 10.11.6: shop, blog', 'Snapshot saved and read back'].map((text, i) => ({ at: at + i * 9000, text })),
      next: row.state === 'restore' ? 'Check that the site answers.' : row.kind === 'restore' ? 'Look at what was restored, then reload the services that use it.' : null,
    };
  },
  run_problems: (w: World, { id, text, offset, limit }: { id: string; text: string; offset: number; limit: number }): T.ProblemPage => {
    const run = w.runs.find((r) => r.id === id);
    const count = run?.progress?.problems ?? run?.problems ?? 0;
    const rows = PROBLEMS.slice(0, count).filter((p) => `${p.subject} ${p.reason}`.toLowerCase().includes(text.toLowerCase()));
    return { rows: rows.slice(offset, offset + limit), total: rows.length };
  },
  cancel_run: (w: World, { id }: { id: string }) => {
    const run = w.runs.find((r) => r.id === id);
    if (run) put(w, { ...run, state: 'cancelled', ended: Date.now(), progress: null });
    return null;
  },
};
