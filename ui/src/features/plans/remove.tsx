import { api, type PlanRow } from '../../ipc';
import { listText } from '../../shared/format';
import { useAction } from '../../shared/query';
import { navigate } from '../../shared/router';
import { ConfirmDialog } from '../../shared/ui';

/** Asks before a plan is removed. */
export function RemovePlan({ row, onClose }: { row: PlanRow; onClose: () => void }) {
  const remove = useAction(() => api.removePlan(row.id), {
    changes: ['plans', 'backups'],
    inline: true,
    onDone: () => {
      onClose();
      navigate('/plans');
    },
  });
  return (
    <ConfirmDialog
      opened
      title={`Remove the plan ${row.name}`}
      action={`Remove ${row.name}`}
      danger
      busy={remove.busy}
      error={remove.error}
      onConfirm={() => remove.run()}
      onClose={onClose}
    >
      <div className="stack">
        <p><b>{row.server_name}</b> will no longer be backed up by this plan. The log-ins of its databases are forgotten.</p>
        <p>The backups it made stay in {listText(row.destinations) || 'their destinations'} and can be restored as before.</p>
      </div>
    </ConfirmDialog>
  );
}
