import { describe, expect, it } from 'vitest';
import type { DestinationProgress, ProgressView } from '../../ipc';
import { bytesText, filesText, isSilent, percent, placeBytes, placePart, runTitle } from './progress-rules';

const progress = (part: Partial<ProgressView>): ProgressView => ({
  run: 'r', phase: 'reading', files: 0, files_total: null, bytes: 0, bytes_total: null, rate: 0, seconds_left: null, current: '', problems: 0, permille: null,
  last_activity: 0, destinations: [], ...part,
});

describe('percent', () => {
  it('is unknown without a total', () => expect(percent(progress({ bytes: 5 }))).toBeNull());
  it('is never 100 before the run has ended', () => {
    expect(percent(progress({ permille: 999 }))).toBe(99);
    expect(percent(progress({ permille: 1000 }))).toBe(99);
  });
  it('is rounded down', () => expect(percent(progress({ permille: 258 }))).toBe(25));
  it('is unknown before anything is known of the run', () => expect(percent(null)).toBeNull());
});

describe('texts', () => {
  it('says of how many, where known', () => {
    expect(filesText(progress({ files: 17_720, files_total: 38_559 }))).toBe('17,720 of 38,559 files');
    expect(filesText(progress({ files: 3 }))).toBe('3 files');
    expect(filesText(progress({}))).toBeNull();
    expect(bytesText(progress({ bytes: 1024 ** 3, bytes_total: 2 * 1024 ** 3 }))).toBe('1.0 GiB of about 2.0 GiB');
  });
  it('names the work', () => expect(runTitle({ kind: 'backup', title: 'web nightly' })).toBe('Backing up web nightly'));
  it('knows when nothing moves', () => {
    expect(isSilent(progress({ last_activity: 1000 }), 20_000)).toBe(true);
    expect(isSilent(progress({ last_activity: 10_000 }), 20_000)).toBe(false);
    expect(isSilent(null, 20_000)).toBe(false);
  });
});

describe('one destination of a run', () => {
  const place = (part: Partial<DestinationProgress>): DestinationProgress => ({ name: 'nas', bytes: 0, bytes_total: null, rate: 0, state: 'writing', text: null, limit: null, ...part });
  it('is never all there before it is done', () => {
    expect(placePart(place({ bytes: 100, bytes_total: 100 }), null)).toBe(99);
    expect(placePart(place({ state: 'checking', bytes: 200, bytes_total: 100 }), null)).toBe(99);
    expect(placePart(place({ state: 'done' }), null)).toBe(100);
  });
  it('takes its own total before that of the run', () => {
    expect(placePart(place({ bytes: 50, bytes_total: 100 }), 1000)).toBe(50);
    expect(placePart(place({ bytes: 50 }), 1000)).toBe(5);
    expect(placePart(place({ bytes: 50 }), null)).toBeNull();
  });
  it('keeps where it failed', () => {
    expect(placePart(place({ state: 'failed', bytes: 30, bytes_total: 100 }), null)).toBe(30);
    expect(placePart(place({ state: 'failed', bytes: 30 }), null)).toBe(0);
  });
  it('says its bytes', () => {
    expect(placeBytes(place({ bytes: 1024 ** 2, bytes_total: 2 * 1024 ** 2 }))).toBe('1.0 MiB of 2.0 MiB');
    expect(placeBytes(place({ bytes: 1024 ** 2 }))).toBe('1.0 MiB written');
    expect(placeBytes(place({ state: 'waiting' }))).toBe('');
  });
});
