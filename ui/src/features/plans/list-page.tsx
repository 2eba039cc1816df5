import { Button } from '@mantine/core';
import { IconEdit, IconListCheck, IconPlayerPlay, IconPlus, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import type { PlanRow, RunRow } from '../../ipc';
import { useActiveRuns, useDestinations, usePlans } from '../../shared/query';
import { navigate, useParam } from '../../shared/router';
import { Ago, Card, DataTable, EmptyState, FilterBox, Page, PathText, ProgressRow, Size, StateBadge, planState, useShortcut, type Column } from '../../shared/ui';
import { useBackUpNow } from './actions';
import { PlanPanel } from './panel';
import { RemovePlan } from './remove';
import './plans.css';

/** All plans, and the details of one at the right. */
export function PlansPage() {
  const id = useParam('id');
  const plans = usePlans();
  const runs = useActiveRuns();
  const backUp = useBackUpNow();
  const [text, setText] = useState('');
  const [removing, setRemoving] = useState<PlanRow | null>(null);
  const add = () => navigate('/plans/new');
  useShortcut('n', add);
  const active = (plan: PlanRow) => runs.data?.rows.find((run) => run.plan === plan.id && run.kind === 'backup');
  const rows = plans.data?.filter((row) => matches(row, text));
  const chosen = plans.data?.find((row) => row.id === id);
  return (
    <Page
      title="Plans"
      text={headline(plans.data)}
      fill
      actions={
        <>
          <FilterBox value={text} onChange={setText} label="Filter plans" />
          <Button variant="filled" leftSection={<IconPlus size={16} />} onClick={add}>Make a plan</Button>
        </>
      }
      panel={chosen && <PlanPanel key={chosen.id} row={chosen} run={active(chosen)} onClose={() => navigate('/plans')} />}
    >
      <Card className="list-card">
        <DataTable<PlanRow>
          label="Plans"
          rows={rows}
          columns={columns(active)}
          rowKey={(row) => row.id}
          rowName={(row) => row.name}
          error={plans.error}
          onRetry={() => void plans.refetch()}
          defaultSort={{ key: 'name', ascending: true }}
          selected={id || null}
          onOpen={(row) => navigate(row.id === id ? '/plans' : `/plans/${row.id}`)}
          menu={(row) => [
            ...(active(row) ? [] : [{ title: 'Back up now', icon: <IconPlayerPlay size={16} />, run: () => backUp.run(row) }]),
            { title: 'Edit', icon: <IconEdit size={16} />, run: () => navigate(`/plans/${row.id}/edit`) },
            { title: 'Remove…', icon: <IconTrash size={16} />, danger: true, run: () => setRemoving(row) },
          ]}
          fill
          empty={<NoPlans />}
          {...(text ? { noMatch: <EmptyState title={`No plan matches "${text}"`} action={<Button onClick={() => setText('')}>Clear the filter</Button>} /> } : {})}
        />
      </Card>
      {removing && <RemovePlan row={removing} onClose={() => setRemoving(null)} />}
    </Page>
  );
}

function NoPlans() {
  const destinations = useDestinations();
  const none = destinations.data?.length === 0;
  return (
    <EmptyState
      icon={IconListCheck}
      title="A plan says what is backed up, and where to"
      text={
        none
          ? 'Pick folders and databases of a server, and a destination. You have no destination yet: add one first.'
          : 'Pick folders and databases of a server, and a destination. Then back up with one click.'
      }
      action={
        none ? (
          <Button variant="filled" onClick={() => navigate('/destinations/new')}>Add a destination</Button>
        ) : (
          <Button variant="filled" onClick={() => navigate('/plans/new')}>Make a plan</Button>
        )
      }
    />
  );
}

function columns(active: (plan: PlanRow) => RunRow | undefined): Column<PlanRow>[] {
  return [
    { key: 'name', title: 'Name', width: 'minmax(120px, 1.1fr)', sortValue: (row) => row.name, cell: (row) => <b>{row.name}</b> },
    { key: 'server', title: 'Server', width: 'minmax(116px, 0.7fr)', hideBelow: 480, sortValue: (row) => row.server_name, cell: (row) => row.server_name },
    { key: 'what', title: 'What', width: 'minmax(100px, 1.4fr)', hideBelow: 860, cell: (row) => <What text={row.what} /> },
    { key: 'where', title: 'Where to', width: 'minmax(90px, 0.9fr)', hideBelow: 720, cell: (row) => <span title={row.destinations.join(' · ')}>{row.destinations.join(' · ')}</span> },
    {
      key: 'state',
      title: 'State',
      width: '170px',
      sortValue: planState,
      cell: (row) => {
        const run = active(row);
        if (run) return <ProgressRow run={run} />;
        return <StateBadge state={planState(row)} text={row.state === 'done_with_problems' ? row.state_text : undefined} title={row.state_text || undefined} />;
      },
    },
    { key: 'last', title: 'Last good', width: '100px', hideBelow: 440, sortValue: (row) => row.last_backup, cell: (row) => <Ago at={row.last_backup} never="none yet" /> },
    { key: 'size', title: 'Size', width: '88px', right: true, hideBelow: 640, sortValue: (row) => row.last_bytes, cell: (row) => <Size bytes={row.last_bytes} /> },
  ];
}

/** What a plan reads. Of a single path the end is seen, which tells it from its neighbours. */
function What({ text }: { text: string }) {
  const single = text.startsWith('/') && !/, | · /.test(text);
  return <span className="mute" title={text}>{single ? <PathText path={text} /> : text}</span>;
}

function matches(row: PlanRow, text: string): boolean {
  const wanted = text.trim().toLowerCase();
  return [row.name, row.server_name, row.what, ...row.destinations].some((part) => part.toLowerCase().includes(wanted));
}

function headline(rows: PlanRow[] | undefined): string {
  if (!rows || rows.length === 0) return 'What is backed up, and where to';
  const servers = new Set(rows.map((row) => row.server)).size;
  return `${rows.length === 1 ? '1 plan' : `${rows.length} plans`} for ${servers === 1 ? '1 server' : `${servers} servers`}`;
}
