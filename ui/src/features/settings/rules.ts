import type { BandwidthView, Limits } from '../../ipc';

/** The parts of the settings, in order. */
export const PARTS = [
  { key: 'general', title: 'General' },
  { key: 'appearance', title: 'Appearance' },
  { key: 'notifications', title: 'Notifications' },
  { key: 'bandwidth', title: 'Bandwidth' },
  { key: 'kits', title: 'Keys and recovery kits' },
  { key: 'secrets', title: 'Secrets' },
  { key: 'audit', title: 'Audit log' },
  { key: 'about', title: 'About' },
] as const;

/** Returns the part that the address names, else the first. */
export function partOf(text: string | null): string {
  return PARTS.find((part) => part.key === text)?.key ?? 'general';
}

/** What is wrong with a new passphrase typed twice; `null` when it can be used. */
export function checkPassphrase(passphrase: string, again: string): { passphrase?: string; again?: string } | null {
  if (passphrase.length < 8) return { passphrase: 'At least 8 characters; a few random words are easy to keep in mind' };
  if (passphrase !== again) return { again: 'The two are not equal' };
  return null;
}

/** Brings a typed number into its limits; nothing where none was typed. */
export function clampNumber(text: string, least: number, most: number): number | null {
  const n = Math.round(Number(text));
  return text.trim() !== '' && Number.isFinite(n) ? Math.min(most, Math.max(least, n)) : null;
}

/** All limits with one changed; the empty id is the one for all destinations together. */
export function withLimit(limits: Limits, id: string, bandwidth: BandwidthView): Limits {
  if (id === '') return { ...limits, all: bandwidth };
  const known = limits.destinations.some((each) => each.destination === id);
  return {
    ...limits,
    destinations: known ? limits.destinations.map((each) => (each.destination === id ? { ...each, bandwidth } : each)) : [...limits.destinations, { destination: id, bandwidth }],
  };
}

/** Tells by a plan's layout in words ("tar.zst, sealed") whether its archives have a key. */
export function sealsArchives(layout: string): boolean {
  return /(^|, )sealed\b/.test(layout);
}
