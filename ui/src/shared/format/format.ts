const KIB = 1024;

/** Returns a size as a person reads it: "31.2 GiB", "4.1 MiB", "12 KiB", "310 B". */
export function formatBytes(bytes: number): string {
  const sign = bytes < 0 ? '−' : '';
  let value = Math.abs(bytes);
  if (value < KIB) return `${sign}${Math.round(value)} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let unit = -1;
  while (unit < units.length - 1 && value >= KIB) {
    value /= KIB;
    unit += 1;
  }
  // 1023.96 would be shown as "1024.0": it is the next unit's 1.0.
  if (value >= 1023.95 && unit < units.length - 1) {
    value /= KIB;
    unit += 1;
  }
  return `${sign}${unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

// Made once: a new formatter for every cell of a long list is what makes it slow.
const COUNT = new Intl.NumberFormat('en-GB');
const MONTH = new Intl.DateTimeFormat('en-GB', { month: 'long', year: 'numeric' });

/** Returns a count with thin groups: "12,300". */
export function formatCount(count: number): string {
  return COUNT.format(count);
}

/** Returns "1 file", "2 files", "1,204 files". */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** Returns a duration: "under 1 s", "48 s", "3 m 20 s", "2 h 05 m", "3 d 4 h". */
export function formatDuration(ms: number): string {
  if (ms < 1000) return 'under 1 s';
  const s = Math.round(ms / 1000);
  if (s < 60) return `${s} s`;
  const two = (n: number) => String(n).padStart(2, '0');
  if (s < 3600) return `${Math.floor(s / 60)} m ${two(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${two(Math.floor((s % 3600) / 60))} m`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** Returns a time against now: "now", "42 s ago", "2 h ago", "3 d ago"; from 60 days on the date. */
export function formatAgo(at: number, now: number): string {
  const s = Math.round((now - at) / 1000);
  if (s < -60) return formatExact(at);
  if (s < 5) return 'now';
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} m ago`;
  if (s < 2 * 86400) return `${Math.floor(s / 3600)} h ago`;
  if (s < 60 * 86400) return `${Math.floor(s / 86400)} d ago`;
  return formatDate(at);
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Returns "20 Nov 2026". */
export function formatDate(at: number): string {
  const d = new Date(at);
  return `${d.getDate()} ${MONTHS[d.getMonth()] ?? ''} ${d.getFullYear()}`;
}

/** Returns "10:12". */
export function formatClock(at: number): string {
  const d = new Date(at);
  return `${String(d.getHours()).padStart(2, '0')}:${String(d.getMinutes()).padStart(2, '0')}`;
}

/** Returns "20 Nov 2026 10:12". */
export function formatExact(at: number): string {
  return `${formatDate(at)} ${formatClock(at)}`;
}

/** Returns "142 MiB/s". */
export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

/** The heading of the day group a time belongs to: "Today", "Yesterday", "This week", "This month", "October 2026". */
export function dayGroup(at: number, now: number): string {
  const start = (t: number) => new Date(new Date(t).getFullYear(), new Date(t).getMonth(), new Date(t).getDate()).getTime();
  const days = Math.round((start(now) - start(at)) / 86400000);
  if (days <= 0) return 'Today';
  if (days === 1) return 'Yesterday';
  if (days < 7) return 'This week';
  const a = new Date(at);
  const n = new Date(now);
  if (a.getFullYear() === n.getFullYear() && a.getMonth() === n.getMonth()) return 'This month';
  return MONTH.format(a);
}

/** Returns "disk, box and cloud". */
export function listText(names: readonly string[]): string {
  if (names.length < 2) return names[0] ?? '';
  return `${names.slice(0, -1).join(', ')} and ${names[names.length - 1] ?? ''}`;
}

/** Splits rows in order into day groups. */
export function groupByDay<T>(rows: T[], at: (row: T) => number, now: number): { title: string; rows: T[] }[] {
  const groups: { title: string; rows: T[] }[] = [];
  for (const row of rows) {
    const title = dayGroup(at(row), now);
    const last = groups[groups.length - 1];
    if (last?.title === title) last.rows.push(row);
    else groups.push({ title, rows: [row] });
  }
  return groups;
}

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/** Says when something was, as short as it stays clear: "2 h ago", "yesterday 02:00", "Tue 02:00", "1 Oct 02:00", "1 Oct 2025". */
export function whenText(at: number, now: number): string {
  const start = (time: number) => new Date(time).setHours(0, 0, 0, 0);
  const days = Math.round((start(now) - start(at)) / 86_400_000);
  if (days <= 0) return formatAgo(at, now);
  if (days === 1) return `yesterday ${formatClock(at)}`;
  if (days < 7) return `${WEEKDAYS[new Date(at).getDay()] ?? ''} ${formatClock(at)}`;
  const date = formatDate(at);
  const year = ` ${new Date(now).getFullYear()}`;
  return date.endsWith(year) ? `${date.slice(0, -year.length)} ${formatClock(at)}` : date;
}

/** Returns "10:12:05". */
export function formatSecond(at: number): string {
  return `${formatClock(at)}:${String(new Date(at).getSeconds()).padStart(2, '0')}`;
}

/** Names the zone that is so many minutes before UTC: "UTC", "UTC+1", "UTC−3:30". */
export function zoneText(minutes: number): string {
  if (minutes === 0) return 'UTC';
  const all = Math.abs(minutes);
  const rest = all % 60 === 0 ? '' : `:${String(all % 60).padStart(2, '0')}`;
  return `UTC${minutes > 0 ? '+' : '−'}${Math.floor(all / 60)}${rest}`;
}

/** The date of each time that is on another day than the one before it, else nothing. */
export function newDays(times: readonly number[]): (string | null)[] {
  const days = times.map(formatDate);
  return days.map((day, i) => (day === days[i - 1] ? null : day));
}
