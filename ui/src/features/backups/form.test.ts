import { describe, expect, it } from 'vitest';
import type { BackupRow } from '../../ipc';
import { deleteDanger, downloadProblem, filterFrom, formatsFor, goesOn, isFiltered, listPlace, NEWEST_FIRST, nextSort, NO_FILTER, sortFrom, stateOf, toDownload, toFilter } from './form';

const row = { state: 'good', problems: 0, verified: null } as unknown as BackupRow;

describe('the backup list', () => {
  it('sends nothing for what is not filtered', () => {
    expect(toFilter({ ...NO_FILTER, text: ' web ', server: 's1' }, NEWEST_FIRST, 400, 200)).toEqual({
      text: 'web', server: 's1', plan: null, kind: null, destination: null, state: null,
      sort: 'started', ascending: false, offset: 400, limit: 200,
    });
  });

  it('opens filtered from a link', () => {
    const filter = filterFrom(new URLSearchParams('server=s1&backup=b1'));
    expect(filter.server).toBe('s1');
    expect(isFiltered(filter)).toBe(true);
    expect(isFiltered(NO_FILTER)).toBe(false);
  });

  it('keeps its filter, order and open backup in its address', () => {
    const query = (place: string) => new URLSearchParams(place.split('?')[1] ?? '');
    const filter = { ...NO_FILTER, text: 'a & b', state: 'good' };
    const place = listPlace(filter, { column: 'size', ascending: true }, 'b1');
    expect(filterFrom(query(place))).toEqual(filter);
    expect(sortFrom(query(place))).toEqual({ column: 'size', ascending: true });
    expect(query(place).get('open')).toBe('b1');
    expect(listPlace(NO_FILTER, NEWEST_FIRST, null)).toBe('/backups');
    expect(sortFrom(query('/backups?sort=weather'))).toEqual(NEWEST_FIRST);
  });

  it('sorts names from A, sizes from the biggest, and turns round on a second click', () => {
    expect(nextSort(NEWEST_FIRST, 'plan')).toEqual({ column: 'plan', ascending: true });
    expect(nextSort(NEWEST_FIRST, 'size')).toEqual({ column: 'size', ascending: false });
    expect(nextSort(NEWEST_FIRST, 'started')).toEqual({ column: 'started', ascending: true });
  });

  it('never shows a backup with problems as plain good', () => {
    expect(stateOf(row)).toEqual({ state: 'good', text: '' });
    expect(stateOf({ ...row, verified: 1 })).toEqual({ state: 'verified', text: 'Verified' });
    expect(stateOf({ ...row, state: 'problems', problems: 2, verified: 1 })).toEqual({ state: 'problems', text: '2 problems' });
  });
});

describe('a download', () => {
  it('wants a known format and a whole folder path', () => {
    expect(downloadProblem({ format: 'rar', folder: '/tmp' })).toContain('format');
    expect(downloadProblem({ format: 'zip', folder: 'tmp' })).not.toBeNull();
    expect(downloadProblem({ format: 'zip', folder: '/tmp' })).toBeNull();
  });

  it('sends the picked parts', () => {
    expect(toDownload(['b1'], ['etc'], { format: 'zip', folder: ' /tmp ' })).toEqual({
      backups: ['b1'], paths: ['etc'], format: 'zip', destination: null, folder: '/tmp',
    });
  });
});

describe('archives', () => {
  it('are offered as they are, where all of each is wanted', () => {
    const formats = (layouts: string[], paths: string[] = []) => formatsFor(layouts.map((layout) => ({ layout })), paths).map((one) => one.format);
    expect(formats(['tar.zst', 'zip'])[0]).toBe('as_is');
    expect(formats(['tar.zst', 'vault'])).not.toContain('as_is');
    expect(formats(['tar.zst'], ['etc'])).not.toContain('as_is');
  });
});

describe('a download that was stopped', () => {
  it('promises no more than its format can', () => {
    expect(goesOn('as_is')).toContain('where it was');
    expect(goesOn('tar.zst')).toContain('after the last file');
    expect(goesOn('zip')).toContain('packed anew');
  });
});

describe('deleting', () => {
  const of = { plan_name: 'web', server_name: 'web-1' };
  it('asks more of the last one than of any', () => {
    expect(deleteDanger({ only: true, newest: true }, of)?.tick).toBe('Delete the only backup');
    expect(deleteDanger({ only: false, newest: true }, of)?.text).toContain('older state');
    expect(deleteDanger({ only: false, newest: false }, of)).toBeNull();
  });
});
