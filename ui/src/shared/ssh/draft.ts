import type { HostKeyReport, HostKeyView, JumpDraft, ServerDraft, ServerRow } from '../../ipc';

/** A draft of a server reached by its address. */
export function emptyDraft(): ServerDraft {
  return {
    id: null, name: '', local: false, host: '', port: 22, user: 'root', auth: 'agent', key_file: null, key_passphrase: null,
    password: null, password_too: false, sudo: 'none', sudo_password: null, jumps: [], fingerprint: null,
  };
}

/** A jump host that logs in as the server does. */
export function emptyJump(): JumpDraft {
  return { host: '', port: 22, user: '', auth: 'same', key_file: null, key_passphrase: null, password: null, fingerprint: null };
}

/** What a typed or pasted address says: "web-1", "root@10.0.0.5:2222", "ssh://anna@[fd00::1]:22". `null`: it cannot be one. */
export function parseAddress(text: string): { host: string; user: string | null; port: number | null } | null {
  const match = /^(?:ssh:\/\/)?(?:([^@\s/]+)@)?(\[[0-9a-fA-F:.%\w]+\]|[^\s:/@[\]]+|[0-9a-fA-F:]+:[0-9a-fA-F:]+)(?::(\d+))?\/?$/.exec(text.trim());
  if (!match?.[2]) return null;
  // Without brackets an IPv6 address has no port: all of it is the address.
  const bare = text.trim().replace(/^ssh:\/\//, '').replace(/^[^@]*@/, '');
  if (!bare.startsWith('[') && (bare.match(/:/g)?.length ?? 0) > 1) return { host: bare, user: match[1] ?? null, port: null };
  const port = match[3] === undefined ? null : Number(match[3]);
  if (port !== null && (port < 1 || port > 65535)) return null;
  return { host: match[2].replace(/^\[|\]$/g, ''), user: match[1] ?? null, port };
}

/** Brings a typed address into a draft. The fingerprint belongs to the old address, so it goes. */
export function withAddress(draft: ServerDraft, text: string): ServerDraft {
  const parsed = parseAddress(text);
  const host = parsed?.host ?? text.trim();
  const named = draft.name !== '' && draft.name !== suggestName(draft.host);
  return {
    ...draft, host, user: parsed?.user ?? draft.user, port: parsed?.port ?? draft.port,
    name: named ? draft.name : suggestName(host), fingerprint: host === draft.host ? draft.fingerprint : null,
  };
}

/** A name from an address: the first part of a host name, or the address itself. */
export function suggestName(host: string): string {
  if (/^[\d.]+$/.test(host) || host.includes(':')) return host;
  return host.split('.')[0] ?? host;
}

/** What is wrong with a form, by field. Nothing wrong: empty. */
export type Faults = Record<string, string>;

function checkHost(host: string): string | null {
  if (host.trim() === '') return 'Type a host name or an address';
  if (parseAddress(host) === null || /\s/.test(host)) return 'This is not a host name or an address';
  return null;
}

/** What is wrong with step 1. */
export function checkWhere(draft: ServerDraft, servers: Pick<ServerRow, 'id' | 'name'>[]): Faults {
  const faults: Faults = {};
  if (!draft.local) {
    const host = checkHost(draft.host);
    if (host) faults.host = host;
    if (!Number.isInteger(draft.port) || draft.port < 1 || draft.port > 65535) faults.port = 'A port is a number from 1 to 65,535';
  }
  const name = draft.name.trim();
  if (name === '') faults.name = 'Give it a name';
  else if (servers.some((server) => server.name === name && server.id !== draft.id)) faults.name = `There is already a server called ${name}`;
  return faults;
}

/** Whether a password logs in, alone or besides a key. */
export const needsPassword = (draft: ServerDraft) => draft.auth === 'password' || draft.password_too;

/** Whether the password of the log-in `was`, with which the form began, is stored; `null`: nothing is stored yet. */
export const keepsPassword = (was: ServerDraft | null) => was !== null && needsPassword(was);

/** Whether the secret of a jump host is stored: it was on the way before, and logged in there as it does now. */
export function keepsJump(draft: ServerDraft, jump: JumpDraft, was: ServerDraft | null): boolean {
  const hop = (one: JumpDraft, of: ServerDraft) => [one.host.trim(), one.port, one.user.trim() || of.user.trim(), one.auth].join(' ');
  return was?.jumps.some((before) => hop(before, was) === hop(jump, draft)) ?? false;
}

/** What is wrong with step 2. `was`: the log-in stored so far; empty secrets keep what is stored for it. */
export function checkLogin(draft: ServerDraft, was: ServerDraft | null): Faults {
  const faults: Faults = {};
  if (draft.local) return checkSudo(draft, faults, was);
  if (draft.user.trim() === '') faults.user = 'Type the user to log in as';
  if (draft.auth === 'key' && !draft.key_file?.trim()) faults.key_file = 'Choose the private key file';
  if (needsPassword(draft) && !draft.password && !keepsPassword(was)) faults.password = 'Type the password';
  draft.jumps.forEach((jump, i) => {
    const host = checkHost(jump.host);
    if (host) faults[`jump.${i}.host`] = host;
    if (!Number.isInteger(jump.port) || jump.port < 1 || jump.port > 65535) faults[`jump.${i}.port`] = 'From 1 to 65,535';
    if (jump.auth !== 'same' && jump.user.trim() === '') faults[`jump.${i}.user`] = 'Type the user';
    if (jump.auth === 'key' && !jump.key_file?.trim()) faults[`jump.${i}.key_file`] = 'Choose the private key file';
    if (jump.auth === 'password' && !jump.password && !keepsJump(draft, jump, was)) faults[`jump.${i}.password`] = 'Type its password';
  });
  return checkSudo(draft, faults, was);
}

/** Whether sudo's password is stored. */
export const keepsSudo = (was: ServerDraft | null) => was?.sudo === 'with_password';

function checkSudo(draft: ServerDraft, faults: Faults, was: ServerDraft | null): Faults {
  const same = draft.auth === 'password' && !draft.local;
  if (draft.sudo === 'with_password' && !draft.sudo_password && !same && !keepsSudo(was)) faults.sudo_password = "Type sudo's password";
  return faults;
}

/** The draft as it goes over the wire: trimmed, and without what does not belong to the way chosen. */
export function cleaned(draft: ServerDraft): ServerDraft {
  const user = draft.user.trim();
  return {
    ...draft, name: draft.name.trim(), host: draft.host.trim(), user,
    key_file: draft.auth === 'key' ? draft.key_file?.trim() || null : null,
    key_passphrase: draft.auth === 'key' ? draft.key_passphrase || null : null,
    password: needsPassword(draft) ? draft.password || null : null,
    password_too: draft.auth !== 'password' && draft.password_too,
    sudo_password: draft.sudo === 'with_password' ? draft.sudo_password || null : null,
    jumps: draft.jumps.map((jump) => ({
      ...jump, host: jump.host.trim(), user: jump.user.trim() || user, key_file: jump.auth === 'key' ? jump.key_file?.trim() || null : null,
      key_passphrase: jump.auth === 'key' ? jump.key_passphrase || null : null, password: jump.auth === 'password' ? jump.password || null : null,
    })),
  };
}

/** The stored server under its new name, if nothing else is to be changed; to save that, nobody need be reached. */
export function renamed(draft: ServerDraft, stored: ServerDraft): ServerDraft | null {
  const name = draft.name.trim();
  const rest = (of: ServerDraft) => JSON.stringify({ ...cleaned(of), name: '', fingerprint: null });
  return name !== '' && name !== stored.name && rest(draft) === rest(stored) ? { ...stored, name } : null;
}

/** The first key that the user must look at: unknown, or changed. `null`: all are known. */
export function keyToJudge(report: HostKeyReport): { key: HostKeyView; index: number } | null {
  const index = report.keys.findIndex((key) => key.state === 'unknown' || key.state === 'changed');
  const key = report.keys[index];
  return key ? { key, index } : null;
}

/** Writes a key's fingerprint to the place it belongs to: the jump host of that number, or the server. */
export function acceptKey(draft: ServerDraft, index: number, fingerprint: string): ServerDraft {
  if (index >= draft.jumps.length) return { ...draft, fingerprint };
  return { ...draft, jumps: draft.jumps.map((jump, i) => (i === index ? { ...jump, fingerprint } : jump)) };
}

/** Takes over every fingerprint that is known already, from the pins or from known_hosts. */
export function acceptKnown(draft: ServerDraft, report: HostKeyReport): ServerDraft {
  return report.keys.reduce((next, key, i) => (key.state === 'pinned' || key.state === 'known_hosts' ? acceptKey(next, i, key.fingerprint) : next), draft);
}

/** Tells whether every hop of the way is known, so that logging in may be tried. */
export function allKnown(draft: ServerDraft, report: HostKeyReport): boolean {
  return keyToJudge(report) === null && report.keys.length === draft.jumps.length + 1;
}

/** Tells whether what was expected is one other key, which a new one may take the place of; not so where a key is revoked. */
export function isFingerprint(expected: string | null): expected is string {
  return expected?.startsWith('SHA256:') ?? false;
}

/** Splits a fingerprint into groups of eight, which are easier to compare by eye. */
export function fingerprintGroups(fingerprint: string): { method: string; groups: string[] } {
  const [method, rest] = fingerprint.includes(':') ? [fingerprint.slice(0, fingerprint.indexOf(':')), fingerprint.slice(fingerprint.indexOf(':') + 1)] : ['', fingerprint];
  return { method: method ?? '', groups: rest?.match(/.{1,8}/g) ?? [] };
}

/** The file that `ssh-keygen -lf` must be asked about on the server, for a key's algorithm. */
export function keyFileOf(algorithm: string): string {
  const kind = algorithm.includes('ed25519') ? 'ed25519' : algorithm.includes('ecdsa') ? 'ecdsa' : 'rsa';
  return `/etc/ssh/ssh_host_${kind}_key.pub`;
}
