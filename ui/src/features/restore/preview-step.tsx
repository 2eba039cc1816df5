import { Tabs } from '@mantine/core';
import { IconAlertTriangle, IconBan, IconDatabase, IconInfoCircle } from '@tabler/icons-react';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { useCallback, useState } from 'react';
import { api, type BackupRow, type ChangePage, type ChangeRow, type ChangeSum, type IpcError, type RestorePreview } from '../../ipc';
import { formatBytes, formatCount, plural } from '../../shared/format';
import { keys } from '../../shared/query';
import { Ago, Card, DataTable, EmptyState, FilterBox, KeyValues, Note, PathText, Size, type Column } from '../../shared/ui';
import { backupText, changesOf, firstTab, modeWords, things, type ChangeTab, type RestoreForm } from './form';

const PAGE = 500;

/** What would be created, overwritten and deleted: whole lists, before anything is touched. */
export function PreviewStep({ preview }: { preview: RestorePreview }) {
  const [tab, setTab] = useState<ChangeTab>(firstTab(preview));
  const [typed, setTyped] = useState('');
  const [text] = useDebouncedValue(typed, 200);
  return (
    <>
      {preview.blocked !== null && <Note tone="bad" icon={<IconBan size={18} aria-hidden />}><b>It cannot be done as asked:</b> {preview.blocked}</Note>}
      {preview.sentence && preview.blocked === null && (
        <Note tone={changesOf(preview.delete) > 0 ? 'bad' : 'run'} icon={changesOf(preview.delete) > 0 ? undefined : <IconInfoCircle size={18} aria-hidden />}>
          <b>{modeWords(preview.mode).title}.</b> {preview.sentence}
        </Note>
      )}
      {preview.warnings.map((warning) => (
        <Note key={warning} tone="warn" icon={<IconAlertTriangle size={18} aria-hidden />}>{warning}</Note>
      ))}
      <Card className="restore-card">
        <Tabs value={tab} onChange={(value) => setTab((value ?? 'create') as ChangeTab)}>
          <div className="restore-tabs">
            <Tabs.List aria-label="What would happen">
              <Tab value="create" title="Create" count={changesOf(preview.create)} />
              <Tab value="overwrite" title="Overwrite" count={changesOf(preview.overwrite)} />
              <Tab value="delete" title="Delete" count={changesOf(preview.delete)} />
              {preview.databases.length > 0 && <Tab value="databases" title="Databases" count={preview.databases.length} />}
            </Tabs.List>
            {tab !== 'databases' && <FilterBox value={typed} onChange={setTyped} label="Filter paths" width={150} />}
          </div>
          <Tabs.Panel value="create"><Changes preview={preview} change="create" sum={preview.create} text={text} /></Tabs.Panel>
          <Tabs.Panel value="overwrite"><Changes preview={preview} change="overwrite" sum={preview.overwrite} text={text} /></Tabs.Panel>
          <Tabs.Panel value="delete"><Changes preview={preview} change="delete" sum={preview.delete} text={text} /></Tabs.Panel>
          <Tabs.Panel value="databases"><Databases preview={preview} /></Tabs.Panel>
        </Tabs>
      </Card>
    </>
  );
}

function Tab({ value, title, count }: { value: ChangeTab; title: string; count: number }) {
  return (
    <Tabs.Tab value={value}>
      {title} <span className={count > 0 ? `count-${value}` : 'mute'}>{formatCount(count)}</span>
    </Tabs.Tab>
  );
}

const NOTHING: Record<'create' | 'overwrite' | 'delete', string> = {
  create: 'Nothing would be created: all of it is there already',
  overwrite: 'Nothing would be overwritten',
  delete: 'Nothing would be deleted',
};

type ChangesProps = { preview: RestorePreview; change: 'create' | 'overwrite' | 'delete'; sum: ChangeSum; text: string };

function Changes({ preview, change, sum, text }: ChangesProps) {
  const list = useInfiniteQuery<ChangePage, IpcError, { pages: ChangePage[] }, readonly unknown[], number>({
    queryKey: keys.previewPage(preview.id, change, text.trim()),
    queryFn: ({ pageParam }) => api.restorePreviewPage(preview.id, change, text.trim(), pageParam, PAGE),
    initialPageParam: 0,
    getNextPageParam: (last, all) => {
      const loaded = all.reduce((total, page) => total + page.rows.length, 0);
      return last.rows.length > 0 && loaded < last.total ? loaded : undefined;
    },
    placeholderData: keepPreviousData,
    staleTime: Infinity,
  });
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = list;
  const more = useCallback(() => {
    if (!isFetchingNextPage) void fetchNextPage();
  }, [isFetchingNextPage, fetchNextPage]);
  const total = list.data?.pages[0]?.total ?? 0;
  return (
    <>
      <DataTable<ChangeRow>
        label={`Paths to ${change} on ${preview.server_name}`}
        rows={list.data?.pages.flatMap((page) => page.rows)}
        columns={columns(preview.server_name, change)}
        rowKey={(row) => row.target}
        rowName={(row) => row.target}
        error={list.error}
        onRetry={() => void list.refetch()}
        onMore={hasNextPage ? more : undefined}
        loadingMore={isFetchingNextPage}
        fill
        empty={<EmptyState title={NOTHING[change]} />}
        {...(text.trim() !== '' ? { noMatch: <EmptyState title={`No path has "${text.trim()}" in it`} /> } : {})}
      />
      {changesOf(sum) > 0 && (
        <div className="restore-foot">
          {text.trim() !== '' ? `${plural(total, 'path')} ${total === 1 ? 'matches' : 'match'}, of ${formatCount(changesOf(sum))}` : allOf(sum, preview.databases.length > 0)}
        </div>
      )}
    </>
  );
}

function allOf(sum: ChangeSum, withDatabases: boolean): string {
  const all = things(sum, withDatabases);
  return sum.count > 0 ? `${all} · ${formatBytes(sum.bytes)} in all` : all;
}

function columns(server: string, change: ChangesProps['change']): Column<ChangeRow>[] {
  const path: Column<ChangeRow> = { key: 'path', title: `Path on ${server}`, width: 'minmax(0, 1fr)', cell: (row) => <PathText path={row.is_dir ? `${row.target}/` : row.target} /> };
  const size: Column<ChangeRow> = { key: 'size', title: 'Size', width: '92px', right: true, cell: (row) => (row.is_dir ? <span className="mute">folder</span> : <span className="mute"><Size bytes={row.bytes} /></span>) };
  if (change === 'create') return [path, size];
  return [path, size, { key: 'changed', title: 'Changed there', width: '128px', right: true, hideBelow: 420, cell: (row) => <span className="mute"><Ago at={row.modified} never="–" /></span> }];
}

function Databases({ preview }: { preview: RestorePreview }) {
  return (
    <ul className="restore-databases" aria-label="Databases">
      {preview.databases.map((name) => (
        <li key={name}><IconDatabase size={16} aria-hidden /> {name}</li>
      ))}
    </ul>
  );
}

/** The card at the right: all that matters before the button. */
export function InShort({ row, preview, form }: { row: BackupRow; preview: RestorePreview; form: RestoreForm }) {
  const words = modeWords(preview.mode);
  const [nearest] = row.destinations;
  const tight = preview.free_bytes !== null && preview.transfer_bytes > preview.free_bytes;
  return (
    <KeyValues
      rows={[
        { name: 'From', value: `${backupText(row)}${nearest === undefined ? '' : `, from ${nearest}`}` },
        { name: 'What', value: form.whole ? 'the whole backup' : plural(form.paths.length, 'part') },
        { name: 'To', value: <><b>{preview.server_name}</b> ({preview.server_address})</> },
        { name: 'Place', value: form.place === 'original' ? 'where it came from' : <PathText path={form.folder} wrap /> },
        { name: 'Mode', value: <><b>{words.title}</b>: {words.short}</> },
        { name: 'Transfer', value: `about ${formatBytes(preview.transfer_bytes)}` },
        { name: 'Space', value: preview.free_bytes === null ? <span className="mute">not known</span> : <span className={tight ? 'count-delete' : undefined}>{formatBytes(preview.free_bytes)} free</span> },
        { name: 'Left alone', value: plural(preview.kept, 'entry', 'entries') },
        ...(preview.databases.length > 0 ? [{ name: 'Databases', value: preview.databases.join(', ') }] : []),
        ...(preview.facts.length > 0 ? [{ name: 'Versions', value: <>{preview.facts.map((fact) => <div key={fact}>{fact}</div>)}</> }] : []),
      ]}
    />
  );
}
