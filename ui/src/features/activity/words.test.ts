import { describe, expect, it } from 'vitest';
import type { RunRow } from '../../ipc';
import { canExclude, listedText, outcome, problemsTab, runNumbers, took } from './words';

const run = (part: Partial<RunRow>): RunRow => ({
  id: 'r', kind: 'backup', state: 'done', title: 't', plan: null, server: null, server_name: null, backup: null, created: 0, started: 1000, ended: 5000,
  problems: 0, error: null, files: 0, bytes: 0, bytes_read: 0, bytes_added: 0, result: null, elsewhere: false, resumable: false, progress: null, ...part,
});
const none = { files_read: 0, files_new: 0, files_changed: 0, files_deleted: 0 };

describe('a run in words', () => {
  it('counts its problems', () => expect(outcome(run({ state: 'done_with_problems', problems: 1 }))).toBe('1 problem'));
  it('knows how long it took', () => {
    expect(took(run({}), 9000)).toBe(4000);
    expect(took(run({ ended: null }), 9000)).toBe(8000);
    expect(took(run({ started: null }), 9000)).toBeNull();
  });
  it('always says what a backup added, even nothing', () => expect(runNumbers(run({}), none)).toEqual([{ name: 'Data added', value: '0 B' }]));
  it('says what a restore wrote', () => expect(runNumbers(run({ kind: 'restore' }), { ...none, files_new: 2, files_changed: 3 })).toEqual([{ name: 'Files written', value: '5' }]));
});

describe("a run's list", () => {
  it('is named by its problems, or else by its notes', () => {
    expect([problemsTab(2, 5), problemsTab(0, 3), problemsTab(0, 0)]).toEqual(['Problems 2', 'Notes 3', 'Problems']);
  });
  it('tells notes from problems once the run has ended', () => {
    expect(listedText(run({ problems: 2 }), 2)).toBe('2 in all');
    expect(listedText(run({ problems: 2 }), 5)).toBe('2 problems, 3 notes on what was skipped');
    expect(listedText(run({}), 1)).toBe('1 note on what was skipped');
    expect(listedText(run({ ended: null }), 1)).toBe('1 in all');
  });
});

describe('canExclude', () => {
  it('is for paths that could not be read', () => {
    expect(canExclude({ kind: 'unreadable', item: 'files', subject: '/root', reason: '' })).toBe(true);
    expect(canExclude({ kind: 'database', item: 'mysql', subject: 'shop', reason: '' })).toBe(false);
    expect(canExclude({ kind: 'damaged', item: 'files', subject: '/root', reason: '' })).toBe(false);
  });
});
