// A lazily loaded tree, flat: what is on screen, and where the arrow keys lead.

/** What a tree needs to know of one line. */
export interface TreeItem {
  /** Its path: the identity of the line. */
  path: string;
  /** Whether it can be opened. */
  folder: boolean;
}

/** A line on screen. */
export interface TreeLine<T extends TreeItem> {
  item: T;
  /** 0 for the top. */
  depth: number;
  open: boolean;
  /** "loading" and "empty" lines stand below an open folder in place of its children; "error" likewise. */
  kind: 'item' | 'loading' | 'empty' | 'error';
}

/** What is known of a folder's children. */
export type Children<T> = { state: 'loading' } | { state: 'error' } | { state: 'loaded'; items: readonly T[] };

/** Returns the lines on screen for the given top and open folders. */
export function flattenTree<T extends TreeItem>(
  top: readonly T[],
  open: ReadonlySet<string>,
  childrenOf: (path: string) => Children<T>,
): TreeLine<T>[] {
  const lines: TreeLine<T>[] = [];
  const walk = (items: readonly T[], depth: number) => {
    for (const item of items) {
      const isOpen = item.folder && open.has(item.path);
      lines.push({ item, depth, open: isOpen, kind: 'item' });
      if (!isOpen) continue;
      const children = childrenOf(item.path);
      if (children.state !== 'loaded') {
        lines.push({ item, depth: depth + 1, open: false, kind: children.state });
      } else if (children.items.length === 0) {
        lines.push({ item, depth: depth + 1, open: false, kind: 'empty' });
      } else {
        walk(children.items, depth + 1);
      }
    }
  };
  walk(top, 0);
  return lines;
}

/** What a key does in a tree. */
export type TreeStep = { focus: number } | { toggle: string } | null;

/** Returns where a key leads from the line `at`, as the ARIA tree pattern says. */
export function treeKey<T extends TreeItem>(lines: readonly TreeLine<T>[], at: number, key: string): TreeStep {
  const line = lines[at];
  if (!line) return null;
  if (line.kind !== 'item' && (key === 'ArrowLeft' || key === 'ArrowRight')) {
    return key === 'ArrowLeft' ? parentLine(lines, at) : null;
  }
  switch (key) {
    case 'ArrowDown':
      return step(lines, at, 1);
    case 'ArrowUp':
      return step(lines, at, -1);
    case 'Home':
      return { focus: 0 };
    case 'End':
      return step(lines, lines.length, -1);
    case 'ArrowRight':
      if (!line.item.folder) return null;
      return line.open ? step(lines, at, 1) : { toggle: line.item.path };
    case 'ArrowLeft':
      if (line.open) return { toggle: line.item.path };
      return parentLine(lines, at);
    default:
      return null;
  }
}

function step<T extends TreeItem>(lines: readonly TreeLine<T>[], from: number, by: 1 | -1): TreeStep {
  for (let at = from + by; at >= 0 && at < lines.length; at += by) {
    const kind = lines[at]?.kind;
    if (kind === 'item' || kind === 'error') return { focus: at };
  }
  return null;
}

function parentLine<T extends TreeItem>(lines: readonly TreeLine<T>[], at: number): TreeStep {
  const depth = lines[at]?.depth ?? 0;
  for (let up = at - 1; up >= 0; up -= 1) {
    const line = lines[up];
    if (line && line.depth < depth) return { focus: up };
  }
  return null;
}
