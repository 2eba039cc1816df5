import { PasswordInput, TextInput } from '@mantine/core';
import { useState } from 'react';
import type { DestinationRow, IpcError } from '../../ipc';
import { Card, ErrorNote } from '../../shared/ui';
import { Choices, type Choice } from '../../shared/wizard';
import { SHORTEST_PASSWORD, purposesFor, type DestinationForm, type KeyChoice, type Problems, type Use } from './form';
import { changeDraft, type Change } from './step-where';

type Props = { form: DestinationForm; found: string; others: DestinationRow[]; problems: Problems; error: IpcError | null; onChange: Change };

/** Its name, what it is for, and the vault's key. */
export function UseStep({ form, found, others, problems, error, onChange }: Props) {
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const touch = (field: string) => setLeft((old) => new Set(old).add(field));
  const shown = (field: string) => (left.has(field) ? (problems[field] ?? null) : null);
  const { draft, use, key } = form;
  const opening = found === 'vault' && use === 'vault';
  const making = found !== 'vault' && use === 'vault';
  return (
    <>
      {error && <ErrorNote error={error} />}
      <Card padded>
        <TextInput
          label="Name"
          description="What it is called everywhere in Backstay"
          value={draft.name}
          error={problems.name && draft.name !== '' ? problems.name : shown('name')}
          onChange={(event) => changeDraft(onChange, { name: event.currentTarget.value })}
          onBlur={() => touch('name')}
        />
      </Card>
      <Card title="What it is for" padded>
        <Choices<Use> label="What it is for" value={use} onChange={(to) => onChange((old) => ({ ...old, use: to }))} options={purposesFor(found, others).map((each) => purposeChoice(each, found, others))} />
      </Card>
      {(making || opening) && (
        <Card title={opening ? 'Its password' : 'Key of the vault'} padded>
          <div className="stack" style={{ gap: 16 }}>
            {making && (
              <Choices<KeyChoice>
                label="Key of the vault"
                value={key}
                onChange={(to) => onChange((old) => ({ ...old, key: to }))}
                options={[
                  { value: 'made', title: 'Make a strong key for me', text: 'Words that can be read from paper and typed. The best choice.' },
                  { value: 'own', title: 'I choose the key', text: `At least ${SHORTEST_PASSWORD} characters, used nowhere else.` },
                ]}
              />
            )}
            {(opening || key === 'own') && (
              <PasswordInput label={opening ? 'Password of the vault' : 'Key'} value={draft.vault_password ?? ''} error={shown('password')} onChange={(event) => changeDraft(onChange, { vault_password: event.currentTarget.value || null })} onBlur={() => touch('password')} />
            )}
            {making && key === 'own' && (
              <PasswordInput
                label="The key once more"
                value={form.repeated}
                error={shown('repeated')}
                onChange={(event) => {
                  const repeated = event.currentTarget.value;
                  onChange((old) => ({ ...old, repeated }));
                }}
                onBlur={() => touch('repeated')}
              />
            )}
          </div>
        </Card>
      )}
    </>
  );
}

function purposeChoice(use: Use, found: string, others: DestinationRow[]): Choice<Use> {
  if (use === 'vault') {
    return found === 'vault'
      ? { value: use, title: 'Open the vault that is here', text: 'With its password, from its recovery kit. Its backups are listed, and plans can write to it.' }
      : { value: use, title: 'A new vault', text: 'Each backup keeps only what changed; everything is encrypted. The usual choice. Archives can lie beside it.' };
  }
  if (use === 'copy') {
    const vaults = others.filter((row) => row.vault).map((row) => row.name);
    return { value: use, title: 'A copy of another vault', text: `For a second place of ${vaults.slice(0, 3).join(', ')}${vaults.length > 3 ? ` or ${vaults.length - 3} more` : ''}. Let a plan write to both: the vault with its key is then copied here, and kept equal.` };
  }
  return { value: use, title: 'Archives only', text: 'One file for each backup, that can be taken away and opened by itself. Plans say how they are sealed.' };
}

/** What the key does, at the right. */
export function UseSide({ use, opening }: { use: Use; opening: boolean }) {
  return (
    <div className="card-pad stack">
      {use === 'copy' && <p>Nothing is written yet. When a plan has this destination as its second, everything in its vault is copied here first; from then on each backup goes to both.</p>}
      {use === 'archives' && <p>Nothing is written yet. A plan that makes archives names its key or passphrase; each such plan has a recovery kit of its own.</p>}
      {use === 'vault' && opening && <p>There is a vault in this folder already. Its password is on its recovery kit. Nothing in it is changed by opening it.</p>}
      {use === 'vault' && !opening && (
        <>
          <p>The vault is encrypted with this key. It is kept with the other secrets of this computer, so that backups run without asking.</p>
          <p>On the next page you get it as a recovery kit, to print or to save elsewhere. There is no other way back in: nobody can reset it.</p>
        </>
      )}
    </div>
  );
}
