import { describe, expect, it } from 'vitest';
import type { DestinationRow, LayoutDraft } from '../../ipc';
import { VAULT, destinationEffect, destinationsProblem, keepsKey, layoutProblem, layoutText, moved, sentLayout, toggled, withField } from './layout';

const archive = (part: Partial<LayoutDraft> = {}): LayoutDraft => ({ ...VAULT, kind: 'archive', ...part });
const fresh = { repeated: '', stored: false };
const place = (name: string, part: Partial<DestinationRow> = {}): DestinationRow => ({
  id: name, name, kind: 'local', provider: null, place: `/mnt/${name}`, vault: true, copies_of: [], early_note: null, on_servers: [], missing: 0, damaged: 0, bandwidth: { bytes_per_second: null, rules: [] }, used_bytes: null,
  free_bytes: null, total_bytes: null, backups: 0, plans: 0, state: 'ok', state_text: '', ...part,
});

describe('the layout of a plan', () => {
  it('asks nothing of a vault or of archives under the plan’s key', () => {
    expect(layoutProblem(VAULT, fresh)).toBeNull();
    expect(layoutProblem(archive(), fresh)).toBeNull();
    expect(layoutProblem(archive({ seal: 'none' }), fresh)).toBeNull();
    expect(layoutProblem(archive({ template: ' ' }), fresh)).toContain('name');
  });

  it('wants a passphrase long and twice, once for a stored one is enough', () => {
    const with_ = (key: string | null) => archive({ seal: 'passphrase', key });
    expect(layoutProblem(with_('short'), fresh)).toContain('at least');
    expect(layoutProblem(with_('twelve chars'), fresh)).toContain('not the same');
    expect(layoutProblem(with_('twelve chars'), { repeated: 'twelve chars', stored: false })).toBeNull();
    expect(layoutProblem(with_(null), { repeated: '', stored: true })).toBeNull();
  });

  it('wants a key of 64 hex digits', () => {
    expect(layoutProblem(archive({ seal: 'own_key', key: 'ab' }), fresh)).toContain('these are 2');
    expect(layoutProblem(archive({ seal: 'own_key', key: 'xy'.repeat(32) }), fresh)).not.toBeNull();
    expect(layoutProblem(archive({ seal: 'own_key', key: ` ${'0F'.repeat(32)} ` }), fresh)).toBeNull();
  });

  it('keeps the stored key only while it is sealed as before', () => {
    expect(keepsKey(archive(), archive())).toBe(true);
    expect(keepsKey(archive(), archive({ seal: 'passphrase' }))).toBe(false);
    expect(keepsKey(VAULT, archive())).toBe(false);
    expect(keepsKey(null, archive())).toBe(false);
  });

  it('sends a key only where one belongs', () => {
    expect(sentLayout(archive({ key: 'left over' })).key).toBeNull();
    expect(sentLayout({ ...archive({ seal: 'passphrase', key: 'kept' }), kind: 'vault' }).key).toBeNull();
    expect(sentLayout(archive({ seal: 'passphrase', key: ' with spaces ' })).key).toBe(' with spaces ');
    expect(sentLayout(archive({ seal: 'own_key', key: ' ab ' })).key).toBe('ab');
  });

  it('is said in one line', () => expect(layoutText(archive({ format: 'zip', seal: 'none' }))).toBe('Archives: .zip, not sealed'));
});

describe('the file name', () => {
  it('gets fields where the cursor is, set off from what is there', () => {
    expect(withField('', 0, '{plan}')).toEqual({ template: '{plan}', at: 6 });
    expect(withField('{plan}', 6, '{id}')).toEqual({ template: '{plan}_{id}', at: 11 });
    expect(withField('a-', 2, '{id}').template).toBe('a-{id}');
    expect(withField('ab', 1, '{id}').template).toBe('a_{id}_b');
  });
});

describe('the destinations of a plan', () => {
  const nas = place('nas', { copies_of: ['b2'], backups: 3 });
  const b2 = place('b2', { copies_of: ['nas'] });
  const box = place('box');
  const bare = place('bare', { vault: false });
  const all = [nas, b2, box, bare];
  const to = (destinations: string[], layout = VAULT) => ({ destinations, layout });

  it('must be some', () => expect(destinationsProblem(to([]), all)).not.toBeNull());
  it('share one vault', () => {
    expect(destinationsProblem(to(['nas', 'b2']), all)).toBeNull();
    expect(destinationsProblem(to(['nas', 'box']), all)).toContain('two different vaults');
    expect(destinationsProblem(to(['nas', 'bare']), all)).toBeNull();
    expect(destinationsProblem(to(['bare']), all)).toContain('no vault');
  });
  it('are free for archives', () => expect(destinationsProblem(to(['nas', 'box', 'bare'], archive()), all)).toBeNull());
  it('are told what becomes of them', () => {
    expect(destinationEffect(bare, to(['nas', 'bare']), all)).toContain('copy of the vault at nas');
    expect(destinationEffect(bare, to(['bare']), all)).toBe('Has no vault');
    expect(destinationEffect(nas, to(['nas']), all)).toContain('its vault');
  });
  it('begin with the vault that is copied', () => {
    expect(toggled(to(['bare']), nas, all)).toEqual(['nas', 'bare']);
    expect(toggled(to(['nas']), bare, all)).toEqual(['nas', 'bare']);
    expect(toggled(to(['nas', 'bare']), b2, all)).toEqual(['nas', 'bare', 'b2']);
    expect(toggled(to(['bare'], archive()), nas, all)).toEqual(['bare', 'nas']);
    expect(toggled(to(['nas', 'bare']), nas, all)).toEqual(['bare']);
  });
  it('are put in order', () => {
    expect(moved(['a', 'b', 'c'], 'c', -1)).toEqual(['a', 'c', 'b']);
    expect(moved(['a', 'b'], 'a', -1)).toEqual(['a', 'b']);
    expect(moved(['a', 'b'], 'a', 1)).toEqual(['b', 'a']);
  });
});
