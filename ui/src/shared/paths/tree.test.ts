import { describe, expect, it } from 'vitest';
import { flattenTree, treeKey, type Children, type TreeItem } from './tree';

const top: TreeItem[] = [
  { path: 'etc', folder: true },
  { path: 'srv', folder: true },
  { path: 'readme', folder: false },
];
const known: Record<string, Children<TreeItem>> = {
  srv: { state: 'loaded', items: [{ path: 'srv/www', folder: true }] },
  'srv/www': { state: 'loaded', items: [] },
};
const childrenOf = (path: string): Children<TreeItem> => known[path] ?? { state: 'loading' };

describe('a lazy tree', () => {
  const lines = flattenTree(top, new Set(['etc', 'srv', 'srv/www']), childrenOf);

  it('shows what is loaded, what loads and what is empty', () => {
    expect(lines.map((line) => [line.item.path, line.depth, line.kind])).toEqual([
      ['etc', 0, 'item'],
      ['etc', 1, 'loading'],
      ['srv', 0, 'item'],
      ['srv/www', 1, 'item'],
      ['srv/www', 2, 'empty'],
      ['readme', 0, 'item'],
    ]);
  });

  it('steps over lines that are no items', () => {
    expect(treeKey(lines, 0, 'ArrowDown')).toEqual({ focus: 2 });
    expect(treeKey(lines, 5, 'ArrowUp')).toEqual({ focus: 3 });
    expect(treeKey(lines, 5, 'ArrowDown')).toBeNull();
    expect(treeKey(lines, 0, 'End')).toEqual({ focus: 5 });
  });

  it('opens, enters, closes and leaves folders', () => {
    const closed = flattenTree(top, new Set(), childrenOf);
    expect(treeKey(closed, 1, 'ArrowRight')).toEqual({ toggle: 'srv' });
    expect(treeKey(lines, 2, 'ArrowRight')).toEqual({ focus: 3 });
    expect(treeKey(lines, 2, 'ArrowLeft')).toEqual({ toggle: 'srv' });
    expect(treeKey(closed, 2, 'ArrowRight')).toBeNull();
    const inside = flattenTree(top, new Set(['srv']), childrenOf);
    expect(treeKey(inside, 2, 'ArrowLeft')).toEqual({ focus: 1 });
  });
});
