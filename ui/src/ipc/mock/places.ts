import { ipcError } from '../transport';
import type * as T from '../generated/bindings';
import { FINGERPRINT, FINGERPRINT_OLD, GIB, MIB, VAULT, serverDraft, type World } from './data';
import { PROVIDERS } from './providers';
import { begin } from './runs';
import { kit } from './stores';

const CERTIFICATE = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';

/** Where a draft leads, in one text; the made-up engine's answers depend on words in it. */
function placeOf(draft: T.DestinationDraft): string {
  if (draft.kind === 's3') return `s3://${draft.s3.bucket}${draft.s3.prefix ? `/${draft.s3.prefix}` : ''}`;
  if (draft.kind === 'sftp') return `sftp://${draft.sftp.ssh ? `${draft.sftp.ssh.user}@${draft.sftp.ssh.host}` : draft.sftp.server}/${draft.sftp.path}`;
  if (draft.kind === 'ftp') return `${draft.ftp.tls === 'none' ? 'ftp' : 'ftps'}://${draft.ftp.user}@${draft.ftp.host}/${draft.ftp.path}`;
  return draft.path;
}

const step = (title: string, state: string, text: string, hint: string | null = null): T.TestStep => ({ title, state, text, hint });

const LOOK: Record<string, T.TestStep> = {
  empty: step('Look what is there', 'ok', 'Nothing lies here yet'),
  vault: step('Look what is there', 'ok', 'A vault lies here'),
  archives: step('Look what is there', 'ok', 'Archives lie here, and no vault'),
  foreign: step('Look what is there', 'failed', 'Other files lie here', 'Choose an empty folder.'),
};

function folderSteps(draft: T.DestinationDraft, found: string): T.TestStep[] {
  const full = draft.path.includes('full');
  const rest = full ? 'skipped' : 'ok';
  return [
    step('Reach the folder', 'ok', draft.path),
    step('Write a file', full ? 'failed' : 'ok', full ? 'No space left on device' : 'Wrote and read back 1 MiB', full ? 'Make room, or choose another folder.' : null),
    step('Read a part of it', rest, ''), step('Delete it', rest, ''),
    step('Free room', 'note', '210.0 GiB free; the first backup may need 40 GiB'),
    ...(LOOK[found] ? [LOOK[found]] : []),
  ];
}

function s3Steps(draft: T.DestinationDraft, found: string): T.TestStep[] {
  const { bucket, endpoint, pinned_certificate, secret_key } = draft.s3;
  if (endpoint.includes('selfsigned') && pinned_certificate !== CERTIFICATE) {
    return [step('Check its certificate', 'failed', 'It is not vouched for by any authority this computer trusts: CN=s3.selfsigned.example, signed by CN=s3.selfsigned.example, valid from 1 Feb 2026 to 1 Feb 2028', 'Compare its SHA-256 with what the server’s admin tells, then accept it.')];
  }
  if (secret_key === 'wrong') return [step('Reach the address', 'ok', 'Answered in 34 ms, clock right'), step('Log in', 'failed', 'The secret key does not belong to this access key', 'Make a new pair of keys and type both.')];
  if (bucket.includes('missing')) return [step('Reach the address', 'ok', 'Answered in 34 ms, clock right'), step('Find the bucket', 'failed', `There is no bucket ${bucket}`, 'Check its name and region, or let Backstay make it.')];
  return [
    step('Reach the address', 'ok', 'Answered in 34 ms, clock right'), step('Find the bucket', 'ok', `${bucket} is there`), step('Write, read and delete', 'ok', 'Hash equal'),
    step('Read a part of a file', 'ok', ''), step('Upload in parts', 'ok', 'And cleans up after one that is broken off'), step('Keep old versions', 'note', 'Versioning is on: Backstay removes old versions itself'),
    step('Refuse to overwrite', 'ok', ''), ...(LOOK[found] ? [LOOK[found]] : []),
  ];
}

function remoteSteps(draft: T.DestinationDraft, found: string): T.TestStep[] {
  if (draft.kind === 'ftp' && draft.ftp.host.includes('selfsigned') && draft.ftp.pinned_certificate !== CERTIFICATE) {
    return [
      step('Reach the server', 'ok', 'Answered in 21 ms'),
      step('Check its certificate', 'failed', 'No authority vouches for it. Subject CN=ftp.selfsigned.example, valid from 1 Feb 2026 to 1 Feb 2028', 'Compare its fingerprint with what the server’s owner tells you, then accept it.'),
    ];
  }
  if (draft.sftp.ssh?.fingerprint === FINGERPRINT_OLD) {
    return [step('Reach the server', 'ok', 'Answered in 21 ms'), step('Check its host key', 'failed', `The host key of ${draft.sftp.ssh.host}:${draft.sftp.ssh.port} has changed`, 'Somebody may be listening in, or the server was set up anew. Nothing was sent.')];
  }
  return [
    step('Reach the server', 'ok', 'Answered in 21 ms'), step(draft.kind === 'ftp' ? 'Check its certificate' : 'Check its host key', draft.ftp.tls === 'none' && draft.kind === 'ftp' ? 'skipped' : 'ok', ''),
    step('Log in', 'ok', ''), step('Write, read and delete', 'ok', 'Hash equal'), step('Rename', 'ok', 'Over an existing file too'), step('Go on with a broken upload', 'ok', ''),
    ...(LOOK[found] ? [LOOK[found]] : []),
  ];
}

/** What only reading finds out. */
function lookSteps(draft: T.DestinationDraft, found: string): T.TestStep[] {
  const all = draft.kind === 's3' ? s3Steps(draft, found) : draft.kind === 'local' ? folderSteps(draft, found) : remoteSteps(draft, found);
  if (all.some((each) => each.state === 'failed')) return all.slice(0, 2);
  return [all[0] ?? step('Reach it', 'ok', ''), step('List what is there', 'ok', '1,204 files'), step('Read a file', 'ok', '155 bytes read'), step('Read a part of it', 'ok', 'Works'), ...(LOOK[found] ? [LOOK[found]] : [])];
}

function abilities(kind: string): T.Ability[] {
  const s3 = kind === 's3';
  const one = (id: string, title: string, state: string, text: string): T.Ability => ({ id, title, state, text });
  return [
    one('conditional_writes', 'Safe for two computers at once', s3 ? 'yes' : 'no', s3 ? 'Two computers cannot write the same file.' : 'Backstay writes under a new name, then renames.'),
    one('object_lock', 'Locks files against deletion', s3 ? 'yes' : 'no', s3 ? 'Archives can be locked for some days.' : 'Whoever can log in can delete.'),
    one('lifecycle', 'Cleans up broken uploads by itself', s3 ? 'yes' : 'no', 'Backstay cleans up its own anyway.'),
    one('versioning', 'Keeps old versions', s3 ? 'yes' : 'no', s3 ? 'They are billed until they are removed.' : 'What is deleted is gone.'),
    one('ranges', 'Reads parts of a file', 'yes', 'One file comes back without loading all.'),
    one('resume', 'Goes on with a broken transfer', 'yes', 'After a lost link only the last part is sent again.'),
    one('space', 'Tells how much room is free', s3 ? 'no' : kind === 'ftp' ? 'unknown' : 'yes', s3 ? 'There is no limit to see.' : ''),
    one('links', 'Makes temporary links', s3 ? 'yes' : 'no', s3 ? 'For archives, 10 minutes to 7 days.' : 'Download it with Backstay instead.'),
  ];
}

async function test(w: World, { draft, test: name }: { draft: T.DestinationDraft; test: string }, looks = false): Promise<T.DestinationTest> {
  const place = placeOf(draft);
  const found = place.includes('vault') ? 'vault' : place.includes('foreign') ? 'foreign' : place.includes('archives') ? 'archives' : 'empty';
  const steps = looks ? lookSteps(draft, found) : draft.kind === 's3' ? s3Steps(draft, found) : draft.kind === 'local' ? folderSteps(draft, found) : remoteSteps(draft, found);
  for (const each of steps) {
    await new Promise((resolve) => setTimeout(resolve, 120));
    w.emit({ type: 'test_step', step: { test: name, step: structuredClone(each) } });
  }
  const ok = steps.every((each) => each.state !== 'failed');
  const provider = PROVIDERS.find((each) => each.id === draft.s3.provider);
  return {
    ok, found, steps, existing: found === 'vault' || found === 'archives', abilities: ok && !looks ? abilities(draft.kind) : [],
    cost_notes: draft.kind === 's3' && ok && !looks ? (provider?.notes ?? []) : [],
    settled: draft.kind === 's3' && ok ? { ...draft.s3, secret_key: null, path_style: provider?.path_style ?? true, checksums: provider?.checksums ?? false } : null,
    certificate: steps.some((each) => each.title === 'Check its certificate' && each.state === 'failed') ? CERTIFICATE : null,
  };
}

function rowOf(draft: T.DestinationDraft, id: string, backups: number): T.DestinationRow {
  const vault = draft.use_for !== 'none';
  const created = vault && backups === 0;
  return {
    id, name: draft.name, kind: draft.kind, provider: draft.kind === 's3' ? (PROVIDERS.find((each) => each.id === draft.s3.provider)?.name ?? null) : null, place: placeOf(draft),
    vault, copies_of: [], early_note: null, on_servers: [], missing: 0, damaged: 0, bandwidth: draft.bandwidth, used_bytes: 0, free_bytes: draft.kind === 's3' ? null : 210 * GIB, total_bytes: draft.kind === 's3' ? null : 931 * GIB,
    backups, plans: 0, state: created ? 'kit_not_confirmed' : 'ok', state_text: created ? 'the recovery kit was never confirmed' : '',
  };
}

function add(w: World, row: T.DestinationRow, draft: T.DestinationDraft): void {
  w.destinations = [...w.destinations, row];
  w.destinationDrafts.set(row.id, { ...draft, id: row.id, vault_password: null, s3: { ...draft.s3, secret_key: null }, ftp: { ...draft.ftp, password: null } });
  w.emit({ type: 'changed', what: 'destinations' });
}

function limits(w: World): T.Limits {
  return { all: w.limits, destinations: w.destinations.map((d) => ({ destination: d.id, bandwidth: d.bandwidth })) };
}

function adopt(w: World): T.Adopted {
  if (w.servers.some((s) => s.id === 's-old')) return { servers: 0, plans: 0, destinations: 0, missing_secrets: [] };
  const draft = serverDraft({ id: 's-old', name: 'old-web', host: 'old.example.org', auth: 'password', fingerprint: FINGERPRINT });
  w.drafts.set('s-old', draft);
  w.servers = [...w.servers, { id: 's-old', name: 'old-web', address: 'root@old.example.org:22', local: false, os: null, kinds: ['files'], plans: 1, last_backup: w.now - 3 * 86_400_000, last_bytes: 24.3 * MIB, places: 1, last_proof: null, state: 'stale', state_text: 'no good backup for 3 days' }];
  w.plans = [...w.plans, { id: 'p-old', name: 'old web nightly', server: 's-old', server_name: 'old-web', what: '/srv/www', kinds: ['files'], destinations: [], layout: 'vault', kit_confirmed: null, missing_copies: 0, last_run: null, last_run_id: null, state: 'never', state_text: 'Never ran', last_backup: w.now - 3 * 86_400_000, last_bytes: 24.3 * MIB }];
  w.planDrafts.set('p-old', { id: 'p-old', name: 'old web nightly', server: 's-old', items: [], destinations: [], layout: VAULT });
  for (const what of ['servers', 'plans']) w.emit({ type: 'changed', what });
  return { servers: 1, plans: 1, destinations: 0, missing_secrets: ['Server old-web: log-in password', 'Plan old web nightly: password of its MySQL log-in'] };
}

/**
 * Commands about where backups lie. Places with "vault" in them hold one, "foreign" other files, "archives" archives,
 * "full" no room; a bucket "missing…" is not there, the secret key "wrong" is refused, an FTP host or a store's address
 * with "selfsigned" in it shows a certificate nobody vouches for.
 */
export const places = {
  s3_providers: () => PROVIDERS,
  destination: (w: World, { id }: { id: string }): T.DestinationDraft => {
    const draft = w.destinationDrafts.get(id);
    if (!draft) throw ipcError('missing', 'Cannot show the destination: it was removed');
    return draft;
  },
  test_destination: (w: World, args: { draft: T.DestinationDraft; test: string }) => test(w, args),
  look_at_destination: (w: World, args: { draft: T.DestinationDraft; test: string }) => test(w, args, true),
  set_cleanup_rule: (): T.CleanupRule => ({ upload_days: 7, version_days: 30, text: 'Unfinished uploads go after 7 days, old versions after 30 days' }),
  make_bucket: (_w: World, { draft }: { draft: T.DestinationDraft }): T.BucketMade => {
    const taken = draft.s3.bucket === 'taken';
    if (draft.s3.bucket === 'acme-there') {
      return { ok: true, steps: [step('Make the bucket', 'note', 'acme-there is there already: its settings were left as they are', 'Keep it private at the provider; "Set the clean-up rule…" in the destination\'s details clears away leftovers')] };
    }
    return {
      ok: !taken,
      steps: taken
        ? [step('Make the bucket', 'failed', 'The name is taken by somebody else', 'Bucket names are shared by all customers: choose a longer one.')]
        : [step('Make the bucket', 'ok', draft.s3.bucket), step('Block public access', 'ok', ''), step('Keep old versions', 'ok', ''), step('Encrypt at rest', 'ok', 'AES-256'), step('Clean up broken uploads', 'ok', 'After 7 days')],
    };
  },
  add_destination: (w: World, { draft }: { draft: T.DestinationDraft }): T.DestinationAdded => {
    const vault = draft.use_for !== 'none';
    const exists = vault && placeOf(draft).includes('vault');
    if (exists && draft.vault_password !== 'right') throw ipcError('wrong_key', `Cannot open the vault in ${placeOf(draft)}: the password does not open it`, 'Type it as it stands on the recovery kit.');
    const row = rowOf(draft, `d-new-${w.nextId++}`, exists ? 42 : 0);
    add(w, row, draft);
    return { destination: row, created: vault && !exists, backups: row.backups, kit: vault ? kit(w, draft.name, row.place) : null, ask_word: 4 };
  },
  change_destination: (w: World, { draft }: { draft: T.DestinationDraft }): T.DestinationRow => {
    w.destinations = w.destinations.map((d) => (d.id === draft.id ? { ...d, name: draft.name, bandwidth: draft.bandwidth } : d));
    const row = w.destinations.find((d) => d.id === draft.id);
    if (!row) throw ipcError('missing', 'Cannot change the destination: it was removed');
    w.destinationDrafts.set(row.id, { ...draft, s3: { ...draft.s3, secret_key: null } });
    w.emit({ type: 'changed', what: 'destinations' });
    return row;
  },
  open_existing: (w: World, { draft, key }: { draft: T.DestinationDraft; key: string }): T.ExistingFound => {
    if (key === 'wrong') throw ipcError('wrong_key', `Cannot open what lies in ${placeOf(draft)}: the key opens nothing there`, 'Type it as it stands on the recovery kit.');
    const old = w.destinations.find((d) => d.place === placeOf(draft));
    const row = old ?? rowOf({ ...draft, name: draft.name || 'opened' }, `d-new-${w.nextId++}`, 42);
    if (!old) add(w, row, draft);
    return {
      destination: row, backups: 42, locked: old ? 0 : 3,
      configurations: [
        { id: 'c1', computer: 'anna-laptop', made: w.now - 2 * 86_400_000, servers: ['old-web'], plans: ['old web nightly'], destinations: [] },
        { id: 'c2', computer: 'old-desktop', made: w.now - 90 * 86_400_000, servers: [], plans: [], destinations: [] },
      ],
    };
  },
  adopt_configuration: adopt,
  limits,
  save_limits: (w: World, { limits: wanted }: { limits: T.Limits }): T.Limits => {
    w.limits = wanted.all;
    w.destinations = w.destinations.map((d) => ({ ...d, bandwidth: wanted.destinations.find((each) => each.destination === d.id)?.bandwidth ?? { bytes_per_second: null, rules: [] } }));
    w.emit({ type: 'changed', what: 'destinations' });
    return limits(w);
  },
  start_sync: (w: World, { destination }: { destination: string }) => {
    const row = w.destinations.find((d) => d.id === destination);
    w.destinations = w.destinations.map((d) => (d.id === destination ? { ...d, missing: 0, damaged: 0 } : d));
    w.backups = w.backups.map((b) => (row && b.missing_at.includes(row.name) ? { ...b, missing_at: b.missing_at.filter((name) => name !== row.name), destinations: [...b.destinations, row.name] } : b));
    return begin(w, { kind: 'sync', title: row?.name ?? '', result: `4 backups copied to ${row?.name ?? ''}`, bytes: 88 * MIB });
  },
  start_prune: (w: World, { destination }: { destination: string }) => begin(w, { kind: 'prune', title: w.destinations.find((d) => d.id === destination)?.name ?? '', result: '1.2 GiB freed' }),
  remove_destination: (w: World, { id }: { id: string }) => {
    w.destinations = w.destinations.filter((d) => d.id !== id);
    w.emit({ type: 'changed', what: 'destinations' });
    return null;
  },
};
