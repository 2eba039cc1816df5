import type { ItemDraft, ItemSettings } from '../../ipc';
import { comparePaths, isBelow, isWithin } from '../../shared/paths/paths';

// The items of a plan: how things found on a server become items, and what they are called.

export const KIND_WORDS: Record<ItemSettings['kind'], string> = {
  files: 'Files',
  mysql: 'MySQL or MariaDB',
  postgres: 'PostgreSQL',
  sqlite: 'SQLite',
};

/** Returns a new item of a kind, empty. */
export function newItem(kind: ItemSettings['kind']): ItemDraft {
  return { name: '', settings: emptySettings(kind), password: null };
}

function emptySettings(kind: ItemSettings['kind']): ItemSettings {
  switch (kind) {
    case 'files':
      return { kind, paths: [], excludes: [], one_file_system: false };
    case 'mysql':
      return { kind, databases: [], socket: '', host: '', port: 0, user: '' };
    case 'postgres':
      return { kind, databases: [], host: '', port: 0, user: '', format: 'custom', globals: true };
    case 'sqlite':
      return { kind, paths: [] };
  }
}

/** Says in words what an item holds. */
export function itemText(settings: ItemSettings): string {
  switch (settings.kind) {
    case 'files':
      return settings.paths.length === 0 ? 'No folders yet' : someOf(settings.paths);
    case 'sqlite':
      return settings.paths.length === 0 ? 'No files yet' : someOf(settings.paths);
    case 'mysql':
    case 'postgres':
      return settings.databases.length === 0 ? 'All databases' : someOf(settings.databases);
  }
}

function someOf(names: readonly string[]): string {
  if (names.length <= 3) return names.join(', ');
  return `${names.slice(0, 2).join(', ')} and ${names.length - 2} more`;
}

/** Tells whether two items log in to the same database server, or are of one kind that has no log-in. */
export function sameSource(a: ItemSettings, b: ItemSettings): boolean {
  if (a.kind === 'mysql' && b.kind === 'mysql') {
    return a.socket === b.socket && a.host === b.host && a.port === b.port && a.user === b.user;
  }
  if (a.kind === 'postgres' && b.kind === 'postgres') {
    return a.host === b.host && a.port === b.port && a.user === b.user;
  }
  return a.kind === b.kind;
}

/** How something found stands against the items: in by itself, in because all is, or not. */
export type FoundState = 'in' | 'covered' | 'out';

/** Tells whether something found is in the items already. */
export function foundState(items: readonly ItemDraft[], found: ItemDraft): FoundState {
  const home = items.find((item) => sameSource(item.settings, found.settings));
  if (!home) return 'out';
  const [have, want] = [home.settings, found.settings];
  if ((have.kind === 'mysql' && want.kind === 'mysql') || (have.kind === 'postgres' && want.kind === 'postgres')) {
    if (have.databases.length === 0) return want.databases.length === 0 ? 'in' : 'covered';
    if (want.databases.length === 0) return 'out';
    return want.databases.every((name) => have.databases.includes(name)) ? 'in' : 'out';
  }
  if ((have.kind === 'files' && want.kind === 'files') || (have.kind === 'sqlite' && want.kind === 'sqlite')) {
    if (want.paths.every((path) => have.paths.includes(path))) return 'in';
    if (have.kind === 'files' && want.paths.every((path) => have.paths.some((above) => isWithin(path, above)))) {
      return 'covered';
    }
  }
  return 'out';
}

/** Puts something found into the items: into the item of the same source if there is one. */
export function addFound(items: readonly ItemDraft[], found: ItemDraft): ItemDraft[] {
  const at = items.findIndex((item) => sameSource(item.settings, found.settings));
  const home = items[at];
  if (!home) return [...items, found];
  const merged = { ...home, settings: merge(home.settings, found.settings) };
  return items.map((item, index) => (index === at ? merged : item));
}

function merge(have: ItemSettings, more: ItemSettings): ItemSettings {
  if ((have.kind === 'mysql' && more.kind === 'mysql') || (have.kind === 'postgres' && more.kind === 'postgres')) {
    const all = have.databases.length === 0 || more.databases.length === 0;
    return { ...have, databases: all ? [] : union(have.databases, more.databases) };
  }
  if (have.kind === 'files' && more.kind === 'files') {
    const paths = union(have.paths, more.paths);
    return { ...have, paths: withoutCovered(paths), excludes: union(have.excludes, more.excludes) };
  }
  if (have.kind === 'sqlite' && more.kind === 'sqlite') return { ...have, paths: union(have.paths, more.paths) };
  return have;
}

/** Takes something found out of the items again; an item with nothing left goes too. */
export function removeFound(items: readonly ItemDraft[], found: ItemDraft): ItemDraft[] {
  return items.flatMap((item) => {
    if (!sameSource(item.settings, found.settings)) return [item];
    const rest = subtract(item.settings, found.settings);
    return rest ? [{ ...item, settings: rest }] : [];
  });
}

function subtract(have: ItemSettings, less: ItemSettings): ItemSettings | null {
  if ((have.kind === 'mysql' && less.kind === 'mysql') || (have.kind === 'postgres' && less.kind === 'postgres')) {
    const databases = have.databases.filter((name) => !less.databases.includes(name));
    return databases.length === 0 ? null : { ...have, databases };
  }
  if ((have.kind === 'files' && less.kind === 'files') || (have.kind === 'sqlite' && less.kind === 'sqlite')) {
    const paths = have.paths.filter((path) => !less.paths.includes(path));
    return paths.length === 0 ? null : { ...have, paths };
  }
  return have;
}

function union(a: readonly string[], b: readonly string[]): string[] {
  return [...new Set([...a, ...b])];
}

function withoutCovered(paths: readonly string[]): string[] {
  return paths.filter((path) => !paths.some((other) => isBelow(path, other)));
}

/** How a path of the server stands against a files item. */
export type PathState = 'all' | 'some' | 'none' | 'excluded';

/** Tells whether a path is backed up whole, in part, not, or is left out of a folder that is. */
export function pathState(files: { paths: string[]; excludes: string[] }, path: string): PathState {
  const under = files.paths.some((one) => isWithin(path, one));
  if (!under) return files.paths.some((one) => isBelow(one, path)) ? 'some' : 'none';
  const absolute = files.excludes.filter((one) => one.startsWith('/'));
  if (absolute.some((one) => isWithin(path, one))) return 'excluded';
  return absolute.some((one) => isBelow(one, path)) ? 'some' : 'all';
}

/**
 * Ticks a path or unticks it. Unticking inside a ticked folder leaves that path out (an exclude), so that what is new
 * in the folder later is still backed up.
 */
export function togglePath<F extends { paths: string[]; excludes: string[] }>(files: F, path: string): F {
  const state = pathState(files, path);
  if (state === 'excluded') {
    const by = files.excludes.find((one) => one.startsWith('/') && isWithin(path, one));
    return { ...files, excludes: files.excludes.filter((one) => one !== by) };
  }
  if (files.paths.includes(path)) {
    return {
      ...files,
      paths: files.paths.filter((one) => one !== path),
      excludes: files.excludes.filter((one) => !(one.startsWith('/') && isWithin(one, path))),
    };
  }
  if (files.paths.some((one) => isWithin(path, one))) {
    if (state === 'some') {
      return { ...files, excludes: files.excludes.filter((one) => !(one.startsWith('/') && isBelow(one, path))) };
    }
    return { ...files, excludes: union(files.excludes, [path]) };
  }
  const paths = [...files.paths.filter((one) => !isBelow(one, path)), path].sort(comparePaths);
  return { ...files, paths };
}
