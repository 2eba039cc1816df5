import { Button } from '@mantine/core';
import { useState } from 'react';
import type { PlanRow, RecoveryKit } from '../../ipc';
import { KitConfirm, KitSheet, kitPart } from '../../shared/kit';
import { navigate } from '../../shared/router';
import { Card, Tick } from '../../shared/ui';
import { WizardPage } from '../../shared/wizard';

/** The recovery kit of a plan's archive key, once the plan is saved; one part of it is asked back. */
export function PlanKitPage({ row, kit }: { row: PlanRow; kit: RecoveryKit }) {
  const [confirmed, setConfirmed] = useState(false);
  const [random] = useState(() => Math.random());
  const ask = 1 + Math.floor(random * kit.words.length);
  const part = kitPart(kit);
  const show = () => navigate(`/plans/${row.id}`, { replace: true });
  return (
    <WizardPage
      title={`Recovery kit of ${row.name}`}
      text="Without it, nobody can open its archives once this computer is lost"
      steps={[]}
      current={0}
      side={{
        title: 'Is it safe?',
        body: confirmed ? (
          <div className="card-pad stack">
            <Tick state="done">The kit is confirmed</Tick>
            <p className="mute">Keep the kit where neither a thief nor a fire finds both it and the archives.</p>
            <Button variant="filled" onClick={show}>Show the plan</Button>
          </div>
        ) : (
          <div className="card-pad stack">
            <p>Print the kit or save it somewhere else first: on another computer, a stick, in a safe. Then type {part === 'key' ? 'the key' : `one ${part}`} back.</p>
            <KitConfirm id={row.id} kit={kit} of="plans" ask={ask} onConfirmed={() => setConfirmed(true)} onLater={show} />
          </div>
        ),
      }}
    >
      <Card padded><KitSheet id={row.id} kit={kit} of="plans" /></Card>
    </WizardPage>
  );
}
