import { Button, Select } from '@mantine/core';
import { IconArchive, IconArrowBackUp, IconDownload, IconExternalLink, IconShieldCheck, IconTrash } from '@tabler/icons-react';
import { useDebouncedCallback, useMediaQuery } from '@mantine/hooks';
import { useCallback, useEffect, useState } from 'react';
import type { BackupRow } from '../../ipc';
import { dayGroup, formatCount, formatExact, plural, whenText } from '../../shared/format';
import { useDestinations, usePlans, useServers } from '../../shared/query';
import { navigate, usePlace } from '../../shared/router';
import { Card, DataTable, EmptyState, FilterBox, Page, Size, StateBadge, useNow, useAfterPaint, type Column } from '../../shared/ui';
import { DeleteDialog } from './delete-dialog';
import { DownloadDialog } from './download-dialog';
import { NO_FILTER, filterFrom, isFiltered, leaveList, listPlace, nextSort, sortFrom, stateOf, type ListFilter, type Sort, type SortColumn } from './form';
import { BackupPanel } from './panel';
import { useBackups, useVerify } from './queries';
import './backups.css';

const NOTHING: ReadonlySet<string> = new Set();

/** Below this the details would leave no room for the list: a row then opens its own page. */
const TWO_COLUMNS = '(min-width: 1100px)';

/** All backups. The filter, the order and the open backup are in the address: a link opens the list so, and so does coming back. */
export function BackupsPage() {
  const { query } = usePlace();
  const filter = filterFrom(query);
  const sort = sortFrom(query);
  const open = query.get('open');
  const go = (to: { filter?: ListFilter; sort?: Sort; open?: string | null }) =>
    navigate(listPlace(to.filter ?? filter, to.sort ?? sort, to.open === undefined ? open : to.open), { replace: true });
  const { typed, type } = useTyped(filter.text, (text) => go({ filter: { ...filter, text } }));
  const place = listPlace(filter, sort, null);
  useEffect(() => leaveList(place), [place]);
  const [downloading, setDownloading] = useState<readonly BackupRow[] | null>(null);
  const [deleting, setDeleting] = useState<BackupRow | null>(null);
  const [picked, setPicked] = useState<ReadonlySet<string>>(NOTHING);
  const wide = useMediaQuery(TWO_COLUMNS, true);
  const verify = useVerify();
  const now = useNow();
  const list = useBackups(filter, sort);
  const rows = list.data?.pages.flatMap((page) => page.rows);
  const total = list.data?.pages[0]?.total ?? 0;

  const { hasNextPage, isFetchingNextPage, fetchNextPage } = list;
  const more = useCallback(() => {
    if (!isFetchingNextPage) void fetchNextPage();
  }, [isFetchingNextPage, fetchNextPage]);
  const show = (row: BackupRow) => {
    if (!wide) navigate(`/backups/${row.id}`);
    else go({ open: row.id === open ? null : row.id });
  };
  const clear = () => {
    type('');
    go({ filter: NO_FILTER });
  };
  return (
    <Page
      title="Backups"
      // A count of the old filter is never shown as if it were the new one's.
      text={list.isPlaceholderData || typed !== filter.text ? 'Looking…' : headline(rows && total, filter)}
      fill
      actions={<Filters filter={filter} text={typed} onText={type} onChange={(part) => go({ filter: { ...filter, ...part } })} />}
      panel={open && <Details key={open} id={open} shown={wide} onClose={() => go({ open: null })} />}
    >
      <Card className="list-card">
        <DataTable<BackupRow>
          label="Backups"
          rows={rows}
          columns={columns(now)}
          rowKey={(row) => row.id}
          rowName={(row) => `${row.plan_name}, ${formatExact(row.started)}`}
          error={list.error}
          onRetry={() => void list.refetch()}
          sort={{ key: sort.column, ascending: sort.ascending }}
          onSort={(wanted) => go({ sort: nextSort(sort, wanted.key as SortColumn) })}
          selected={open}
          onOpen={show}
          menu={(row) => [
            { title: 'Restore…', icon: <IconArrowBackUp size={16} />, run: () => navigate(`/restore/${row.id}`) },
            { title: 'Download…', icon: <IconDownload size={16} />, run: () => setDownloading([row]) },
            { title: 'Verify', icon: <IconShieldCheck size={16} />, run: () => verify.run({ id: row.id, name: row.plan_name }) },
            { title: 'Open its page', icon: <IconExternalLink size={16} />, run: () => navigate(`/backups/${row.id}`) },
            { title: 'Delete…', icon: <IconTrash size={16} />, danger: true, run: () => setDeleting(row) },
          ]}
          picked={picked}
          onPick={setPicked}
          batch={<Button variant="filled" leftSection={<IconDownload size={16} />} onClick={() => setDownloading((rows ?? []).filter((row) => picked.has(row.id)))}>Download…</Button>}
          {...(sort.column === 'started' ? { groupOf: (row: BackupRow) => dayGroup(row.started, now) } : {})}
          onMore={hasNextPage ? more : undefined}
          loadingMore={isFetchingNextPage}
          fill
          empty={<NoBackups />}
          {...(isFiltered(filter)
            ? { noMatch: <EmptyState title="No backup matches" text="Other servers, plans or times may have what you look for." action={<Button onClick={clear}>Clear the filters</Button>} /> }
            : {})}
        />
      </Card>
      {deleting && <DeleteDialog backup={deleting} onClose={() => setDeleting(null)} onGone={() => { if (open === deleting.id) go({ open: null }); }} />}
      {downloading && (
        <DownloadDialog backups={downloading} paths={[]} onClose={() => setDownloading(null)} onStarted={() => setPicked(NOTHING)} />
      )}
    </Page>
  );
}

/** The panel of the open backup. In a window made too narrow for it, it goes out of sight, but a dialog opened from it stays. */
function Details({ id, shown, onClose }: { id: string; shown: boolean; onClose: () => void }) {
  return (
    <div style={{ display: shown ? 'contents' : 'none' }}>
      <BackupPanel id={id} onClose={onClose} />
    </div>
  );
}

/** What is typed into the filter, at once in its box and a moment later in the address. Another text in the address takes its place. */
function useTyped(text: string, onRest: (text: string) => void) {
  const [typed, setTyped] = useState(text);
  const [seen, setSeen] = useState(text);
  const rest = useDebouncedCallback((next: string) => {
    // Known before it is read back, so that what was typed meanwhile stays.
    setSeen(next);
    onRest(next);
  }, 150);
  if (seen !== text) {
    setSeen(text);
    setTyped(text);
  }
  const type = (next: string) => {
    setTyped(next);
    rest(next);
  };
  return { typed, type };
}

function headline(total: number | undefined, filter: ListFilter): string {
  if (total === undefined) return 'What can be brought back';
  return isFiltered(filter) ? `${plural(total, 'backup')} ${total === 1 ? 'matches' : 'match'}` : plural(total, 'backup');
}

const KINDS = [
  { value: 'files', label: 'Files' },
  { value: 'mysql', label: 'MySQL or MariaDB' },
  { value: 'postgres', label: 'PostgreSQL' },
  { value: 'sqlite', label: 'SQLite' },
];
const STATES = [
  { value: 'good', label: 'Good' },
  { value: 'problems', label: 'Problems' },
];

type FiltersProps = { filter: ListFilter; text: string; onText: (text: string) => void; onChange: (part: Partial<ListFilter>) => void };

function Filters({ filter, text, onText, onChange }: FiltersProps) {
  const servers = useServers();
  const plans = usePlans();
  const destinations = useDestinations();
  // The list comes first, then its filters, whose places are held until then.
  const drawn = useAfterPaint();
  const named = (rows: { id: string; name: string }[] | undefined) => (rows ?? []).map((row) => ({ value: row.id, label: row.name }));
  const pick = (field: keyof ListFilter, label: string, all: string, data: { value: string; label: string }[]) => !drawn ? <div className="filter-place" /> : (
    <Select
      w={118}
      aria-label={label}
      data={[{ value: '', label: all }, ...data]}
      value={filter[field]}
      searchable={data.length > 8}
      comboboxProps={{ width: 'max-content', position: 'bottom-end' }}
      onChange={(value) => onChange({ [field]: value ?? '' })}
    />
  );
  return (
    <div className="row filters" role="search" aria-label="Filter backups">
      <FilterBox value={text} onChange={onText} label="Filter backups" width={160} />
      {pick('server', 'Server', 'All servers', named(servers.data))}
      {pick('plan', 'Plan', 'All plans', named(plans.data))}
      {pick('kind', 'Kind', 'All kinds', KINDS)}
      {(destinations.data?.length ?? 0) > 1 && pick('destination', 'Destination', 'All places', named(destinations.data))}
      {pick('state', 'State', 'All states', STATES)}
    </div>
  );
}

function NoBackups() {
  const plans = usePlans();
  const some = (plans.data?.length ?? 0) > 0;
  return (
    <EmptyState
      icon={IconArchive}
      title="No backup yet"
      text={some ? 'Your plans are ready. Run one, and what it brought home is listed here: to look into, to download, to restore.' : 'A plan says what is backed up, and where to. Make one and run it; its backups are listed here.'}
      action={
        some ? (
          <Button variant="filled" onClick={() => navigate('/plans')}>Go to the plans</Button>
        ) : (
          <Button variant="filled" onClick={() => navigate('/plans/new')}>Make a plan</Button>
        )
      }
    />
  );
}

/** Where a backup lies and where it does not yet, whole, for what the column cuts off. */
function whereText(row: BackupRow): string {
  const there = row.destinations.join(', ');
  return row.missing_at.length > 0 ? `${there}. Not yet at ${row.missing_at.join(', ')}` : there;
}

function columns(now: number): Column<BackupRow>[] {
  return [
    { key: 'started', title: 'When', width: 'minmax(126px, 0.8fr)', sortValue: (row) => row.started, cell: (row) => <time dateTime={new Date(row.started).toISOString()} title={formatExact(row.started)}>{whenText(row.started, now)}</time> },
    { key: 'plan', title: 'Plan', width: 'minmax(90px, 1fr)', sortValue: (row) => row.plan_name, cell: (row) => <b>{row.plan_name}</b> },
    { key: 'server', title: 'Server', width: 'minmax(64px, 0.7fr)', hideBelow: 620, sortValue: (row) => row.server_name, cell: (row) => row.server_name },
    { key: 'state', title: 'State', width: '126px', cell: (row) => { const { state, text } = stateOf(row); return <StateBadge state={state} text={text || undefined} />; } },
    { key: 'size', title: 'Size', width: '84px', right: true, sortValue: (row) => row.bytes, cell: (row) => <Size bytes={row.bytes} /> },
    { key: 'added', title: 'Added', width: '84px', right: true, hideBelow: 700, sortValue: (row) => row.added_bytes, cell: (row) => <span className="mute"><Size bytes={row.added_bytes} /></span> },
    { key: 'files', title: 'Files', width: '84px', right: true, hideBelow: 940, cell: (row) => <span className="mute">{formatCount(row.files)}</span> },
    { key: 'where', title: 'Where', width: 'minmax(90px, 1fr)', hideBelow: 690, cell: (row) => <span className="mute" title={whereText(row)}>{row.destinations.join(' · ')}{row.missing_at.length > 0 && <span className="lacks"> +{row.missing_at.length} missing</span>}</span> },
  ];
}
