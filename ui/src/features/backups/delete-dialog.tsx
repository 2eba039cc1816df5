import { Button, Checkbox } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, type BackupRow, type CopyView, type DeletePreview, type DeleteReport, type IpcError } from '../../ipc';
import { formatBytes, formatExact, listText } from '../../shared/format';
import { useAction } from '../../shared/query';
import { Link } from '../../shared/router';
import { Dialog, DialogFoot, ErrorNote, Note, showNote } from '../../shared/ui';
import { deleteDanger } from './form';

type Props = {
  backup: BackupRow;
  /** Only this copy; absent is the whole backup. */
  copy?: CopyView;
  onClose: () => void;
  /** The whole backup is gone: nothing of it can be shown any more. */
  onGone?: () => void;
};

/** Says what deleting would do, asks, deletes, and tells what came of it. */
export function DeleteDialog({ backup, copy, onClose, onGone }: Props) {
  const destinations = copy ? [copy.destination] : [];
  const preview = useQuery<DeletePreview, IpcError>({ queryKey: ['delete-preview', backup.id, ...destinations], queryFn: () => api.deletePreview(backup.id, destinations), staleTime: 0, gcTime: 0 });
  const remove = useAction(() => api.deleteBackup(backup.id, destinations), {
    changes: ['backups', 'destinations'],
    inline: true,
    onDone: (report) => {
      if (report.failed.length > 0) return;
      showNote(doneText(backup, report, copy));
      onClose();
      if (!copy) onGone?.();
    },
  });
  const what = copy ? `the copy at ${copy.destination_name}` : 'the backup';
  const close = () => {
    onClose();
    // Some copies may be left; the list says so.
    if (!copy && remove.result && remove.result.failed.length === 0) onGone?.();
  };
  return (
    <Dialog onClose={close} title={`Delete ${what}`} size="md">
      <div className="stack">
        {preview.error && <ErrorNote error={preview.error} retry={() => void preview.refetch()} />}
        {preview.isPending && <p className="mute" role="status">Looking what would go…</p>}
        {remove.result
          ? <Report report={remove.result} onClose={close} />
          : preview.data && <Question backup={backup} preview={preview.data} what={what} whole={!copy} busy={remove.busy} error={remove.error} onDelete={() => remove.run()} onClose={close} />}
      </div>
    </Dialog>
  );
}

type QuestionProps = { backup: BackupRow; preview: DeletePreview; what: string; whole: boolean; busy: boolean; error: IpcError | null; onDelete: () => void; onClose: () => void };

function Question({ backup, preview, what, whole, busy, error, onDelete, onClose }: QuestionProps) {
  const [sure, setSure] = useState(false);
  const danger = whole ? deleteDanger(preview, backup) : null;
  const places = preview.copies.map((copy) => copy.destination_name);
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        if ((danger === null || sure) && !busy) onDelete();
      }}
    >
      <p>
        <b>{backup.plan_name}</b> of {formatExact(backup.started)}, {formatBytes(backup.bytes)} of {backup.server_name}, is deleted at <b>{listText(places) || 'no place'}</b>. It cannot be brought back.
        {!whole && ' Other copies stay.'}
      </p>
      {preview.notes.length > 0 && <ul className="delete-notes">{preview.notes.map((note) => <li key={note}>{note}</li>)}</ul>}
      {danger && (
        <>
          <Note tone="warn">{danger.text}</Note>
          <Checkbox label={danger.tick} checked={sure} onChange={(event) => setSure(event.currentTarget.checked)} />
        </>
      )}
      {error && <ErrorNote error={error} />}
      <DialogFoot>
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" variant="filled" color="var(--bad)" className="danger-button" disabled={(danger !== null && !sure) || preview.copies.length === 0} loading={busy}>Delete {what}</Button>
      </DialogFoot>
    </form>
  );
}

/** What came of it where not all went well. */
function Report({ report, onClose }: { report: DeleteReport; onClose: () => void }) {
  return (
    <>
      {report.removed.length > 0 && <p>Deleted at {listText(report.removed)}{report.freed_bytes > 0 && `, ${formatBytes(report.freed_bytes)} freed`}.</p>}
      {report.failed.map((each) => <ErrorNote key={each.destination} error={each.error} />)}
      {report.prune_hint && <p className="mute">{report.prune_hint}: on the page of the <Link to="/destinations">destination</Link>, &quot;Free up space&quot;.</p>}
      <DialogFoot><Button onClick={onClose}>Close</Button></DialogFoot>
    </>
  );
}

function doneText(backup: BackupRow, report: DeleteReport, copy: CopyView | undefined): string {
  const what = copy ? `The copy of ${backup.plan_name} at ${copy.destination_name} is deleted` : `${backup.plan_name} of ${formatExact(backup.started)} is deleted`;
  return `${what}${report.freed_bytes > 0 ? `, ${formatBytes(report.freed_bytes)} freed` : ''}.${report.prune_hint ? ` ${report.prune_hint}.` : ''}`;
}
