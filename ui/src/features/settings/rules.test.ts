import { expect, it } from 'vitest';
import { checkPassphrase, clampNumber, partOf, sealsArchives, withLimit } from './rules';

it('wants a passphrase of some length, twice', () => {
  expect(checkPassphrase('short', 'short')).toHaveProperty('passphrase');
  expect(checkPassphrase('long enough', 'long enogh')).toHaveProperty('again');
  expect(checkPassphrase('long enough', 'long enough')).toBeNull();
});

it('keeps numbers in their limits', () => {
  expect(clampNumber('400', 1, 365)).toBe(365);
  expect(clampNumber('', 0, 365)).toBeNull();
  expect(clampNumber('abc', 0, 9)).toBeNull();
  expect(clampNumber('2.6', 0, 9)).toBe(3);
});

it('shows the first part for an unknown one', () => {
  expect(partOf('secrets')).toBe('secrets');
  expect(partOf('nonsense')).toBe('general');
  expect(partOf(null)).toBe('general');
});

it('changes one limit and leaves the others', () => {
  const slow = { bytes_per_second: 1024, rules: [] };
  const none = { bytes_per_second: null, rules: [] };
  const limits = { all: none, destinations: [{ destination: 'd1', bandwidth: none }] };
  expect(withLimit(limits, '', slow)).toEqual({ all: slow, destinations: limits.destinations });
  expect(withLimit(limits, 'd1', slow).destinations).toEqual([{ destination: 'd1', bandwidth: slow }]);
  expect(withLimit(limits, 'd2', slow).destinations).toHaveLength(2);
});

it('knows which plans have a key', () => {
  expect(sealsArchives('tar.zst, sealed')).toBe(true);
  expect(sealsArchives('zip, not sealed')).toBe(false);
  expect(sealsArchives('vault')).toBe(false);
});
