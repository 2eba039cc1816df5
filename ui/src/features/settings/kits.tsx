import { Button, Modal } from '@mantine/core';
import { IconKey } from '@tabler/icons-react';
import { useState } from 'react';
import { api, type DestinationRow, type RecoveryKit } from '../../ipc';
import { listText } from '../../shared/format';
import { KitSheet, type KitOf } from '../../shared/kit';
import { useAction, usePlans } from '../../shared/query';
import { navigate } from '../../shared/router';
import { Card, EmptyState, ErrorNote, Note, PathText, StateBadge } from '../../shared/ui';
import { useDestinations } from './queries';
import { sealsArchives } from './rules';

type Holder = { of: KitOf; id: string; name: string };
type Shown = { holder: Holder; kit: RecoveryKit };

/** The key of each vault and of each plan that seals archives, with its recovery kit: the paper that brings everything back. */
export function Kits() {
  const destinations = useDestinations();
  const plans = usePlans();
  const [shown, setShown] = useState<Shown | null>(null);
  const show = useAction(async (holder: Holder) => ({ holder, kit: await (holder.of === 'plans' ? api.planKit(holder.id) : api.recoveryKit(holder.id)) }), { onDone: setShown });
  if (destinations.error && !destinations.data) return <ErrorNote error={destinations.error} retry={() => void destinations.refetch()} />;
  const vaults = (destinations.data ?? []).filter((row) => row.vault);
  const sealed = (plans.data ?? []).filter((row) => sealsArchives(row.layout));
  return (
    <>
      <Card title="Vaults">
        {vaults.length === 0 ? (
          <EmptyState icon={IconKey} title="No keys yet" text="Each vault has a key of its own. Its recovery kit is made with it." action={<Button onClick={() => navigate('/destinations/new')}>Add a destination</Button>} />
        ) : (
          <ul className="lines kit-lines">
            {vaults.map((row) => <VaultLine key={row.id} row={row} busy={show.busy} onShow={() => show.run({ of: 'destinations', id: row.id, name: row.name })} />)}
          </ul>
        )}
      </Card>
      {sealed.length > 0 && (
        <Card title="Archives of plans">
          <ul className="lines kit-lines">
            {sealed.map((row) => (
              <li key={row.id}>
                <div className="grow"><b>{row.name}</b> <span className="mute">{row.layout}</span></div>
                {row.kit_confirmed === false && <ConfirmKit name={row.name} to={`/plans/${row.id}`} />}
                <Button loading={show.busy} aria-label={`Show kit… of ${row.name}`} onClick={() => show.run({ of: 'plans', id: row.id, name: row.name })}>Show kit…</Button>
              </li>
            ))}
          </ul>
        </Card>
      )}
      <Modal opened={shown !== null} onClose={() => setShown(null)} title={`Recovery kit of ${shown?.holder.name ?? ''}`} size="lg">
        {shown && (
          <div className="stack">
            <Note tone="warn">Whoever has this can read every backup {shown.holder.of === 'plans' ? 'of' : 'at'} {shown.holder.name}. Print it, and keep it where a fire or a thief does not get both.</Note>
            <KitSheet id={shown.holder.id} kit={shown.kit} of={shown.holder.of} />
          </div>
        )}
      </Modal>
    </>
  );
}

/** Says that a kit was never confirmed, and leads to where it is. */
function ConfirmKit({ name, to }: { name: string; to: string }) {
  return (
    <>
      <StateBadge state="kit_not_confirmed" />
      <Button aria-label={`Confirm… the kit of ${name}`} onClick={() => navigate(to)}>Confirm…</Button>
    </>
  );
}

function VaultLine({ row, busy, onShow }: { row: DestinationRow; busy: boolean; onShow: () => void }) {
  return (
    <li>
      <div className="grow">
        <b>{row.name}</b> <span className="mute"><PathText path={row.place} /></span>
        {row.copies_of.length > 0 && <div className="mute small">the same key as {listText(row.copies_of)}</div>}
      </div>
      {row.state === 'kit_not_confirmed' && <ConfirmKit name={row.name} to={`/destinations/${row.id}`} />}
      <Button loading={busy} aria-label={`Show kit… of ${row.name}`} onClick={onShow}>Show kit…</Button>
    </li>
  );
}
