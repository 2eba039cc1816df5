import { Button } from '@mantine/core';
import { IconCheck } from '@tabler/icons-react';
import { useState } from 'react';
import type { DestinationAdded } from '../../ipc';
import { plural } from '../../shared/format';
import { KitConfirm, KitSheet } from '../../shared/kit';
import { navigate } from '../../shared/router';
import { Card, Note, Tick } from '../../shared/ui';
import { wayBack } from '../../shared/wizard';
import type { Use } from './form';

/** The kit, at the left of the last step; without a vault there is none. */
export function AddedStep({ added, use }: { added: DestinationAdded; use: Use }) {
  const { destination, kit } = added;
  return (
    <>
      {kit && !added.created && (
        <Note tone="good" icon={<Tick state="done">{''}</Tick>}>
          Opened the vault in {destination.place}: {plural(added.backups, 'backup')} found. They are in Backups now.
        </Note>
      )}
      {!kit && (
        <Note tone="good" icon={<IconCheck size={18} aria-hidden />}>
          {use === 'copy' ? 'Edit a plan that writes to the vault, and tick this one as well: the vault is then copied here.' : added.backups > 0 ? `${plural(added.backups, 'archive')} found there.` : `Now let a plan make archives in ${destination.name}.`}
        </Note>
      )}
      {kit && <Card padded><KitSheet id={destination.id} kit={kit} /></Card>}
    </>
  );
}

/** The question at the right of it. */
export function AddedSide({ added, use }: { added: DestinationAdded; use: Use }) {
  const [confirmed, setConfirmed] = useState(added.kit === null || (added.destination.state !== 'kit_not_confirmed' && !added.created));
  const { name, id } = added.destination;
  const plan = wayBack();
  if (confirmed || !added.kit) {
    return (
      <div className="card-pad stack">
        {added.kit && (
          <>
            <Tick state="done">{added.created ? 'The kit is confirmed' : `${name} is ready`}</Tick>
            <p className="mute">Keep the kit where neither a thief nor a fire finds both it and the backups.</p>
          </>
        )}
        {plan !== null && <Button variant="filled" onClick={() => navigate(`${plan}?destination=${encodeURIComponent(id)}`)}>Go on with the plan</Button>}
        {plan === null && use === 'copy' && <Button variant="filled" onClick={() => navigate('/plans')}>Choose a plan to write here too</Button>}
        {plan === null && <Button variant={use === 'copy' ? 'default' : 'filled'} onClick={() => navigate(`/plans/new?destination=${encodeURIComponent(id)}`)}>Make a plan that writes here</Button>}
        <Button onClick={() => navigate(`/destinations/${id}`)}>Show {name}</Button>
      </div>
    );
  }
  return (
    <div className="card-pad stack">
      <p>Print the kit or save it somewhere else first: on another computer, a stick, in a safe. Then type one word back.</p>
      <KitConfirm id={id} kit={added.kit} ask={added.ask_word} onConfirmed={() => setConfirmed(true)} onLater={() => navigate(`/destinations/${id}`)} />
    </div>
  );
}
