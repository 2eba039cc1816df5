import { IconDeviceDesktop, IconFileText, IconServer } from '@tabler/icons-react';
import { Button, NumberInput, TextInput } from '@mantine/core';
import { useState } from 'react';
import type { ServerDraft, ServerRow, SshConfigHost } from '../../../ipc';
import { Link } from '../../../shared/router';
import { checkWhere, withAddress, type Faults } from '../../../shared/ssh';
import { Card, EmptyState, ErrorNote, FilterBox, Note } from '../../../shared/ui';
import { useSshConfigHosts } from '../queries';
import { Choice } from './choice';
import { showFaults } from './faults';
import { StepFoot } from './step-foot';

type Way = 'address' | 'config' | 'local';
type Props = {
  draft: ServerDraft; onChange: (draft: ServerDraft) => void; onNext: () => void; onBack: () => void; servers: ServerRow[]; stored: boolean;
};

/** Step 1: this computer, an address, or a pick from the SSH config. */
export function WhereStep({ draft, onChange, onNext, onBack, servers, stored }: Props) {
  const [way, setWay] = useState<Way>(draft.local ? 'local' : 'address');
  const [shown, setShown] = useState<Faults>({});
  const here = servers.find((server) => server.local);
  const submit = (form: HTMLFormElement) => {
    const faults = checkWhere(draft, servers);
    if (Object.keys(faults).length === 0) onNext();
    else showFaults(form, () => setShown(faults));
  };
  const choose = (to: Way) => {
    setWay(to);
    setShown({});
    onChange({ ...draft, local: to === 'local', name: to === 'local' && draft.name === '' ? 'This computer' : draft.name });
  };
  const pick = (host: SshConfigHost) => {
    onChange({ ...host.draft, id: draft.id });
    setWay('address');
  };
  const taken = way === 'local' && here && here.id !== draft.id;
  return (
    <form className="stack" onSubmit={(event) => { event.preventDefault(); submit(event.currentTarget); }} noValidate>
      {!stored && (
        <div className="choices" role="radiogroup" aria-label="Where is the server?">
          <Choice icon={IconServer} title="By its address" text="A name or address, reached over SSH" on={way === 'address'} onChoose={() => choose('address')} />
          <Choice icon={IconFileText} title="From your SSH config" text="A host of ~/.ssh/config, with its key and jump host" on={way === 'config'} onChoose={() => choose('config')} />
          <Choice icon={IconDeviceDesktop} title="This computer" text="Its own files and databases" on={way === 'local'} onChoose={() => choose('local')} />
        </div>
      )}
      {way === 'config' && <ConfigHosts onPick={pick} />}
      {way === 'address' && <AddressFields draft={draft} onChange={onChange} faults={shown} />}
      {taken && <Note tone="run">This computer is in the list already: <Link to={`/servers/${here.id}`}>{here.name}</Link>. Make a plan of it there.</Note>}
      {way === 'local' && !taken && (
        <Card padded>
          <TextInput label="Name" maw={320} value={draft.name} error={shown.name} onChange={(event) => onChange({ ...draft, name: event.currentTarget.value })} />
        </Card>
      )}
      <StepFoot onBack={onBack} backTitle="Cancel" next={way === 'config' || taken ? null : 'Continue'} />
    </form>
  );
}

function AddressFields({ draft, onChange, faults }: { draft: ServerDraft; onChange: (draft: ServerDraft) => void; faults: Faults }) {
  // What is being typed stays as typed; what it means goes into the draft when the field is left.
  const [text, setText] = useState(draft.host);
  return (
    <Card padded>
      <div className="form-grid">
        <TextInput
          label="Address"
          description="Host name or address; root@10.0.0.5:2222 works too"
          placeholder="web-1.example.org"
          data-autofocus
          value={text}
          error={faults.host}
          onChange={(event) => {
            setText(event.currentTarget.value);
            onChange({ ...withAddress(draft, event.currentTarget.value) });
          }}
          onBlur={() => setText(draft.host)}
        />
        <NumberInput
          label="Port" description="Usually 22" min={1} max={65535} hideControls allowDecimal={false} allowNegative={false}
          value={draft.port} error={faults.port}
          onChange={(value) => onChange({ ...draft, port: Number(value) || 0, fingerprint: null })}
        />
        <TextInput label="Name" description="As you call it" value={draft.name} error={faults.name} onChange={(event) => onChange({ ...draft, name: event.currentTarget.value })} />
      </div>
    </Card>
  );
}

function ConfigHosts({ onPick }: { onPick: (host: SshConfigHost) => void }) {
  const hosts = useSshConfigHosts(true);
  const [text, setText] = useState('');
  if (hosts.error) return <ErrorNote error={hosts.error} retry={() => void hosts.refetch()} />;
  if (!hosts.data) return <Card padded><span className="mute">Reading ~/.ssh/config</span></Card>;
  if (hosts.data.length === 0) return <Card><EmptyState title="No hosts in ~/.ssh/config" text="Give the address instead." /></Card>;
  const shown = hosts.data.filter((host) => `${host.alias} ${host.summary}`.toLowerCase().includes(text.toLowerCase()));
  return (
    <Card title="Hosts of ~/.ssh/config" aside={hosts.data.length > 8 ? <FilterBox value={text} onChange={setText} /> : undefined}>
      <ul className="lines">
        {shown.map((host) => (
          <li key={host.alias}>
            <div className="grow"><b>{host.alias}</b> <span className="mute">{host.summary}</span></div>
            <Button aria-label={`Use ${host.alias}`} onClick={() => onPick(host)}>Use</Button>
          </li>
        ))}
        {shown.length === 0 && <li className="mute">No host matches “{text}”</li>}
      </ul>
    </Card>
  );
}
