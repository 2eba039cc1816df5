import { Button } from '@mantine/core';
import { IconAlertTriangle, IconRefresh } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, type DestinationRow, type IpcError, type RecoveryKit } from '../../ipc';
import { plural } from '../../shared/format';
import { useAction, useSync } from '../../shared/query';
import { Link, navigate } from '../../shared/router';
import { limitText } from '../../shared/bandwidth';
import { Bar, ConfirmDialog, DetailPanel, Dialog, ErrorNote, KeyValues, Note, PathText, Size, StateBadge, showBegun, showNote, useNow } from '../../shared/ui';
import { percentFull } from './form';
import { kindText, layoutText, stateOf } from './words';
import { KitConfirm, KitSheet } from '../../shared/kit';

/** One destination at the right of the list. */
export function DestinationPanel({ row, onClose }: { row: DestinationRow; onClose: () => void }) {
  const [dialog, setDialog] = useState<'kit' | 'remove' | 'prune' | 'cleanup' | null>(null);
  const close = () => setDialog(null);
  const now = useNow();
  const sync = useSync();
  const refresh = useAction(() => api.refreshDestination(row.id), {
    changes: ['destinations', 'backups'],
    onDone: (found) => showNote(found === 0 ? `There are no backups at ${row.name}.` : `${plural(found, 'backup')} at ${row.name}.`),
  });
  const { state, text } = stateOf(row);
  return (
    <DetailPanel
      title={row.name}
      label={row.name}
      text={row.place}
      badge={<StateBadge state={state} text={text} />}
      onClose={onClose}
      actions={
        <>
          {(row.missing > 0 || row.damaged > 0) && <Button variant="filled" leftSection={<IconRefresh size={16} />} loading={sync.busy} onClick={() => sync.run(row)}>Sync now</Button>}
          {row.vault && <Button onClick={() => setDialog('kit')}>Recovery kit…</Button>}
          <Button onClick={() => navigate(`/destinations/${row.id}/edit`)}>Edit</Button>
          <Button loading={refresh.busy} onClick={() => refresh.run()}>Look again</Button>
          <Button onClick={() => setDialog('remove')}>Remove…</Button>
        </>
      }
    >
      {row.state_text && row.state !== 'ok' && (
        <div className="card-pad">
          <Note tone={row.state === 'offline' ? 'bad' : 'warn'} icon={<IconAlertTriangle size={18} aria-hidden />}>{row.state_text}</Note>
        </div>
      )}
      {row.missing > 0 && (
        <div className="card-pad">
          <Note tone="warn" icon={<IconAlertTriangle size={18} aria-hidden />}>{plural(row.missing, 'backup')} did not get here yet. Sync copies {row.missing === 1 ? 'it' : 'them'} from another destination; the servers are not read again.</Note>
        </div>
      )}
      {row.damaged > 0 && (
        <div className="card-pad">
          <Note tone="bad" icon={<IconAlertTriangle size={18} aria-hidden />}>A check found {plural(row.damaged, 'damaged thing')} here. Sync writes anew what another destination has whole; nothing is taken away before.</Note>
        </div>
      )}
      <KeyValues
        rows={[
          { name: 'Kind', value: kindText(row) },
          { name: row.kind === 'local' ? 'Folder' : 'Place', value: <PathText path={row.place} wrap /> },
          { name: 'Layout', value: layoutText(row) },
          { name: 'Speed', value: <>{limitText(row.bandwidth, now)} <Link to="/settings?part=bandwidth">Change</Link></> },
          { name: 'Used', value: <Size bytes={row.used_bytes} /> },
          ...(row.total_bytes === null ? [] : [{ name: 'Free', value: <><Size bytes={row.free_bytes} /> of <Size bytes={row.total_bytes} /></> }]),
          { name: 'Backups', value: row.backups === 0 ? 'none yet' : <Link to={`/backups?destination=${encodeURIComponent(row.id)}`}>{plural(row.backups, 'backup')}</Link> },
          { name: 'Plans', value: row.plans === 0 ? 'no plan writes here' : plural(row.plans, 'plan') },
        ]}
      />
      <Fullness row={row} />
      {row.vault && (
        <div className="card-pad panel-more">
          <p className="mute small">Deleted backups take up space until the vault is cleaned up.</p>
          <Button size="compact-sm" onClick={() => setDialog('prune')}>Free up space…</Button>
        </div>
      )}
      {row.kind === 's3' && (
        <div className="card-pad panel-more">
          <p className="mute small">The provider can remove unfinished uploads and old versions by itself.</p>
          <Button size="compact-sm" onClick={() => setDialog('cleanup')}>Set the clean-up rule…</Button>
        </div>
      )}
      <CleanupDialog row={row} opened={dialog === 'cleanup'} onClose={close} />
      {dialog === 'kit' && <KitDialog row={row} onClose={close} />}
      <PruneDialog row={row} opened={dialog === 'prune'} onClose={close} />
      <RemoveDialog row={row} opened={dialog === 'remove'} onClose={close} />
    </DetailPanel>
  );
}

function Fullness({ row }: { row: DestinationRow }) {
  const full = percentFull(row.free_bytes, row.total_bytes);
  if (full === null) return null;
  return (
    <div className="card-pad" style={{ paddingTop: 0 }}>
      <Bar thin part={full} label={`${full} % of the disk is full`} />
      <div className="mute small" style={{ marginTop: 4 }}>{full} % of the disk is full</div>
    </div>
  );
}

/** Asks before the vault is cleaned up: it takes long, and some providers bill for early deletion. */
function PruneDialog({ row, opened, onClose }: { row: DestinationRow; opened: boolean; onClose: () => void }) {
  const prune = useAction(() => api.startPrune(row.id), {
    changes: ['runs', 'destinations'],
    inline: true,
    onDone: (run) => {
      onClose();
      showBegun(`Freeing up the space of deleted backups at ${row.name}.`, run);
    },
  });
  return (
    <ConfirmDialog opened={opened} title={`Free up space at ${row.name}`} action="Free up the space" busy={prune.busy} error={prune.error} onConfirm={() => prune.run()} onClose={onClose}>
      <div className="stack">
        <p>What only deleted backups needed is removed from the vault. Every backup that is listed stays whole.</p>
        {row.early_note && <p><b>{row.early_note}.</b></p>}
        <p>Nothing else can write to {row.name} while it goes on; it can be cancelled at any time.</p>
      </div>
    </ConfirmDialog>
  );
}

/** Asks before the bucket gets a rule: it removes old versions for good. Tells what the bucket says of it then. */
function CleanupDialog({ row, opened, onClose }: { row: DestinationRow; opened: boolean; onClose: () => void }) {
  const set = useAction(() => api.setCleanupRule(row.id), {
    changes: [],
    inline: true,
    onDone: (rule) => {
      onClose();
      showNote(`The bucket of ${row.name} says: ${rule.text}.`);
    },
  });
  return (
    <ConfirmDialog opened={opened} title={`Clean-up rule of ${row.name}`} action="Set the rule" busy={set.busy} error={set.error} onConfirm={() => set.run()} onClose={onClose}>
      <div className="stack">
        <p>The provider then removes unfinished uploads after 7 days and old versions of deleted or replaced files after 30 days, so that they are no longer billed.</p>
        <p>It holds for <PathText path={row.place} wrap />; other rules of the bucket stay as they are. Backups are not touched.</p>
      </div>
    </ConfirmDialog>
  );
}

/** The kit of a destination once more; asks a word back as long as it was never confirmed. */
function KitDialog({ row, onClose }: { row: DestinationRow; onClose: () => void }) {
  // Not kept in the cache: it is a secret, and is asked for each time it is looked at.
  const kit = useQuery<RecoveryKit, IpcError>({
    queryKey: ['recovery-kit', row.id],
    queryFn: () => api.recoveryKit(row.id),
    gcTime: 0,
    staleTime: 0,
  });
  const [ask] = useState(() => Math.random());
  const [asking, setAsking] = useState(row.state === 'kit_not_confirmed');
  const words = kit.data?.words.length ?? 1;
  return (
    <Dialog onClose={onClose} title={`Recovery kit of ${row.name}`} size="lg">
      {kit.error && <ErrorNote error={kit.error} retry={() => void kit.refetch()} />}
      {kit.isPending && <p className="mute" role="status">Reading the key of {row.name}…</p>}
      {kit.data && (
        <div className="stack">
          <KitSheet id={row.id} kit={kit.data} />
          {asking && (
            <KitConfirm
              id={row.id}
              kit={kit.data}
              ask={1 + Math.floor(ask * words)}
              onConfirmed={() => {
                setAsking(false);
                showNote(`The recovery kit of ${row.name} is confirmed.`);
                onClose();
              }}
            />
          )}
        </div>
      )}
    </Dialog>
  );
}

function RemoveDialog({ row, opened, onClose }: { row: DestinationRow; opened: boolean; onClose: () => void }) {
  const remove = useAction(() => api.removeDestination(row.id), {
    changes: ['destinations', 'backups'],
    inline: true,
    onDone: () => {
      onClose();
      navigate('/destinations');
    },
  });
  return (
    <ConfirmDialog
      opened={opened}
      title={`Remove ${row.name}`}
      action={`Remove ${row.name}`}
      danger
      busy={remove.busy}
      error={remove.error}
      onConfirm={() => remove.run()}
      onClose={onClose}
    >
      <div className="stack">
        <p>
          Backstay forgets {row.name} and its {row.vault ? 'key' : 'log-in'}. Nothing in <PathText path={row.place} wrap /> is deleted
          {row.backups > 0 && <>: {plural(row.backups, 'backup')} stay there</>}.
        </p>
        {row.vault && <p>To open it again you need its recovery kit. Make sure you have it on paper or in a file.</p>}
        {row.plans > 0 && <p><b>{plural(row.plans, 'plan writes', 'plans write')} to {row.name}</b> and will have to be given another destination.</p>}
      </div>
    </ConfirmDialog>
  );
}
