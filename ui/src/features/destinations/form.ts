import type { DestinationDraft, DestinationRow, DestinationTest, S3Draft, S3Provider, ServerDraft } from '../../ipc';
import { localFolderProblem, nameOf } from '../../shared/paths/paths';
import { checkLogin, cleaned, parseAddress } from '../../shared/ssh';

// The rules of the destination wizards, without a screen.

/** How the vault's key comes about. */
export type KeyChoice = 'made' | 'own';

/** What a new destination is for. */
export type Use = 'vault' | 'copy' | 'archives';

/** What the wizard holds. */
export interface DestinationForm {
  draft: DestinationDraft;
  /** For SFTP: an address of its own rather than a server set up here. */
  ownAddress: boolean;
  /** The SSH log-in a stored destination has, whose secrets are kept; `null`: none is stored. */
  was: ServerDraft | null;
  use: Use;
  key: KeyChoice;
  repeated: string;
}

/** A draft with every field, of a local folder. */
export function emptyDraft(): DestinationDraft {
  return {
    id: null, name: '', kind: 'local', path: '', use_for: 'vault', vault_password: null, bandwidth: { bytes_per_second: null, rules: [] },
    s3: {
      provider: '', region: '', endpoint: '', bucket: '', prefix: '', access_key: '', secret_key: null, path_style: null, checksums: null, ca_pem: null, pinned_certificate: null,
      storage_class: null, encryption: null, kms_key: null, lock_days: null, lock_mode: null,
    },
    sftp: { server: null, ssh: null, path: '' },
    ftp: { host: '', port: 0, user: '', password: null, path: '', tls: 'explicit', pinned_certificate: null, passive: 'auto', ignore_pasv_address: false, connections: 0 },
  };
}

export const EMPTY: DestinationForm = { draft: emptyDraft(), ownAddress: false, was: null, use: 'vault', key: 'made', repeated: '' };

/** The form of an existing destination, to be changed. */
export function formOf(draft: DestinationDraft): DestinationForm {
  return { ...EMPTY, draft, ownAddress: draft.sftp.ssh !== null, was: draft.id === null ? null : draft.sftp.ssh, use: draft.use_for === 'none' ? 'archives' : 'vault' };
}

/** The wizard's pages, in order. A folder needs no details: it is chosen with its card. */
export type Step = 'where' | 'details' | 'test' | 'use' | 'done';

/** The steps for a kind of place. */
export function stepsOf(kind: string): Step[] {
  return kind === 'local' ? ['where', 'test', 'use', 'done'] : ['where', 'details', 'test', 'use', 'done'];
}

/** A step in words. */
export function stepWord(step: Step, use: Use): string {
  return { where: 'Where', details: 'Details', test: 'Test', use: 'What for', done: use === 'vault' ? 'Recovery kit' : 'Done' }[step];
}

/** A password shorter than this is refused: whoever has the folder can try as often as they like. */
export const SHORTEST_PASSWORD = 12;

/** What is wrong, by field; an absent field is fine. */
export type Problems = Record<string, string>;

/** A folder of a bucket takes so many bytes at most: the keys behind it must fit into S3's 1,024. */
const LONGEST_PREFIX = 123;

/** The address a provider's bucket has in a region; empty where it must be typed. */
export function endpointOf(provider: S3Provider | undefined, region: string): string {
  if (!provider || provider.endpoint === '') return '';
  return provider.endpoint.includes('{region}') && region.trim() === '' ? '' : provider.endpoint.replaceAll('{region}', region.trim());
}

/** The host of a store's address, with its port. */
export function storeHost(endpoint: string): string {
  return endpoint.trim().replace(/^https?:\/\//i, '').replace(/\/.*$/, '');
}

/** A bucket with some fields changed. At another address an accepted certificate says nothing. */
export function changedBucket(s3: S3Draft, part: Partial<S3Draft>): S3Draft {
  const changed = { ...s3, ...part };
  const moved = changed.endpoint !== s3.endpoint || (changed.endpoint.trim() === '' && changed.region !== s3.region);
  return moved ? { ...changed, pinned_certificate: null } : changed;
}

/** A form whose place takes the certificate the user accepted. */
export function pinnedForm(form: DestinationForm, pinned_certificate: string): DestinationForm {
  const { draft } = form;
  const pinned = draft.kind === 's3' ? { s3: { ...draft.s3, pinned_certificate } } : { ftp: { ...draft.ftp, pinned_certificate } };
  return { ...form, draft: { ...draft, ...pinned } };
}

/** Says what is wrong with the details of a place. */
export function detailProblems(form: DestinationForm, provider: S3Provider | undefined): Problems {
  const { draft } = form;
  switch (draft.kind) {
    case 's3':
      return s3Problems(draft, provider);
    case 'sftp':
      return sftpProblems(form);
    case 'ftp':
      return ftpProblems(draft);
    default: {
      const path = localFolderProblem(draft.path);
      return path ? { path } : {};
    }
  }
}

function s3Problems({ id, s3 }: DestinationDraft, provider: S3Provider | undefined): Problems {
  const problems: Problems = {};
  if (provider && provider.regions.length > 0 && s3.region.trim() === '') problems.region = 'Choose the region of the bucket';
  const endpoint = s3.endpoint.trim() || endpointOf(provider, s3.region);
  if (endpoint === '' && problems.region === undefined) problems.endpoint = 'Type the address of the storage';
  else if (endpoint !== '' && !/^https?:\/\/[^\s/]+(\/.*)?$/.test(endpoint)) problems.endpoint = 'An address begins with https:// (or http://)';
  if (s3.access_key.trim() === '') problems.access_key = 'Type the access key';
  if (!s3.secret_key && id === null) problems.secret_key = 'Type the secret key';
  const bucket = s3.bucket.trim();
  if (bucket === '') problems.bucket = 'Type the name of the bucket';
  else if (/[\s/\\:]/.test(bucket)) problems.bucket = 'Only the name: no address, no slash';
  if (new TextEncoder().encode(tidyFolder(s3.prefix)).length > LONGEST_PREFIX) problems.prefix = `At most ${LONGEST_PREFIX} characters; those beyond ASCII count for more`;
  if (takesAnyClass(provider) && s3.storage_class && !/^\w+$/.test(s3.storage_class.trim())) problems.storage_class = 'Only its name, for example STANDARD_IA';
  if (s3.ca_pem && !s3.ca_pem.includes('-----BEGIN CERTIFICATE-----')) problems.ca_pem = 'Paste it whole, with the BEGIN CERTIFICATE line';
  if (s3.lock_days !== null && (s3.lock_days < 1 || s3.lock_days > 36_500)) problems.lock_days = 'From 1 day on';
  return problems;
}

/** A bucket's folder without slashes that say nothing. */
function tidyFolder(prefix: string): string {
  return prefix.trim().split('/').filter((part) => part !== '').join('/');
}

function sftpProblems({ draft, ownAddress, was }: DestinationForm): Problems {
  const { server, ssh, path } = draft.sftp;
  const problems: Problems = {};
  if (!ownAddress && !server) problems.server = 'Choose a server';
  if (ownAddress) {
    if (!ssh || ssh.host.trim() === '' || parseAddress(ssh.host) === null) problems.host = 'Type the host name or address';
    else {
      Object.assign(problems, checkLogin(ssh, was));
      if (ssh.port < 1 || ssh.port > 65535) problems.port = 'A port is a number from 1 to 65,535';
      if (!ssh.fingerprint && Object.keys(problems).length === 0) problems.fingerprint = 'Compare the fingerprint of the server first';
    }
  }
  if (path.trim() === '') problems.path = 'Type the folder';
  return problems;
}

function ftpProblems({ id, ftp }: DestinationDraft): Problems {
  const problems: Problems = {};
  if (ftp.host.trim() === '') problems.host = 'Type the host name or address';
  else if (/[\s/]/.test(ftp.host.trim())) problems.host = 'Only the name, without ftp:// and without a path';
  if (ftp.port < 0 || ftp.port > 65535) problems.port = 'A port is a number from 1 to 65,535';
  if (ftp.user.trim() === '') problems.user = 'Type the user';
  if (!ftp.password && id === null) problems.password = 'Type the password';
  if (ftp.connections > 16) problems.connections = 'At most 16';
  return problems;
}

/** Says what is dangerous about a place, in one sentence, or nothing. */
export function placeWarning(draft: DestinationDraft): string | null {
  if (draft.kind === 's3' && /^http:/i.test(draft.s3.endpoint.trim())) {
    return 'This address is not encrypted: whoever is on the way can see the names and sizes of files and change what is sent. Use it only on a network of your own.';
  }
  if (draft.kind === 'ftp' && draft.ftp.tls === 'none') {
    return 'Without TLS the password and everything sent can be read on the way. Backups in a vault and sealed archives stay unreadable; the password does not.';
  }
  return null;
}

/** Tells whether a store's classes are not known here, so that their names are typed. */
export function takesAnyClass(provider: S3Provider | undefined): boolean {
  return provider?.id === 'generic';
}

/** Tells whether a store is known by its address rather than by who runs it. */
function ownStore(provider: S3Provider | undefined): boolean {
  return provider?.id === 'generic' || provider?.id === 'minio';
}

/** ":2222", or nothing for the usual port. */
function portText(port: number, usual: number): string {
  return port === 0 || port === usual ? '' : `:${port}`;
}

/** A draft's place in one line: "s3://bucket/folder at Wasabi". */
export function placeText(form: DestinationForm, provider: S3Provider | undefined, serverName = ''): string {
  const { s3, sftp, ftp, kind, path } = form.draft;
  const trimmed = (text: string) => text.trim().replace(/^\/+|\/+$/g, '');
  if (kind === 's3') {
    if (s3.bucket.trim() === '') return provider?.name ?? '';
    const at = ownStore(provider) ? storeHost(s3.endpoint) : provider?.name;
    return `s3://${[s3.bucket.trim(), trimmed(s3.prefix)].filter(Boolean).join('/')}${at ? ` at ${at}` : ''}`;
  }
  if (kind === 'sftp') {
    const folder = sftp.path.trim() === '' ? '' : `:${sftp.path.trim()}`;
    if (!form.ownAddress) return serverName === '' ? 'SFTP' : `${serverName}${folder}`;
    if (!sftp.ssh?.host.trim()) return 'SFTP';
    return `${sftp.ssh.user}@${sftp.ssh.host}${portText(sftp.ssh.port, 22)}${folder}`;
  }
  if (kind === 'ftp') return ftp.host.trim() === '' ? 'FTP' : `${ftp.tls === 'none' ? 'ftp' : 'ftps'}://${ftp.host.trim()}${portText(ftp.port, ftp.tls === 'implicit' ? 990 : 21)}/${trimmed(ftp.path)}`;
  return path;
}

/** Says whether the wizard may go on after the test, and if not, why. */
export function testBlocks(test: DestinationTest | undefined): string | null {
  if (!test) return 'The test is not over yet';
  if (test.certificate) return 'Its certificate has to be accepted first';
  if (test.found === 'foreign') return 'Other files are in this folder. Choose an empty one, so that nothing gets mixed up';
  if (!test.ok) return 'It cannot be used as it is';
  return null;
}

/** Says what is wrong with the name, the use and the key. */
export function purposeProblems(form: DestinationForm, found: string, taken: readonly string[]): Problems {
  const problems: Problems = {};
  const name = form.draft.name.trim();
  if (name === '') problems.name = 'Give it a name, for example "nas"';
  else if (taken.some((one) => one.toLowerCase() === name.toLowerCase())) problems.name = `There is a destination named ${name} already`;
  if (form.use !== 'vault') return problems;
  const password = form.draft.vault_password ?? '';
  if (found === 'vault') {
    if (password === '') problems.password = 'Type the password of the vault that is there';
  } else if (form.key === 'own') {
    if ([...password].length < SHORTEST_PASSWORD) {
      problems.password = `Use at least ${SHORTEST_PASSWORD} characters: whoever has the folder can try as often as they like`;
    } else if (password !== form.repeated) {
      problems.repeated = 'The two are not the same';
    }
  }
  return problems;
}

/** The uses offered for what the test found. A copy needs a vault somewhere to be a copy of. */
export function purposesFor(found: string, others: readonly DestinationRow[]): Use[] {
  if (found === 'vault') return ['vault', 'archives'];
  return others.some((row) => row.vault) ? ['vault', 'copy', 'archives'] : ['vault', 'archives'];
}

/** Returns what is sent: only the part of its kind, and a password only where one was chosen or is needed. */
export function toDraft(form: DestinationForm, found: string): DestinationDraft {
  const { draft } = form;
  const blank = emptyDraft();
  const own = form.use === 'vault' && (found === 'vault' || form.key === 'own');
  return {
    id: draft.id, name: draft.name.trim(), kind: draft.kind, bandwidth: draft.bandwidth,
    path: draft.kind === 'local' ? draft.path.trim() : '',
    s3: draft.kind === 's3' ? tidyS3(draft) : blank.s3,
    sftp: draft.kind === 'sftp'
      ? { server: form.ownAddress ? null : draft.sftp.server, ssh: form.ownAddress && draft.sftp.ssh ? { ...cleaned(draft.sftp.ssh), sudo: 'none', sudo_password: null } : null, path: draft.sftp.path.trim() }
      : blank.sftp,
    ftp: draft.kind === 'ftp' ? { ...draft.ftp, host: draft.ftp.host.trim(), user: draft.ftp.user.trim(), path: draft.ftp.path.trim(), password: draft.ftp.password || null } : blank.ftp,
    use_for: form.use === 'vault' ? 'vault' : 'none',
    vault_password: own ? draft.vault_password : null,
  };
}

function tidyS3({ s3 }: DestinationDraft): DestinationDraft['s3'] {
  return {
    ...s3, region: s3.region.trim(), endpoint: s3.endpoint.trim().replace(/\/+$/, ''), bucket: s3.bucket.trim(), prefix: tidyFolder(s3.prefix),
    access_key: s3.access_key.trim(), secret_key: s3.secret_key?.trim() || null, ca_pem: s3.ca_pem?.trim() || null, storage_class: s3.storage_class?.trim() || null,
    kms_key: s3.encryption === 'aws:kms' ? s3.kms_key?.trim() || null : null, lock_mode: s3.lock_days === null ? null : (s3.lock_mode ?? 'GOVERNANCE'),
  };
}

/** Suggests a name: the last part of the place that says something. */
export function suggestName(form: DestinationForm, provider: S3Provider | undefined, taken: readonly string[]): string {
  const { kind, path, s3, sftp, ftp } = form.draft;
  const host = (text: string) => (/^[\d.:]+$/.test(text) ? text : (text.split('.')[0] ?? text));
  const base = kind === 's3' ? [ownStore(provider) ? '' : (provider?.name.replace(/ \(.*\)$/, '') ?? ''), s3.bucket.trim()].filter(Boolean).join(' ')
    : kind === 'sftp' ? host(sftp.ssh?.host.trim() ?? '') || 'sftp'
      : kind === 'ftp' ? host(ftp.host.trim())
        : folderName(path);
  let name = base;
  for (let n = 2; taken.some((one) => one.toLowerCase() === name.toLowerCase()); n += 1) name = `${base} ${n}`;
  return name;
}

function folderName(path: string): string {
  const parts = path.split(/[\\/]/).filter((part) => part !== '' && !/^[A-Za-z]:$/.test(part));
  const telling = [...parts].reverse().find((part) => !GENERIC.has(part.toLowerCase())) ?? nameOf(path);
  return telling === '/' || telling === '' ? 'backups' : telling;
}

const GENERIC = new Set(['backup', 'backups', 'backstay', 'mnt', 'media', 'data', 'volumes', 'home']);

/** A form that points at a folder inside the place, for one that holds other files. */
export function insideForm(form: DestinationForm): DestinationForm {
  const { draft } = form;
  const inside = (path: string) => `${path.trim().replace(/[\\/]+$/, '')}${path.trim() === '' ? '' : path.includes('\\') && !path.includes('/') ? '\\' : '/'}backstay`;
  switch (draft.kind) {
    case 's3':
      return { ...form, draft: { ...draft, s3: { ...draft.s3, prefix: inside(draft.s3.prefix) } } };
    case 'sftp':
      return { ...form, draft: { ...draft, sftp: { ...draft.sftp, path: inside(draft.sftp.path) } } };
    case 'ftp':
      return { ...form, draft: { ...draft, ftp: { ...draft.ftp, path: inside(draft.ftp.path) } } };
    default:
      return { ...form, draft: { ...draft, path: inside(draft.path) } };
  }
}

/** The folder of a form, whatever its kind. */
export function folderOf({ draft }: DestinationForm): string {
  return draft.kind === 's3' ? draft.s3.prefix : draft.kind === 'sftp' ? draft.sftp.path : draft.kind === 'ftp' ? draft.ftp.path : draft.path;
}

/** A key of archives: 64 hex digits, printed as eight groups. */
const KEY = /^[0-9a-f]{64}$/;

/** What was typed, in parts: as it is, and without the numbers that stand before the words on a kit. */
function kitParts(typed: string): { all: string[]; unnumbered: string[] } {
  const all = typed.toLowerCase().split(/[\s,;.:()-]+/).filter(Boolean);
  return { all, unnumbered: all.filter((part) => !/^\d{1,2}$/.test(part)) };
}

/** Reads a recovery kit's words as people type or paste them: with numbers, commas, new lines; the password joins them by "-", and the groups of a key by nothing. */
export function kitWords(typed: string): string {
  const { all, unnumbered } = kitParts(typed);
  const key = [all.join(''), unnumbered.join('')].find((joined) => KEY.test(joined));
  return key ?? typed.toLowerCase().split(/[^\p{L}]+/u).filter(Boolean).join('-');
}

/** Says how much of a kit is typed: "11 words", "3 of 8 groups", "The whole key". */
export function kitCount(typed: string): string {
  const words = kitWords(typed);
  if (KEY.test(words)) return 'The whole key';
  const { unnumbered } = kitParts(typed);
  if (unnumbered.some((part) => /\d/.test(part))) return `${unnumbered.length} of 8 groups`;
  const count = words.split('-').filter(Boolean).length;
  return count === 0 ? '' : `${count} ${count === 1 ? 'word' : 'words'}`;
}

/** Tells how full the place is, 0 to 100, where known. */
export function percentFull(free: number | null, total: number | null): number | null {
  if (free === null || total === null || total <= 0) return null;
  return Math.min(100, Math.max(0, Math.round(((total - free) / total) * 100)));
}
