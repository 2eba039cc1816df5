import { formatExact } from '../../shared/format';
import { navigate, useParam } from '../../shared/router';
import { Card, ErrorNote, Page, StateBadge } from '../../shared/ui';
import { listLeft, stateOf } from './form';
import { BackupActions, backupText } from './panel';
import { useBackup } from './queries';
import { BackupTabs } from './tabs';
import './backups.css';

/** One backup on a page of its own: room for its tree. */
export function BackupPage() {
  const id = useParam('id');
  const backup = useBackup(id);
  const crumbs = [{ title: 'Backups', to: listLeft() }];
  if (!backup.data) {
    return (
      <Page title="Backup" crumbs={crumbs}>
        {backup.error ? <ErrorNote error={backup.error} retry={() => void backup.refetch()} /> : <p className="mute" role="status">Reading the backup…</p>}
      </Page>
    );
  }
  const { state, text } = stateOf(backup.data.row);
  return (
    <Page
      title={<>{backup.data.row.plan_name} <span className="visually-hidden">of {formatExact(backup.data.row.started)}</span> <StateBadge state={state} text={text || undefined} /></>}
      text={backupText(backup.data)}
      crumbs={crumbs}
      fill
      actions={<BackupActions detail={backup.data} onGone={() => navigate(listLeft(), { replace: true })} />}
    >
      <Card className="page-card"><BackupTabs key={id} detail={backup.data} /></Card>
    </Page>
  );
}
