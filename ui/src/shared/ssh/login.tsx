import { Button, NumberInput, PasswordInput, SegmentedControl, Select, Switch, TextInput } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { dialogs, type JumpDraft, type ServerDraft } from '../../ipc';
import { Card } from '../ui';
import { emptyJump, keepsJump, keepsPassword, needsPassword, type Faults } from './draft';
import './ssh.css';

/** Said of a secret that is stored already. */
export const KEPT = 'Empty keeps the stored one';

/** What the parts of a log-in form share. `was`: the log-in stored so far, or `null`. */
export type PartProps = { draft: ServerDraft; set: (part: Partial<ServerDraft>) => void; faults: Faults; was: ServerDraft | null };

/** User, and the way of logging in. */
export function LoginCard({ draft, set, faults, was }: PartProps) {
  return (
      <Card title="Log in" padded>
        <div className="stack">
          <TextInput label="User" maw={320} value={draft.user} error={faults.user} onChange={(event) => set({ user: event.currentTarget.value })} />
          <div>
            <div className="field-label" id="auth-label">By</div>
            <SegmentedControl
              aria-labelledby="auth-label"
              value={draft.auth}
              onChange={(auth) => set({ auth })}
              data={[{ value: 'agent', label: 'SSH agent' }, { value: 'key', label: 'Key file' }, { value: 'password', label: 'Password' }]}
            />
          </div>
          {draft.auth === 'agent' && <p className="mute">The keys of your SSH agent are tried, as ssh does.</p>}
          {draft.auth === 'key' && (
            <div className="form-grid">
              <KeyFile label="Private key file" value={draft.key_file} error={faults.key_file} onChange={(key_file) => set({ key_file })} />
              <PasswordInput label="Its passphrase" description={was?.auth === 'key' ? KEPT : 'Empty if it has none'} value={draft.key_passphrase ?? ''} onChange={(event) => set({ key_passphrase: event.currentTarget.value || null })} />
            </div>
          )}
          {draft.auth !== 'password' && (
            <Switch label="The server asks for the account’s password besides the key" checked={draft.password_too} onChange={(event) => set({ password_too: event.currentTarget.checked })} />
          )}
          {needsPassword(draft) && (
            <PasswordInput label="Password" description={keepsPassword(was) ? KEPT : undefined} maw={320} value={draft.password ?? ''} error={faults.password} onChange={(event) => set({ password: event.currentTarget.value || null })} />
          )}
        </div>
      </Card>
  );
}

/** `name`: what it is called where the label alone would leave open whose it is. */
function KeyFile({ label, name = label, value, error, onChange }: { label: string; name?: string; value: string | null; error: string | undefined; onChange: (file: string | null) => void }) {
  return (
    <TextInput
      label={label}
      aria-label={name}
      description="For example ~/.ssh/id_ed25519"
      classNames={{ input: 'mono' }}
      value={value ?? ''}
      error={error}
      onChange={(event) => onChange(event.currentTarget.value || null)}
      rightSectionWidth={90}
      rightSection={
        <Button
          size="compact-xs"
          aria-label={`Choose… ${name.toLowerCase()}`}
          onClick={async () => {
            const file = await dialogs.pickFile({ title: name });
            if (file) onChange(file);
          }}
        >
          Choose…
        </Button>
      }
    />
  );
}

/** The jump hosts on the way. */
export function JumpCard({ draft, set, faults, was }: PartProps) {
  const change = (at: number, part: Partial<JumpDraft>) => set({ jumps: draft.jumps.map((jump, i) => (i === at ? { ...jump, ...part } : jump)) });
  return (
    <Card
      title="Jump hosts"
      aside={<Button size="compact-sm" leftSection={<IconPlus size={14} />} onClick={() => set({ jumps: [...draft.jumps, emptyJump()] })}>Add a jump host</Button>}
      padded
    >
      {draft.jumps.length === 0 && <p className="mute">The server is reached directly. A jump host stands on the way where it is not, as with ssh -J.</p>}
      <div className="stack">
        {draft.jumps.map((jump, i) => (
          <fieldset className="jump" key={i}>
            <legend>Jump host {i + 1}</legend>
            <div className="form-grid">
              <TextInput label="Address" value={jump.host} error={faults[`jump.${i}.host`]} onChange={(event) => change(i, { host: event.currentTarget.value, fingerprint: null })} />
              <NumberInput label="Port" min={1} max={65535} hideControls value={jump.port} error={faults[`jump.${i}.port`]} onChange={(value) => change(i, { port: Number(value) || 0, fingerprint: null })} />
              <TextInput label="User" placeholder={draft.user} value={jump.user} error={faults[`jump.${i}.user`]} onChange={(event) => change(i, { user: event.currentTarget.value })} />
              <Select label="Log in by" value={jump.auth} onChange={(auth) => change(i, { auth: auth ?? 'same' })} data={[{ value: 'same', label: 'The same as the server' }, { value: 'agent', label: 'SSH agent' }, { value: 'key', label: 'Its own key file' }, { value: 'password', label: 'Its own password' }]} />
              {jump.auth === 'key' && <KeyFile label="Key file" name={`Key file of jump host ${i + 1}`} value={jump.key_file} error={faults[`jump.${i}.key_file`]} onChange={(key_file) => change(i, { key_file })} />}
              {jump.auth === 'key' && <PasswordInput label="Passphrase" aria-label={`Passphrase of the key of jump host ${i + 1}`} description={keepsJump(draft, jump, was) ? KEPT : 'Empty if it has none'} value={jump.key_passphrase ?? ''} onChange={(event) => change(i, { key_passphrase: event.currentTarget.value || null })} />}
              {jump.auth === 'password' && <PasswordInput label="Password" aria-label={`Password of jump host ${i + 1}`} description={keepsJump(draft, jump, was) ? KEPT : undefined} value={jump.password ?? ''} error={faults[`jump.${i}.password`]} onChange={(event) => change(i, { password: event.currentTarget.value || null })} />}
            </div>
            <Button size="compact-sm" variant="subtle" color="gray" leftSection={<IconTrash size={14} />} onClick={() => set({ jumps: draft.jumps.filter((_, at) => at !== i) })}>Remove jump host {i + 1}</Button>
          </fieldset>
        ))}
      </div>
    </Card>
  );
}
