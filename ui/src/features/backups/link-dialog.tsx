import { Button, Select, TextInput } from '@mantine/core';
import { IconLock } from '@tabler/icons-react';
import { useState } from 'react';
import { api, type BackupRow, type CopyView, type LinkView } from '../../ipc';
import { formatDuration, formatExact } from '../../shared/format';
import { useAction } from '../../shared/query';
import { CopyText, Dialog, DialogFoot, ErrorNote, Note, useNow } from '../../shared/ui';

const SPANS = [
  { value: '10', label: '10 minutes' }, { value: '60', label: '1 hour' }, { value: '360', label: '6 hours' }, { value: '1440', label: '1 day' },
  { value: '4320', label: '3 days' }, { value: '10080', label: '7 days' },
];

type Props = { backup: BackupRow; copy: CopyView; onClose: () => void };

/** Makes an address at which the archive can be fetched for a while, by whoever has it. */
export function LinkDialog({ backup, copy, onClose }: Props) {
  const [minutes, setMinutes] = useState('60');
  const make = useAction(() => api.makeLink(backup.id, copy.destination, Number(minutes)), { inline: true });
  const link = make.result;
  return (
    <Dialog onClose={onClose} title="Temporary link" size="lg">
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (!make.busy) make.run();
        }}
      >
        <p>Whoever has the link can fetch <span className="mono path-wrap">{copy.file}</span> from {copy.destination_name} until it ends, without a password. It cannot be taken back before.</p>
        {backup.sealed
          ? <Note tone="good" icon={<IconLock size={18} aria-hidden />}>The file is sealed: without its key or passphrase it cannot be read. Send the key by another way.</Note>
          : <Note tone="warn">The file is not sealed: whoever gets the link, from a chat, a mail or a log, can read everything in this backup.</Note>}
        {link ? <Made link={link} /> : <Select w={160} label="It ends after" data={SPANS} value={minutes} onChange={(value) => setMinutes(value ?? minutes)} />}
        {make.error && <ErrorNote error={make.error} />}
        <DialogFoot>
          <Button onClick={onClose}>{link ? 'Close' : 'Cancel'}</Button>
          {!link && <Button type="submit" variant="filled" loading={make.busy}>Make the link</Button>}
        </DialogFoot>
      </form>
    </Dialog>
  );
}

function Made({ link }: { link: LinkView }) {
  const now = useNow();
  return (
    <div className="stack" style={{ gap: 6 }}>
      <TextInput
        label="Link" classNames={{ input: 'mono' }} readOnly value={link.url} onFocus={(event) => event.currentTarget.select()}
        rightSectionWidth={128} rightSection={<CopyText value={link.url} label="Copy the link" />}
      />
      <p className="mute small">It ends {formatExact(link.expires)}, in {formatDuration(link.expires - now)}.</p>
    </div>
  );
}
