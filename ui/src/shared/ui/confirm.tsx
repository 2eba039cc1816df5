import { Button, TextInput } from '@mantine/core';
import { useState, type ReactNode } from 'react';
import type { IpcError } from '../../ipc';
import { Dialog, DialogFoot } from './dialog';
import { ErrorNote } from './errors';

type ConfirmProps = {
  opened: boolean;
  title: string;
  /** What will happen, in words: server, plan and destination by name. */
  children: ReactNode;
  /** The button: "Remove web-1", never "OK". */
  action: string;
  /** The button that changes nothing, where "Cancel" could be taken for what is asked about. */
  keep?: string;
  danger?: boolean;
  /** A name the user must type before the button works. */
  typedName?: string | undefined;
  busy?: boolean;
  error?: IpcError | null;
  onConfirm: () => void;
  onClose: () => void;
};

/** Asks before something that cannot be taken back lightly. */
export function ConfirmDialog(props: ConfirmProps) {
  return (
    <Dialog opened={props.opened} onClose={props.onClose} title={props.title} size="md">
      {/* Mounted anew each time it opens, so that no typed name is left over. */}
      {props.opened && <ConfirmBody {...props} />}
    </Dialog>
  );
}

function ConfirmBody({ children, action, keep = 'Cancel', danger = false, typedName, busy = false, error, onConfirm, onClose }: ConfirmProps) {
  const [typed, setTyped] = useState('');
  const ready = typedName === undefined || typed === typedName;
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        if (ready && !busy) onConfirm();
      }}
    >
      <div>{children}</div>
      {typedName !== undefined && (
        <TextInput
          data-autofocus
          label={<>Type <b>{typedName}</b> to confirm</>}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
      )}
      {error && <ErrorNote error={error} />}
      <DialogFoot>
        <Button onClick={onClose}>{keep}</Button>
        <Button type="submit" variant="filled" color={danger ? 'var(--bad)' : undefined} autoContrast={!danger} className={danger ? 'danger-button' : undefined} disabled={!ready} loading={busy}>
          {action}
        </Button>
      </DialogFoot>
    </form>
  );
}
