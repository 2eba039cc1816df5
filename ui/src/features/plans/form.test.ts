import { describe, expect, it } from 'vitest';
import type { ItemDraft, PlanDraft } from '../../ipc';
import { EMPTY, itemProblem, nameProblem, stepProblem, suggestName, toDraft } from './form';
import { newItem } from './items';

const www: ItemDraft = {
  ...newItem('files'),
  settings: { kind: 'files', paths: ['/srv/www'], excludes: [], one_file_system: false },
};

describe('the plan wizard', () => {
  it('holds every step until it is filled in', () => {
    const plan: PlanDraft = { ...EMPTY };
    expect(stepProblem(0, plan, [])).toBe('Choose the server');
    expect(stepProblem(0, { ...plan, server: 's' }, [])).toBe('Choose what to back up');
    expect(stepProblem(0, { ...plan, server: 's', items: [newItem('files')] }, [])).toContain('Files: Pick');
    expect(stepProblem(0, { ...plan, server: 's', items: [www] }, [])).toBeNull();
    expect(stepProblem(1, plan, [])).not.toBeNull();
    expect(stepProblem(1, { ...plan, destinations: ['d'] }, [])).toBeNull();
    expect(stepProblem(2, { ...plan, name: 'web' }, ['Web'])).toContain('already');
  });

  it('checks paths and log-ins of items', () => {
    expect(itemProblem({ ...www, settings: { ...www.settings, paths: ['srv'] } as ItemDraft['settings'] })).toContain('srv');
    const mysql = newItem('mysql');
    expect(itemProblem(mysql)).toBeNull();
    expect(itemProblem({ ...mysql, password: 'x' })).toBe('A password needs its user');
    expect(itemProblem({ ...mysql, settings: { ...mysql.settings, port: 70000 } as ItemDraft['settings'] })).toContain('port');
    expect(
      itemProblem({ ...mysql, settings: { ...mysql.settings, socket: '/run/a', host: 'db' } as ItemDraft['settings'] }),
    ).toContain('not both');
    expect(itemProblem(newItem('sqlite'))).toContain('database file');
  });

  it('suggests a name that is free', () => {
    expect(suggestName('web-1', [www], [])).toBe('web-1 files');
    expect(suggestName('web-1', [www, newItem('mysql')], [])).toBe('web-1 files and databases');
    expect(suggestName('web-1', [www], ['web-1 files'])).toBe('web-1 files 2');
    expect(nameProblem('', [])).not.toBeNull();
  });

  it('keeps the stored password when none is typed', () => {
    const draft = toDraft({ ...EMPTY, name: ' web ', items: [{ ...newItem('mysql'), password: '' }] });
    expect(draft.name).toBe('web');
    expect(draft.items[0]?.password).toBeNull();
  });
});
