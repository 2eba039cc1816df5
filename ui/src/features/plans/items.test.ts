import { describe, expect, it } from 'vitest';
import type { ItemDraft } from '../../ipc';
import { addFound, foundState, itemText, newItem, pathState, removeFound, togglePath } from './items';

const mysql = (databases: string[], user = ''): ItemDraft => ({
  name: '',
  password: null,
  settings: { kind: 'mysql', databases, socket: '/run/mysqld.sock', host: '', port: 0, user },
});
const files = (paths: string[], excludes: string[] = []): ItemDraft => ({
  name: '',
  password: null,
  settings: { kind: 'files', paths, excludes, one_file_system: false },
});

describe('things found on a server', () => {
  it('puts databases of one server into one item', () => {
    const items = addFound(addFound([], mysql(['shop'])), mysql(['blog']));
    expect(items).toHaveLength(1);
    expect(itemText(items[0]!.settings)).toBe('shop, blog');
    expect(addFound(items, mysql(['stats'], 'other'))).toHaveLength(2);
  });

  it('knows what is in, covered and out', () => {
    expect(foundState([mysql(['shop'])], mysql(['shop']))).toBe('in');
    expect(foundState([mysql(['shop'])], mysql(['blog']))).toBe('out');
    expect(foundState([mysql([])], mysql(['blog']))).toBe('covered');
    expect(foundState([mysql(['shop'])], mysql([]))).toBe('out');
    expect(foundState([files(['/srv'])], files(['/srv/www']))).toBe('covered');
  });

  it('takes out what it put in, and the item with the last of it', () => {
    const items = [mysql(['shop', 'blog']), files(['/srv'])];
    const fewer = removeFound(items, mysql(['shop']));
    expect(itemText(fewer[0]!.settings)).toBe('blog');
    expect(removeFound(fewer, mysql(['blog']))).toEqual([files(['/srv'])]);
  });

  it('makes all databases of some when all are asked for', () => {
    expect(itemText(addFound([mysql(['shop'])], mysql([]))[0]!.settings)).toBe('All databases');
  });

  it('makes items that say they are empty', () => {
    expect(itemText(newItem('files').settings)).toBe('No folders yet');
    expect(itemText(newItem('postgres').settings)).toBe('All databases');
  });
});

describe('ticking paths', () => {
  const plain = { paths: ['/srv'], excludes: ['*.log', '/srv/cache'] };

  it('tells the state of a path', () => {
    expect(pathState(plain, '/srv')).toBe('some');
    expect(pathState(plain, '/srv/www')).toBe('all');
    expect(pathState(plain, '/srv/cache/old')).toBe('excluded');
    expect(pathState(plain, '/')).toBe('some');
    expect(pathState(plain, '/etc')).toBe('none');
  });

  it('leaves out what is unticked inside a ticked folder', () => {
    expect(togglePath(plain, '/srv/tmp').excludes).toEqual(['*.log', '/srv/cache', '/srv/tmp']);
  });

  it('takes it in again', () => {
    expect(togglePath(plain, '/srv/cache').excludes).toEqual(['*.log']);
  });

  it('unticks a folder with its own exceptions, and keeps the patterns', () => {
    expect(togglePath(plain, '/srv')).toEqual({ paths: [], excludes: ['*.log'] });
  });

  it('swallows what was ticked below', () => {
    expect(togglePath({ paths: ['/etc', '/srv/www'], excludes: [] }, '/srv').paths).toEqual(['/etc', '/srv']);
  });
});
