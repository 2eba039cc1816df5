import { Button } from '@mantine/core';
import { IconDatabase, IconFolderOpen, IconPlus } from '@tabler/icons-react';
import type { DestinationRow } from '../../ipc';
import { formatBytes, plural } from '../../shared/format';
import { useDestinations } from '../../shared/query';
import { navigate, useParam } from '../../shared/router';
import { Card, DataTable, EmptyState, Page, PathText, Size, StateBadge, useShortcut, type Column } from '../../shared/ui';
import { percentFull } from './form';
import { DestinationPanel } from './panel';
import { kindText, stateOf } from './words';
import './destinations.css';

const COLUMNS: Column<DestinationRow>[] = [
  { key: 'name', title: 'Name', width: 'minmax(100px, 1fr)', sortValue: (row) => row.name, cell: (row) => <b>{row.name}</b> },
  { key: 'kind', title: 'Kind', width: 'minmax(130px, 0.8fr)', hideBelow: 620, sortValue: kindText, cell: (row) => kindText(row) },
  { key: 'place', title: 'Place', width: 'minmax(110px, 1.4fr)', hideBelow: 760, cell: (row) => <PathText path={row.place} /> },
  { key: 'state', title: 'State', width: '170px', sortValue: (row) => row.state, cell: (row) => { const { state, text } = stateOf(row); return <StateBadge state={state} text={text} title={row.state === 'ok' ? undefined : row.state_text || undefined} />; } },
  { key: 'used', title: 'Used', width: '90px', right: true, hideBelow: 380, sortValue: (row) => row.used_bytes, cell: (row) => <Size bytes={row.used_bytes} /> },
  { key: 'free', title: 'Free', width: '140px', right: true, hideBelow: 680, sortValue: (row) => row.free_bytes, cell: (row) => <Room row={row} /> },
  { key: 'backups', title: 'Backups', width: '84px', right: true, hideBelow: 470, sortValue: (row) => row.backups, cell: (row) => row.backups.toLocaleString('en-GB') },
  { key: 'plans', title: 'Plans', width: '66px', right: true, hideBelow: 860, sortValue: (row) => row.plans, cell: (row) => row.plans },
];

/** All destinations, and the details of one at the right. */
export function DestinationsPage() {
  const id = useParam('id');
  const list = useDestinations();
  const add = () => navigate('/destinations/new');
  const open = () => navigate('/destinations/open');
  useShortcut('n', add);
  const chosen = list.data?.find((row) => row.id === id);
  return (
    <Page
      title="Destinations"
      text={headline(list.data)}
      fill
      actions={
        <>
          <Button leftSection={<IconFolderOpen size={16} />} onClick={open}>Open existing…</Button>
          <Button variant="filled" leftSection={<IconPlus size={16} />} onClick={add}>Add a destination</Button>
        </>
      }
      panel={chosen && <DestinationPanel key={chosen.id} row={chosen} onClose={() => navigate('/destinations')} />}
    >
      <Card className="list-card">
        <DataTable<DestinationRow>
          label="Destinations"
          rows={list.data}
          columns={COLUMNS}
          rowKey={(row) => row.id}
          rowName={(row) => row.name}
          error={list.error}
          onRetry={() => void list.refetch()}
          defaultSort={{ key: 'name', ascending: true }}
          selected={id || null}
          onOpen={(row) => navigate(row.id === id ? '/destinations' : `/destinations/${row.id}`)}
          fill
          empty={
            <EmptyState
              icon={IconDatabase}
              title="Backups need a place to lie"
              text="A second disk, a NAS, a storage box, a bucket: choose one that does not go down together with the servers. Backups made on another computer are opened, not made anew."
              action={
                <>
                  <Button variant="filled" onClick={add}>Add a destination</Button>
                  <Button onClick={open}>I have backups already</Button>
                </>
              }
            />
          }
        />
      </Card>
    </Page>
  );
}

function headline(rows: DestinationRow[] | undefined): string {
  if (!rows) return 'Where backups lie';
  if (rows.length === 0) return 'Where backups will lie';
  const used = rows.reduce((sum, row) => sum + (row.used_bytes ?? 0), 0);
  const unknown = rows.some((row) => row.used_bytes === null);
  return `${plural(rows.length, 'destination')}, ${unknown ? 'at least ' : ''}${formatBytes(used)} used`;
}

/** Free room as a number and as a thin bar of how full the disk is. A bucket has no limit. */
function Room({ row }: { row: DestinationRow }) {
  const full = percentFull(row.free_bytes, row.total_bytes);
  if (row.kind === 's3' && row.free_bytes === null) return <span className="mute">no limit</span>;
  return (
    <span className="room" title={full === null ? undefined : `${full} % of the disk is full`}>
      <Size bytes={row.free_bytes} />
      {full !== null && (
        <span className="room-bar" aria-hidden>
          <i className={full >= 90 ? 'room-tight' : undefined} style={{ width: `${full}%` }} />
        </span>
      )}
    </span>
  );
}
