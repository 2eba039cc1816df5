import { Button } from '@mantine/core';
import { useState } from 'react';
import type { RunRow } from '../../ipc';
import { ConfirmDialog } from './confirm';
import { runTitle } from './progress-rules';

type Props = { run: RunRow; asked: boolean; onCancel: () => void };

/** Stops a run. A restore is asked about first: stopped half way, it leaves its target half old and half new. */
export function CancelRun({ run, asked, onCancel }: Props) {
  const [asking, setAsking] = useState(false);
  const target = run.server_name ?? 'the server';
  return (
    <>
      <Button className="cancel-button" disabled={asked} aria-label={`Cancel ${runTitle(run).toLowerCase()}`} onClick={() => (run.kind === 'restore' ? setAsking(true) : onCancel())}>Cancel</Button>
      <ConfirmDialog
        opened={asking && !asked}
        title={`Stop restoring to ${target}?`}
        action="Stop the restore"
        keep="Keep restoring"
        danger
        onConfirm={() => {
          setAsking(false);
          onCancel();
        }}
        onClose={() => setAsking(false)}
      >
        What has been written to <b>{target}</b> by then stays there, and the rest is as it was: the target is partly restored. Restore again to make it whole.
      </ConfirmDialog>
    </>
  );
}
