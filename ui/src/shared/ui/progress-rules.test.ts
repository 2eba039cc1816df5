import { describe, expect, it } from 'vitest';
import type { DestinationProgress, ProgressView } from '../../ipc';
import { bytesText, elsewhereText, filesText, isSilent, percent, placeBytes, placePart, runTitle, standing } from './progress-rules';

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

describe('standing', () => {
  it('waits until something is known of it', () => {
    expect(standing({ state: 'waiting', progress: progress({}), elsewhere: false })).toBe('waiting');
    expect(standing({ state: 'running', progress: null, elsewhere: false })).toBe('waiting');
    expect(standing({ state: 'running', progress: progress({}), elsewhere: false })).toBe('running');
  });
  it('never takes a run of another process for one that waits here', () => {
    expect(standing({ state: 'running', progress: null, elsewhere: true })).toBe('elsewhere');
    expect(elsewhereText({ state: 'running' })).toBe('Runs in another process');
    expect(elsewhereText({ state: 'waiting' })).toBe('Waits for its turn in another process');
  });
});

describe('texts', () => {
  it('says of how many, where known', () => {
    expect(filesText(progress({ files: 17_720, files_total: 38_559 }))).toBe('17,720 of 38,559 files');
    expect(filesText(progress({ files: 3 }))).toBe('3 files');
    expect(filesText(progress({}))).toBeNull();
    expect(bytesText(progress({ bytes: 1024 ** 3, bytes_total: 2 * 1024 ** 3 }))).toBe('1.0 GiB of about 2.0 GiB');
  });
  it('says what the furthest destination has where nothing was counted yet', () => {
    const at = (bytes: number): DestinationProgress => ({ name: 'nas', bytes, bytes_total: null, rate: 0, state: 'writing', text: null, limit: null });
    expect(bytesText(progress({ destinations: [at(1024 ** 2), at(4 * 1024 ** 2)] }))).toBe('4.0 MiB written');
    expect(bytesText(progress({ bytes: 1024 ** 2, destinations: [at(4 * 1024 ** 2)] }))).toBe('1.0 MiB');
    expect(bytesText(progress({ destinations: [at(0)] }))).toBeNull();
    expect(bytesText(progress({}))).toBeNull();
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
  const part = (own: Partial<DestinationProgress>, run: Partial<ProgressView> = {}) => {
    const shown = place(own);
    return placePart(shown, progress({ destinations: [shown], ...run }));
  };
  it('is never all there before it is done', () => {
    expect(part({ bytes: 100, bytes_total: 100 })).toBe(99);
    expect(part({ state: 'checking', bytes: 200, bytes_total: 100 })).toBe(99);
    expect(part({ state: 'done' })).toBe(100);
  });
  it('takes its own total before anything of the run', () => {
    expect(part({ bytes: 50, bytes_total: 100 }, { permille: 900 })).toBe(50);
    expect(part({ bytes: 50 })).toBeNull();
  });
  it('is as far as the run has read, less what it lags', () => {
    // Nearly nothing is written where nearly nothing changed, and yet most is done.
    expect(part({ bytes: 50 }, { permille: 900, bytes: 900_000, bytes_total: 1_000_000 })).toBe(90);
    expect(part({ bytes: 0 }, { permille: 900 })).toBe(90);
    const [fast, slow] = [place({ bytes: 200 }), place({ name: 'far', bytes: 50 })];
    const run = progress({ permille: 800, destinations: [fast, slow] });
    expect([placePart(fast, run), placePart(slow, run)]).toEqual([80, 20]);
  });
  it('keeps where it failed', () => {
    expect(part({ state: 'failed', bytes: 30, bytes_total: 100 })).toBe(30);
    expect(part({ state: 'failed', bytes: 30 }, { permille: 500 })).toBe(0);
  });
  it('says its bytes', () => {
    expect(placeBytes(place({ bytes: 1024 ** 2, bytes_total: 2 * 1024 ** 2 }))).toBe('1.0 MiB of 2.0 MiB');
    expect(placeBytes(place({ bytes: 1024 ** 2 }))).toBe('1.0 MiB written');
    expect(placeBytes(place({ state: 'waiting' }))).toBe('');
  });
});
