import { Button, Modal } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, type DestinationRow, type IpcError, type RecoveryKit } from '../../ipc';
import { plural } from '../../shared/format';
import { useAction } from '../../shared/query';
import { Link, navigate } from '../../shared/router';
import { Bar, ConfirmDialog, DetailPanel, ErrorNote, KeyValues, Note, PathText, Size, StateBadge, showNote } from '../../shared/ui';
import { percentFull } from './form';
import { KitConfirm, KitSheet } from './kit';

/** One destination at the right of the list. */
export function DestinationPanel({ row, onClose }: { row: DestinationRow; onClose: () => void }) {
  const [kitOpen, setKitOpen] = useState(false);
  const [removing, setRemoving] = useState(false);
  const refresh = useAction(() => api.refreshDestination(row.id), {
    changes: ['destinations', 'backups'],
    onDone: (found) => showNote(`Read ${row.name} anew: ${plural(found, 'backup')} found.`),
  });
  const full = percentFull(row.free_bytes, row.total_bytes);
  return (
    <DetailPanel
      title={row.name}
      label={row.name}
      text={row.place}
      badge={<StateBadge state={row.state} />}
      onClose={onClose}
      actions={
        <>
          <Button onClick={() => setKitOpen(true)}>Recovery kit…</Button>
          <Button loading={refresh.busy} onClick={() => refresh.run()}>Read anew</Button>
          <Button onClick={() => setRemoving(true)}>Remove…</Button>
        </>
      }
    >
      {row.state_text && row.state !== 'ok' && (
        <div className="card-pad">
          <Note tone={row.state === 'offline' ? 'bad' : 'warn'} icon={<IconAlertTriangle size={18} aria-hidden />}>{row.state_text}</Note>
        </div>
      )}
      <KeyValues
        rows={[
          { name: 'Folder', value: <PathText path={row.place} wrap /> },
          { name: 'Layout', value: 'Vault: encrypted, deduplicated, readable by restic' },
          { name: 'Used', value: <Size bytes={row.used_bytes} /> },
          { name: 'Free', value: <><Size bytes={row.free_bytes} /> of <Size bytes={row.total_bytes} /></> },
          { name: 'Backups', value: row.backups === 0 ? 'none yet' : <Link to={`/backups?destination=${encodeURIComponent(row.id)}`}>{plural(row.backups, 'backup')}</Link> },
          { name: 'Plans', value: row.plans === 0 ? 'no plan writes here' : plural(row.plans, 'plan') },
        ]}
      />
      {full !== null && (
        <div className="card-pad" style={{ paddingTop: 0 }}>
          <Bar thin part={full} label={`${full} % of the disk is full`} />
          <div className="mute small" style={{ marginTop: 4 }}>{full} % of the disk is full</div>
        </div>
      )}
      {kitOpen && <KitDialog row={row} onClose={() => setKitOpen(false)} />}
      <RemoveDialog row={row} opened={removing} onClose={() => setRemoving(false)} />
    </DetailPanel>
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
    <Modal opened onClose={onClose} title={`Recovery kit of ${row.name}`} size="lg">
      {kit.error && <ErrorNote error={kit.error} retry={() => void kit.refetch()} />}
      {kit.isPending && <p className="mute" role="status">Reading the key of {row.name}…</p>}
      {kit.data && (
        <div className="stack">
          <KitSheet id={row.id} kit={kit.data} />
          {asking && (
            <KitConfirm
              id={row.id}
              destination={row.name}
              words={words}
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
    </Modal>
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
          Backstay forgets {row.name} and its key. Nothing in <PathText path={row.place} wrap /> is deleted
          {row.backups > 0 && <>: {plural(row.backups, 'backup')} stay there</>}.
        </p>
        <p>To open it again you need its recovery kit. Make sure you have it on paper or in a file.</p>
        {row.plans > 0 && <p><b>{plural(row.plans, 'plan writes', 'plans write')} to {row.name}</b> and will have to be given another destination.</p>}
      </div>
    </ConfirmDialog>
  );
}
