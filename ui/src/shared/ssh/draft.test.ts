import { describe, expect, it } from 'vitest';
import type { HostKeyView } from '../../ipc';
import {
  acceptKey, acceptKnown, allKnown, checkLogin, checkWhere, cleaned, emptyDraft, emptyJump, fingerprintGroups, isFingerprint, keyFileOf, keyToJudge, parseAddress,
  renamed, suggestName, withAddress,
} from './draft';

const key = (state: string, fingerprint = 'SHA256:aaaa'): HostKeyView => ({ host: 'h:22', algorithm: 'ssh-ed25519', fingerprint, state, expected: null });

describe('parseAddress', () => {
  it.each([
    ['web-1', { host: 'web-1', user: null, port: null }],
    [' root@10.0.0.5:2222 ', { host: '10.0.0.5', user: 'root', port: 2222 }],
    ['ssh://anna@[fd00::1]:22/', { host: 'fd00::1', user: 'anna', port: 22 }],
    ['fd00::1', { host: 'fd00::1', user: null, port: null }],
    ['root@fd00::22', { host: 'fd00::22', user: 'root', port: null }],
  ])('reads %s', (text, want) => expect(parseAddress(text)).toEqual(want));
  it.each(['', 'a b', 'host:0', 'host:99999', 'host:ssh', '@host', 'https://x.org/path'])('refuses %j', (text) => expect(parseAddress(text)).toBeNull());
});

describe('withAddress', () => {
  it('fills in user, port and name', () => {
    expect(withAddress(emptyDraft(), 'anna@web-1.example.org:2222')).toMatchObject({ host: 'web-1.example.org', user: 'anna', port: 2222, name: 'web-1' });
  });
  it('keeps a name that the user typed', () => expect(withAddress({ ...emptyDraft(), name: 'shop' }, 'web-1').name).toBe('shop'));
  it('forgets the fingerprint of another address', () => {
    const draft = { ...emptyDraft(), host: 'a', fingerprint: 'SHA256:x' };
    expect(withAddress(draft, 'b').fingerprint).toBeNull();
    expect(withAddress(draft, 'a').fingerprint).toBe('SHA256:x');
  });
  it('suggests the address itself where it is a number', () => expect(suggestName('10.0.0.5')).toBe('10.0.0.5'));
});

describe('checks', () => {
  const good = { ...emptyDraft(), host: 'web-1', name: 'web-1' };
  it('wants an address and a name of its own', () => {
    expect(checkWhere(emptyDraft(), [])).toMatchObject({ host: expect.any(String), name: expect.any(String) });
    expect(checkWhere(good, [{ id: 'x', name: 'web-1' }]).name).toContain('web-1');
    expect(checkWhere({ ...good, id: 'x' }, [{ id: 'x', name: 'web-1' }])).toEqual({});
    expect(checkWhere({ ...good, port: 0 }, []).port).toBeDefined();
  });
  it('needs no address for this computer', () => expect(checkWhere({ ...emptyDraft(), local: true, name: 'here' }, [])).toEqual({}));
  it('wants the secret that the way needs, unless it is stored', () => {
    expect(checkLogin({ ...good, auth: 'password' }, null)).toHaveProperty('password');
    expect(checkLogin({ ...good, auth: 'password' }, { ...good, auth: 'password' })).toEqual({});
    expect(checkLogin({ ...good, auth: 'password' }, { ...good, password_too: true })).toEqual({});
    expect(checkLogin({ ...good, auth: 'key' }, { ...good, auth: 'key' })).toHaveProperty('key_file');
    expect(checkLogin({ ...good, sudo: 'with_password' }, { ...good, sudo: 'with_password' })).toEqual({});
    expect(checkLogin({ ...good, sudo: 'with_password' }, null)).toHaveProperty('sudo_password');
    expect(checkLogin({ ...good, auth: 'password', password: 'x', sudo: 'with_password' }, null)).toEqual({});
  });
  it('wants the password asked for besides a key, and that of a jump host', () => {
    expect(checkLogin({ ...good, password_too: true }, null)).toHaveProperty('password');
    expect(checkLogin({ ...good, password_too: true, password: 'x' }, null)).toEqual({});
    const jump = { ...emptyJump(), host: 'a', user: 'anna', auth: 'password' };
    expect(checkLogin({ ...good, jumps: [jump] }, null)).toHaveProperty(['jump.0.password']);
    expect(checkLogin({ ...good, jumps: [jump] }, { ...good, jumps: [jump] })).toEqual({});
    expect(checkLogin({ ...good, jumps: [{ ...jump, password: 'x' }] }, null)).toEqual({});
  });
  it('takes no secret for stored that the log-in so far had no use for', () => {
    const jump = { ...emptyJump(), host: 'a', user: 'anna', auth: 'password' };
    expect(checkLogin({ ...good, auth: 'password' }, good)).toHaveProperty('password');
    expect(checkLogin({ ...good, sudo: 'with_password' }, good)).toHaveProperty('sudo_password');
    for (const other of [{ host: 'b' }, { port: 2222 }, { user: 'otto' }, { auth: 'agent' }]) {
      expect(checkLogin({ ...good, jumps: [jump] }, { ...good, jumps: [{ ...jump, ...other }] })).toHaveProperty(['jump.0.password']);
    }
    // It stays the same hop at another place on the way.
    expect(checkLogin({ ...good, jumps: [{ ...emptyJump(), host: 'b' }, jump] }, { ...good, jumps: [jump] })).toEqual({});
  });
  it('looks at every jump host', () => {
    const faults = checkLogin({ ...good, jumps: [{ ...emptyJump(), host: 'a' }, { ...emptyJump(), auth: 'agent' }] }, null);
    expect(Object.keys(faults).sort()).toEqual(['jump.1.host', 'jump.1.user']);
  });
});

describe('cleaned', () => {
  it('sends no secret of a way not chosen', () => {
    const sent = cleaned({ ...emptyDraft(), auth: 'agent', password: 'p', key_passphrase: 'k', sudo_password: 's' });
    expect(sent).toMatchObject({ password: null, key_passphrase: null, sudo_password: null, key_file: null });
  });
  it('keeps the second password, and the secrets of a jump host only for its own way', () => {
    const jump = { ...emptyJump(), host: 'b', key_file: '/k', key_passphrase: 'k', password: 'p' };
    const sent = cleaned({ ...emptyDraft(), password_too: true, password: 'p', jumps: [{ ...jump, auth: 'key' }, { ...jump, auth: 'password' }, jump] });
    expect(sent).toMatchObject({ password: 'p', password_too: true });
    expect(sent.jumps.map((one) => [one.key_file, one.key_passphrase, one.password])).toEqual([['/k', 'k', null], [null, null, 'p'], [null, null, null]]);
    expect(cleaned({ ...emptyDraft(), auth: 'password', password: 'p', password_too: true }).password_too).toBe(false);
  });
  it('gives a jump host the user of the server', () => expect(cleaned({ ...emptyDraft(), user: ' anna ', jumps: [{ ...emptyJump(), host: ' b ' }] }).jumps[0]).toMatchObject({ host: 'b', user: 'anna' }));
});

describe('host keys', () => {
  const draft = { ...emptyDraft(), jumps: [emptyJump()] };
  it('asks about the first unknown or changed one', () => {
    expect(keyToJudge({ keys: [key('pinned'), key('unknown')] })?.index).toBe(1);
    expect(keyToJudge({ keys: [key('changed')] })?.key.state).toBe('changed');
    expect(keyToJudge({ keys: [key('known_hosts')] })).toBeNull();
  });
  it('is not done while hosts behind are missing', () => {
    expect(allKnown(draft, { keys: [key('pinned')] })).toBe(false);
    expect(allKnown(draft, { keys: [key('pinned'), key('known_hosts')] })).toBe(true);
    expect(allKnown(draft, { keys: [key('pinned'), key('changed')] })).toBe(false);
  });
  it('writes each to its place', () => {
    expect(acceptKey(draft, 0, 'SHA256:j').jumps[0]?.fingerprint).toBe('SHA256:j');
    expect(acceptKey(draft, 1, 'SHA256:s').fingerprint).toBe('SHA256:s');
  });
  it('takes over known ones only', () => {
    const next = acceptKnown(draft, { keys: [key('known_hosts', 'SHA256:j'), key('unknown', 'SHA256:s')] });
    expect(next.jumps[0]?.fingerprint).toBe('SHA256:j');
    expect(next.fingerprint).toBeNull();
  });
  it('shows a fingerprint in groups, without losing a letter', () => {
    const { method, groups } = fingerprintGroups('SHA256:3rKkHcPqpFyWm1QxSd0L');
    expect(method).toBe('SHA256');
    expect(groups).toEqual(['3rKkHcPq', 'pFyWm1Qx', 'Sd0L']);
  });
  it('knows a key that can be replaced from a revoked one', () => {
    expect(isFingerprint('SHA256:x')).toBe(true);
    expect(isFingerprint('any key but this one: known_hosts marks it @revoked')).toBe(false);
    expect(isFingerprint(null)).toBe(false);
  });
  it('names the file to compare with', () => {
    expect(keyFileOf('ssh-ed25519')).toBe('/etc/ssh/ssh_host_ed25519_key.pub');
    expect(keyFileOf('ecdsa-sha2-nistp256')).toBe('/etc/ssh/ssh_host_ecdsa_key.pub');
    expect(keyFileOf('rsa-sha2-512')).toBe('/etc/ssh/ssh_host_rsa_key.pub');
  });
});

describe('renamed', () => {
  const stored = { ...emptyDraft(), id: 's1', name: 'web-1', host: 'web', fingerprint: 'SHA256:aaaa' };
  it('is the stored server under another name', () => {
    expect(renamed({ ...stored, name: ' web-old ' }, stored)).toEqual({ ...stored, name: 'web-old' });
    expect(renamed({ ...stored, name: 'web-old', fingerprint: null }, stored)?.fingerprint).toBe('SHA256:aaaa');
  });
  it('is nothing where more is to be changed, or no name', () => {
    expect(renamed(stored, stored)).toBeNull();
    expect(renamed({ ...stored, name: ' ' }, stored)).toBeNull();
    expect(renamed({ ...stored, name: 'web-old', port: 2222 }, stored)).toBeNull();
    expect(renamed({ ...stored, name: 'web-old', password_too: true, password: 'new' }, stored)).toBeNull();
  });
});
