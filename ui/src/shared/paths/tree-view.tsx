import { IconChevronRight } from '@tabler/icons-react';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useQueries, type QueryKey } from '@tanstack/react-query';
import { useEffect, useId, useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from 'react';
import { toIpcError } from '../../ipc';
import { flattenTree, treeKey, type Children, type TreeItem, type TreeLine } from './tree';
import './tree.css';

/** How a line is ticked. */
export type Tick = 'all' | 'some' | 'none' | 'excluded';

/** Asks for a line to be brought into sight; its folders must be open. */
export type Reveal = { path: string };

type Props<T extends TreeItem> = {
  /** What the tree is, for screen readers. */
  label: string;
  top: readonly T[];
  /** How the children of a folder are read, and the key they are kept under. */
  children: (path: string) => { queryKey: QueryKey; queryFn: () => Promise<readonly T[]>; staleTime?: number };
  /** What stands on a line, after arrow and tick; its text is the line's name for screen readers. */
  row: (item: T) => ReactNode;
  /** Where ticks are wanted: how a line is ticked (`null`: it cannot be), and what a click on the tick does. */
  ticks?: { state: (item: T) => Tick | null; toggle: (item: T) => void };
  /** Where one line can be chosen: whether this is it, and what choosing does. */
  choice?: { chosen: (item: T) => boolean; choose: (item: T) => void };
  /** Which folders are open; kept by the caller, so that a typed path can open them. */
  open: ReadonlySet<string>;
  onOpen: (open: ReadonlySet<string>) => void;
  /** A line to bring into sight as soon as it is there, once for each object given. */
  reveal?: Reveal | null;
  /** At most so many pixels high; "fill" takes what room there is. */
  height?: number | 'fill';
};

const ROW = 28;

/** A tree whose folders are read when they are opened; only the lines in sight are drawn. */
export function TreeView<T extends TreeItem>(props: Props<T>) {
  const { label, top, open, onOpen, reveal = null, height = 320 } = props;
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState<string | null>(null);
  const opened = useMemo(() => [...open], [open]);
  const results = useQueries({ queries: opened.map((path) => props.children(path)) });
  const known = new Map(opened.map((path, i) => [path, results[i]]));

  const childrenOf = (path: string): Children<T> => {
    const result = known.get(path);
    if (result?.data) return { state: 'loaded', items: result.data };
    return { state: result?.isError ? 'error' : 'loading' };
  };
  const lines = flattenTree(top, open, childrenOf);
  const found = lines.findIndex((line) => line.kind !== 'loading' && keyOf(line) === active);
  const at = Math.max(found, 0);

  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 12,
  });

  // What was asked for becomes the active line when its folders have been read; the user's own moves come later.
  const [revealed, setRevealed] = useState<Reveal | null>(null);
  const wanted = reveal === revealed ? -1 : lines.findIndex((line) => line.kind === 'item' && line.item.path === reveal?.path);
  const wantedLine = lines[wanted];
  if (wantedLine) {
    setRevealed(reveal);
    setActive(keyOf(wantedLine));
  }
  const seen = useRef<Reveal | null>(null);
  useEffect(() => {
    if (revealed === null || seen.current === revealed) return;
    seen.current = revealed;
    virtual.scrollToIndex(at, { align: 'center' });
  }, [revealed, at, virtual]);

  const toggleOpen = (path: string) => {
    const next = new Set(open);
    if (!next.delete(path)) next.add(path);
    onOpen(next);
  };
  const tickOrChoose = (item: T) => {
    if (props.choice) props.choice.choose(item);
    else if (props.ticks && props.ticks.state(item) !== null) props.ticks.toggle(item);
  };
  const activate = (line: TreeLine<T>) => {
    if (line.kind === 'error') void known.get(line.item.path)?.refetch();
    else if (line.kind !== 'item') return;
    else if (props.choice) props.choice.choose(line.item);
    else if (line.item.folder) toggleOpen(line.item.path);
    else tickOrChoose(line.item);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const line = lines[at];
    if (!line || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Enter') activate(line);
    else if (event.key === ' ' && line.kind === 'item') tickOrChoose(line.item);
    else {
      const step = treeKey(lines, at, event.key);
      if (!step) return;
      if ('toggle' in step) toggleOpen(step.toggle);
      else focusLine(step.focus);
    }
    event.preventDefault();
  };
  const focusLine = (to: number) => {
    const line = lines[to];
    if (!line) return;
    setActive(keyOf(line));
    virtual.scrollToIndex(to, { align: 'auto' });
  };

  const size = height === 'fill' ? { height: '100%' } : { height: Math.min(Math.max(lines.length, 1) * ROW + 8, height) };
  return (
    <div
      ref={box}
      className="tree"
      role="tree"
      aria-label={label}
      aria-multiselectable={props.ticks ? true : undefined}
      tabIndex={0}
      aria-activedescendant={lines[at] ? `${id}-${at}` : undefined}
      onKeyDown={onKeyDown}
      style={size}
    >
      <div role="none" style={{ height: virtual.getTotalSize(), position: 'relative' }}>
        {virtual.getVirtualItems().map((slot) => {
          const line = lines[slot.index];
          if (!line) return null;
          const error = line.kind === 'error' ? toIpcError(known.get(line.item.path)?.error).message : undefined;
          return (
            <Line
              key={keyOf(line)}
              id={`${id}-${slot.index}`}
              line={line}
              error={error}
              active={slot.index === at}
              start={slot.start}
              tree={props}
              onOpen={() => toggleOpen(line.item.path)}
              onActivate={() => {
                setActive(keyOf(line));
                activate(line);
              }}
            />
          );
        })}
      </div>
    </div>
  );
}

function keyOf<T extends TreeItem>(line: TreeLine<T>): string {
  return `${line.kind}:${line.item.path}`;
}

type LineProps<T extends TreeItem> = {
  id: string;
  line: TreeLine<T>;
  error: string | undefined;
  active: boolean;
  start: number;
  tree: Props<T>;
  onOpen: () => void;
  onActivate: () => void;
};

function Line<T extends TreeItem>({ id, line, error, active, start, tree, onOpen, onActivate }: LineProps<T>) {
  const { item, depth, kind } = line;
  const tick = kind === 'item' ? (tree.ticks?.state(item) ?? undefined) : undefined;
  const chosen = kind === 'item' && tree.choice?.chosen(item) === true;
  return (
    <div
      id={id}
      role="treeitem"
      className={`tree-line${active ? ' tree-active' : ''}${chosen ? ' tree-chosen' : ''}`}
      data-path={kind === 'item' ? item.path : undefined}
      aria-level={depth + 1}
      aria-expanded={kind === 'item' && item.folder ? line.open : undefined}
      aria-checked={tick === undefined ? undefined : tick === 'some' ? 'mixed' : tick === 'all'}
      aria-selected={tree.choice ? chosen : undefined}
      style={{ top: start, height: ROW, paddingLeft: 8 + depth * 18 }}
      onClick={onActivate}
    >
      {kind === 'item' ? (
        <>
          <Twist folder={item.folder} open={line.open} onOpen={onOpen} />
          {tick !== undefined && <TickBox tick={tick} onToggle={() => tree.ticks?.toggle(item)} />}
          {tree.row(item)}
        </>
      ) : (
        <span className={kind === 'error' ? 'tree-error clip' : 'mute clip'} title={error}>
          {kind === 'loading' ? 'Reading…' : kind === 'empty' ? 'Empty' : `${error ?? 'Cannot be read'} · Try again`}
        </span>
      )}
    </div>
  );
}

function Twist({ folder, open, onOpen }: { folder: boolean; open: boolean; onOpen: () => void }) {
  if (!folder) return <span className="tree-twist" />;
  return (
    <span
      className={open ? 'tree-twist tree-open' : 'tree-twist'}
      aria-hidden
      onClick={(event) => {
        event.stopPropagation();
        onOpen();
      }}
    >
      <IconChevronRight size={14} />
    </span>
  );
}

function TickBox({ tick, onToggle }: { tick: Tick; onToggle: () => void }) {
  return (
    <span
      className={`tree-tick tree-tick-${tick}`}
      aria-hidden
      onClick={(event) => {
        event.stopPropagation();
        onToggle();
      }}
    />
  );
}
