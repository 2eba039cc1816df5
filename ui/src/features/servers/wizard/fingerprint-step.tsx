import { useState } from 'react';
import type { ServerDraft } from '../../../ipc';
import { HostKeyCheck, cleaned } from '../../../shared/ssh';
import { ConnectionTestCard } from '../connection-test';
import { StepFoot } from './step-foot';

type Props = { draft: ServerDraft; onChange: (draft: ServerDraft) => void; onNext: () => void; onBack: () => void };

/** Step 3: the host keys on the way, one after the other; when all are accepted, the log-in is tried. */
export function FingerprintStep({ draft, onChange, onNext, onBack }: Props) {
  const [works, setWorks] = useState(false);
  return (
    <div className="stack">
      <HostKeyCheck draft={draft} onChange={onChange}>
        <ConnectionTestCard draft={cleaned(draft)} automatic onTested={setWorks} />
      </HostKeyCheck>
      <StepFoot onBack={onBack} next={works ? 'Continue' : null} onNext={onNext} />
    </div>
  );
}
