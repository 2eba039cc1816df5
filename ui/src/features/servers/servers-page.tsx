import { IconPlus, IconServer } from '@tabler/icons-react';
import { Button } from '@mantine/core';
import { useState } from 'react';
import type { ServerRow } from '../../ipc';
import { plural } from '../../shared/format';
import { navigate, useParam } from '../../shared/router';
import { Ago, Card, Chip, DataTable, EmptyState, FilterBox, Page, Size, StateBadge, useShortcut, type Column } from '../../shared/ui';
import { useServers } from './queries';
import { ServerPanel } from './server-panel';
import './wizard/wizard.css';

const COLUMNS: Column<ServerRow>[] = [
  { key: 'name', title: 'Name', width: 'minmax(120px, 1.1fr)', sortValue: (s) => s.name, cell: (s) => <b>{s.name}</b> },
  { key: 'address', title: 'Address', width: 'minmax(0, 1.3fr)', hideBelow: 560, sortValue: (s) => s.address, cell: (s) => <span className="mute">{s.address}</span> },
  { key: 'kinds', title: 'What is there', width: 'minmax(0, 1.2fr)', hideBelow: 760, cell: (s) => <Kinds server={s} /> },
  { key: 'plans', title: 'Plans', width: '64px', hideBelow: 620, sortValue: (s) => s.plans, cell: (s) => s.plans || <span className="mute">none</span> },
  { key: 'last', title: 'Last good', width: '96px', hideBelow: 380, sortValue: (s) => s.last_backup, cell: (s) => <Ago at={s.last_backup} never="none" /> },
  { key: 'size', title: 'Size', width: '90px', right: true, hideBelow: 700, sortValue: (s) => s.last_bytes, cell: (s) => <Size bytes={s.last_bytes} /> },
  { key: 'state', title: 'State', width: '134px', sortValue: (s) => s.state, cell: (s) => <StateBadge state={s.state} title={s.state_text} /> },
];

function Kinds({ server }: { server: ServerRow }) {
  if (server.kinds.length === 0) return <span className="mute">{server.os === null ? 'not looked at yet' : '–'}</span>;
  return <span className="row">{server.kinds.map((kind) => <Chip key={kind}>{kind}</Chip>)}</span>;
}

/** All servers; the details of one at the right. */
export function ServersPage() {
  const id = useParam('id');
  const servers = useServers();
  const [text, setText] = useState('');
  useShortcut('n', () => navigate('/servers/new'));
  const needle = text.trim().toLowerCase();
  const rows = servers.data?.filter((s) => `${s.name} ${s.address} ${s.os ?? ''} ${s.kinds.join(' ')}`.toLowerCase().includes(needle));
  return (
    <Page
      title="Servers"
      text={servers.data ? `${plural(servers.data.length, 'server')}. Backstay installs nothing on a server.` : '\u00a0'}
      fill
      actions={
        <>
          <FilterBox value={text} onChange={setText} label="Filter servers" />
          <Button variant="filled" leftSection={<IconPlus size={14} />} onClick={() => navigate('/servers/new')}>Add a server</Button>
        </>
      }
      panel={id ? <ServerPanel key={id} id={id} onClose={() => navigate('/servers')} /> : undefined}
    >
      <Card className="card-fill">
        <DataTable
          fill
          label="Servers"
          rows={rows}
          columns={COLUMNS}
          defaultSort={{ key: 'name', ascending: true }}
          rowKey={(s) => s.id}
          rowName={(s) => s.name}
          error={servers.error}
          onRetry={() => void servers.refetch()}
          selected={id || null}
          onOpen={(s) => navigate(`/servers/${s.id}`)}
          menu={(s) => [
            { title: 'Make a plan', run: () => navigate(`/plans/new?server=${s.id}`) },
            { title: 'Edit', run: () => navigate(`/servers/${s.id}/edit`) },
          ]}
          noMatch={needle ? <EmptyState title={`No server matches “${text}”`} action={<Button onClick={() => setText('')}>Clear the filter</Button>} /> : undefined}
          empty={<EmptyState icon={IconServer} title="No servers yet" text="A server is a machine whose files and databases you want back one day. It is reached over SSH; nothing is installed there." action={<Button variant="filled" onClick={() => navigate('/servers/new')}>Add a server</Button>} />}
        />
      </Card>
    </Page>
  );
}
