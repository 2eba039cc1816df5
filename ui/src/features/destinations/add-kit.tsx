import { Button } from '@mantine/core';
import { useState } from 'react';
import type { DestinationAdded } from '../../ipc';
import { plural } from '../../shared/format';
import { navigate } from '../../shared/router';
import { Card, Note, Tick } from '../../shared/ui';
import { KitConfirm, KitSheet } from './kit';

/** The kit, at the left of the last step. */
export function AddedStep({ added }: { added: DestinationAdded }) {
  return (
    <>
      {!added.created && (
        <Note tone="good" icon={<Tick state="done">{''}</Tick>}>
          Opened the vault in {added.destination.place}: {plural(added.backups, 'backup')} found. They are in Backups now.
        </Note>
      )}
      <Card padded>
        <KitSheet id={added.destination.id} kit={added.kit} />
      </Card>
    </>
  );
}

/** The question at the right of it. */
export function AddedSide({ added }: { added: DestinationAdded }) {
  const [confirmed, setConfirmed] = useState(added.destination.state !== 'kit_not_confirmed' && !added.created);
  const { name, id } = added.destination;
  if (confirmed) {
    return (
      <div className="card-pad stack">
        <Tick state="done">{added.created ? 'The kit is confirmed' : `${name} is ready`}</Tick>
        <p className="mute">Keep the kit where neither a thief nor a fire finds both it and the backups.</p>
        <Button variant="filled" onClick={() => navigate(`/plans/new?destination=${encodeURIComponent(id)}`)}>Make a plan that writes here</Button>
        <Button onClick={() => navigate(`/destinations/${id}`)}>Show {name}</Button>
      </div>
    );
  }
  return (
    <div className="card-pad stack">
      <p>Print the kit or save it somewhere else first: on another computer, a stick, in a safe. Then type one word back.</p>
      <KitConfirm
        id={id}
        destination={name}
        words={added.kit.words.length}
        ask={added.ask_word}
        onConfirmed={() => setConfirmed(true)}
        onLater={() => navigate(`/destinations/${id}`)}
      />
    </div>
  );
}
