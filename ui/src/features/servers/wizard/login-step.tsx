import { PasswordInput, SegmentedControl } from '@mantine/core';
import { useState } from 'react';
import type { ServerDraft } from '../../../ipc';
import { JumpCard, KEPT, LoginCard, checkLogin, keepsSudo, type Faults, type PartProps } from '../../../shared/ssh';
import { Card } from '../../../shared/ui';
import { showFaults } from './faults';
import { StepFoot } from './step-foot';

type Props = { draft: ServerDraft; onChange: (draft: ServerDraft) => void; onNext: () => void; onBack: () => void; was: ServerDraft | null };

/** Step 2: user, the way of logging in, jump hosts, sudo. */
export function LoginStep({ draft, onChange, onNext, onBack, was }: Props) {
  const [faults, setFaults] = useState<Faults>({});
  const set = (part: Partial<ServerDraft>) => onChange({ ...draft, ...part });
  const submit = (form: HTMLFormElement) => {
    const found = checkLogin(draft, was);
    if (Object.keys(found).length === 0) onNext();
    else showFaults(form, () => setFaults(found));
  };
  return (
    <form className="stack" onSubmit={(event) => { event.preventDefault(); submit(event.currentTarget); }} noValidate>
      {!draft.local && <LoginCard draft={draft} set={set} faults={faults} was={was} />}
      <SudoCard draft={draft} set={set} faults={faults} was={was} />
      {!draft.local && <JumpCard draft={draft} set={set} faults={faults} was={was} />}
      <StepFoot onBack={onBack} next="Continue" />
    </form>
  );
}

function SudoCard({ draft, set, faults, was }: PartProps) {
  const same = draft.auth === 'password' && !draft.local;
  return (
    <Card title="Files that only root may read" padded>
      <div className="stack">
        <SegmentedControl
          aria-label="Use of sudo"
          value={draft.sudo}
          onChange={(sudo) => set({ sudo })}
          style={{ alignSelf: 'flex-start' }}
          data={[{ value: 'none', label: 'No sudo' }, { value: 'without_password', label: 'sudo without password' }, { value: 'with_password', label: 'sudo with password' }]}
        />
        {draft.sudo === 'none' && <p className="mute">Backstay reads what {draft.local ? 'you' : draft.user || 'the user'} may read.</p>}
        {draft.sudo === 'without_password' && <p className="mute">The test says whether it works, and gives the line for sudoers if not.</p>}
        {draft.sudo === 'with_password' && (
          <PasswordInput label="sudo's password" description={same ? 'empty: the same as for logging in' : keepsSudo(was) ? KEPT : undefined} maw={320} value={draft.sudo_password ?? ''} error={faults.sudo_password} onChange={(event) => set({ sudo_password: event.currentTarget.value || null })} />
        )}
      </div>
    </Card>
  );
}
