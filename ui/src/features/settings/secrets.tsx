import { Button, PasswordInput } from '@mantine/core';
import { IconShieldCheck } from '@tabler/icons-react';
import { useState } from 'react';
import { api, type SecretsStatus } from '../../ipc';
import { useAction } from '../../shared/query';
import { Card, ErrorNote, KeyValues, Note, PathText, StateBadge } from '../../shared/ui';
import { useSecrets } from './queries';
import { checkPassphrase } from './rules';

const PLACES: Record<string, string> = { keyring: "Your system's keyring", file: 'A file sealed by your passphrase', none: 'Nowhere yet' };

/** Where passwords and keys rest, and the way to open or make that place. */
export function Secrets() {
  const secrets = useSecrets();
  if (secrets.error && !secrets.data) return <ErrorNote error={secrets.error} retry={() => void secrets.refetch()} />;
  if (!secrets.data) return null;
  const { data } = secrets;
  return (
    <>
      <Card title="Passwords and keys" aside={<StateBadge state={data.state === 'ready' ? 'ok' : data.state === 'locked' ? 'locked' : 'note'} text={{ ready: 'Ready', locked: 'Locked', not_set_up: 'Not set up' }[data.state]} />}>
        <KeyValues
          rows={[
            { name: 'They rest in', value: PLACES[data.backend] ?? data.backend },
            ...(data.file ? [{ name: 'File', value: <PathText path={data.file} wrap /> }] : []),
            ...(data.reason ? [{ name: 'No keyring', value: data.reason }] : []),
          ]}
        />
      </Card>
      {data.state === 'locked' && <Unlock />}
      {data.state === 'not_set_up' && <Create status={data} />}
      {data.state === 'ready' && <Note tone="good" icon={<IconShieldCheck size={18} aria-hidden />}>They are never in the database, in logs, or on a server&apos;s command line.</Note>}
    </>
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
