import { ipcError } from '../transport';
import type * as T from '../generated/bindings';
import { copiesOf } from './copies';
import { GIB, MIB, random, type World } from './data';

type Node = [name: string, kind: string, bytes: number, files: number, change: string | null];

const TREE: Record<string, Node[]> = {
  '': [['etc', 'dir', 4.1 * MIB, 812, 'changed'], ['srv', 'dir', 22.6 * GIB, 37_000, 'changed'], ['.backstay', 'dir', 8.5 * GIB, 4, 'changed']],
  etc: [['nginx', 'dir', 220_000, 40, null], ['fstab', 'file', 610, 1, null], ['hosts', 'file', 190, 1, 'changed']],
  srv: [['www', 'dir', 22.6 * GIB, 37_000, 'changed']],
  'srv/www': [['shop', 'dir', 18 * GIB, 30_000, 'changed'], ['blog', 'dir', 4.6 * GIB, 7000, null], ['caf\\xe9.jpg', 'file', 2 * MIB, 1, 'added'], ['current', 'link', 0, 1, null]],
  '.backstay': [['mysql-shop.sql', 'file', 6.9 * GIB, 1, 'changed'], ['mysql-blog.sql', 'file', 1.2 * GIB, 1, null]],
};

function entry(w: World, parent: string, [name, kind, bytes, files, change]: Node): T.BackupEntry {
  return {
    name, path: parent ? `${parent}/${name}` : name, kind, bytes, files, modified: w.now - 3 * 86_400_000,
    mode: kind === 'dir' ? 'rwxr-xr-x' : 'rw-r--r--', owner: 'www-data:www-data', target: kind === 'link' ? 'releases/41' : null, change,
  };
}

/** Finds a backup. */
export function one(w: World, id: string): T.BackupRow {
  const row = w.backups.find((b) => b.id === id);
  if (!row) throw ipcError('missing', 'Cannot show the backup: it is not there any more', 'Read the destination anew to see what it holds.');
  return row;
}

/** Problems of the made-up runs. */
export const PROBLEMS: T.ProblemRow[] = [
  { kind: 'unreadable', item: 'files', subject: '/var/log/private', reason: 'permission denied' },
  { kind: 'unreadable', item: 'files', subject: '/root/.cache', reason: 'permission denied' },
  { kind: 'vanished', item: 'files', subject: '/srv/shop/tmp/sess_81ab', reason: 'was there when listed, gone when read' },
  { kind: 'changed', item: 'files', subject: '/srv/shop/uploads/caf\\xe9.jpg', reason: 'changed while it was read' },
];

/** Of a made-up run in which nothing went wrong: what was skipped. */
export const NOTES: T.ProblemRow[] = [
  { kind: 'skipped', item: 'files', subject: '/srv/game/run/server.sock', reason: 'It is a socket: it exists only while its program runs, and is made anew by it' },
  { kind: 'skipped', item: 'files', subject: '/srv/game/dev/null', reason: 'It is a device, whose numbers cannot be read over SFTP' },
];

const previews = new Map<string, T.RestoreRequest>();

const FOLDERS_DELETED = 2;

/** How many files a made-up restore changes: into /folders, none. */
function filesOf(request: T.RestoreRequest | undefined, change: string): number {
  const counts: Record<string, number> = { create: 3, overwrite: 1204, delete: request?.mode === 'replace' ? 18 : 0 };
  return request?.target === '/folders' ? 0 : (counts[change] ?? 0);
}

function changes(w: World, request: T.RestoreRequest | undefined, change: string): T.ChangeRow[] {
  const next = random(change.length);
  const files = Array.from({ length: filesOf(request, change) }, (_, i) => ({
    target: `/srv/www/shop/uploads/2026/${String(1 + (i % 12)).padStart(2, '0')}/IMG_${String(i).padStart(4, '0')}.jpg`,
    is_dir: false, bytes: Math.round(next() * 4 * MIB), modified: change === 'create' ? null : w.now - i * 3_600_000,
  }));
  const folders = change === 'delete' && request?.mode === 'replace' ? FOLDERS_DELETED : 0;
  return [...files, ...Array.from({ length: folders }, (_, i) => ({ target: `/srv/www/shop/uploads/new-${i}`, is_dir: true, bytes: 0, modified: w.now }))];
}

/** Commands about backups and restoring. */
export const backups = {
  backups: (w: World, { filter }: { filter: T.BackupFilter }): T.BackupPage => {
    const text = filter.text.trim().toLowerCase();
    const names = new Map(w.destinations.map((d) => [d.id, d.name]));
    const match = w.backups.filter((b) =>
      (!text || b.plan_name.toLowerCase().includes(text) || b.server_name.toLowerCase().includes(text) || b.id.startsWith(text))
      && (!filter.server || b.server === filter.server) && (!filter.plan || b.plan === filter.plan) && (!filter.kind || b.kinds.includes(filter.kind))
      && (!filter.state || b.state === filter.state) && (!filter.destination || b.destinations.includes(names.get(filter.destination) ?? filter.destination)));
    const value = (b: T.BackupRow): number | string => ({ plan: b.plan_name, server: b.server_name, size: b.bytes, added: b.added_bytes })[filter.sort] ?? b.started;
    const sign = filter.ascending ? 1 : -1;
    match.sort((x, y) => sign * (value(x) < value(y) ? -1 : value(x) > value(y) ? 1 : 0));
    return { rows: match.slice(filter.offset, filter.offset + filter.limit), total: match.length };
  },
  backup: (w: World, { id }: { id: string }): T.BackupDetail => {
    const row = one(w, id);
    const older = w.backups.find((b) => b.plan === row.plan && b.started < row.started);
    return {
      row, previous: older?.id ?? null,
      items: [{ name: 'files', kind: 'files', text: '/srv/www, /etc', path: '' }, ...(row.kinds.includes('mysql') ? [{ name: 'mysql', kind: 'mysql', text: 'shop, blog', path: '.backstay' }] : [])],
      files_read: 1516, bytes_read: 1.4 * GIB, files_new: 312, files_changed: 1204, facts: ['MariaDB 10.11.6', 'GNU tar 1.34'],
      problem_list: PROBLEMS.slice(0, row.problems), run: `run-${row.id}`,
      copies: copiesOf(w, row),
    };
  },
  backup_list: (w: World, { path }: { id: string; path: string }) => {
    const nodes: Node[] = TREE[path] ?? Array.from({ length: 24 }, (_, i): Node => [`IMG_${2100 + i}.jpg`, 'file', (i + 1) * 180_000, 1, i % 7 === 0 ? 'added' : null]);
    return nodes.map((node) => entry(w, path, node));
  },
  backup_search: (w: World, { text }: { id: string; text: string }) =>
    Object.entries(TREE).flatMap(([parent, nodes]) => nodes.map((node) => entry(w, parent, node))).filter((e) => e.path.toLowerCase().includes(text.toLowerCase())),
  backup_diff: (_w: World, { older, newer }: { older: string; newer: string }): T.DiffView => {
    const next = random(3);
    const lines = Array.from({ length: 400 }, (_, i): T.DiffLineView => {
      const change = ['added', 'changed', 'removed', 'metadata'][i % 4] ?? 'changed';
      const size = Math.round(next() * (400 - i) * MIB / 4);
      return { change, path: `/srv/www/shop/uploads/${i}/photo-${i}.jpg`, old_bytes: change === 'added' ? 0 : size, new_bytes: change === 'removed' ? 0 : change === 'metadata' ? size : Math.round(size * 1.3) };
    });
    return { older, newer, added: 312, removed: 18, changed: 1204, grown_bytes: 214 * MIB, lines, total: 1534 };
  },

  plan_restore: (w: World, { request }: { request: T.RestoreRequest }): T.RestorePreview => {
    const row = one(w, request.backup);
    const server = w.servers.find((s) => s.id === request.server);
    if (server?.name === 'game-2') throw ipcError('offline', 'Cannot connect to game-2 (10.0.0.22:22): connection refused', 'Check that the server is up.', 'Connection refused (os error 111)');
    const id = `preview-${w.nextId++}`;
    previews.set(id, request);
    const replace = request.mode === 'replace';
    const blocked = request.target === '/full' ? 'There is not enough room: 22.6 GiB are needed, 1.2 GiB are free' : null;
    const sum = (change: string, bytes: number): T.ChangeSum => {
      const rows = changes(w, request, change);
      const count = rows.filter((each) => !each.is_dir).length;
      return { count, folders: rows.length - count, bytes: count > 0 ? bytes : 0 };
    };
    const onlyFolders = request.target === '/folders';
    return {
      id, backup_text: `${row.plan_name}, 20 Nov 2026 10:12`, server_name: server?.name ?? '', server_address: server?.address ?? '', mode: request.mode,
      sentence: onlyFolders ? `2 folders that are not in the backup are deleted on ${server?.name ?? ''}.` : `3 files are made and 1,204 overwritten on ${server?.name ?? ''}${replace ? '; 18 files and 2 folders that are not in the backup are deleted' : ''}.`,
      create: sum('create', 4 * MIB), overwrite: sum('overwrite', 1.2 * GIB), delete: sum('delete', 31 * MIB),
      databases: row.kinds.includes('mysql') && !onlyFolders ? [replace ? 'database shop will be replaced' : 'database shop will get its tables anew, others stay'] : [], kept: 35_800, not_restored: 0, transfer_bytes: 1.3 * GIB, free_bytes: 88 * GIB,
      warnings: replace ? ['18 files that are not in the backup will be deleted', 'nginx on the server is newer than in the backup'] : ['1,204 files on the server are newer than in the backup'],
      facts: ['MariaDB 10.11.6 in the backup, 10.11.9 on the server'], blocked, needs_name: replace,
    };
  },
  restore_preview_page: (w: World, { preview, change, text, offset, limit }: { preview: string; change: string; text: string; offset: number; limit: number }): T.ChangePage => {
    const rows = changes(w, previewRequest(preview), change).filter((row) => row.target.toLowerCase().includes(text.toLowerCase()));
    return { rows: rows.slice(offset, offset + limit), total: rows.length };
  },
};

/** What a preview was asked for. */
export function previewRequest(preview: string): T.RestoreRequest | undefined {
  return previews.get(preview);
}
