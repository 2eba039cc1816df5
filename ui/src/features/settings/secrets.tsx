import { Button, PasswordInput } from '@mantine/core';
import { IconShieldCheck } from '@tabler/icons-react';
import { useState } from 'react';
import { api, type SecretsStatus } from '../../ipc';
import { useAction } from '../../shared/query';
import { Card, ErrorNote, KeyValues, Note, PathText, StateBadge } from '../../shared/ui';
import { useSecrets } from './queries';
import { checkPassphrase } from './rules';

const PLACES: Record<string, string> = { keyring: "Your system's keyring", file: 'A file sealed by your passphrase', none: 'Nowhere yet' };

const WORDS: Record<string, string> = { ready: 'Ready', locked: 'Locked', keyring_closed: 'Does not open', not_set_up: 'Not set up' };

/** Where passwords and keys rest, and the way to open or make that place. */
export function Secrets() {
  const secrets = useSecrets();
  if (secrets.error && !secrets.data) return <ErrorNote error={secrets.error} retry={() => void secrets.refetch()} />;
  if (!secrets.data) return null;
  const { data } = secrets;
  return (
    <>
      <Card title="Passwords and keys" aside={<StateBadge state={data.state === 'ready' ? 'ok' : data.state === 'not_set_up' ? 'note' : 'locked'} text={WORDS[data.state]} />}>
        <KeyValues
          rows={[
            { name: 'They rest in', value: PLACES[data.backend] ?? data.backend },
            ...(data.file && data.backend === 'file' ? [{ name: 'File', value: <PathText path={data.file} wrap /> }] : []),
            ...(data.reason ? [{ name: 'Keyring', value: data.reason }] : []),
          ]}
        />
      </Card>
      {data.state === 'locked' && <Unlock />}
      {data.state === 'keyring_closed' && <KeyringClosed status={data} />}
      {data.backend === 'file' && data.keyring_used && <KeyringBefore />}
      {data.state === 'not_set_up' && <Create status={data} />}
      {data.state === 'ready' && <Note tone="good" icon={<IconShieldCheck size={18} aria-hidden />}>They are never in the database, in logs, or on a server&apos;s command line.</Note>}
    </>
  );
}

function useTryKeyring() {
  return useAction(api.secretsTryKeyring, { changes: ['secrets'] });
}

/** A keyring that is there, or was in use before: trying again goes first, and beginning anew says what it costs. */
function KeyringClosed({ status }: { status: SecretsStatus }) {
  const [making, setMaking] = useState(false);
  const again = useTryKeyring();
  return (
    <>
      <Card title="Open the keyring" padded>
        <div className="stack">
          <p>{status.keyring_used ? 'The passwords and keys of this Backstay rest in the keyring.' : 'Nothing of this Backstay rests in the keyring yet.'} Unlock it, or start it, with your desktop&apos;s own program; then try again.</p>
          {again.result?.state === 'keyring_closed' && !again.busy && <p role="status">Tried again just now: it does not open.</p>}
          <div className="row">
            <Button variant="filled" loading={again.busy} onClick={() => again.run()}>Try again</Button>
            {!making && <Button onClick={() => setMaking(true)}>Make a sealed file instead…</Button>}
          </div>
        </div>
      </Card>
      {making && status.keyring_used && (
        <Note tone="warn">
          <b>A sealed file begins empty.</b> From then on Backstay reads it first. What it lacks is looked up in the keyring while that can be opened; where it cannot, every
          server&apos;s password has to be given anew, and every vault opened with its recovery kit.
        </Note>
      )}
      {making && <Create status={status} />}
    </>
  );
}

function KeyringBefore() {
  const again = useTryKeyring();
  return (
    <Note tone="run" action={<Button loading={again.busy} onClick={() => again.run()}>Try the keyring again</Button>}>
      Passwords and keys were kept in the keyring before. What the file lacks is looked up there while it can be opened.
    </Note>
  );
}

function Unlock() {
  const [passphrase, setPassphrase] = useState('');
  const unlock = useAction(api.secretsUnlock, { inline: true, changes: ['secrets'] });
  return (
    <Card title="Unlock" padded>
      <form className="stack" onSubmit={(event) => { event.preventDefault(); if (passphrase) unlock.run(passphrase); }}>
        <PasswordInput label="Passphrase" maw={360} data-autofocus value={passphrase} onChange={(event) => setPassphrase(event.currentTarget.value)} />
        {unlock.error && <ErrorNote error={unlock.error} />}
        <div className="row"><Button type="submit" variant="filled" loading={unlock.busy} disabled={!passphrase}>Unlock</Button></div>
      </form>
    </Card>
  );
}

function Create({ status }: { status: SecretsStatus }) {
  const [passphrase, setPassphrase] = useState('');
  const [again, setAgain] = useState('');
  const [faults, setFaults] = useState<ReturnType<typeof checkPassphrase>>(null);
  const create = useAction(api.secretsCreateFile, { inline: true, changes: ['secrets'] });
  const submit = () => {
    const found = checkPassphrase(passphrase, again);
    setFaults(found);
    if (!found) create.run(passphrase);
  };
  return (
    <Card title="Make a sealed file" padded>
      <form className="stack" noValidate onSubmit={(event) => { event.preventDefault(); submit(); }}>
        <p>Passwords and keys are kept in a file of their own, sealed by a passphrase that you type when Backstay starts. There is no way round the passphrase; recovery kits do not need it.</p>
        {status.file && <p className="mute">It will be <PathText path={status.file} /></p>}
        <PasswordInput label="Passphrase" maw={360} value={passphrase} error={faults?.passphrase} onChange={(event) => setPassphrase(event.currentTarget.value)} />
        <PasswordInput label="The same again" maw={360} value={again} error={faults?.again} onChange={(event) => setAgain(event.currentTarget.value)} />
        {create.error && <ErrorNote error={create.error} />}
        <div className="row"><Button type="submit" variant="filled" loading={create.busy}>Make the file</Button></div>
      </form>
    </Card>
  );
}
