import { describe, expect, it } from 'vitest';
import { matchPath, parsePlace } from './router';

describe('parsePlace', () => {
  it('begins at the overview', () => expect(parsePlace('').path).toBe('/overview'));
  it('takes path and query apart', () => {
    const place = parsePlace('#/plans/new?server=s%201');
    expect(place.path).toBe('/plans/new');
    expect(place.query.get('server')).toBe('s 1');
  });
});

describe('matchPath', () => {
  it('reads parameters', () => expect(matchPath('/servers/:id', '/servers/a%2Fb')).toEqual({ id: 'a/b' }));
  it('wants the whole path', () => {
    expect(matchPath('/servers', '/servers/1')).toBeNull();
    expect(matchPath('/servers/:id/edit', '/servers/1')).toBeNull();
  });
  it('does not fall over a broken escape', () => expect(matchPath('/servers/:id', '/servers/%E0%A4%A')).toBeNull());
});
