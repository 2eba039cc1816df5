import { describe, expect, it } from 'vitest';
import type { BandwidthRuleView, BandwidthView } from '../../ipc';
import { cellAt, daysWord, fromBytes, isOnTheHour, limitAt, limitText, ruleWords, toBytes, toGrid, toRules, type Cell } from './bandwidth';

const rule = (days: number[], from: number, to: number, bytes_per_second: number | null): BandwidthRuleView => ({ days, from_minute: from * 60, to_minute: to * 60, bytes_per_second });
const view = (...rules: BandwidthRuleView[]): BandwidthView => ({ bytes_per_second: null, rules });
const WEEK = [0, 1, 2, 3, 4];

describe('limits of a week', () => {
  it('lets the first rule that holds win', () => {
    const limits = view(rule([0], 9, 10, 100), rule(WEEK, 8, 17, 200));
    expect(limitAt(limits, 0, 9 * 60)).toBe(100);
    expect(limitAt(limits, 0, 10 * 60)).toBe(200);
    expect(limitAt(limits, 5, 9 * 60)).toBeNull();
  });

  it('goes on over midnight', () => {
    const limits = view(rule([6], 22, 6, 0));
    expect(limitAt(limits, 6, 23 * 60)).toBe(0);
    expect(limitAt(limits, 0, 5 * 60)).toBe(0);
    expect(limitAt(limits, 0, 6 * 60)).toBeNull();
    expect(limitAt(limits, 6, 5 * 60)).toBeNull();
  });
});

describe('the grid', () => {
  const same = (rules: BandwidthRuleView[]) => expect(toRules(toGrid(view(...rules)))).toEqual(rules);

  it('comes back as the rules it was made of', () => {
    same([]);
    same([rule(WEEK, 9, 17, 100)]);
    same([rule([0, 1, 2, 3, 4, 5, 6], 22, 6, 0)]);
    same([rule([5, 6], 0, 24, null)]);
    same([rule([0, 1, 2, 3, 4, 5, 6], 0, 24, 7)]);
    same([rule(WEEK, 8, 12, 100), rule(WEEK, 13, 24, 200)]);
    same([rule([3], 0, 6, 100)]);
    same([rule([6], 20, 3, 5)]);
  });

  it('gives the same limits for every hour whatever was painted', () => {
    let state = 11;
    const next = (n: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * n);
    };
    const values: Cell[] = [undefined, null, 0, 100, 200];
    for (let round = 0; round < 200; round += 1) {
      const grid: Cell[] = Array.from({ length: 168 }, () => undefined);
      for (let k = 0; k < next(12); k += 1) {
        const value = values[next(values.length)];
        const from = next(168);
        for (let i = 0; i < 1 + next(60); i += 1) grid[(from + i) % 168] = value;
      }
      expect(toGrid(view(...toRules(grid)))).toEqual(grid);
    }
  });

  it('says when rules begin within an hour', () => {
    expect(isOnTheHour(view(rule([0], 9, 17, 1)))).toBe(true);
    expect(isOnTheHour(view(rule([0], 9.5, 17, 1)))).toBe(false);
  });

  it('knows its cells', () => expect(cellAt(6, 23)).toBe(167));
});

describe('limits in words', () => {
  it('names days as people do', () => {
    expect(daysWord(WEEK)).toBe('Monday to Friday');
    expect(daysWord([5, 6])).toBe('Saturday and Sunday');
    expect(daysWord([0, 2, 4])).toBe('Mon, Wed, Fri');
    expect(daysWord([0, 1, 2, 3, 4, 5, 6])).toBe('Every day');
  });
  it('says when a rule holds', () => {
    expect(ruleWords(rule([5], 0, 24, 1))).toBe('Saturday, all day');
    expect(ruleWords(rule([0], 22, 6, 1))).toBe('Monday, 22:00 to 06:00 of the next day');
  });
  it('says what holds now', () => {
    const monday = new Date(2026, 10, 23, 12, 0).getTime();
    expect(limitText(view(), monday)).toBe('No limit');
    expect(limitText(view(rule([0], 9, 17, 2 * 1024 ** 2)), monday)).toBe('2.0 MiB/s now, by a rule of the week');
    expect(limitText(view(rule([0], 9, 17, 0)), monday)).toBe('Held now, by a rule of the week');
  });
});

describe('a typed speed', () => {
  it('comes back as it was typed', () => {
    expect(fromBytes(toBytes(2, 'MiB/s')!)).toEqual({ value: 2, unit: 'MiB/s' });
    expect(fromBytes(toBytes(1.5, 'MiB/s')!)).toEqual({ value: 1.5, unit: 'MiB/s' });
    expect(fromBytes(toBytes(20, 'Mbit/s')!)).toEqual({ value: 20, unit: 'Mbit/s' });
    expect(fromBytes(toBytes(300, 'KiB/s')!)).toEqual({ value: 300, unit: 'KiB/s' });
  });
  it('is never nothing', () => {
    expect(toBytes(0, 'MiB/s')).toBeNull();
    expect(toBytes(Number.NaN, 'MiB/s')).toBeNull();
    expect(toBytes(0.1, 'KiB/s')).toBe(1024);
  });
});
