import { QueryClient } from '@tanstack/react-query';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ProgressView, RunPage, RunRow } from '../../ipc';
import { applyEvent, withProgress, withRun } from './effects';
import { keys } from './keys';

const row = (id: string, state: string, progress: ProgressView | null = null): RunRow => ({
  id, kind: 'backup', state, title: id, plan: null, server: null, server_name: null, backup: null, created: 0, started: null, ended: null,
  problems: 0, error: null, files: 0, bytes: 0, bytes_read: 0, bytes_added: 0, result: null, elsewhere: false, resumable: false, progress,
});
const progress = (run: string, at: number): ProgressView => ({
  run, phase: 'reading', files: at, files_total: null, bytes: 0, bytes_total: null, rate: 0, seconds_left: null, current: '', problems: 0, permille: null, last_activity: at, destinations: [],
});

describe('withProgress', () => {
  it('moves a waiting run on', () => expect(withProgress(row('a', 'waiting'), progress('a', 1)).state).toBe('running'));
  it('never goes backwards', () => expect(withProgress(row('a', 'running', progress('a', 5)), progress('a', 4)).progress?.files).toBe(5));
  it('does not wake an ended run', () => expect(withProgress(row('a', 'cancelled'), progress('a', 4)).progress).toBeNull());
});

describe('withRun', () => {
  it('lets an ended run leave', () => expect(withRun([row('a', 'running')], row('a', 'done'))).toEqual([]));
  it('adds a new one on top', () => expect(withRun([row('a', 'running')], row('b', 'waiting')).map((r) => r.id)).toEqual(['b', 'a']));
  it('keeps the progress that is known', () => expect(withRun([row('a', 'running', progress('a', 3))], row('a', 'running'))[0]?.progress?.files).toBe(3));
});

describe('applyEvent', () => {
  let client: QueryClient;
  beforeEach(() => {
    client = new QueryClient();
    client.setQueryData<RunPage>(keys.activeRuns, { rows: [row('a', 'running')], total: 1 });
    for (const key of [keys.plans, keys.servers, keys.destinations, keys.backups, keys.overview, keys.settings]) client.setQueryData(key, []);
  });
  const stale = (key: readonly string[]) => client.getQueryState(key)?.isInvalidated;

  it('brings progress to its run without reading anything anew', () => {
    applyEvent(client, { type: 'progress', progress: progress('a', 7) });
    expect(client.getQueryData<RunPage>(keys.activeRuns)?.rows[0]?.progress?.files).toBe(7);
    expect(stale(keys.overview)).toBe(false);
  });
  it('reads the backups anew when a run has ended', () => {
    applyEvent(client, { type: 'run', run: row('a', 'done') });
    expect(client.getQueryData<RunPage>(keys.activeRuns)?.rows).toEqual([]);
    expect(stale(keys.backups)).toBe(true);
  });
  it('leaves the backups alone while one goes on', () => {
    applyEvent(client, { type: 'run', run: row('a', 'running') });
    expect(stale(keys.backups)).toBe(false);
    expect(stale(keys.plans)).toBe(true);
  });
  it('touches only what a change concerns', () => {
    applyEvent(client, { type: 'changed', what: 'settings' });
    expect(stale(keys.settings)).toBe(true);
    expect(stale(keys.plans)).toBe(false);
  });
  it('bears a word it does not know', () => expect(() => applyEvent(client, { type: 'changed', what: 'weather' })).not.toThrow());
});
