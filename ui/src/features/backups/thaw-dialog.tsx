import { Button, Select } from '@mantine/core';
import { useState } from 'react';
import { api, type BackupRow, type CopyView } from '../../ipc';
import { formatBytes } from '../../shared/format';
import { useAction } from '../../shared/query';
import { Dialog, DialogFoot, ErrorNote, showNote } from '../../shared/ui';

const DAYS = [{ value: '1', label: '1 day' }, { value: '3', label: '3 days' }, { value: '7', label: '7 days' }, { value: '30', label: '30 days' }];

type Props = { backup: BackupRow; copy: CopyView; onClose: () => void };

/** Asks the provider to bring an archive back from its cold storage class. */
export function ThawDialog({ backup, copy, onClose }: Props) {
  const [days, setDays] = useState('3');
  const thaw = useAction(() => api.thawBackup(backup.id, copy.destination, Number(days)), {
    changes: ['backups'],
    inline: true,
    onDone: () => {
      showNote(`${copy.destination_name} is bringing the copy back. Until then it cannot be read.`);
      onClose();
    },
  });
  return (
    <Dialog onClose={onClose} title={`Bring back from ${copy.destination_name}`} size="md">
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (!thaw.busy) thaw.run();
        }}
      >
        <p>The archive{copy.file_bytes === null ? '' : `, ${formatBytes(copy.file_bytes)},`} lies in a cold storage class. The provider puts a copy where it can be read; this takes minutes to two days by class, and is billed by size.</p>
        <Select w={160} label="It stays readable for" data={DAYS} value={days} onChange={(value) => setDays(value ?? days)} />
        {thaw.error && <ErrorNote error={thaw.error} />}
        <DialogFoot>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="filled" loading={thaw.busy}>Bring it back</Button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}
