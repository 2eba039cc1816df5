import { Button, NumberInput, Select, TextInput } from '@mantine/core';
import { IconShieldCheck } from '@tabler/icons-react';
import { useState, type ReactNode } from 'react';
import type { ServerDraft } from '../../ipc';
import { useServers } from '../../shared/query';
import { HostKeyCheck, JumpCard, LoginCard, emptyDraft, withAddress } from '../../shared/ssh';
import { Card, ErrorNote, Note } from '../../shared/ui';
import { Choices } from '../../shared/wizard';
import type { DetailProps } from './details-s3';

/** A folder over SFTP: of a server set up here, or at an address of its own. */
export function SftpDetails({ form, shown, onChange, onLeave }: DetailProps) {
  const { sftp, id } = form.draft;
  const servers = useServers();
  const set = (part: Partial<typeof sftp>) => onChange((old) => ({ ...old, draft: { ...old.draft, sftp: { ...old.draft.sftp, ...part } } }));
  const stored = id !== null;
  const known = (servers.data ?? []).filter((server) => !server.local);
  const folder = (
    <TextInput
      label="Folder" description="Starts at / or, without a leading slash, at the log-in folder. Made if it is not there." classNames={{ input: 'mono' }} placeholder="backups" disabled={stored}
      value={sftp.path} error={shown.path} onChange={(event) => set({ path: event.currentTarget.value })} onBlur={() => onLeave('path')}
    />
  );
  return (
    <>
      {!stored && (
        <Choices
          label="Which server"
          layout="grid"
          value={form.ownAddress ? 'own' : 'server'}
          onChange={(way) => onChange((old) => ({ ...old, ownAddress: way === 'own', draft: { ...old.draft, sftp: { ...old.draft.sftp, ssh: way === 'own' ? (old.draft.sftp.ssh ?? emptyDraft()) : old.draft.sftp.ssh } } }))}
          options={[
            { value: 'server', title: 'A server set up here', text: 'With its log-in and its way there' },
            { value: 'own', title: 'An address of its own', text: 'A storage box, a NAS; SFTP is all it needs' },
          ]}
        />
      )}
      {servers.error && <ErrorNote error={servers.error} retry={() => void servers.refetch()} />}
      {!form.ownAddress && (
        <Card padded>
          <Select
            label="Server" placeholder={known.length === 0 ? 'No server is set up yet' : 'Choose a server'} disabled={stored || known.length === 0} searchable={known.length > 8}
            description="Better not one that is backed up here itself: one fire would take both"
            data={known.map((server) => ({ value: server.id, label: `${server.name} (${server.address})` }))} value={sftp.server} error={shown.server} onChange={(server) => set({ server })}
          />
        </Card>
      )}
      {form.ownAddress && sftp.ssh
        ? <OwnAddress draft={sftp.ssh} id={id} was={form.was} shown={shown} onLeave={onLeave} onDraft={(ssh) => set({ ssh })} folder={folder} />
        : <Card padded>{folder}</Card>}
    </>
  );
}

type OwnProps = { draft: ServerDraft; id: string | null; was: ServerDraft | null; shown: DetailProps['shown']; onLeave: (field: string) => void; onDraft: (draft: ServerDraft) => void; folder: ReactNode };

function OwnAddress({ draft, id, was, shown, onLeave, onDraft, folder }: OwnProps) {
  const stored = id !== null;
  const [text, setText] = useState(draft.host);
  const [asking, setAsking] = useState('');
  const way = [draft.host, draft.port, ...draft.jumps.map((jump) => `${jump.host}:${jump.port}`)].join(' ');
  const set = (part: Partial<ServerDraft>) => onDraft({ ...draft, ...part });
  return (
    <>
      <Card title="Address" padded>
        <div className="stack">
        <div className="pairs">
          <TextInput
            label="Address" description="user@host:port works too" disabled={stored} value={text} error={shown.host}
            onChange={(event) => { setText(event.currentTarget.value); onDraft(withAddress(draft, event.currentTarget.value)); }}
            onBlur={() => { setText(draft.host); onLeave('host'); }}
          />
          <NumberInput label="Port" description="Usually 22" min={1} max={65535} hideControls allowDecimal={false} allowNegative={false} disabled={stored} value={draft.port} error={shown.port} onChange={(value) => set({ port: Number(value) || 0, fingerprint: null })} />
        </div>
        {folder}
        </div>
      </Card>
      <LoginCard draft={draft} set={set} faults={shown} was={was} />
      <JumpCard draft={draft} set={set} faults={shown} was={was} />
      {draft.fingerprint && asking !== way ? (
        <Note tone="good" icon={<IconShieldCheck size={18} aria-hidden />} action={<Button onClick={() => setAsking(way)}>Ask for it again</Button>}>The fingerprint of {draft.host} is pinned: <span className="mono path-wrap">{draft.fingerprint}</span></Note>
      ) : asking === way && draft.host.trim() !== '' ? (
        <HostKeyCheck key={way} draft={draft} onChange={onDraft} destination={id} />
      ) : (
        <Card title="Is it the right server?" padded>
          <div className="stack">
            <p>Before any password is sent, compare the fingerprint that the server shows with the one its owner tells you.</p>
            {shown.fingerprint && <p className="field-problem">{shown.fingerprint}</p>}
            <div className="row"><Button disabled={draft.host.trim() === ''} onClick={() => setAsking(way)}>Ask for its fingerprint</Button></div>
          </div>
        </Card>
      )}
    </>
  );
}
