import { describe, expect, it } from 'vitest';
import { layLines, moveActive, shownPicks, sortRows, togglePick } from './data-table-rules';

type Row = { name: string; size: number | null };
const columns = [
  { key: 'name', sortValue: (row: Row) => row.name },
  { key: 'size', sortValue: (row: Row) => row.size },
];
const rows: Row[] = [{ name: 'web-10', size: 3 }, { name: 'Web-2', size: null }, { name: 'alpha', size: 1 }];
const names = (list: Row[]) => list.map((row) => row.name);

describe('sortRows', () => {
  it('sorts names as people do: without case, numbers by value', () => expect(names(sortRows(rows, columns, { key: 'name', ascending: true }))).toEqual(['alpha', 'Web-2', 'web-10']));
  it('puts what is not known last, up and down', () => {
    expect(names(sortRows(rows, columns, { key: 'size', ascending: true }))).toEqual(['alpha', 'web-10', 'Web-2']);
    expect(names(sortRows(rows, columns, { key: 'size', ascending: false }))).toEqual(['web-10', 'alpha', 'Web-2']);
  });
  it('leaves rows alone without a sort', () => expect(sortRows(rows, columns, undefined)).toBe(rows));
});

describe('lines and the keyboard', () => {
  const lines = layLines([1, 2, 11], (n) => (n > 10 ? 'big' : 'small'));
  it('puts a heading where the group changes', () => expect(lines.map((line) => (line.kind === 'group' ? line.title : line.row))).toEqual(['small', 1, 2, 'big', 11]));
  it('passes over headings', () => {
    expect(moveActive(lines, 2, 'ArrowDown', 10)).toBe(4);
    expect(moveActive(lines, 4, 'ArrowUp', 10)).toBe(2);
  });
  it('stops at both ends', () => {
    expect(moveActive(lines, 4, 'ArrowDown', 10)).toBe(4);
    expect(moveActive(lines, 1, 'PageUp', 10)).toBe(1);
  });
  it('begins at the first row', () => expect(moveActive(lines, -1, 'ArrowDown', 10)).toBe(1));
  it('jumps to the ends', () => {
    expect(moveActive(lines, 2, 'Home', 10)).toBe(1);
    expect(moveActive(lines, 2, 'End', 10)).toBe(4);
  });
  it('leaves other keys and empty tables alone', () => {
    expect(moveActive(lines, 2, 'x', 10)).toBeNull();
    expect(moveActive([], -1, 'ArrowDown', 10)).toBeNull();
  });
});

describe('togglePick', () => {
  it('turns one over in a copy', () => {
    const before = new Set(['a']);
    expect([...togglePick(before, 'b')]).toEqual(['a', 'b']);
    expect([...togglePick(before, 'a')]).toEqual([]);
    expect([...before]).toEqual(['a']);
  });
});

describe('shownPicks', () => {
  it('holds only what is in the list', () => {
    expect([...shownPicks(new Set(['a', 'gone']), ['a', 'b'])]).toEqual(['a']);
  });
  it('stays the same set where nothing went', () => {
    const picked = new Set(['a']);
    expect(shownPicks(picked, ['a', 'b'])).toBe(picked);
  });
});
