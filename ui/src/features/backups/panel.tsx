import { ActionIcon, Button, Tooltip } from '@mantine/core';
import { IconArrowBackUp, IconDownload, IconMaximize, IconShieldCheck, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import type { BackupDetail } from '../../ipc';
import { formatDuration, formatExact } from '../../shared/format';
import { navigate } from '../../shared/router';
import { DetailPanel, ErrorNote, StateBadge } from '../../shared/ui';
import { DeleteDialog } from './delete-dialog';
import { DownloadDialog } from './download-dialog';
import { stateOf } from './form';
import { useBackup, useVerify } from './queries';
import { BackupTabs } from './tabs';

/** "20 Nov 2026 10:12 · 3 m 20 s · web-1"; an archive says its format and seal as well. */
export function backupText({ row }: BackupDetail): string {
  const layout = row.layout === 'vault' ? '' : ` · .${row.layout}${row.sealed ? ', sealed' : ''}`;
  return `${formatExact(row.started)} · ${formatDuration(row.ended - row.started)} · ${row.server_name}${layout}`;
}

/** What can be done with a backup. */
export function BackupActions({ detail, onGone }: { detail: BackupDetail; onGone: () => void }) {
  const { row } = detail;
  const [downloading, setDownloading] = useState(false);
  const [deleting, setDeleting] = useState(false);
  const verify = useVerify();
  return (
    <>
      <Button variant="filled" leftSection={<IconArrowBackUp size={16} />} onClick={() => navigate(`/restore/${row.id}`)}>Restore…</Button>
      <Button leftSection={<IconDownload size={16} />} onClick={() => setDownloading(true)}>Download…</Button>
      <Tooltip label="Reads all of its data back and checks every byte">
        <Button leftSection={<IconShieldCheck size={16} />} loading={verify.busy} onClick={() => verify.run({ id: row.id, name: row.plan_name })}>Verify</Button>
      </Tooltip>
      <Tooltip label="Delete…">
        <ActionIcon variant="default" size={30} aria-label="Delete…" onClick={() => setDeleting(true)}><IconTrash size={16} /></ActionIcon>
      </Tooltip>
      {deleting && <DeleteDialog backup={row} onClose={() => setDeleting(false)} onGone={onGone} />}
      {downloading && (
        <DownloadDialog backups={[row]} paths={[]} onClose={() => setDownloading(false)} />
      )}
    </>
  );
}

/** One backup at the right of the list. */
export function BackupPanel({ id, onClose }: { id: string; onClose: () => void }) {
  const backup = useBackup(id);
  const detail = backup.data;
  if (!detail) {
    return (
      <DetailPanel title="Backup" label="Backup" onClose={onClose} wide>
        <div className="card-pad">
          {backup.error ? <ErrorNote error={backup.error} retry={() => void backup.refetch()} /> : <p className="mute" role="status">Reading the backup…</p>}
        </div>
      </DetailPanel>
    );
  }
  const { state, text } = stateOf(detail.row);
  return (
    <DetailPanel
      title={detail.row.plan_name}
      label={`${detail.row.plan_name}, ${formatExact(detail.row.started)}`}
      text={backupText(detail)}
      badge={
        <>
          <StateBadge state={state} text={text || undefined} />
          <ActionIcon variant="subtle" color="gray" aria-label="Open its page" onClick={() => navigate(`/backups/${id}`)}>
            <IconMaximize size={16} />
          </ActionIcon>
        </>
      }
      onClose={onClose}
      wide
      actions={<BackupActions detail={detail} onGone={onClose} />}
    >
      <BackupTabs detail={detail} />
    </DetailPanel>
  );
}
