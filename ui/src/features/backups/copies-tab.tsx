import { Button } from '@mantine/core';
import { useState } from 'react';
import type { BackupDetail, CopyView } from '../../ipc';
import { formatBytes, formatExact } from '../../shared/format';
import { useSync } from '../../shared/query';
import { Link } from '../../shared/router';
import { PathText, StateBadge } from '../../shared/ui';
import { DeleteDialog } from './delete-dialog';
import { LinkDialog } from './link-dialog';
import { ThawDialog } from './thaw-dialog';

const STATES: Record<string, string> = {
  missing: 'Its plan writes there, but this backup did not get there yet.',
  frozen: 'It lies in a cold storage class and has to be brought back before it can be read.',
  thawing: 'The provider is bringing it back; this takes minutes to days. Reading it waits until then.',
};

/** Where a backup lies, how each copy stands, and what can be done with it. */
export function CopiesTab({ detail }: { detail: BackupDetail }) {
  const there = detail.copies.filter((copy) => copy.state !== 'missing').length;
  return (
    <>
      <ul className="copies" aria-label="Copies">
        {detail.copies.map((copy) => <Copy key={copy.destination} detail={detail} copy={copy} alone={there < 2} />)}
      </ul>
      {detail.copies.length < 2 && <p className="mute card-pad">One copy is one accident away from none. Let the plan write to a second destination.</p>}
    </>
  );
}

function Copy({ detail, copy, alone }: { detail: BackupDetail; copy: CopyView; alone: boolean }) {
  const [dialog, setDialog] = useState<'link' | 'thaw' | 'delete' | null>(null);
  const close = () => setDialog(null);
  const { destination: id, destination_name: name } = copy;
  const sync = useSync();
  return (
    <li>
      <div className="row">
        <Link to={`/destinations/${id}`}>{name}</Link>
        <span className="grow" />
        <StateBadge state={copy.state} />
      </div>
      {copy.file && <div className="row mute"><PathText path={copy.file} />{copy.file_bytes !== null && <span className="copy-size">{formatBytes(copy.file_bytes)}</span>}</div>}
      {STATES[copy.state] && <div className="mute small">{STATES[copy.state]}</div>}
      {copy.locked_until !== null && <div className="mute small">Locked until {formatExact(copy.locked_until)}: nobody can delete it before. Each backup there extends the lock.</div>}
      {copy.cost_note && <div className="mute small">{copy.cost_note}</div>}
      <div className="row copy-actions">
        {copy.state === 'missing' && <Button size="compact-sm" loading={sync.busy} aria-label={`Sync now: ${name}`} onClick={() => sync.run({ id, name })}>Sync now</Button>}
        {copy.state === 'frozen' && <Button size="compact-sm" aria-label={`Bring back… the copy at ${name}`} onClick={() => setDialog('thaw')}>Bring back…</Button>}
        {copy.links && <Button size="compact-sm" aria-label={`Temporary link… to the copy at ${name}`} onClick={() => setDialog('link')}>Temporary link…</Button>}
        {copy.state !== 'missing' && !alone && <Button size="compact-sm" aria-label={`Delete this copy… at ${name}`} onClick={() => setDialog('delete')}>Delete this copy…</Button>}
      </div>
      {dialog === 'thaw' && <ThawDialog backup={detail.row} copy={copy} onClose={close} />}
      {dialog === 'link' && <LinkDialog backup={detail.row} copy={copy} onClose={close} />}
      {dialog === 'delete' && <DeleteDialog backup={detail.row} copy={copy} onClose={close} />}
    </li>
  );
}
