import { expect, it } from 'vitest';
import { matching, type Command } from './palette-rules';

const command = (title: string, group: string): Command => ({ title, group, run: () => undefined });
const all = [command('Backups', 'Page'), command('Back up web nightly now', 'web-1'), command('web-1', 'Server'), command('web nightly', 'Plan')];
const titles = (text: string) => matching(all, text).map((each) => each.title);

it('shows all, in order, when nothing is typed', () => expect(titles('')).toEqual(all.map((each) => each.title)));
it('wants every word', () => expect(titles('back web')).toEqual(['Back up web nightly now']));
it('prefers what begins with it', () => expect(titles('web')[0]).toBe('web-1'));
it('finds by group too', () => expect(titles('plan')).toEqual(['web nightly']));
it('may find nothing', () => expect(titles('zebra')).toEqual([]));
