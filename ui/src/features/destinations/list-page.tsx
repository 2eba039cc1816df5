import { Button } from '@mantine/core';
import { IconDatabase, IconPlus } from '@tabler/icons-react';
import type { DestinationRow } from '../../ipc';
import { formatBytes } from '../../shared/format';
import { useDestinations } from '../../shared/query';
import { navigate, useParam } from '../../shared/router';
import { Card, DataTable, EmptyState, Page, PathText, Size, StateBadge, useShortcut, type Column } from '../../shared/ui';
import { percentFull } from './form';
import { DestinationPanel } from './panel';
import './destinations.css';

const COLUMNS: Column<DestinationRow>[] = [
  { key: 'name', title: 'Name', width: 'minmax(110px, 1fr)', sortValue: (row) => row.name, cell: (row) => <b>{row.name}</b> },
  { key: 'place', title: 'Place', width: 'minmax(120px, 1.4fr)', hideBelow: 560, cell: (row) => <PathText path={row.place} /> },
  { key: 'state', title: 'State', width: '174px', sortValue: (row) => row.state, cell: (row) => <StateBadge state={row.state} title={row.state_text || undefined} /> },
  { key: 'used', title: 'Used', width: '90px', right: true, sortValue: (row) => row.used_bytes, cell: (row) => <Size bytes={row.used_bytes} /> },
  { key: 'free', title: 'Free', width: '150px', right: true, hideBelow: 640, sortValue: (row) => row.free_bytes, cell: (row) => <Room row={row} /> },
  { key: 'backups', title: 'Backups', width: '84px', right: true, sortValue: (row) => row.backups, cell: (row) => row.backups.toLocaleString('en-GB') },
  { key: 'plans', title: 'Plans', width: '66px', right: true, hideBelow: 760, sortValue: (row) => row.plans, cell: (row) => row.plans },
];

/** All destinations, and the details of one at the right. */
export function DestinationsPage() {
  const id = useParam('id');
  const list = useDestinations();
  const add = () => navigate('/destinations/new');
  useShortcut('n', add);
  const chosen = list.data?.find((row) => row.id === id);
  return (
    <Page
      title="Destinations"
      text={headline(list.data)}
      fill
      actions={<Button variant="filled" leftSection={<IconPlus size={16} />} onClick={add}>Add a destination</Button>}
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
              text="A folder of this computer, a second disk, a NAS that is mounted: choose one that does not go down together with the servers. What lies there is encrypted, and plain restic can read it too."
              action={<Button variant="filled" onClick={add}>Add a destination</Button>}
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
  const places = rows.length === 1 ? '1 place' : `${rows.length} places`;
  return `${places}, ${unknown ? 'at least ' : ''}${formatBytes(used)} used`;
}

/** Free room as a number and as a thin bar of how full the disk is. */
function Room({ row }: { row: DestinationRow }) {
  const full = percentFull(row.free_bytes, row.total_bytes);
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
