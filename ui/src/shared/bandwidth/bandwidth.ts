import type { BandwidthRuleView, BandwidthView } from '../../ipc';
import { formatRate } from '../format';

// How fast bytes may go by the hours of a week: the rules of the engine, and the same as a grid of 7 times 24 hours.

export const DAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'] as const;
const SHORT = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const;
const HOURS = 24;
const CELLS = 7 * HOURS;
const DAY_MINUTES = 1440;

/** One hour of the week: bytes a second, 0 holds everything, `null` is no limit, `undefined` is as at other times. */
export type Cell = number | null | undefined;

/** The limit that is none. */
export const UNLIMITED: BandwidthView = { bytes_per_second: null, rules: [] };

/** The place of an hour in the grid; Monday is day 0. */
export function cellAt(day: number, hour: number): number {
  return day * HOURS + hour;
}

function holds(rule: BandwidthRuleView, day: number, minute: number): boolean {
  if (rule.to_minute > rule.from_minute) return rule.days.includes(day) && minute >= rule.from_minute && minute < rule.to_minute;
  // It goes on into the next day.
  return (rule.days.includes(day) && minute >= rule.from_minute) || (rule.days.includes((day + 6) % 7) && minute < rule.to_minute);
}

/** The limit at a minute of a day: of the first rule that holds, else the one for other times. */
export function limitAt(view: BandwidthView, day: number, minute: number): number | null {
  const rule = view.rules.find((each) => holds(each, day, minute));
  return rule ? rule.bytes_per_second : view.bytes_per_second;
}

/** The limit that holds at a time. */
export function limitNow(view: BandwidthView, at: number): number | null {
  const date = new Date(at);
  return limitAt(view, (date.getDay() + 6) % 7, date.getHours() * 60 + date.getMinutes());
}

/** The week as a grid. */
export function toGrid(view: BandwidthView): Cell[] {
  return Array.from({ length: CELLS }, (_, i) => {
    const rule = view.rules.find((each) => holds(each, Math.floor(i / HOURS), (i % HOURS) * 60));
    return rule ? rule.bytes_per_second : undefined;
  });
}

/** Tells whether the grid shows the rules as they are: all begin and end on the hour. */
export function isOnTheHour(view: BandwidthView): boolean {
  return view.rules.every((rule) => rule.from_minute % 60 === 0 && rule.to_minute % 60 === 0);
}

/** Rules for a grid, few and as people say them: one for each time of day, over midnight too, with all its days. */
export function toRules(grid: readonly Cell[]): BandwidthRuleView[] {
  const rules = new Map<string, BandwidthRuleView>();
  const add = (day: number, from: number, to: number, value: number | null) => {
    const key = `${from}-${to}-${String(value)}`;
    const rule = rules.get(key) ?? { days: [], from_minute: from, to_minute: to, bytes_per_second: value };
    rules.set(key, { ...rule, days: [...rule.days, day].sort((a, b) => a - b) });
  };
  for (const { start, length, value } of stretches(grid)) {
    if (length < HOURS) add(Math.floor(start / HOURS), (start % HOURS) * 60, ((start + length) % HOURS) * 60 || (start % HOURS === 0 || (start % HOURS) + length === HOURS ? DAY_MINUTES : 0), value);
    else {
      // Longer than a day: cut at midnight, so that whole days are whole days.
      for (let at = start; at < start + length;) {
        const hour = at % HOURS;
        const end = Math.min(HOURS, hour + start + length - at);
        add(Math.floor(at / HOURS) % 7, hour * 60, end * 60, value);
        at += end - hour;
      }
    }
  }
  return [...rules.values()].sort((a, b) => (a.days[0] ?? 0) - (b.days[0] ?? 0) || a.from_minute - b.from_minute);
}

/** The stretches of equal hours, round the week; hours as at other times are left out. */
function stretches(grid: readonly Cell[]): { start: number; length: number; value: number | null }[] {
  const begin = grid.findIndex((cell, i) => cell !== grid[(i + CELLS - 1) % CELLS]);
  if (begin < 0) return grid[0] === undefined ? [] : [{ start: 0, length: CELLS, value: grid[0] }];
  const found: { start: number; length: number; value: number | null }[] = [];
  let length = 1;
  for (let i = 1; i <= CELLS; i += 1) {
    const last = (begin + i - 1) % CELLS;
    if (i < CELLS && grid[(begin + i) % CELLS] === grid[last]) {
      length += 1;
      continue;
    }
    const value = grid[last];
    if (value !== undefined) found.push({ start: (begin + i - length) % CELLS, length, value });
    length = 1;
  }
  return found;
}

/** "no limit", "held", "2.0 MiB/s". */
export function limitWord(limit: number | null): string {
  if (limit === null) return 'no limit';
  return limit === 0 ? 'held' : formatRate(limit);
}

/** "09:00"; the end of a day is 24:00. */
export function clock(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
}

/** "Monday to Friday", "every day", "Mon, Wed". */
export function daysWord(days: readonly number[]): string {
  const sorted = [...new Set(days)].sort((a, b) => a - b);
  const first = sorted[0] ?? 0;
  const last = sorted[sorted.length - 1] ?? 0;
  if (sorted.length === 7) return 'Every day';
  if (sorted.length === 0) return 'Never';
  if (sorted.length === 1) return DAYS[first] ?? '';
  if (sorted.length > 2 && last - first === sorted.length - 1) return `${DAYS[first] ?? ''} to ${DAYS[last] ?? ''}`;
  if (sorted.length === 2) return `${DAYS[first] ?? ''} and ${DAYS[last] ?? ''}`;
  return sorted.map((day) => SHORT[day]).join(', ');
}

/** A rule in words: "Monday to Friday, 09:00 to 17:00". */
export function ruleWords(rule: BandwidthRuleView): string {
  if (rule.from_minute === 0 && rule.to_minute === DAY_MINUTES) return `${daysWord(rule.days)}, all day`;
  const over = rule.to_minute <= rule.from_minute ? ' of the next day' : '';
  return `${daysWord(rule.days)}, ${clock(rule.from_minute)} to ${clock(rule.to_minute)}${over}`;
}

/** A limit in one line: what holds now, and whether it changes. */
export function limitText(view: BandwidthView, at: number): string {
  const now = limitWord(limitNow(view, at));
  const sentence = now.charAt(0).toUpperCase() + now.slice(1);
  if (view.rules.length === 0) return sentence;
  return `${sentence} now, by ${view.rules.length === 1 ? 'a rule' : `${view.rules.length} rules`} of the week`;
}

/** The units a speed is typed in. */
export const UNITS = { 'MiB/s': 1024 ** 2, 'KiB/s': 1024, 'Mbit/s': 125_000 } as const;
export type Unit = keyof typeof UNITS;

/** Bytes a second of a typed speed; `null` when it is none. Never below 1 KiB a second: that would never end. */
export function toBytes(value: number, unit: Unit): number | null {
  if (!Number.isFinite(value) || value <= 0) return null;
  return Math.max(1024, Math.round(value * UNITS[unit]));
}

/** A speed as it is typed: the biggest unit in which it is a short number. */
export function fromBytes(bytes: number): { value: number; unit: Unit } {
  if (bytes >= UNITS['MiB/s'] && bytes % (UNITS['MiB/s'] / 8) === 0) return { value: bytes / UNITS['MiB/s'], unit: 'MiB/s' };
  if (bytes % UNITS['Mbit/s'] === 0) return { value: bytes / UNITS['Mbit/s'], unit: 'Mbit/s' };
  return bytes >= UNITS['MiB/s'] ? { value: Math.round((bytes / UNITS['MiB/s']) * 100) / 100, unit: 'MiB/s' } : { value: Math.round(bytes / 1024), unit: 'KiB/s' };
}
