import { describe, expect, it } from 'vitest';
import type { Need, ServerRow } from '../../ipc';
import { firstSteps, needAction, overviewSentence } from './words';

const server = (state: string, last_backup: number | null = 1): ServerRow => ({
  id: 'x', name: 'x', address: '', local: false, os: null, kinds: [], plans: 1, last_backup, last_bytes: null, places: 1, last_proof: null, state, state_text: '',
});
const need = (part: Partial<Need>): Need => ({ kind: 'failed', subject: 's', text: '', plan: null, server: null, destination: null, run: null, ...part });

describe('overviewSentence', () => {
  it('says plainly that nothing is protected', () => {
    expect(overviewSentence({ servers: [server('failed')], needs: [need({})] })).toBe('The server is not fully protected. One thing needs you.');
    expect(overviewSentence({ servers: [server('never', null)], needs: [] })).toBe('The server is not protected. Nothing needs you.');
    expect(overviewSentence({ servers: [server('failed'), server('stale')], needs: [] })).toBe('None of 2 servers is fully protected. Nothing needs you.');
  });
  it('does not count what no plan reads', () => expect(overviewSentence({ servers: [server('protected'), server('unplanned', null)], needs: [] })).toBe('The server is protected. Nothing needs you.'));
  it('says how many are good, and what is needed', () => {
    expect(overviewSentence({ servers: [server('protected'), server('stale')], needs: [need({})] })).toBe('1 of 2 servers is protected. One thing needs you.');
  });
  it('does not call a server safe because it is being backed up for the first time', () => {
    expect(overviewSentence({ servers: [server('running', null), server('protected')], needs: [] })).toBe('1 of 2 servers is protected. Nothing needs you.');
  });
  it('is plain when there is nothing', () => expect(overviewSentence({ servers: [], needs: [] })).toBe('Nothing is backed up yet.'));
});

describe('needAction', () => {
  it('has one action for each kind', () => {
    expect(needAction(need({ kind: 'no_backup', plan: 'p' }))).toEqual({ title: 'Back up now', backUp: 'p' });
    expect(needAction(need({ kind: 'problems', run: 'r' }))).toEqual({ title: 'See the problems', to: '/activity/r?tab=problems' });
    expect(needAction(need({ kind: 'failed', run: 'r', plan: 'p' }))).toEqual({ title: 'See why', to: '/activity/r' });
    expect(needAction(need({ kind: 'kit_not_confirmed', destination: 'd' }))).toEqual({ title: 'Confirm the kit…', to: '/destinations/d' });
    expect(needAction(need({ kind: 'kit_not_confirmed', plan: 'p' }))).toEqual({ title: 'Confirm the kit…', to: '/plans/p' });
    expect(needAction(need({ kind: 'damaged', destination: 'd' }))).toEqual({ title: 'Mend it…', to: '/destinations/d' });
    expect(needAction(need({ kind: 'secrets_locked' }))).toEqual({ title: 'Open the secrets', to: '/settings?part=secrets' });
  });
  it('backs up the only plan of a stale server, and opens the server where there are several', () => {
    const stale = need({ kind: 'no_backup', server: 's' });
    expect(needAction(stale, [{ id: 'p', server: 's' }, { id: 'q', server: 't' }])).toEqual({ title: 'Back up now', backUp: 'p' });
    expect(needAction(stale, [{ id: 'p', server: 's' }, { id: 'q', server: 's' }])).toEqual({ title: 'Open the server', to: '/servers/s' });
  });
  it('finds something to act on for a kind it does not know', () => expect(needAction(need({ kind: 'new kind', server: 's' }))).toEqual({ title: 'Open the server', to: '/servers/s' }));
  it('has no dead button', () => expect(needAction(need({ kind: 'failed' }))).toBeNull());
});

it('the first steps follow each other', () => {
  expect(firstSteps({ server: false, destination: true, plan: false, backup: false }).map((step) => step.done)).toEqual([false, true, false, false]);
});
