import { describe, expect, it } from 'vitest';
import type { DestinationRow, DestinationTest, S3Provider } from '../../ipc';
import { emptyDraft as emptyServer } from '../../shared/ssh';
import {
  EMPTY, changedBucket, detailProblems, emptyDraft, endpointOf, folderOf, insideForm, kitCount, kitWords, percentFull, pinnedForm, placeText, placeWarning, purposeProblems, purposesFor, stepsOf, suggestName,
  takesAnyClass, testBlocks, toDraft, type DestinationForm,
} from './form';
import { missingSecretPlace } from './missing';

const provider: S3Provider = {
  id: 'wasabi', name: 'Wasabi', regions: [{ id: 'eu-central-1', place: 'Amsterdam' }], endpoint: 'https://s3.{region}.wasabisys.com', free_region: false, path_style: false,
  checksums: false, storage_classes: [], minimum_days: 90, notes: [], keys_hint: '',
};
const at = (part: Partial<DestinationForm['draft']>, rest: Partial<DestinationForm> = {}): DestinationForm => ({ ...EMPTY, ...rest, draft: { ...emptyDraft(), ...part } });
const s3 = (part: Partial<DestinationForm['draft']['s3']> = {}) =>
  at({ kind: 's3', s3: { ...emptyDraft().s3, provider: 'wasabi', region: 'eu-central-1', access_key: 'AK', secret_key: 'SK', bucket: 'acme', ...part } });
const ftp = (part: Partial<DestinationForm['draft']['ftp']> = {}) => at({ kind: 'ftp', ftp: { ...emptyDraft().ftp, host: 'ftp.example.org', user: 'anna', password: 'x', ...part } });
const test = (part: Partial<DestinationTest>): DestinationTest => ({ ok: true, steps: [], found: 'empty', existing: false, abilities: [], cost_notes: [], settled: null, certificate: null, ...part });

describe('where a destination lies', () => {
  it('wants a whole path for a folder', () => {
    expect(detailProblems(at({ path: 'nas' }), undefined)).toHaveProperty('path');
    expect(detailProblems(at({ path: '/mnt/nas' }), undefined)).toEqual({});
    expect(stepsOf('local')).not.toContain('details');
  });

  it('wants region, keys and a bucket', () => {
    expect(detailProblems(s3(), provider)).toEqual({});
    expect(detailProblems(s3({ region: '' }), provider)).toHaveProperty('region');
    expect(detailProblems(s3({ access_key: ' ' }), provider)).toHaveProperty('access_key');
    expect(detailProblems(s3({ secret_key: null }), provider)).toHaveProperty('secret_key');
    expect(detailProblems(s3({ bucket: 's3://acme' }), provider)).toHaveProperty('bucket');
    expect(detailProblems(s3({ prefix: 'a'.repeat(123) }), provider)).toEqual({});
    expect(detailProblems(s3({ prefix: 'a'.repeat(124) }), provider)).toHaveProperty('prefix');
    expect(detailProblems(s3({ prefix: 'ä'.repeat(62) }), provider)).toHaveProperty('prefix');
    expect(detailProblems(s3({ ca_pem: 'hello' }), provider)).toHaveProperty('ca_pem');
    const stored = s3({ secret_key: null });
    expect(detailProblems({ ...stored, draft: { ...stored.draft, id: 'd1' } }, provider)).toEqual({});
  });

  it('takes any name of a storage class from a store that is not known', () => {
    const other = { ...provider, id: 'generic' };
    expect([takesAnyClass(other), takesAnyClass(provider)]).toEqual([true, false]);
    expect(detailProblems(s3({ storage_class: 'STANDARD_IA ' }), other)).toEqual({});
    expect(detailProblems(s3({ storage_class: 'cold, please' }), other)).toHaveProperty('storage_class');
    expect(toDraft(s3({ storage_class: ' STANDARD_IA ' }), 'empty').s3.storage_class).toBe('STANDARD_IA');
    expect(toDraft(s3({ storage_class: ' ' }), 'empty').s3.storage_class).toBeNull();
  });

  it('fills in the address where the provider has one, and asks for it where not', () => {
    expect(endpointOf(provider, 'eu-central-1')).toBe('https://s3.eu-central-1.wasabisys.com');
    expect(endpointOf(provider, '')).toBe('');
    const own = { ...provider, endpoint: '', regions: [] };
    expect(detailProblems(s3({ region: '' }), own)).toHaveProperty('endpoint');
    expect(detailProblems(s3({ region: '', endpoint: 'minio:9000' }), own)).toHaveProperty('endpoint');
    expect(detailProblems(s3({ region: '', endpoint: 'http://minio:9000' }), own)).toEqual({});
  });

  it('warns of what can be read on the way', () => {
    expect(placeWarning(s3().draft)).toBeNull();
    expect(placeWarning(s3({ endpoint: 'http://minio:9000' }).draft)).toContain('not encrypted');
    expect(placeWarning(ftp().draft)).toBeNull();
    expect(placeWarning(ftp({ tls: 'none' }).draft)).toContain('password');
  });

  it('wants the fingerprint of an SFTP address of its own', () => {
    const ssh = { ...emptyServer(), host: 'box.example.org' };
    const form = at({ kind: 'sftp', sftp: { server: null, ssh, path: 'backups' } }, { ownAddress: true });
    expect(detailProblems(form, undefined)).toHaveProperty('fingerprint');
    expect(detailProblems({ ...form, draft: { ...form.draft, sftp: { ...form.draft.sftp, ssh: { ...ssh, fingerprint: 'SHA256:x' } } } }, undefined)).toEqual({});
    expect(detailProblems({ ...form, ownAddress: false }, undefined)).toHaveProperty('server');
  });

  it('wants host, user and password for FTP', () => {
    expect(detailProblems(ftp(), undefined)).toEqual({});
    expect(detailProblems(ftp({ host: 'ftp://x/y' }), undefined)).toHaveProperty('host');
    expect(detailProblems(ftp({ password: null }), undefined)).toHaveProperty('password');
  });

  it('says the place in one line', () => {
    expect(placeText(s3({ prefix: '/backstay/' }), provider)).toBe('s3://acme/backstay at Wasabi');
    expect(placeText(s3({ endpoint: 'https://store.example.org:9000/' }), { ...provider, id: 'generic' })).toBe('s3://acme at store.example.org:9000');
    expect(placeText(ftp({ path: '', port: 2121 }), undefined)).toBe('ftps://ftp.example.org:2121/');
    expect(placeText(ftp({ path: '/web', tls: 'none' }), undefined)).toBe('ftp://ftp.example.org/web');
    expect(placeText(at({ kind: 'sftp', sftp: { server: 's1', ssh: null, path: 'x' } }), undefined, 'web-1')).toBe('web-1:x');
    expect(placeText(at({ kind: 'sftp', sftp: { server: 's1', ssh: null, path: ' ' } }), undefined, 'web-1')).toBe('web-1');
  });
});

describe('after the test', () => {
  it('goes on only where it can be used', () => {
    expect(testBlocks(undefined)).not.toBeNull();
    expect(testBlocks(test({}))).toBeNull();
    expect(testBlocks(test({ found: 'vault' }))).toBeNull();
    expect(testBlocks(test({ found: 'archives' }))).toBeNull();
    expect(testBlocks(test({ found: 'foreign' }))).toContain('empty one');
    expect(testBlocks(test({ ok: false }))).not.toBeNull();
    expect(testBlocks(test({ ok: false, certificate: 'aa' }))).toContain('certificate');
  });

  it('pins an accepted certificate where the place keeps it', () => {
    expect(pinnedForm(s3(), 'aa').draft.s3).toEqual({ ...s3().draft.s3, pinned_certificate: 'aa' });
    expect(pinnedForm(s3(), 'aa').draft.ftp.pinned_certificate).toBeNull();
    expect(pinnedForm(ftp(), 'aa').draft.ftp).toEqual({ ...ftp().draft.ftp, pinned_certificate: 'aa' });
    expect(pinnedForm(ftp(), 'aa').draft.s3.pinned_certificate).toBeNull();
    expect(toDraft(pinnedForm(s3(), 'aa'), 'empty').s3.pinned_certificate).toBe('aa');
  });

  it('forgets an accepted certificate with the address it was shown at', () => {
    const pinned = s3({ endpoint: 'https://nas:9000', pinned_certificate: 'aa' }).draft.s3;
    expect(changedBucket(pinned, { endpoint: 'https://nas:9001' })).toMatchObject({ endpoint: 'https://nas:9001', pinned_certificate: null });
    expect(changedBucket(pinned, { region: 'us-east-1' }).pinned_certificate).toBe('aa');
    expect(changedBucket(pinned, { bucket: 'other' }).pinned_certificate).toBe('aa');
    expect(changedBucket({ ...pinned, endpoint: '' }, { region: 'us-east-1' }).pinned_certificate).toBeNull();
    expect(changedBucket(pinned, { pinned_certificate: null }).pinned_certificate).toBeNull();
  });

  it('offers a folder inside one that holds other files', () => {
    expect(folderOf(insideForm(at({ path: '/mnt/nas/' })))).toBe('/mnt/nas/backstay');
    expect(folderOf(insideForm(at({ path: 'D:\\data\\' })))).toBe('D:\\data\\backstay');
    expect(folderOf(insideForm(s3()))).toBe('backstay');
    expect(folderOf(insideForm(s3({ prefix: 'a/b' })))).toBe('a/b/backstay');
  });

  it('offers a copy only where there is a vault to be copied', () => {
    expect(purposesFor('empty', [])).toEqual(['vault', 'archives']);
    expect(purposesFor('empty', [{ vault: true } as DestinationRow])).toContain('copy');
    expect(purposesFor('vault', [{ vault: true } as DestinationRow])).not.toContain('copy');
  });
});

describe('name, purpose and key', () => {
  it('wants a name nobody has', () => {
    expect(purposeProblems(at({ name: ' ' }), 'empty', [])).toHaveProperty('name');
    expect(purposeProblems(at({ name: 'NAS' }), 'empty', ['nas'])).toHaveProperty('name');
    expect(purposeProblems(at({ name: 'nas' }), 'empty', [])).toEqual({});
  });

  it('wants the password of a vault that is to be opened, and of no other', () => {
    expect(purposeProblems(at({ name: 'nas' }), 'vault', [])).toHaveProperty('password');
    expect(purposeProblems(at({ name: 'nas', vault_password: 'short' }), 'vault', [])).toEqual({});
    expect(purposeProblems(at({ name: 'nas' }, { use: 'archives' }), 'vault', [])).toEqual({});
  });

  it('wants an own password long and twice', () => {
    const form = (vault_password: string, repeated = '') => at({ name: 'nas', vault_password }, { key: 'own', repeated });
    expect(purposeProblems(form('eleven char'), 'empty', [])).toHaveProperty('password');
    expect(purposeProblems(form('twelve chars'), 'empty', [])).toHaveProperty('repeated');
    expect(purposeProblems(form('twelve chars', 'twelve chars'), 'empty', [])).toEqual({});
  });
});

describe('what is sent', () => {
  it('holds a password only where one was chosen or is needed', () => {
    const form = at({ path: ' /mnt/nas ', name: ' nas ', vault_password: 'left over' });
    expect(toDraft(form, 'empty')).toMatchObject({ name: 'nas', kind: 'local', path: '/mnt/nas', vault_password: null, use_for: 'vault' });
    expect(toDraft({ ...form, key: 'own' }, 'empty').vault_password).toBe('left over');
    expect(toDraft(form, 'vault').vault_password).toBe('left over');
    expect(toDraft({ ...form, use: 'archives' }, 'vault')).toMatchObject({ vault_password: null, use_for: 'none' });
  });

  it('holds nothing of a kind that was looked at before', () => {
    const draft = toDraft({ ...ftp(), draft: { ...ftp().draft, s3: s3().draft.s3 } }, 'empty');
    expect(draft.s3.secret_key).toBeNull();
    expect(draft.ftp.password).toBe('x');
  });

  it('is tidy', () => {
    expect(toDraft(s3({ prefix: '/a/', endpoint: 'https://x.org/', kms_key: 'k', lock_days: 30 }), 'empty').s3).toMatchObject({ prefix: 'a', endpoint: 'https://x.org', kms_key: null, lock_mode: 'GOVERNANCE' });
  });
});

describe('words', () => {
  it('suggests telling names', () => {
    const folder = (path: string, taken: string[] = []) => suggestName(at({ path }), undefined, taken);
    expect(folder('/mnt/nas/backup')).toBe('nas');
    expect(folder('/mnt/nas/backup', ['NAS'])).toBe('nas 2');
    expect(folder('E:\\backstay')).toBe('E:\\backstay');
    expect(folder('/')).toBe('backups');
    expect(suggestName(s3(), provider, [])).toBe('Wasabi acme');
    expect(suggestName(ftp(), undefined, [])).toBe('ftp');
    expect(suggestName(s3(), { ...provider, id: 'generic', name: 'Other S3 storage' }, [])).toBe('acme');
  });

  it('reads the words of a kit however they are typed', () => {
    expect(kitWords('1. Harbor 2. copper\n3) lantern')).toBe('harbor-copper-lantern');
    expect(kitWords(' harbor-copper-lantern ')).toBe('harbor-copper-lantern');
    expect(kitWords('')).toBe('');
    expect(kitWords('00FF '.repeat(16))).toBe('00ff'.repeat(16));
  });

  it("reads the groups of a plan's key with the numbers they are printed with", () => {
    const groups = ['9fe9178b', 'a5effb46', '3223a0f1', 'f1bf1c83', '02a6376a', 'efcf7307', 'f9bb803a', '4b2cc26f'];
    const printed = groups.map((group, i) => `  ${i + 1}  ${group}`).join('\n');
    expect(kitWords(printed)).toBe(groups.join(''));
    expect(kitWords(groups.map((group, i) => `${i + 1}. ${group.toUpperCase()}`).join(', '))).toBe(groups.join(''));
    expect(kitCount(printed)).toBe('The whole key');
    expect(kitCount('1 9fe9178b 2 a5eff')).toBe('2 of 8 groups');
    expect(kitCount('1 harbor 2 copper')).toBe('2 words');
    expect(kitCount(' ')).toBe('');
  });

  it('leads from a missing password to where it is given', () => {
    const known = { servers: [{ id: 's1', name: 'web: 1' }], plans: [{ id: 'p1', name: 'nightly' }], destinations: [{ id: 'd1', name: 'b2' }] };
    const both = [{ id: 's0', name: 'web' }, ...known.servers];
    expect(missingSecretPlace('Server web: 1: log-in password', { ...known, servers: both })).toBe('/servers/s1/edit');
    expect(missingSecretPlace('Plan nightly: password of its MySQL log-in', known)).toBe('/plans/p1/edit');
    expect(missingSecretPlace('Destination b2: secret key', known)).toBe('/destinations/d1/edit');
    expect(missingSecretPlace('Server not-read-yet: log-in password', known)).toBe('/servers');
    expect(missingSecretPlace('Something else', known)).toBeNull();
  });

  it('tells how full a place is', () => {
    expect(percentFull(25, 100)).toBe(75);
    expect(percentFull(null, 100)).toBeNull();
    expect(percentFull(0, 0)).toBeNull();
  });
});
