import { IconArrowDown, IconArrowUp } from '@tabler/icons-react';
import { Button, Checkbox, Menu, Skeleton } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, useEffect, useId, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent, type ReactNode } from 'react';
import { flushSync } from 'react-dom';
import type { IpcError } from '../../ipc';
import { plural } from '../format';
import { layLines, moveActive, shownPicks, sortRows, togglePick, type Line, type Sort } from './data-table-rules';
import { ErrorNote } from './errors';
import './data-table.css';

export type { Sort } from './data-table-rules';

/** A column. `width` is a CSS grid track; `hideBelow` leaves it out where the table is narrower (pixels). */
export type Column<T> = {
  key: string;
  title: string;
  width?: string;
  right?: boolean;
  hideBelow?: number;
  /** Present: the column can be sorted. Its value sorts locally; with `onSort` the server sorts. */
  sortValue?: (row: T) => string | number | null;
  cell: (row: T) => ReactNode;
};

/** An entry of a row's menu. */
export type MenuEntry = { title: string; icon?: ReactNode; danger?: boolean; run: () => void };

type DataTableProps<T> = {
  /** The table's name for screen readers: "Servers". */
  label: string;
  /** `undefined` while loading. */
  rows: T[] | undefined;
  columns: Column<T>[];
  rowKey: (row: T) => string;
  /** A row's name for screen readers; the checkbox and the menu button are called by it. */
  rowName: (row: T) => string;
  error?: IpcError | null;
  onRetry?: () => void;
  /** Shown when there are no rows at all. */
  empty: ReactNode;
  /** Set when a filter is on: what to show when nothing matches, with a way to clear it. */
  noMatch?: ReactNode;
  defaultSort?: Sort;
  /** Given together: sorting is the server's. */
  sort?: Sort;
  onSort?: (sort: Sort) => void;
  /** The key of the row whose details are open. */
  selected?: string | null;
  onOpen?: (row: T) => void;
  /** Multi-select: keys picked. */
  picked?: ReadonlySet<string>;
  onPick?: (picked: Set<string>) => void;
  /** The bar of batch actions, shown while something is picked. */
  batch?: ReactNode;
  menu?: (row: T) => MenuEntry[];
  /** Groups rows that follow each other: "Today". */
  groupOf?: (row: T) => string;
  /** Called near the end of the list when there is more to load. */
  onMore?: (() => void) | undefined;
  loadingMore?: boolean;
  /** Fills its parent and scrolls by itself; otherwise as high as its rows (up to 200). */
  fill?: boolean;
};

const ROW = 36;
const GROUP = 28;
const VIRTUAL_FROM = 200;
/** A list that scrolls by itself draws only what is in sight from so many rows on. */
const VIRTUAL_FROM_FILLED = 60;
/** What is taken for the list's size until it has been measured, so that its first rows need no second drawing. */
const FIRST_SIZE = { width: 800, height: 640 };

/** THE table: sticky header, sorting, groups, keyboard, row menu, multi-select, virtual rows, and all four empty states. */
export function DataTable<T>(given: DataTableProps<T>) {
  const props = useMemo(() => (given.picked ? { ...given, picked: shownPicks(given.picked, (given.rows ?? []).map(given.rowKey)) } : given), [given]);
  const { rows, columns, rowKey, fill = false, onMore } = props;
  const [localSort, setLocalSort] = useState<Sort | undefined>(props.defaultSort);
  const [activeKey, setActiveKey] = useState<string | null>(null);
  const { ref: sizeRef, width } = useElementSize<HTMLDivElement>();
  const scrollRef = useRef<HTMLDivElement>(null);
  const id = useId();

  const sort = props.onSort ? props.sort : localSort;
  const sorted = useMemo(
    () => (rows && !props.onSort ? sortRows(rows, columns, localSort) : (rows ?? [])),
    [rows, columns, localSort, props.onSort],
  );
  const lines = useMemo(() => layLines(sorted, props.groupOf), [sorted, props.groupOf]);
  // The same columns for another width are the same array: rows are drawn anew only when one comes or goes.
  const hidden = columns.filter((column) => column.hideBelow && width > 0 && width < column.hideBelow).map((column) => column.key).join(' ');
  const shown = useMemo(() => columns.filter((column) => !hidden.split(' ').includes(column.key)), [columns, hidden]);
  const grid = [
    ...(props.onPick ? ['30px'] : []),
    ...shown.map((column) => column.width ?? 'minmax(0, 1fr)'),
    ...(props.menu ? ['34px'] : []),
  ].join(' ');

  const virtual = sorted.length >= (fill ? VIRTUAL_FROM_FILLED : VIRTUAL_FROM);
  const virtualizer = useVirtualizer({
    count: virtual ? lines.length : 0,
    getScrollElement: () => scrollRef.current,
    estimateSize: (i) => (lines[i]?.kind === 'group' ? GROUP : ROW),
    overscan: 4,
    initialRect: FIRST_SIZE,
    getItemKey: (i) => lineKey(lines[i], i, rowKey),
  });
  const items = virtualizer.getVirtualItems();
  const lastShown = items[items.length - 1]?.index ?? -1;
  useEffect(() => {
    if (onMore && virtual && lastShown >= lines.length - 40) onMore();
  }, [onMore, virtual, lastShown, lines.length]);

  const activeIndex = lines.findIndex((line) => line.kind === 'row' && rowKey(line.row) === (activeKey ?? props.selected));
  const moveTo = (index: number) => {
    const line = lines[index];
    if (line?.kind !== 'row') return;
    setActiveKey(rowKey(line.row));
    if (virtual) virtualizer.scrollToIndex(index);
    else scrollRef.current?.querySelector(`[data-line="${index}"]`)?.scrollIntoView({ block: 'nearest' });
  };
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>) => {
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor((scrollRef.current?.clientHeight ?? ROW) / ROW) - 2);
    const next = moveActive(lines, activeIndex, event.key, page);
    const line = lines[activeIndex];
    if (next !== null) moveTo(next);
    else if (line?.kind === 'row' && event.key === 'Enter' && props.onOpen) props.onOpen(line.row);
    else if (line?.kind === 'row' && event.key === ' ' && props.onPick) props.onPick(togglePick(props.picked, rowKey(line.row)));
    else if (line?.kind === 'row' && event.key === ' ' && props.onOpen) props.onOpen(line.row);
    else if (event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey)) {
      scrollRef.current?.querySelector<HTMLElement>(`[data-line="${activeIndex}"] .dt-menu button`)?.click();
    } else return;
    event.preventDefault();
  };

  const drawLine = (line: Line<T>, index: number, start: number | null) => (
    <DrawnLine<T>
      key={lineKey(line, index, rowKey)}
      {...{ line, index, grid, id, start, table: props, columns: shown, last: index === lines.length - 1 && !onMore }}
      active={index === activeIndex}
      onActive={setActiveKey}
    />
  );

  const pickedCount = props.picked?.size ?? 0;
  const state = tableState(props);
  return (
    <div className={fill ? 'dt dt-fill' : 'dt'} ref={sizeRef}>
      {props.batch !== undefined && pickedCount > 0 && (
        <div className="dt-bar" role="toolbar" aria-label="Actions for the picked rows">
          <b>{plural(pickedCount, 'picked', 'picked')}</b>
          {props.batch}
          {/* What is not loaded cannot be picked; a tick on top of the list must not seem to mean it. */}
          {onMore !== undefined && pickedCount >= sorted.length && <span className="mute">The first {plural(sorted.length, 'row', 'rows')} of the list. Scroll down for more.</span>}
          <span className="grow" />
          <Button variant="subtle" onClick={() => props.onPick?.(new Set())}>Clear</Button>
        </div>
      )}
      <div
        className="dt-scroll"
        ref={scrollRef}
        role={state ? undefined : 'grid'}
        aria-label={state ? undefined : props.label}
        aria-rowcount={state ? undefined : sorted.length + 1}
        aria-multiselectable={state || !props.onPick ? undefined : true}
        aria-activedescendant={!state && activeIndex >= 0 ? `${id}-${activeIndex}` : undefined}
        tabIndex={state ? undefined : 0}
        onKeyDown={onKeyDown}
        onPointerOver={tellCut}
      >
        {state ?? (
          <>
            <TableHead columns={shown} grid={grid} sort={sort} table={props} sorted={sorted} onSort={props.onSort ?? setLocalSort} />
            {virtual ? (
              <div role="rowgroup" style={{ height: virtualizer.getTotalSize(), position: 'relative' }}>
                {items.map((item) => {
                  const line = lines[item.index];
                  return line && drawLine(line, item.index, item.start);
                })}
              </div>
            ) : (
              <div role="rowgroup">{lines.map((line, index) => drawLine(line, index, null))}</div>
            )}
            {!virtual && onMore && <MoreRow onMore={onMore} busy={props.loadingMore ?? false} />}
          </>
        )}
      </div>
    </div>
  );
}

/** A cell that is cut off says all of it on hover. */
function tellCut(event: PointerEvent) {
  const cell = (event.target as Element).closest<HTMLElement>('[role="gridcell"]');
  if (cell) cell.title = cell.scrollWidth > cell.clientWidth ? cell.innerText : '';
}

function lineKey<T>(line: Line<T> | undefined, index: number, rowKey: (row: T) => string): string {
  if (!line) return String(index);
  return line.kind === 'row' ? rowKey(line.row) : `group:${line.title}:${index}`;
}

function MoreRow({ onMore, busy }: { onMore: () => void; busy: boolean }) {
  return (
    <div role="row" className="dt-foot">
      <div role="gridcell"><Button size="compact-xs" variant="subtle" loading={busy} onClick={onMore}>Show more</Button></div>
    </div>
  );
}

/** What to show instead of rows: a skeleton, an error, nothing yet, or no match. `null` when there are rows. */
function tableState<T>(props: DataTableProps<T>): ReactNode {
  if (props.error && !props.rows) return <div className="dt-note"><ErrorNote error={props.error} retry={props.onRetry} /></div>;
  if (!props.rows) return <TableSkeleton label={props.label} />;
  if (props.rows.length > 0) return null;
  return props.noMatch ?? props.empty;
}

function TableSkeleton({ label }: { label: string }) {
  return (
    <div className="dt-skeleton" aria-busy="true" aria-label={`${label} are being read`} role="status">
      {[0.9, 0.7, 0.8, 0.6, 0.75].map((width) => (
        <div className="dt-row" key={width} style={{ gridTemplateColumns: '2fr 1fr 1fr 1fr' }}>
          {[0, 1, 2, 3].map((i) => <div key={i}><Skeleton height={10} width={`${width * 100}%`} /></div>)}
        </div>
      ))}
    </div>
  );
}

type HeadProps<T> = {
  columns: Column<T>[]; grid: string; sort: Sort | undefined; table: DataTableProps<T>; sorted: T[]; onSort: (sort: Sort) => void;
};

function TableHead<T>({ columns, grid, sort, table, sorted, onSort }: HeadProps<T>) {
  const all = sorted.length > 0 && sorted.every((row) => table.picked?.has(table.rowKey(row)));
  const some = !all && (table.picked?.size ?? 0) > 0;
  return (
    <div role="rowgroup" className="dt-head">
      <div role="row" className="dt-row dt-head" style={{ gridTemplateColumns: grid }}>
        {table.onPick && (
          <div role="columnheader" className="dt-pick">
            <Checkbox
              aria-label={table.onMore ? `Pick the first ${sorted.length} of the list` : `Pick all ${table.label.toLowerCase()}`}
              checked={all}
              indeterminate={some}
              onChange={() => table.onPick?.(all ? new Set() : new Set(sorted.map(table.rowKey)))}
            />
          </div>
        )}
        {columns.map((column) => {
          const on = sort?.key === column.key;
          const order = on ? (sort.ascending ? 'ascending' : 'descending') : 'none';
          return (
            <div key={column.key} role="columnheader" className={column.right ? 'dt-right' : undefined} aria-sort={column.sortValue ? order : undefined}>
              {column.sortValue ? (
                <button type="button" className="dt-sort" onClick={() => onSort({ key: column.key, ascending: on ? !sort.ascending : true })}>
                  {column.title}
                  {on && (sort.ascending ? <IconArrowUp size={12} aria-hidden /> : <IconArrowDown size={12} aria-hidden />)}
                </button>
              ) : column.title}
            </div>
          );
        })}
        {table.menu && <div role="columnheader"><span className="visually-hidden">Actions</span></div>}
      </div>
    </div>
  );
}

type LineProps<T> = {
  line: Line<T>; index: number; grid: string; id: string; table: DataTableProps<T>; columns: Column<T>[]; active: boolean; last: boolean;
  /** Where it stands in a list of which only a part is drawn. */
  start: number | null; onActive: (key: string) => void;
};

/** A line is drawn anew only when something of it changed, not for every step of a scroll. */
const DrawnLine = memo(TableLine) as typeof TableLine;

function TableLine<T>({ line, index, grid, id, table, columns, active, last, start, onActive }: LineProps<T>) {
  const style = start === null ? undefined : ({ position: 'absolute', top: 0, left: 0, right: 0, transform: `translateY(${start}px)` } as const);
  if (line.kind === 'group') {
    return (
      <div role="row" className="dt-group" style={style}>
        <div role="gridcell" aria-colspan={columns.length}>{line.title}</div>
      </div>
    );
  }
  const { row } = line;
  const key = table.rowKey(row);
  const name = table.rowName(row);
  const picked = table.picked?.has(key) ?? false;
  const entries = table.menu?.(row) ?? [];
  const classes = ['dt-row', 'dt-body-row', active ? 'dt-active' : '', table.onOpen ? 'dt-open' : '', last ? 'dt-last' : ''].join(' ');
  return (
    <div
      role="row"
      id={`${id}-${index}`}
      data-line={index}
      aria-rowindex={index + 2}
      aria-selected={table.selected === key || picked}
      className={classes}
      style={{ ...style, gridTemplateColumns: grid }}
      onClick={() => {
        onActive(key);
        table.onOpen?.(row);
      }}
    >
      {table.onPick && (
        <div role="gridcell" className="dt-pick" onClick={(event) => event.stopPropagation()}>
          {/* The browser's own box: one of the library's in every row costs a long list its first half second. */}
          <input type="checkbox" className="own-tick" aria-label={`Pick ${name}`} tabIndex={-1} checked={picked} onChange={() => table.onPick?.(togglePick(table.picked, key))} />
        </div>
      )}
      {columns.map((column) => (
        <div key={column.key} role="gridcell" className={column.right ? 'dt-right' : undefined}>{column.cell(row)}</div>
      ))}
      {table.menu && (
        <div role="gridcell" className="dt-menu" onClick={(event) => event.stopPropagation()}>
          {entries.length > 0 && <RowMenu name={name} entries={entries} />}
        </div>
      )}
    </div>
  );
}

/** A plain button until it is pointed at or pressed: a menu for each of many rows would make the list slow to appear. */
function RowMenu({ name, entries }: { name: string; entries: MenuEntry[] }) {
  const [made, setMade] = useState(false);
  const [opened, setOpened] = useState(false);
  const words = { 'aria-label': `Actions for ${name}`, 'aria-haspopup': 'menu' } as const;
  const press = () => {
    // The menu takes the focus when it opens, not when it is made open.
    flushSync(() => setMade(true));
    setOpened(true);
  };
  if (!made) {
    return (
      <button type="button" className="dt-menu-button" tabIndex={-1} {...words} aria-expanded={false} onPointerEnter={() => setMade(true)} onClick={press} />
    );
  }
  return (
    <Menu opened={opened} onChange={setOpened}>
      <Menu.Target>
        <button type="button" className="dt-menu-button" tabIndex={-1} {...words} />
      </Menu.Target>
      <Menu.Dropdown>
        {entries.map((entry) => (
          <Menu.Item key={entry.title} leftSection={entry.icon} color={entry.danger ? 'var(--bad)' : undefined} onClick={entry.run}>
            {entry.title}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
