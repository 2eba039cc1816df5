import { describe, expect, it } from 'vitest';
import { kindText, layoutText, stateOf } from './words';

describe('a destination in words', () => {
  it('is called by its provider', () => {
    expect(kindText({ kind: 's3', provider: 'Wasabi', place: 's3://acme' })).toBe('Wasabi');
    expect(kindText({ kind: 'sftp', provider: null, place: 'sftp://u@box' })).toBe('SFTP');
    expect(kindText({ kind: 'ftp', provider: null, place: 'ftp://u@box' })).toBe('FTP');
    expect(kindText({ kind: 'ftp', provider: null, place: 'ftps://u@box' })).toBe('FTPS');
  });
  it('says what it lacks, but never hides that it is out of reach', () => {
    expect(stateOf({ state: 'ok', missing: 0, damaged: 0 })).toEqual({ state: 'ok', text: undefined });
    expect(stateOf({ state: 'ok', missing: 1, damaged: 0 })).toEqual({ state: 'missing', text: 'Lacks 1 backup' });
    expect(stateOf({ state: 'ok', missing: 1, damaged: 2 }).state).toBe('damaged');
    expect(stateOf({ state: 'offline', missing: 4, damaged: 2 }).state).toBe('offline');
  });
  it('says what lies there', () => {
    expect(layoutText({ vault: false, copies_of: [] })).toContain('archives');
    expect(layoutText({ vault: true, copies_of: ['nas', 'usb'] })).toBe('A copy of the vault that is at nas and usb too');
  });
});
