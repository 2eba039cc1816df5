import type { ServerDraft } from '../../../ipc';
import { HostKeyCheck, cleaned } from '../../../shared/ssh';
import { ConnectionTestCard } from '../connection-test';
import { StepFoot } from './step-foot';

type Props = { draft: ServerDraft; onChange: (draft: ServerDraft) => void; onNext: () => void; onBack: () => void };

/** Step 3: the host keys on the way, one after the other; when all are accepted, the log-in is tried. */
export function FingerprintStep({ draft, onChange, onNext, onBack }: Props) {
  return (
    <div className="stack">
      <HostKeyCheck draft={draft} onChange={onChange}>
        <ConnectionTestCard draft={cleaned(draft)} automatic onNext={onNext} />
      </HostKeyCheck>
      <StepFoot onBack={onBack} next={null} />
    </div>
  );
}
