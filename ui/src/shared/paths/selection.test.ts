import { describe, expect, it } from 'vitest';
import { pickedState, tidyPicked, togglePicked } from './selection';

const tree: Record<string, string[]> = {
  srv: ['srv/www', 'srv/game', 'srv/mail'],
  'srv/www': ['srv/www/shop', 'srv/www/blog'],
};
const childrenOf = (folder: string) => tree[folder];

describe('picking parts of a tree', () => {
  it('knows all, some and none', () => {
    expect(pickedState(['srv/www'], 'srv/www/shop')).toBe('all');
    expect(pickedState(['srv/www'], 'srv')).toBe('some');
    expect(pickedState(['srv/www'], 'srv/game')).toBe('none');
    expect(pickedState(['srv/www'], 'srv/www2')).toBe('none');
  });

  it('lets a folder swallow what was picked in it', () => {
    expect(togglePicked(['srv/www/shop', 'etc'], 'srv', childrenOf)).toEqual(['etc', 'srv']);
  });

  it('keeps the siblings when something inside is unpicked', () => {
    expect(togglePicked(['srv'], 'srv/www/shop', childrenOf)).toEqual(['srv/game', 'srv/mail', 'srv/www/blog']);
  });

  it('unpicks what was picked itself', () => {
    expect(togglePicked(['etc', 'srv'], 'srv', childrenOf)).toEqual(['etc']);
  });

  it('drops what is covered', () => {
    expect(tidyPicked(['srv/www/shop', 'srv', 'etc', 'srv'])).toEqual(['etc', 'srv']);
  });
});
