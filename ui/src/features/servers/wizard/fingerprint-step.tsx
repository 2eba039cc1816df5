import { Button } from '@mantine/core';
import { useState } from 'react';
import { api, type ServerDraft } from '../../../ipc';
import { useAction } from '../../../shared/query';
import { navigate } from '../../../shared/router';
import { HostKeyCheck, cleaned, renamed } from '../../../shared/ssh';
import { ErrorNote } from '../../../shared/ui';
import { ConnectionTestCard } from '../connection-test';
import { StepFoot } from './step-foot';

type Props = { draft: ServerDraft; was: ServerDraft | null; onChange: (draft: ServerDraft) => void; onNext: () => void; onBack: () => void };

/** Step 3: the host keys on the way, one after the other; when all are accepted, the log-in is tried. A new name alone needs none of it. */
export function FingerprintStep({ draft, was, onChange, onNext, onBack }: Props) {
  const [works, setWorks] = useState(false);
  const save = useAction(api.saveServer, { inline: true, changes: ['servers'], onDone: (row) => navigate(`/servers/${row.id}`) });
  const named = was && renamed(draft, was);
  const later = named ? 'The new name can be saved all the same.' : was ? 'What was changed can be saved once the server can be reached.' : 'It can be saved once it can be reached.';
  return (
    <div className="stack">
      <HostKeyCheck draft={draft} onChange={onChange} unreached={<p className="mute">{later}</p>}>
        <ConnectionTestCard draft={cleaned(draft)} automatic onTested={setWorks} />
      </HostKeyCheck>
      {save.error && <ErrorNote error={save.error} />}
      <StepFoot onBack={onBack} next={works ? 'Continue' : null} onNext={onNext}>
        {named && <Button loading={save.busy} onClick={() => save.run(named)}>Save the name</Button>}
      </StepFoot>
    </div>
  );
}
