import type * as T from '../generated/bindings';

export const MIN = 60_000;
export const HOUR = 60 * MIN;
export const DAY = 24 * HOUR;
export const MIB = 1024 ** 2;
export const GIB = 1024 ** 3;

/** Everything the made-up engine knows. */
export type World = {
  now: number;
  scene: string;
  settings: T.Settings;
  secrets: T.SecretsStatus;
  servers: T.ServerRow[];
  drafts: Map<string, T.ServerDraft>;
  destinations: T.DestinationRow[];
  destinationDrafts: Map<string, T.DestinationDraft>;
  limits: T.BandwidthView;
  plans: T.PlanRow[];
  planDrafts: Map<string, T.PlanDraft>;
  backups: T.BackupRow[];
  runs: T.RunRow[];
  audit: T.AuditRow[];
  emit: (event: T.Event) => void;
  nextId: number;
};

/** A draft with every field. */
export function serverDraft(part: Partial<T.ServerDraft>): T.ServerDraft {
  return {
    id: null, name: '', local: false, host: '', port: 22, user: 'root', auth: 'agent', key_file: null, key_passphrase: null,
    password: null, password_too: false, sudo: 'none', sudo_password: null, jumps: [], fingerprint: null, ...part,
  };
}

/** A layout with every field: the vault. */
export const VAULT: T.LayoutDraft = { kind: 'vault', format: 'tar.zst', seal: 'plan_key', key: null, template: '{plan}_{time:%Y%m%d_%H%M%S}' };

/** A draft of a destination with every field. */
export function destinationDraft(part: Partial<T.DestinationDraft>): T.DestinationDraft {
  return {
    id: null, name: '', kind: 'local', path: '', use_for: '', vault_password: null, bandwidth: { bytes_per_second: null, rules: [] },
    s3: {
      provider: '', region: '', endpoint: '', bucket: '', prefix: '', access_key: '', secret_key: null, path_style: null, checksums: null, ca_pem: null, pinned_certificate: null,
      storage_class: null, encryption: null, kms_key: null, lock_days: null, lock_mode: null,
    },
    sftp: { server: null, ssh: null, path: '' },
    ftp: { host: '', port: 0, user: '', password: null, path: '', tls: 'explicit', pinned_certificate: null, passive: 'auto', ignore_pasv_address: false, connections: 0 },
    ...part,
  };
}

type ServerSeed = [id: string, name: string, host: string, os: string, kinds: string[], state: string, text: string, agoH: number | null, gib: number, proofD: number | null];

const SERVERS: ServerSeed[] = [
  ['s1', 'web-1', '10.0.0.5', 'Debian 12', ['files', 'mysql'], 'protected', 'backed up 2 h ago', 2, 31.2, 4],
  ['s2', 'shop', 'shop.example.org', 'Ubuntu 24.04', ['files', 'mysql'], 'problems', '2 files could not be read', 5, 12.8, 11],
  ['s3', 'game-1', '10.0.0.21', 'Debian 12', ['files', 'sqlite'], 'running', 'being backed up', 0.7, 88, 2],
  ['s4', 'game-2', '10.0.0.22', 'Debian 11', ['files', 'sqlite'], 'stale', 'no good backup for 3 days', 74, 64.1, null],
  ['s5', 'vpn-gw', '10.0.0.1', 'Alpine 3.20', ['files'], 'protected', 'backed up 6 h ago', 6, 0.004, 6],
  ['s6', 'mail', 'mail.example.org', 'Debian 12', ['files', 'postgres'], 'protected', 'backed up 1 h ago', 1, 112.4, 1],
  ['s0', 'This computer', 'this computer', 'Debian 13', ['files'], 'unplanned', 'no plan reads it', null, 0, null],
];

const PLANS: [id: string, name: string, server: string, what: string, kinds: string[], destinations: string[], state: string, text: string, agoH: number][] = [
  ['p1', 'web nightly', 's1', '/srv/www · all databases', ['files', 'mysql'], ['nas', 'b2 offsite'], 'done', '', 2],
  ['p2', 'shop nightly', 's2', '/srv/shop · database shop', ['files', 'mysql'], ['nas'], 'done_with_problems', '2 problems', 5],
  ['p3', 'game saves', 's3', '/srv/game · /srv/game/world.db', ['files', 'sqlite'], ['usb disk', 'nas', 'b2 offsite'], 'running', '', 0.7],
  ['p4', 'game-2 saves', 's4', '/srv/game', ['files', 'sqlite'], ['usb disk'], 'failed', 'connection refused', 7],
  ['p5', 'vpn state', 's5', '/etc · /var/lib/wireguard', ['files'], ['nas'], 'done', '', 6],
  ['p6', 'mail nightly', 's6', '/var/vmail · all databases', ['files', 'postgres'], ['nas', 'usb disk'], 'done', '', 1],
  ['p7', 'shop archives', 's2', '/srv/shop', ['files'], ['archive store'], 'done', '', 8],
];

const ARCHIVES: T.LayoutDraft = { kind: 'archive', format: 'tar.zst', seal: 'plan_key', key: null, template: '{plan}_{time:%Y%m%d_%H%M%S}' };

const SIZES: Record<string, number> = { p1: 31.2, p2: 12.8, p3: 88, p4: 64.1, p5: 0.004, p6: 112.4, p7: 9.2 };

/** A small repeatable random source, so that screens look the same each time. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The newest backups did not get to the bucket yet. */
function lacks(i: number): boolean {
  return i < 10;
}

function makeBackups(now: number, plans: T.PlanRow[], count: number): T.BackupRow[] {
  const next = random(7);
  const rows: T.BackupRow[] = [];
  for (let i = 0; i < count; i += 1) {
    const plan = plans[i % plans.length];
    if (!plan) break;
    const started = now - 2 * HOUR - Math.floor(i / plans.length) * (DAY / 2) - (i % plans.length) * 47 * MIN;
    const bytes = Math.round((SIZES[plan.id] ?? 1) * GIB * (1 - i / count / 3));
    const problems = next() < 0.05 ? 1 + Math.floor(next() * 4) : 0;
    rows.push({
      id: `b${String(i).padStart(5, '0')}${Math.floor(next() * 2 ** 32).toString(16).padStart(8, '0')}`,
      started, ended: started + 30_000 + Math.round(next() * 9 * MIN), plan: plan.id, plan_name: plan.name, server: plan.server,
      server_name: plan.server_name, kinds: plan.kinds, state: problems ? 'problems' : 'good', problems,
      files: 1000 + Math.floor(next() * 60_000), bytes, added_bytes: Math.round(bytes * next() * 0.03), destinations: lacks(i) ? plan.destinations.filter((name) => name !== 'b2 offsite') : plan.destinations,
      missing_at: lacks(i) ? plan.destinations.filter((name) => name === 'b2 offsite') : [], layout: plan.id === 'p7' ? 'tar.zst' : 'vault', sealed: plan.id === 'p7',
      verified: next() < 0.1 ? started + DAY : null,
    });
  }
  return rows;
}

/** What the engine says of a restore that was stopped. */
export const HALF_RESTORED = 'The target is partly restored: preview the restore again to see what is left to do';

const NO_RUN: Omit<T.RunRow, 'id' | 'kind' | 'state' | 'title' | 'created'> = {
  plan: null, server: null, server_name: null, backup: null, started: null, ended: null, problems: 0, error: null, files: 0, bytes: 0,
  bytes_read: 0, bytes_added: 0, result: null, progress: null, elsewhere: false, resumable: false,
};

/** A run row with every field. */
export function runRow(part: Pick<T.RunRow, 'id' | 'kind' | 'state' | 'title' | 'created'> & Partial<T.RunRow>): T.RunRow {
  return { ...NO_RUN, ...part };
}

function makeRuns(now: number, plans: T.PlanRow[], backups: T.BackupRow[]): T.RunRow[] {
  const rows: T.RunRow[] = [];
  const ended = (id: string, kind: string, state: string, title: string, ago: number, took: number, part: Partial<T.RunRow>) =>
    rows.push(runRow({ id, kind, state, title, created: now - ago, started: now - ago, ended: now - ago + took, ...part }));
  const b = backups[0];
  ended('r90', 'restore', 'done', 'web nightly to web-1:/srv/old', 90 * MIN, 6 * MIN, { server: 's1', server_name: 'web-1', backup: b?.id ?? null, files: 1204, bytes: 2 * GIB, result: '1,204 files restored to /srv/old on web-1' });
  ended('r91', 'backup', 'failed', 'game-2 saves', 7 * HOUR, 4000, {
    plan: 'p4', server: 's4', server_name: 'game-2',
    error: { code: 'offline', message: 'Cannot connect to game-2 (10.0.0.22:22): connection refused', hint: 'Check that the server is up and that sshd listens on port 22.', detail: 'tcp connect error: Connection refused (os error 111)' },
  });
  ended('r92', 'backup', 'cancelled', 'mail nightly', 9 * HOUR, 40_000, { plan: 'p6', server: 's6', server_name: 'mail', bytes_read: 800 * MIB });
  ended('r93', 'download', 'done', 'web nightly 18 Nov', 30 * HOUR, 12 * MIN, { server: 's1', server_name: 'web-1', backup: b?.id ?? null, result: '/home/anna/Downloads/web-nightly.tar.zst' });
  ended('r94', 'verify', 'done', 'mail nightly', 32 * HOUR, 8 * MIN, { server: 's6', server_name: 'mail', backup: backups[5]?.id ?? null, bytes_read: 112 * GIB });
  ended('r96', 'download', 'interrupted', 'web nightly 12 Nov', 26 * HOUR, 3 * MIN, { server: 's1', server_name: 'web-1', backup: b?.id ?? null, bytes: 31.2 * GIB, bytes_read: 11.4 * GIB, resumable: true });
  ended('r97', 'sync', 'done', 'b2 offsite', 50 * HOUR, 22 * MIN, { bytes: 4.1 * GIB, result: '3 backups copied to b2 offsite from nas; web-1 was not read again' });
  ended('r98', 'backup', 'done', 'game saves', 4 * DAY, 55_000, { plan: 'p3', server: 's3', server_name: 'game-1', files: 3100, bytes: 4.4 * GIB, bytes_read: 90 * MIB, bytes_added: 31 * MIB });
  ended('r89', 'restore', 'interrupted', 'web nightly to web-1', 5 * DAY, 2 * MIN, {
    plan: 'p1', server: 's1', server_name: 'web-1', backup: b?.id ?? null,
    error: { code: 'cancelled', message: '"web nightly to web-1" was cut short: Backstay ended while it ran', hint: HALF_RESTORED, detail: null },
  });
  ended('r95', 'backup', 'interrupted', 'game saves', 3 * DAY, 50_000, { plan: 'p3', server: 's3', server_name: 'game-1' });
  for (const backup of backups.slice(0, 120)) {
    rows.push(runRow({
      id: `run-${backup.id}`, kind: 'backup', state: backup.problems ? 'done_with_problems' : 'done', title: backup.plan_name,
      created: backup.started, started: backup.started, ended: backup.ended, plan: backup.plan, server: backup.server,
      server_name: backup.server_name, backup: backup.id, problems: backup.problems, files: backup.files, bytes: backup.bytes,
      bytes_read: backup.added_bytes * 2, bytes_added: backup.added_bytes,
    }));
  }
  ended('r2', 'backup', 'done_with_problems', 'shop nightly', 5 * HOUR, 71_000, {
    plan: 'p2', server: 's2', server_name: 'shop', backup: backups[1]?.id ?? null, problems: 2, files: 18_204, bytes: 12.8 * GIB, bytes_read: 240 * MIB, bytes_added: 88 * MIB,
  });
  rows.sort((x, y) => y.created - x.created);
  rows.unshift(
    runRow({ id: 'live1', kind: 'backup', state: 'running', title: 'game saves', created: now - 9000, started: now - 8000, plan: 'p3', server: 's3', server_name: 'game-1', progress: null }),
    runRow({ id: 'live2', kind: 'backup', state: 'waiting', title: 'game-2 saves', created: now - 3000, plan: 'p4', server: 's4', server_name: 'game-2' }),
  );
  void plans;
  return rows;
}

function makeAudit(now: number): T.AuditRow[] {
  const acts: [string, string, string][] = [
    ['backup.end', 'web nightly', 'done'], ['backup.end', 'shop nightly', 'done_with_problems'], ['restore.confirm', 'web nightly, 20 Nov 2026 10:12 to web-1 (merge)', 'ok'],
    ['backup.start', 'game-2 saves', 'offline'], ['plan.change', 'shop nightly', 'ok'], ['kit.show', 'nas', 'ok'],
    ['host_key.accept', 'vpn-gw: 10.0.0.9:22 SHA256:3rKkHcPqpFyWm1QxSd0LTbJQ2n8u0pXvXyYf1i8wE4c', 'ok'], ['destination.add', 'usb disk', 'ok'],
  ];
  return Array.from({ length: 240 }, (_, i) => {
    const [action, subject, outcome] = acts[i % acts.length] ?? ['', '', ''];
    return { seq: 123_240 - i, at: now - i * 3 * HOUR, who: 'anna', action, subject, outcome, hash: (0x9e3779b9 * (240 - i) >>> 0).toString(16).padStart(8, '0').repeat(8) };
  });
}

const WORK_HOURS: T.BandwidthView = {
  bytes_per_second: null,
  rules: [{ days: [0, 1, 2, 3, 4], from_minute: 9 * 60, to_minute: 17 * 60, bytes_per_second: 2 * MIB }],
};
const UNLIMITED: T.BandwidthView = { bytes_per_second: null, rules: [] };

function makeDestinations(): T.DestinationRow[] {
  const row = (part: Partial<T.DestinationRow> & Pick<T.DestinationRow, 'id' | 'name' | 'place'>): T.DestinationRow => ({
    kind: 'local', provider: null, vault: true, copies_of: [], early_note: null, on_servers: [], missing: 0, damaged: 0, bandwidth: UNLIMITED, used_bytes: null, free_bytes: null, total_bytes: null,
    backups: 0, plans: 0, state: 'ok', state_text: '', ...part,
  });
  return [
    row({ id: 'd1', name: 'nas', place: '/mnt/nas/backstay', copies_of: ['b2 offsite', 'usb disk'], used_bytes: 148.6 * GIB, free_bytes: 1.2 * 1024 * GIB, total_bytes: 4 * 1024 * GIB, backups: 6667, plans: 5 }),
    row({ id: 'd2', name: 'usb disk', place: '/media/anna/BACKUP', copies_of: ['b2 offsite', 'nas'], used_bytes: 96.2 * GIB, free_bytes: 210 * GIB, total_bytes: 931 * GIB, backups: 3333, plans: 3, state: 'kit_not_confirmed', state_text: 'the recovery kit was never confirmed' }),
    row({ id: 'd3', name: 'b2 offsite', kind: 's3', provider: 'Backblaze B2', place: 's3://acme-backups/backstay', copies_of: ['nas', 'usb disk'], missing: 4, bandwidth: WORK_HOURS, used_bytes: 141.2 * GIB, backups: 2853, plans: 2 }),
    row({ id: 'd4', name: 'archive store', kind: 's3', provider: 'Wasabi', place: 's3://acme-archives', vault: false, used_bytes: 412 * GIB, backups: 1428, plans: 1 }),
    row({ id: 'd5', name: 'storage box', kind: 'sftp', on_servers: ['s4'], place: 'sftp://u1234@u1234.storagebox.example:23/backups', used_bytes: 12.1 * GIB, free_bytes: 740 * GIB, total_bytes: 1024 * GIB, state: 'offline', state_text: 'connection refused 20 m ago; it is tried again before each run' }),
  ];
}

/** The stored drafts of the made-up destinations, as `destination` gives them: without secrets. */
function makeDestinationDrafts(rows: T.DestinationRow[], rekeyed: boolean): Map<string, T.DestinationDraft> {
  const blank = destinationDraft({});
  return new Map(rows.map((d) => [d.id, destinationDraft({
    id: d.id, name: d.name, kind: d.kind, use_for: d.vault ? 'vault' : 'none', bandwidth: d.bandwidth, path: d.kind === 'local' ? d.place : '',
    s3: d.kind === 's3'
      ? { ...blank.s3, provider: d.id === 'd3' ? 'b2' : 'wasabi', region: d.id === 'd3' ? 'eu-central-003' : 'eu-central-1', bucket: d.id === 'd3' ? 'acme-backups' : 'acme-archives', prefix: d.id === 'd3' ? 'backstay' : '', access_key: '0031f2c9a7be5d40000000001', path_style: false, checksums: false }
      : blank.s3,
    sftp: d.kind === 'sftp' ? { server: null, path: 'backups', ssh: serverDraft({ name: 'storage box', host: 'u1234.storagebox.example', port: 23, user: 'u1234', auth: 'password', fingerprint: rekeyed ? FINGERPRINT_OLD : FINGERPRINT }) } : blank.sftp,
  })]));
}

/** Makes the world of a scene: "" (a year of use), "empty" (just installed), "locked", "keyring_closed", "not_set_up", "broken" (every read fails), "rekeyed" (mail and the storage box show another host key than the pinned one). */
export function makeWorld(scene: string, now: number): World {
  const empty = scene === 'empty';
  const plans: T.PlanRow[] = empty ? [] : PLANS.map(([id, name, server, what, kinds, destinations, state, state_text, ago]) => ({
    id, name, server, server_name: SERVERS.find((s) => s[0] === server)?.[1] ?? '', what, kinds, destinations, layout: id === 'p7' ? 'tar.zst, sealed' : 'vault', kit_confirmed: id === 'p7' ? true : null, missing_copies: destinations.includes('b2 offsite') ? 2 : 0, last_run: now - ago * HOUR,
    last_run_id: state === 'failed' ? 'r91' : state === 'done_with_problems' ? 'r2' : null, state, state_text, last_backup: now - (id === 'p4' ? 74 : ago) * HOUR, last_bytes: Math.round((SIZES[id] ?? 1) * GIB),
  }));
  const servers: T.ServerRow[] = SERVERS.filter((s) => !empty || s[0] === 's0').map(([id, name, host, os, kinds, state, state_text, ago, gib, proof]) => ({
    id, name, address: id === 's0' ? 'this computer' : `${id === 's5' ? 'admin' : 'root'}@${host}:22`, local: id === 's0', os, kinds,
    plans: plans.filter((p) => p.server === id).length, last_backup: ago === null ? null : now - ago * HOUR,
    last_bytes: ago === null ? null : Math.round(gib * GIB), places: ago === null ? 0 : id === 's6' ? 2 : 1,
    last_proof: proof === null ? null : now - proof * DAY, state, state_text,
  }));
  const backups = makeBackups(now, plans, empty ? 0 : 10_000);
  const destinations = empty ? [] : makeDestinations();
  const drafts = new Map(servers.map((s) => [s.id, serverDraft({
    id: s.id, name: s.name, local: s.local, host: s.local ? '' : s.address.replace(/^.*@|:.*$/g, ''), user: s.address.split('@')[0] ?? 'root',
    auth: s.id === 's5' ? 'key' : 'agent', key_file: s.id === 's5' ? '/home/anna/.ssh/id_ed25519' : null, sudo: s.id === 's5' ? 'without_password' : 'none',
    jumps: s.id === 's6' ? [{ host: 'bastion.example.org', port: 22, user: 'anna', auth: 'agent', key_file: null, key_passphrase: null, password: null, fingerprint: FINGERPRINT_JUMP }] : [],
    fingerprint: s.local ? null : scene === 'rekeyed' && s.id === 's6' ? FINGERPRINT_OLD : FINGERPRINT,
  })]));
  return {
    now, scene, settings: { theme: 'system', notify: 'problems', stall_minutes: 10, stale_days: 2 },
    secrets: scene === 'locked'
      ? { backend: 'file', state: 'locked', reason: 'no Secret Service on the session bus', file: '/home/anna/.local/share/backstay/secrets', keyring_used: false }
      : scene === 'keyring_closed'
        ? { backend: 'keyring', state: 'keyring_closed', reason: 'The keyring is locked and was not unlocked', file: '/home/anna/.local/share/backstay/secrets', keyring_used: true }
      : scene === 'not_set_up'
        ? { backend: 'none', state: 'not_set_up', reason: 'no Secret Service on the session bus', file: '/home/anna/.local/share/backstay/secrets', keyring_used: false }
        : { backend: 'keyring', state: 'ready', reason: null, file: null, keyring_used: true },
    servers, drafts, destinations, destinationDrafts: makeDestinationDrafts(destinations, scene === 'rekeyed'), limits: UNLIMITED, plans,
    planDrafts: new Map(plans.map((p) => [p.id, {
      id: p.id, name: p.name, server: p.server,
      items: [
        { name: 'files', settings: { kind: 'files' as const, paths: p.what.split(' · ').filter((w) => w.startsWith('/')), excludes: ['*.log', 'cache'], one_file_system: false }, password: null },
        ...(p.kinds.includes('mysql') ? [{ name: 'mysql', settings: { kind: 'mysql' as const, databases: p.id === 'p2' ? ['shop'] : [], socket: '', host: '', port: 0, user: '' }, password: null }] : []),
        ...(p.kinds.includes('postgres') ? [{ name: 'postgres', settings: { kind: 'postgres' as const, databases: [], host: '', port: 0, user: '', format: 'custom', globals: true }, password: null }] : []),
      ],
      destinations: p.destinations.flatMap((name) => destinations.filter((d) => d.name === name).map((d) => d.id)),
      layout: p.id === 'p7' ? ARCHIVES : VAULT,
    }])),
    backups, runs: empty ? [] : makeRuns(now, plans, backups), audit: makeAudit(now).slice(0, empty ? 1 : 240), emit: () => undefined, nextId: 1,
  };
}

export const FINGERPRINT = 'SHA256:3rKkHcPqpFyWm1QxSd0LTbJQ2n8u0pXvXyYf1i8wE4c';
/** A key that was pinned before the server was set up anew. */
export const FINGERPRINT_OLD = 'SHA256:cTbJQ2n8u0pXvXyYf1i8wE43rKkHcPqpFyWm1QxSd0L';
export const FINGERPRINT_JUMP = 'SHA256:pXvXyYf1i8wE4cTbJQ2n8u03rKkHcPqpFyWm1QxSd0L';
