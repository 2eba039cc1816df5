import { describe, expect, it } from 'vitest';
import type { RestorePreview } from '../../ipc';
import { changesNothing, changesOf, confirmProblem, confirmSentences, databaseItems, emptyLogin, firstTab, modeNote, serverNote, startForm, stepProblem, things, toRequest } from './form';

const preview: RestorePreview = {
  id: 'p', backup_text: 'web nightly, 20 Nov 2026 10:12', server_name: 'web-1', server_address: 'root@10.0.0.5:22', mode: 'replace',
  sentence: '', create: { count: 1, folders: 0, bytes: 10 }, overwrite: { count: 1204, folders: 0, bytes: 10 }, delete: { count: 3, folders: 0, bytes: 10 },
  databases: ['database shop will be replaced'], kept: 5, not_restored: 0, transfer_bytes: 20, free_bytes: null, warnings: [], facts: [], blocked: null, needs_name: true,
};
const none = { count: 0, folders: 0, bytes: 0 };
const twoFolders = { count: 0, folders: 2, bytes: 0 };

describe('the restore page', () => {
  it('opens on the safest choice', () => {
    const form = startForm('s1');
    expect(form).toMatchObject({ whole: true, server: 's1', place: 'original', mode: 'merge' });
    expect(startForm('s1', ['srv/www'])).toMatchObject({ whole: false, paths: ['srv/www'] });
  });

  it('holds a step until it is filled in', () => {
    expect(stepProblem(0, { ...startForm('s1'), whole: false })).toBe('Tick what to restore');
    expect(stepProblem(1, startForm(null))).toContain('server');
    expect(stepProblem(1, { ...startForm('s1'), place: 'folder', folder: 'tmp' })).toContain('root');
    expect(stepProblem(1, { ...startForm('s1'), place: 'folder', folder: '/tmp/x' })).toBeNull();
  });

  it('sends no paths for the whole backup, even if some were ticked before', () => {
    const form = { ...startForm('s1', ['etc']), whole: true, place: 'folder' as const, folder: '/tmp//x/' };
    expect(toRequest('b', form)).toEqual({ backup: 'b', paths: [], server: 's1', target: '/tmp/x', mode: 'merge', logins: [] });
  });

  it('sends a log-in to databases only where one was asked for', () => {
    const form = { ...startForm('s2'), logins: { mysql: { ...emptyLogin('mysql'), user: 'root', password: '' } } };
    expect(toRequest('b', form).logins).toEqual([{ item: 'mysql', user: 'root', password: null, host: '', socket: '', port: 0 }]);
    const item = (name: string, kind: string) => ({ name, kind, text: name, path: '' });
    expect(databaseItems([item('files', 'files'), item('mysql', 'mysql'), item('app', 'sqlite')]).map((one) => one.name)).toEqual(['mysql']);
  });

  it('warns of another server, and of replacing in a folder', () => {
    expect(serverNote(startForm('s1'), 's1')).toBeNull();
    expect(serverNote(startForm('s2'), 's1')).toContain('another server');
    expect(serverNote({ ...startForm('s2'), place: 'folder' }, 's1')).toBeNull();
    expect(modeNote({ ...startForm('s1'), mode: 'replace' })).toBeNull();
    expect(modeNote({ ...startForm('s1'), place: 'folder', mode: 'replace' })).toContain('deletes');
  });

  it('starts only with the name typed exactly', () => {
    expect(confirmProblem(preview, '')).toContain('web-1');
    expect(confirmProblem(preview, 'Web-1')).not.toBeNull();
    expect(confirmProblem(preview, ' web-1 ')).toBeNull();
    expect(confirmProblem({ ...preview, needs_name: false }, '')).toBeNull();
    expect(confirmProblem({ ...preview, blocked: 'No room' }, 'web-1')).toBe('No room');
  });

  it('says in words what will happen', () => {
    expect(confirmSentences(preview)).toEqual([
      '1 file or database will be created on web-1.',
      '1,204 files and databases on web-1 will be overwritten.',
      '3 files and databases on web-1 will be deleted.',
      'database shop will be replaced.',
    ]);
    expect(confirmSentences({ ...preview, databases: [] })[0]).toBe('1 file will be created on web-1.');
    const same = { ...preview, create: none, overwrite: none, delete: none, databases: [] };
    expect(changesNothing(same)).toBe(true);
    expect(confirmSentences(same)).toHaveLength(1);
  });

  it('counts folders as the lists do', () => {
    expect(changesOf({ count: 3, folders: 2, bytes: 0 })).toBe(5);
    expect(things({ count: 3, folders: 2, bytes: 0 }, false)).toBe('3 files and 2 folders');
    expect(things({ count: 3, folders: 1, bytes: 0 }, true)).toBe('3 files and databases, and 1 folder');
    expect(things(twoFolders, true)).toBe('2 folders');
    const folders = { ...preview, create: none, overwrite: none, delete: twoFolders, databases: [] };
    expect(changesNothing(folders)).toBe(false);
    expect(confirmSentences(folders)).toEqual(['2 folders on web-1 will be deleted.']);
    expect(firstTab(folders)).toBe('delete');
  });

  it('opens the most dangerous list first', () => {
    expect(firstTab(preview)).toBe('delete');
    expect(firstTab({ ...preview, delete: none })).toBe('overwrite');
    expect(firstTab({ ...preview, delete: none, overwrite: none, create: none })).toBe('databases');
  });
});
