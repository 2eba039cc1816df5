import { comparePaths, isBelow, isWithin } from './paths';

// Which parts of a tree are picked. A picked folder stands for everything in it; nothing below it is listed on its own.

/** "all": picked, itself or by a folder above. "some": something below is picked. */
export type Picked = 'all' | 'some' | 'none';

/** Tells how a path stands against the picked ones. */
export function pickedState(picked: readonly string[], path: string): Picked {
  if (picked.some((one) => isWithin(path, one))) return 'all';
  if (picked.some((one) => isBelow(one, path))) return 'some';
  return 'none';
}

/**
 * Picks a path, or unpicks it. Unpicking something inside a picked folder keeps its siblings: the folder is replaced by
 * its children on the way, as far as `childrenOf` knows them.
 */
export function togglePicked(
  picked: readonly string[],
  path: string,
  childrenOf: (folder: string) => readonly string[] | undefined,
): string[] {
  if (pickedState(picked, path) !== 'all') {
    return tidyPicked([...picked.filter((one) => !isWithin(one, path)), path]);
  }
  const above = picked.find((one) => isWithin(path, one));
  const rest = picked.filter((one) => one !== above);
  if (above === undefined || above === path) return rest;
  return tidyPicked([...rest, ...siblingsKept(above, path, childrenOf)]);
}

function siblingsKept(
  folder: string,
  path: string,
  childrenOf: (folder: string) => readonly string[] | undefined,
): string[] {
  const kept: string[] = [];
  let at = folder;
  while (at !== path) {
    const children = childrenOf(at);
    const next = children?.find((child) => isWithin(path, child));
    if (!children || next === undefined) break;
    kept.push(...children.filter((child) => child !== next));
    at = next;
  }
  return kept;
}

/** Sorts, and drops what a picked folder already covers. */
export function tidyPicked(picked: readonly string[]): string[] {
  const sorted = [...new Set(picked)].sort(comparePaths);
  return sorted.filter((one) => !sorted.some((other) => isBelow(one, other)));
}
