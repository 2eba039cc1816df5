import { describe, expect, it } from 'vitest';
import { dayGroup, formatAgo, formatBytes, formatDuration, formatSecond, groupByDay, listText, newDays, plural, whenText, zoneText } from './format';

describe('listText', () => {
  it('reads as a sentence', () => {
    expect(listText([])).toBe('');
    expect(listText(['disk'])).toBe('disk');
    expect(listText(['disk', 'box'])).toBe('disk and box');
    expect(listText(['disk', 'box', 'cloud'])).toBe('disk, box and cloud');
  });
});

describe('formatBytes', () => {
  it('uses one decimal from MiB up, and none below', () => {
    expect(formatBytes(0)).toBe('0 B');
    expect(formatBytes(1023)).toBe('1023 B');
    expect(formatBytes(12_288)).toBe('12 KiB');
    expect(formatBytes(1024 ** 2 * 4.1)).toBe('4.1 MiB');
    expect(formatBytes(1024 ** 3 * 31.2)).toBe('31.2 GiB');
  });
  it('goes to the next unit instead of showing 1024.0', () => expect(formatBytes(1024 ** 3 - 1)).toBe('1.0 GiB'));
  it('shows what shrank', () => expect(formatBytes(-2048)).toBe('−2 KiB'));
  it('does not run out of units', () => expect(formatBytes(1024 ** 6)).toBe('1024.0 PiB'));
});

describe('formatDuration', () => {
  it('says seconds, minutes, hours, days', () => {
    expect(formatDuration(0)).toBe('under 1 s');
    expect(formatDuration(999)).toBe('under 1 s');
    expect(formatDuration(1000)).toBe('1 s');
    expect(formatDuration(48_000)).toBe('48 s');
    expect(formatDuration(200_000)).toBe('3 m 20 s');
    expect(formatDuration(7_500_000)).toBe('2 h 05 m');
    expect(formatDuration(100 * 3_600_000)).toBe('4 d 4 h');
  });
});

describe('formatAgo', () => {
  const now = new Date(2026, 10, 20, 12, 0, 0).getTime();
  it('counts back', () => {
    expect(formatAgo(now - 1000, now)).toBe('now');
    expect(formatAgo(now - 42_000, now)).toBe('42 s ago');
    expect(formatAgo(now - 42 * 60_000, now)).toBe('42 m ago');
    expect(formatAgo(now - 47 * 3_600_000, now)).toBe('47 h ago');
    expect(formatAgo(now - 3 * 86_400_000, now)).toBe('3 d ago');
  });
  it('gives the date of what is long past', () => expect(formatAgo(new Date(2026, 0, 2).getTime(), now)).toBe('2 Jan 2026'));
  it('takes a clock that is a little behind for now, and shows a time that is far ahead', () => {
    expect(formatAgo(now + 20_000, now)).toBe('now');
    expect(formatAgo(now + 3_600_000, now)).toBe('20 Nov 2026 13:00');
  });
});

describe('dayGroup', () => {
  const now = new Date(2026, 10, 20, 0, 30).getTime();
  it('goes by days of the calendar, not by 24 hours', () => {
    expect(dayGroup(new Date(2026, 10, 20, 0, 10).getTime(), now)).toBe('Today');
    expect(dayGroup(new Date(2026, 10, 19, 23, 50).getTime(), now)).toBe('Yesterday');
    expect(dayGroup(new Date(2026, 10, 15).getTime(), now)).toBe('This week');
    expect(dayGroup(new Date(2026, 10, 2).getTime(), now)).toBe('This month');
    expect(dayGroup(new Date(2026, 8, 2).getTime(), now)).toBe('September 2026');
  });
  it('keeps the order of the rows in their groups', () => {
    const day = (d: number) => new Date(2026, 10, d).getTime();
    expect(groupByDay([day(20), day(20), day(19)], (t) => t, now).map((g) => [g.title, g.rows.length])).toEqual([['Today', 2], ['Yesterday', 1]]);
  });
});

describe('plural', () => {
  it('has one and many', () => {
    expect(plural(1, 'file')).toBe('1 file');
    expect(plural(12_300, 'file')).toBe('12,300 files');
    expect(plural(0, 'entry', 'entries')).toBe('0 entries');
  });
});

describe('when a backup was made', () => {
  const now = new Date(2026, 10, 20, 12, 0).getTime();
  it('is said as short as it stays clear', () => {
    expect(whenText(new Date(2026, 10, 20, 10, 0).getTime(), now)).toBe('2 h ago');
    expect(whenText(new Date(2026, 10, 19, 2, 0).getTime(), now)).toBe('yesterday 02:00');
    expect(whenText(new Date(2026, 10, 17, 2, 0).getTime(), now)).toBe('Tue 02:00');
    expect(whenText(new Date(2026, 9, 1, 2, 5).getTime(), now)).toBe('1 Oct 02:05');
    expect(whenText(new Date(2025, 9, 1, 2, 5).getTime(), now)).toBe('1 Oct 2025');
  });
});

describe('the days of a log', () => {
  it('are named where they begin', () => {
    const at = [new Date(2026, 10, 19, 23, 59, 58), new Date(2026, 10, 19, 23, 59, 59), new Date(2026, 10, 20, 0, 0, 1)].map((each) => each.getTime());
    expect(newDays(at)).toEqual(['19 Nov 2026', null, '20 Nov 2026']);
  });
  it('tell the time to the second, and the zone', () => {
    expect(formatSecond(new Date(2026, 10, 9, 3, 4, 5).getTime())).toBe('03:04:05');
    expect(zoneText(0)).toBe('UTC');
    expect(zoneText(60)).toBe('UTC+1');
    expect(zoneText(-210)).toBe('UTC−3:30');
  });
});
