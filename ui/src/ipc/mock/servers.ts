import { ipcError } from '../transport';
import type * as T from '../generated/bindings';
import { FINGERPRINT, FINGERPRINT_JUMP, GIB, MIB, serverDraft, type World } from './data';

const FOLDERS: Record<string, [name: string, kind: string, bytes: number][]> = {
  '/': [['etc', 'dir', 0], ['home', 'dir', 0], ['root', 'dir', 0], ['srv', 'dir', 0], ['var', 'dir', 0], ['swapfile', 'file', 2 * GIB]],
  '/srv': [['game', 'dir', 0], ['shop', 'dir', 0], ['www', 'dir', 0], ['world.db', 'file', 44 * MIB]],
  '/srv/www': [['blog', 'dir', 0], ['shop', 'dir', 0], ['caf\\xe9', 'dir', 0], ['index.php', 'file', 4120], ['current', 'link', 12]],
  '/srv/www/shop': [['uploads', 'dir', 0], ['node_modules', 'dir', 0], ['config.php', 'file', 2210], ['error.log', 'file', 18 * MIB]],
  '/etc': [['nginx', 'dir', 0], ['ssh', 'dir', 0], ['fstab', 'file', 610], ['hosts', 'file', 190]],
  '/var': [['lib', 'dir', 0], ['log', 'dir', 0], ['vmail', 'dir', 0]],
};

/** What the made-up server found. */
export function facts(w: World): T.ServerFactsView {
  return {
    seen: w.now, os: 'Debian GNU/Linux 12 (bookworm)', kernel: 'Linux 6.1.0-28-amd64 x86_64', hostname: 'web-1', user: 'root', commands: true,
    tools: [['tar', '1.34'], ['find', '4.9.0'], ['zstd', '1.5.4'], ['mariadb-dump', '10.11.6'], ['sqlite3', '3.40.1']].map(([name, text]) => ({ name: name ?? '', text: text ?? '' })),
    space: [{ path: '/', total_bytes: 80 * GIB, free_bytes: 31 * GIB }, { path: '/srv', total_bytes: 200 * GIB, free_bytes: 88 * GIB }],
    folders: [{ path: '/srv/www', bytes: 22.6 * GIB }, { path: '/var/lib/mysql', bytes: 8.1 * GIB }, { path: '/etc', bytes: 4.1 * MIB }, { path: '/home', bytes: null }],
    found: [
      { kind: 'files', title: 'Websites in /srv/www', note: '2 virtual hosts of nginx', bytes: 22.6 * GIB, suggested: true, item: { name: 'www', password: null, settings: { kind: 'files', paths: ['/srv/www'], excludes: ['*.log', 'node_modules'], one_file_system: false } } },
      { kind: 'files', title: 'Settings in /etc', note: 'small and always worth having', bytes: 4.1 * MIB, suggested: true, item: { name: 'etc', password: null, settings: { kind: 'files', paths: ['/etc'], excludes: [], one_file_system: false } } },
      { kind: 'mysql', title: 'MariaDB 10.11: shop, blog', note: 'by socket, as root', bytes: 8.1 * GIB, suggested: true, item: { name: 'mariadb', password: null, settings: { kind: 'mysql', databases: ['shop', 'blog'], socket: '/run/mysqld/mysqld.sock', host: '', port: 0, user: '' } } },
      { kind: 'postgres', title: 'PostgreSQL 15: stats', note: 'by peer log-in as postgres', bytes: 480 * MIB, suggested: false, item: { name: 'postgres', password: null, settings: { kind: 'postgres', databases: ['stats'], host: '', port: 0, user: '', format: 'custom', globals: true } } },
      { kind: 'sqlite', title: 'SQLite file /srv/www/shop/cache.db', note: 'seems to be a cache', bytes: 12 * MIB, suggested: false, item: { name: 'cache', password: null, settings: { kind: 'sqlite', paths: ['/srv/www/shop/cache.db'] } } },
    ],
  };
}

function route(draft: T.ServerDraft): string {
  if (draft.local) return 'on this computer';
  return ['this computer', ...draft.jumps.map((jump) => `${jump.user}@${jump.host}`), `${draft.user}@${draft.host}:${draft.port}`].join(' → ');
}

/** Commands about servers. Hosts named "down…" refuse, "changed…" have another key, "nosudo…" have no sudo. */
export const servers = {
  servers: (w: World) => w.servers,
  server: (w: World, { id }: { id: string }): T.ServerDetail => {
    const row = w.servers.find((s) => s.id === id);
    const draft = w.drafts.get(id);
    if (!row || !draft) throw ipcError('missing', 'Cannot show the server: it was removed');
    return { row, draft, facts: facts(w), route: route(draft), fingerprint: draft.fingerprint };
  },
  ssh_config_hosts: (): T.SshConfigHost[] => [
    { alias: 'web-3', draft: serverDraft({ name: 'web-3', host: '10.0.0.7', auth: 'key', key_file: '/home/anna/.ssh/id_ed25519' }), summary: 'root@10.0.0.7:22, key ~/.ssh/id_ed25519' },
    { alias: 'db-1', draft: serverDraft({ name: 'db-1', host: '10.0.3.4', user: 'admin', jumps: [{ host: 'bastion.example.org', port: 22, user: 'anna', auth: 'same', key_file: null, key_passphrase: null, password: null, fingerprint: null }] }), summary: 'admin@10.0.3.4:22 through bastion' },
  ],
  probe_host_key: (_w: World, { draft }: { draft: T.ServerDraft }): T.HostKeyReport => {
    if (draft.host.startsWith('down')) throw ipcError('offline', `Cannot connect to ${draft.host}:${draft.port}: connection refused`, 'Check the address, and that sshd listens on this port.', 'Connection refused (os error 111)');
    const changed = draft.host.startsWith('changed') || (draft.fingerprint !== null && draft.fingerprint !== FINGERPRINT);
    const jumps = draft.jumps.map((jump): T.HostKeyView => ({ host: `${jump.host}:${jump.port}`, algorithm: 'ssh-ed25519', fingerprint: FINGERPRINT_JUMP, state: jump.fingerprint === FINGERPRINT_JUMP ? 'pinned' : 'unknown', expected: null }));
    if (jumps.some((jump) => jump.state === 'unknown')) return { keys: jumps };
    return { keys: [...jumps, { host: `${draft.host}:${draft.port}`, algorithm: 'ssh-ed25519', fingerprint: FINGERPRINT, state: draft.fingerprint === FINGERPRINT ? 'pinned' : changed ? 'changed' : 'unknown', expected: changed ? (draft.fingerprint ?? 'SHA256:ccccccccccccccccccccccccccccccccccccccccccc') : null }] };
  },
  test_server: (_w: World, { draft }: { draft: T.ServerDraft }): T.ConnectionTest => {
    const noSudo = draft.sudo !== 'none' && draft.host.startsWith('nosudo');
    const step = (title: string, state: string, text: string, hint: string | null = null): T.TestStep => ({ title, state, text, hint });
    return {
      ok: !noSudo, route: route(draft),
      steps: [
        step('Reach the server', 'ok', draft.local ? 'This computer' : `Answered in 34 ms by ${route(draft)}`),
        step('Check its host key', draft.local ? 'skipped' : 'ok', draft.local ? 'Not needed on this computer' : 'Equals the accepted fingerprint'),
        step(`Log in as ${draft.user}`, 'ok', `By ${draft.auth}`),
        ...(draft.sudo === 'none' ? [] : [step('Become root with sudo', noSudo ? 'failed' : 'ok', noSudo ? 'sudo asked for a password' : 'Works', noSudo ? 'Put the line below into /etc/sudoers.d/backstay with visudo.' : null)]),
        step('Run commands', noSudo ? 'skipped' : 'ok', 'sh, find and tar are there'),
        step('Compression on the way', 'note', 'zstd is not there; gzip is used', 'Install zstd on the server to back up faster.'),
      ],
      sudoers: noSudo ? `${draft.user} ALL=(root) NOPASSWD: ALL` : null,
    };
  },
  discover_server: (w: World) => facts(w),
  save_server: (w: World, { draft }: { draft: T.ServerDraft }): T.ServerRow => {
    if (w.servers.some((s) => s.name === draft.name && s.id !== draft.id)) throw ipcError('exists', `Cannot save the server: there is already one called ${draft.name}`, 'Choose another name.');
    const id = draft.id ?? `s-new-${w.nextId++}`;
    const old = w.servers.find((s) => s.id === id);
    const row: T.ServerRow = {
      ...(old ?? { os: 'Debian 12', kinds: ['files', 'mysql'], plans: 0, last_backup: null, last_bytes: null, places: 0, last_proof: null, state: 'unplanned', state_text: 'no plan reads it' }),
      id, name: draft.name, local: draft.local, address: draft.local ? 'this computer' : `${draft.user}@${draft.host}:${draft.port}`,
    };
    w.servers = old ? w.servers.map((s) => (s.id === id ? row : s)) : [...w.servers, row];
    const jumps = draft.jumps.map((jump) => ({ ...jump, password: null, key_passphrase: null }));
    w.drafts.set(id, { ...draft, id, jumps, password: null, key_passphrase: null, sudo_password: null });
    w.emit({ type: 'changed', what: 'servers' });
    return row;
  },
  remove_server: (w: World, { id }: { id: string }) => {
    const row = w.servers.find((s) => s.id === id);
    if (row && row.plans > 0) throw ipcError('invalid', `Cannot remove ${row.name}: ${row.plans} plan reads it`, 'Remove its plans first.');
    w.servers = w.servers.filter((s) => s.id !== id);
    w.emit({ type: 'changed', what: 'servers' });
    return null;
  },
  browse_server: (w: World, { path }: { id: string; path: string }): T.Listing => {
    const at = path === '' ? '/' : path;
    const entries = FOLDERS[at] ?? [['data', 'dir', 0], ['readme.txt', 'file', 900], ['-leading dash', 'file', 5]];
    if (at === '/root') throw ipcError('refused', 'Cannot list /root on web-1: permission denied', 'Let Backstay use sudo on this server.');
    return {
      path: at, parent: at === '/' ? null : at.replace(/\/[^/]+$/, '') || '/',
      entries: entries.map(([name, kind, bytes]) => ({ name, path: at === '/' ? `/${name}` : `${at}/${name}`, kind, bytes, modified: w.now - 86_400_000 * 3 })),
    };
  },
};
