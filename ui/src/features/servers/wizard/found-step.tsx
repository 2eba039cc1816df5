import { Button, TextInput } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { api, type ServerDraft } from '../../../ipc';
import { useAction } from '../../../shared/query';
import { navigate } from '../../../shared/router';
import { Card, ErrorNote, Tick } from '../../../shared/ui';
import { Facts, FoundList } from '../facts';
import { StepFoot } from './step-foot';

/** Step 4: what is there; the server is saved, and a plan can be made of it. */
export function FoundStep({ draft, stored, onBack }: { draft: ServerDraft; stored: boolean; onBack: () => void }) {
  const [name, setName] = useState(draft.name);
  const discover = useAction(api.discoverServer, { inline: true });
  const begun = useRef(false);
  const { run } = discover;
  useEffect(() => {
    if (begun.current) return;
    begun.current = true;
    run(draft);
  }, [run, draft]);
  const then = useRef<'plan' | 'server'>('plan');
  const save = useAction(api.saveServer, {
    inline: true,
    changes: ['servers'],
    onDone: (row) => navigate(then.current === 'plan' ? `/plans/new?server=${encodeURIComponent(row.id)}` : `/servers/${row.id}`),
  });
  const submit = (to: 'plan' | 'server') => {
    then.current = to;
    save.run({ ...draft, name: name.trim() });
  };
  const facts = discover.result;
  return (
    <div className="stack">
      {discover.busy && <Card padded><Tick state="now">Looking what is on {name}: system, room, tools, databases, big folders</Tick></Card>}
      {discover.error && <ErrorNote error={{ ...discover.error, hint: discover.error.hint ?? 'The server can be saved all the same.' }} retry={() => run(draft)} />}
      {facts && !discover.busy && (
        <>
          <Card padded><TextInput label="Name" maw={320} value={name} onChange={(event) => setName(event.currentTarget.value)} error={name.trim() ? undefined : 'Give it a name'} /></Card>
          <div className="found-grid">
            <Card title="Worth backing up" aside={facts.found.length}><FoundList facts={facts} /></Card>
            <Card title="The server"><Facts facts={facts} /></Card>
          </div>
        </>
      )}
      {save.error && <ErrorNote error={save.error} />}
      <StepFoot onBack={onBack} next={stored || discover.busy ? null : 'Save, and make a plan of it'} busy={save.busy} onNext={() => submit('plan')}>
        <Button variant={stored ? 'filled' : 'default'} loading={save.busy} disabled={!name.trim()} onClick={() => submit('server')}>{stored ? 'Save' : 'Save only'}</Button>
      </StepFoot>
    </div>
  );
}
