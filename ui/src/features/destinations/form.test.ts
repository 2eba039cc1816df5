import { describe, expect, it } from 'vitest';
import { EMPTY, folderInside, folderProblems, keyProblems, percentFull, suggestName, testBlocks, toDraft } from './form';

describe('the destination wizard', () => {
  it('wants a whole path', () => {
    expect(folderProblems({ ...EMPTY, path: 'nas' })).toHaveProperty('path');
    expect(folderProblems({ ...EMPTY, path: '/mnt/nas' })).toEqual({});
  });

  it('goes on only after a good test of an empty folder or a vault', () => {
    expect(testBlocks(undefined)).not.toBeNull();
    expect(testBlocks({ ok: true, steps: [], found: 'empty' })).toBeNull();
    expect(testBlocks({ ok: true, steps: [], found: 'vault' })).toBeNull();
    expect(testBlocks({ ok: true, steps: [], found: 'foreign' })).toContain('empty one');
    expect(testBlocks({ ok: false, steps: [], found: 'empty' })).not.toBeNull();
  });

  it('wants a name nobody has', () => {
    expect(keyProblems({ ...EMPTY, name: ' ' }, 'empty', [])).toHaveProperty('name');
    expect(keyProblems({ ...EMPTY, name: 'NAS' }, 'empty', ['nas'])).toHaveProperty('name');
    expect(keyProblems({ ...EMPTY, name: 'nas' }, 'empty', [])).toEqual({});
  });

  it('wants the password of a vault that is there', () => {
    expect(keyProblems({ ...EMPTY, name: 'nas' }, 'vault', [])).toHaveProperty('password');
    expect(keyProblems({ ...EMPTY, name: 'nas', password: 'short' }, 'vault', [])).toEqual({});
  });

  it('wants an own password long and twice', () => {
    const form = { ...EMPTY, name: 'nas', key: 'own' as const, password: 'eleven char' };
    expect(keyProblems(form, 'empty', [])).toHaveProperty('password');
    expect(keyProblems({ ...form, password: 'twelve chars' }, 'empty', [])).toHaveProperty('repeated');
    expect(keyProblems({ ...form, password: 'twelve chars', repeated: 'twelve chars' }, 'empty', [])).toEqual({});
  });

  it('sends a password only where one was chosen or is needed', () => {
    const form = { ...EMPTY, path: ' /mnt/nas ', name: ' nas ', password: 'left over from before' };
    expect(toDraft(form, 'empty')).toEqual({ name: 'nas', kind: 'local', path: '/mnt/nas', vault_password: null });
    expect(toDraft({ ...form, key: 'own' }, 'empty').vault_password).toBe('left over from before');
    expect(toDraft(form, 'vault').vault_password).toBe('left over from before');
  });

  it('suggests telling names', () => {
    expect(suggestName('/mnt/nas/backup', [])).toBe('nas');
    expect(suggestName('/mnt/nas/backup', ['NAS'])).toBe('nas 2');
    expect(suggestName('E:\\backstay', [])).toBe('E:\\backstay');
    expect(suggestName('/', [])).toBe('backups');
  });

  it('suggests a folder inside', () => {
    expect(folderInside('/mnt/nas/')).toBe('/mnt/nas/backstay');
    expect(folderInside('D:\\data\\')).toBe('D:\\data\\backstay');
  });

  it('tells how full it is', () => {
    expect(percentFull(25, 100)).toBe(75);
    expect(percentFull(null, 100)).toBeNull();
    expect(percentFull(0, 0)).toBeNull();
  });
});
