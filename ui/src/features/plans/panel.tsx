import { Button } from '@mantine/core';
import { IconEdit, IconKey, IconPlayerPlay, IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { api, type IpcError, type ItemDraft, type PlanRow, type PlanView, type RecoveryKit, type RunRow } from '../../ipc';
import { plural } from '../../shared/format';
import { KitConfirm, KitSheet } from '../../shared/kit';
import { keys, useDestinations } from '../../shared/query';
import { Link, navigate } from '../../shared/router';
import { Ago, DetailPanel, Dialog, ErrorNote, KeyValues, Note, PathText, ProgressRow, Size, StateBadge, planState, showNote } from '../../shared/ui';
import { useBackUpNow } from './actions';
import { KIND_WORDS, itemText } from './items';
import { RemovePlan } from './remove';

/** One plan at the right of the list. */
export function PlanPanel({ row, run, onClose }: { row: PlanRow; run: RunRow | undefined; onClose: () => void }) {
  const plan = useQuery<PlanView, IpcError>({ queryKey: keys.plan(row.id), queryFn: () => api.plan(row.id) });
  const backUp = useBackUpNow();
  const [removing, setRemoving] = useState(false);
  const [kitOpen, setKitOpen] = useState(false);
  const sealed = plan.data?.draft.layout.kind === 'archive' && plan.data.draft.layout.seal !== 'none';
  return (
    <DetailPanel
      title={row.name}
      label={row.name}
      text={`of ${row.server_name}`}
      badge={<StateBadge state={run ? run.state : planState(row)} />}
      onClose={onClose}
      actions={
        <>
          {run ? (
            <Button variant="filled" onClick={() => navigate(`/activity/${run.id}`)}>Watch it</Button>
          ) : (
            <Button variant="filled" leftSection={<IconPlayerPlay size={16} />} loading={backUp.busy} onClick={() => backUp.run(row)}>Back up now</Button>
          )}
          <Button leftSection={<IconEdit size={16} />} onClick={() => navigate(`/plans/${row.id}/edit`)}>Edit</Button>
          {sealed && <Button leftSection={<IconKey size={16} />} onClick={() => setKitOpen(true)}>Recovery kit…</Button>}
          <Button leftSection={<IconTrash size={16} />} onClick={() => setRemoving(true)}>Remove…</Button>
        </>
      }
    >
      {run && <div className="card-pad" style={{ paddingBottom: 0 }}><ProgressRow run={run} /></div>}
      {!run && <LastRun row={row} />}
      <KeyValues
        rows={[
          { name: 'Server', value: <Link to={`/servers/${row.server}`}>{row.server_name}</Link> },
          { name: 'Where to', value: row.destinations.join(' · ') || 'nowhere yet' },
          { name: 'Layout', value: row.layout === 'vault' ? 'Vault' : `Archives: ${row.layout}` },
          ...(row.kit_confirmed === false ? [{ name: 'Recovery kit', value: <StateBadge state="kit_not_confirmed" /> }] : []),
          ...(row.missing_copies > 0 ? [{ name: 'Missing', value: <MissingCopies row={row} /> }] : []),
          { name: 'Last good', value: <Ago at={row.last_backup} never="none yet" /> },
          { name: 'Size', value: <Size bytes={row.last_bytes} /> },
          { name: 'Backups', value: <Link to={`/backups?plan=${encodeURIComponent(row.id)}`}>Show its backups</Link> },
        ]}
      />
      {plan.error && <div className="card-pad"><ErrorNote error={plan.error} retry={() => void plan.refetch()} /></div>}
      {plan.data && (
        <ul className="plan-items" aria-label="What is backed up">
          {plan.data.draft.items.map((item, i) => <Item key={`${item.settings.kind}-${i}`} item={item} />)}
        </ul>
      )}
      {kitOpen && <PlanKitDialog row={row} onClose={() => setKitOpen(false)} />}
      {removing && <RemovePlan row={row} onClose={() => setRemoving(false)} />}
    </DetailPanel>
  );
}

/** Copies that did not get to all destinations, with the way to each of these. */
function MissingCopies({ row }: { row: PlanRow }) {
  const destinations = useDestinations();
  const lacking = (destinations.data ?? []).filter((each) => row.destinations.includes(each.name) && each.missing > 0);
  return (
    <>
      {plural(row.missing_copies, 'copy', 'copies')} to be made good by Sync
      {lacking.map((each) => <span key={each.id}>{' · '}<Link to={`/destinations/${each.id}`}>{each.name}</Link></span>)}
    </>
  );
}

/** The kit of the plan's archive key once more; asks a part of it back as long as it was never confirmed. */
function PlanKitDialog({ row, onClose }: { row: PlanRow; onClose: () => void }) {
  // Not kept in the cache: it is a secret, and is asked for each time it is looked at.
  const kit = useQuery<RecoveryKit, IpcError>({ queryKey: ['plan-kit', row.id], queryFn: () => api.planKit(row.id), gcTime: 0, staleTime: 0 });
  const [ask] = useState(() => Math.random());
  const [asking] = useState(row.kit_confirmed === false);
  const words = kit.data?.words.length ?? 1;
  const confirmed = () => {
    showNote(`The recovery kit of ${row.name} is confirmed.`);
    onClose();
  };
  return (
    <Dialog onClose={onClose} title={`Recovery kit of ${row.name}`} size="lg">
      {kit.error && <ErrorNote error={kit.error} retry={() => void kit.refetch()} />}
      {kit.isPending && <p className="mute" role="status">Reading the key of {row.name}…</p>}
      {kit.data && (
        <div className="stack">
          <KitSheet id={row.id} kit={kit.data} of="plans" />
          {asking && <KitConfirm id={row.id} kit={kit.data} of="plans" ask={1 + Math.floor(ask * words)} onConfirmed={confirmed} />}
        </div>
      )}
    </Dialog>
  );
}

function LastRun({ row }: { row: PlanRow }) {
  const note = lastRunNote(row);
  return note && <div className="card-pad" style={{ paddingBottom: 0 }}>{note}</div>;
}

function lastRunNote(row: PlanRow): ReactNode {
  switch (planState(row)) {
    case 'done':
    case 'running':
    case 'waiting':
      return null;
    case 'not_run_here':
      return <Note tone="run">Not run on this computer yet; its backups were made on another one.</Note>;
    case 'never':
      return row.layout === 'vault' ? <Note tone="run">No backup yet. The first one reads everything; those after it only what changed.</Note> : null;
    default:
      return (
        <Note
          tone={row.state === 'failed' || row.state === 'interrupted' ? 'bad' : 'warn'}
          action={row.last_run_id ? <Button onClick={() => navigate(`/activity/${row.last_run_id ?? ''}`)}>Show</Button> : undefined}
        >
          The last run: {row.state_text || row.state.replaceAll('_', ' ')}
        </Note>
      );
  }
}

function Item({ item }: { item: ItemDraft }) {
  const { settings } = item;
  return (
    <li>
      <b>{item.name && item.name !== settings.kind ? item.name : KIND_WORDS[settings.kind]}</b>
      {settings.kind === 'files' || settings.kind === 'sqlite' ? (
        <>
          {settings.paths.map((path) => <div key={path}><PathText path={path} wrap /></div>)}
          {settings.kind === 'files' && settings.excludes.length > 0 && (
            <div className="mute">without {settings.excludes.join(', ')}</div>
          )}
          {settings.kind === 'files' && settings.one_file_system && <div className="mute">stays on one file system</div>}
        </>
      ) : (
        <div>{itemText(settings)}{settings.user && <span className="mute"> as {settings.user}</span>}</div>
      )}
    </li>
  );
}
