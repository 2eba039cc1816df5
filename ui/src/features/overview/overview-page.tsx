import { IconPlayerPlay } from '@tabler/icons-react';
import { Button, Menu, Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, type IpcError, type Need, type Overview, type PlanRow, type RunRow, type ServerRow } from '../../ipc';
import { formatBytes } from '../../shared/format';
import { keys, useAction, useActiveRuns } from '../../shared/query';
import { Link, navigate } from '../../shared/router';
import { Ago, Card, DataTable, ErrorNote, Page, ProgressRow, Size, StateBadge, Tick, runTitle, type Column } from '../../shared/ui';
import { firstSteps, needAction, needWord, overviewSentence } from './words';
import './overview.css';

/** The first screen: is everything safe, what needs me, what runs, how much room. */
export function OverviewPage() {
  const overview = useQuery<Overview, IpcError>({ queryKey: keys.overview, queryFn: api.overview });
  const active = useActiveRuns();
  const { data } = overview;
  if (overview.error && !data) {
    return <Page title="Overview"><ErrorNote error={overview.error} retry={() => void overview.refetch()} /></Page>;
  }
  if (!data) {
    return <Page title="Overview" text="…"><Card padded><Skeleton height={160} /></Card><Card padded><Skeleton height={220} /></Card></Page>;
  }
  const steps = firstSteps(data.first_steps);
  const isNew = !data.first_steps.backup;
  const live = (active.data?.rows ?? []).filter((run) => run.state === 'running').slice(0, 5);
  return (
    <Page title="Overview" text={overviewSentence(data)} actions={<HeaderActions hasBackups={data.first_steps.backup} />}>
      {data.needs.length > 0 && <Needs needs={data.needs} />}
      {isNew && <FirstSteps steps={steps} />}
      {live.length > 0 && <Running runs={live} />}
      <Card title="Servers">
        <ServerLines servers={data.servers} />
      </Card>
      {!isNew && <Space overview={data} />}
    </Page>
  );
}

function HeaderActions({ hasBackups }: { hasBackups: boolean }) {
  const plans = useQuery<PlanRow[], IpcError>({ queryKey: keys.plans, queryFn: api.plans });
  const backUp = useAction(api.startBackup, { changes: ['runs'] });
  if (!plans.data || plans.data.length === 0) return null;
  return (
    <>
      {hasBackups && <Button onClick={() => navigate('/backups')}>Restore…</Button>}
      <Menu>
        <Menu.Target>
          <Button variant="filled" leftSection={<IconPlayerPlay size={14} />} loading={backUp.busy}>Back up now…</Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>Which plan</Menu.Label>
          {plans.data.map((plan) => (
            <Menu.Item key={plan.id} onClick={() => backUp.run(plan.id)} rightSection={<span className="mute small">{plan.server_name}</span>}>
              {plan.name}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
    </>
  );
}

function Needs({ needs }: { needs: Need[] }) {
  return (
    <Card title="Needs you" aside={needs.length}>
      <ul className="needs">
        {needs.map((need, i) => <NeedLine key={`${need.kind}-${need.subject}-${i}`} need={need} />)}
      </ul>
    </Card>
  );
}

function NeedLine({ need }: { need: Need }) {
  const plans = useQuery<PlanRow[], IpcError>({ queryKey: keys.plans, queryFn: api.plans });
  const backUp = useAction(api.startBackup, { changes: ['runs'] });
  const action = needAction(need, plans.data);
  return (
    <li>
      <StateBadge state={need.kind} text={needWord(need.kind)} />
      <div className="grow"><b className="need-subject">{need.subject}</b> <span className="mute">{need.text}</span></div>
      {action && (
        <Button
          loading={backUp.busy}
          aria-label={`${action.title}: ${need.subject}`}
          onClick={() => ('to' in action ? navigate(action.to) : backUp.run(action.backUp))}
        >
          {action.title}
        </Button>
      )}
    </li>
  );
}

function Running({ runs }: { runs: RunRow[] }) {
  return (
    <Card title="Running" aside={runs.length}>
      <ul className="lines">
        {runs.map((run) => (
          <li key={run.id}>
            <Link className="running-title clip" to={`/activity/${run.id}`}>{runTitle(run)}</Link>
            <div className="grow"><ProgressRow run={run} /></div>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function FirstSteps({ steps }: { steps: ReturnType<typeof firstSteps> }) {
  const next = steps.find((step) => !step.done && step.to !== '/servers/new') ?? steps.find((step) => !step.done);
  return (
    <Card title="To begin" aside={<Link to="/destinations/open">I have backups already</Link>}>
      <ol className="first-steps">
        {steps.map((step) => (
          <li key={step.title}>
            <Tick state={step.done ? 'done' : 'next'}>
              <b>{step.title}</b> <span className="mute">{step.text}</span>
            </Tick>
            {!step.done && (step.to !== '/plans' || steps[2]?.done) && (
              <Button variant={step === next ? 'filled' : 'default'} onClick={() => navigate(step.to)}>{step.action}</Button>
            )}
          </li>
        ))}
      </ol>
    </Card>
  );
}

const COLUMNS: Column<ServerRow>[] = [
  { key: 'name', title: 'Name', width: 'minmax(120px, 1.2fr)', sortValue: (s) => s.name, cell: (s) => <b>{s.name}</b> },
  { key: 'state', title: 'State', width: 'minmax(150px, 1.2fr)', sortValue: (s) => s.state, cell: (s) => <StateBadge state={s.state} title={s.state_text} /> },
  { key: 'last', title: 'Last good', width: 'minmax(110px, 1fr)', sortValue: (s) => s.last_backup, cell: (s) => <Ago at={s.last_backup} never="none" /> },
  { key: 'proof', title: 'Proven', width: 'minmax(110px, 1fr)', hideBelow: 620, sortValue: (s) => s.last_proof, cell: (s) => <span className="mute"><Ago at={s.last_proof} never="never proven" /></span> },
  { key: 'size', title: 'Size', width: '96px', right: true, sortValue: (s) => s.last_bytes, cell: (s) => <Size bytes={s.last_bytes} /> },
  { key: 'places', title: 'Places', width: '76px', right: true, hideBelow: 700, sortValue: (s) => s.places, cell: (s) => <span className="mute">{s.places === 0 ? 'none' : s.places}</span> },
];

function ServerLines({ servers }: { servers: ServerRow[] }) {
  return (
    <DataTable
      label="Servers"
      rows={servers}
      columns={COLUMNS}
      rowKey={(s) => s.id}
      rowName={(s) => s.name}
      onOpen={(s) => navigate(`/servers/${s.id}`)}
      empty={<div className="card-pad mute">No servers yet. <Link to="/servers/new">Add a server</Link></div>}
    />
  );
}

function Space({ overview }: { overview: Overview }) {
  const saved = overview.stored_bytes !== null && overview.protected_bytes > overview.stored_bytes;
  return (
    <div className="space">
      <Card padded>
        <div className="mute">Would come back</div>
        <div className="big">{formatBytes(overview.protected_bytes)}</div>
        <div className="mute">the newest backup of every plan</div>
      </Card>
      <Card padded>
        <div className="mute">Stored</div>
        <div className="big">{overview.stored_bytes === null ? 'not known' : formatBytes(overview.stored_bytes)}</div>
        <div className="mute">{saved ? 'at all destinations, all versions, deduplicated' : 'at all destinations'}</div>
      </Card>
      <Card padded>
        <div className="mute">Added in 7 days</div>
        <div className="big">{formatBytes(overview.added_bytes_7d)}</div>
        <div className="mute">{formatBytes(overview.added_bytes_7d / 7)} a day</div>
      </Card>
    </div>
  );
}
