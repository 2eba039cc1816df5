import { Button, Skeleton, Tabs } from '@mantine/core';
import { useState } from 'react';
import { api, type ServerDetail, type PlanRow } from '../../ipc';
import { plural } from '../../shared/format';
import { useAction } from '../../shared/query';
import { Link, navigate } from '../../shared/router';
import { Ago, ConfirmDialog, DetailPanel, EmptyState, ErrorNote, KeyValues, PathText, Size, StateBadge, Tick, planState } from '../../shared/ui';
import { ConnectionTestCard } from './connection-test';
import { Facts } from './facts';
import { usePlansOf, useServer } from './queries';

/** One server: plans and backups, facts, connection. */
export function ServerPanel({ id, onClose }: { id: string; onClose: () => void }) {
  const server = useServer(id);
  if (server.error && !server.data) return <DetailPanel title="Server" label="Server" onClose={onClose}><div className="card-pad"><ErrorNote error={server.error} retry={() => void server.refetch()} /></div></DetailPanel>;
  if (!server.data) return <DetailPanel title="…" label="Server" onClose={onClose}><div className="card-pad"><Skeleton height={140} /></div></DetailPanel>;
  return <Loaded detail={server.data} onClose={onClose} />;
}

function Loaded({ detail, onClose }: { detail: ServerDetail; onClose: () => void }) {
  const { row } = detail;
  const plans = usePlansOf(row.id);
  const backUp = useAction(api.startBackup, { changes: ['runs'] });
  const first = plans.data?.[0];
  return (
    <DetailPanel
      title={row.name}
      label={row.name}
      text={row.address}
      badge={<StateBadge state={row.state} title={row.state_text} />}
      onClose={onClose}
      actions={
        <>
          {plans.data?.length === 1 && first && <Button variant="filled" loading={backUp.busy} onClick={() => backUp.run(first.id)}>Back up now</Button>}
          <Button variant={row.plans === 0 ? 'filled' : 'default'} onClick={() => navigate(`/plans/new?server=${row.id}`)}>Make a plan</Button>
          <Button onClick={() => navigate(`/servers/${row.id}/edit`)}>Edit</Button>
        </>
      }
    >
      <Tabs defaultValue="plans">
        <Tabs.List>
          <Tabs.Tab value="plans">Plans {row.plans > 0 && row.plans}</Tabs.Tab>
          <Tabs.Tab value="facts">Facts</Tabs.Tab>
          <Tabs.Tab value="connection">Connection</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="plans"><PlansPart detail={detail} plans={plans.data} /></Tabs.Panel>
        <Tabs.Panel value="facts"><FactsPart detail={detail} /></Tabs.Panel>
        <Tabs.Panel value="connection"><ConnectionPart detail={detail} onGone={onClose} /></Tabs.Panel>
      </Tabs>
    </DetailPanel>
  );
}

/** What is known of the server, and the way to look anew. */
function FactsPart({ detail }: { detail: ServerDetail }) {
  const { row, draft, facts } = detail;
  const look = useAction(api.discoverServer, { inline: true, changes: ['servers'] });
  const button = <Button loading={look.busy} onClick={() => look.run(draft)}>{facts ? 'Look again' : 'Look what is there'}</Button>;
  return (
    <>
      {look.busy && <div className="card-pad"><Tick state="now">Looking what is on {row.name}: system, room, tools, databases, big folders</Tick></div>}
      {look.error && !look.busy && <div className="card-pad"><ErrorNote error={look.error} /></div>}
      {facts ? (
        <>
          <Facts facts={facts} />
          <div className="card-pad">{button}</div>
        </>
      ) : (
        <EmptyState title="Not looked at yet" text="Backstay logs in and reads which system it is, how much room there is, and what is worth backing up." action={button} />
      )}
    </>
  );
}

function PlansPart({ detail, plans }: { detail: ServerDetail; plans: PlanRow[] | undefined }) {
  const { row } = detail;
  return (
    <>
      <KeyValues
        rows={[
          { name: 'State', value: row.state_text || <StateBadge state={row.state} /> },
          { name: 'Last good', value: <><Ago at={row.last_backup} never="none" />{row.last_bytes !== null && <> · <Size bytes={row.last_bytes} /></>}</> },
          { name: 'Lies at', value: row.places === 0 ? 'no destination' : plural(row.places, 'destination') },
          { name: 'Proven', value: <Ago at={row.last_proof} never="never restored or checked" /> },
          { name: 'Backups', value: <Link to={`/backups?server=${row.id}`}>Show its backups</Link> },
        ]}
      />
      {plans?.length === 0 && <EmptyState title="No plan reads it" text="A plan says what of it is backed up, and where to." action={<Button onClick={() => navigate(`/plans/new?server=${row.id}`)}>Make a plan of it</Button>} />}
      <ul className="lines">
        {plans?.map((plan) => (
          <li key={plan.id}>
            <div className="grow"><Link to={`/plans/${plan.id}`}>{plan.name}</Link><div className="mute small clip" title={plan.what}>{plan.what}</div></div>
            <StateBadge state={planState(plan)} text={plan.state === 'never' ? undefined : plan.state_text || undefined} />
          </li>
        ))}
      </ul>
    </>
  );
}

function ConnectionPart({ detail, onGone }: { detail: ServerDetail; onGone: () => void }) {
  const { row, draft } = detail;
  const [asking, setAsking] = useState(false);
  const remove = useAction(api.removeServer, { inline: true, changes: ['servers'], onDone: onGone });
  const auth: Record<string, string> = { agent: 'SSH agent', key: `key ${draft.key_file ?? ''}`, password: 'password' };
  const sudo: Record<string, string> = { none: 'no', without_password: 'without password', with_password: 'with password' };
  return (
    <>
      <KeyValues
        rows={[
          { name: 'Route', value: detail.route },
          ...(row.local ? [] : [
            { name: 'User', value: draft.user },
            { name: 'Logs in by', value: auth[draft.auth] ?? draft.auth },
          ]),
          { name: 'sudo', value: sudo[draft.sudo] ?? draft.sudo },
          ...(detail.fingerprint ? [{ name: 'Fingerprint', value: <PathText path={detail.fingerprint} wrap /> }] : []),
        ]}
      />
      <div className="card-pad"><ConnectionTestCard draft={draft} /></div>
      <div className="card-pad">
        <Button variant="subtle" color="var(--bad)" onClick={() => setAsking(true)}>Remove {row.name}…</Button>
      </div>
      <ConfirmDialog opened={asking} title={`Remove ${row.name}?`} action={`Remove ${row.name}`} danger busy={remove.busy} error={remove.error} onClose={() => { setAsking(false); remove.reset(); }} onConfirm={() => remove.run(row.id)}>
        Backstay forgets how to reach {row.name}, with its stored passwords. Nothing is changed on the server, and its backups stay at their destinations.
      </ConfirmDialog>
    </>
  );
}
