/** How a table is sorted. */
export type Sort = { key: string; ascending: boolean };

/** A line of a table: a group heading or a row. */
export type Line<T> = { kind: 'group'; title: string } | { kind: 'row'; row: T };

type Sortable<T> = { key: string; sortValue?: (row: T) => string | number | null };

/** Sorts a copy of rows by a column. What has no value comes last in either direction; equal rows keep their order. */
export function sortRows<T>(rows: T[], columns: Sortable<T>[], sort: Sort | undefined): T[] {
  const value = columns.find((column) => column.key === sort?.key)?.sortValue;
  if (!sort || !value) return rows;
  const sign = sort.ascending ? 1 : -1;
  return [...rows].sort((a, b) => {
    const x = value(a);
    const y = value(b);
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
    if (typeof x === 'number' && typeof y === 'number') return sign * (x - y);
    return sign * String(x).localeCompare(String(y), 'en', { numeric: true, sensitivity: 'base' });
  });
}

/** Lays rows out as lines, with a heading where the group changes. */
export function layLines<T>(rows: T[], groupOf: ((row: T) => string) | undefined): Line<T>[] {
  if (!groupOf) return rows.map((row) => ({ kind: 'row', row }));
  const lines: Line<T>[] = [];
  let last: string | null = null;
  for (const row of rows) {
    const title = groupOf(row);
    if (title !== last) lines.push({ kind: 'group', title });
    last = title;
    lines.push({ kind: 'row', row });
  }
  return lines;
}

/** The line a key leads to, or `null` when the key does not move. Headings are passed over. */
export function moveActive<T>(lines: Line<T>[], from: number, key: string, page: number): number | null {
  const rows = lines.flatMap((line, i) => (line.kind === 'row' ? [i] : []));
  if (rows.length === 0) return null;
  const at = rows.indexOf(from);
  const step: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
  if (key === 'Home') return rows[0] ?? null;
  if (key === 'End') return rows[rows.length - 1] ?? null;
  const move = step[key];
  if (move === undefined) return null;
  if (at < 0) return rows[move > 0 ? 0 : rows.length - 1] ?? null;
  return rows[Math.min(rows.length - 1, Math.max(0, at + move))] ?? null;
}

/** A copy of the picked keys with one turned over. */
export function togglePick(picked: ReadonlySet<string> | undefined, key: string): Set<string> {
  const next = new Set(picked);
  if (!next.delete(key)) next.add(key);
  return next;
}

/** The picked keys that are in the list: what a filter hides or a deletion took is not acted upon unseen. */
export function shownPicks(picked: ReadonlySet<string>, keys: readonly string[]): ReadonlySet<string> {
  const shown = keys.filter((key) => picked.has(key));
  return shown.length === picked.size ? picked : new Set(shown);
}
