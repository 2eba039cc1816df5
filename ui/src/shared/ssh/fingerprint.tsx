import { IconShieldCheck, IconShieldX } from '@tabler/icons-react';
import { Button } from '@mantine/core';
import { useEffect, useRef, useState, type ReactNode } from 'react';
import { api, type HostKeyReport, type HostKeyView, type ServerDraft } from '../../ipc';
import { useAction } from '../query';
import { Card, ConfirmDialog, CopyText, ErrorNote, Note, StateBadge, Tick } from '../ui';
import { acceptKey, acceptKnown, allKnown, cleaned, fingerprintGroups, isFingerprint, keyFileOf, keyToJudge } from './draft';
import './ssh.css';

type Props = {
  draft: ServerDraft;
  onChange: (draft: ServerDraft) => void;
  /** The stored destination whose own way it is: what is stored for it logs in to its jump hosts. */
  destination?: string | null;
  /** What is said where the keys could not be asked for. */
  unreached?: ReactNode;
  /** What follows once every key on the way is accepted. */
  children?: ReactNode;
};

/** Asks for the host keys on the way, one after the other, and has the user accept each that is not known. */
export function HostKeyCheck({ draft, onChange, destination = null, unreached, children }: Props) {
  const [report, setReport] = useState<HostKeyReport | null>(null);
  const probe = useAction((of: ServerDraft) => api.probeHostKey(cleaned(of), destination), {
    inline: true,
    onDone: (found, of) => {
      setReport(found);
      onChange(acceptKnown(of, found));
    },
  });
  // Once on arrival; afterwards only when the user accepts or asks again.
  const asked = useRef(false);
  const { run } = probe;
  useEffect(() => {
    if (asked.current) return;
    asked.current = true;
    run(draft);
  }, [run, draft]);
  const judge = report ? keyToJudge(report) : null;
  const known = report !== null && allKnown(draft, report);
  const accept = () => {
    if (!judge) return;
    const next = acceptKey(draft, judge.index, judge.key.fingerprint);
    onChange(next);
    run(next);
  };
  return (
    <div className="stack">
      {probe.busy && !judge && <Card padded><Tick state="now">Asking {draft.host} for its key</Tick></Card>}
      {probe.error && <ErrorNote error={probe.error} retry={() => run(draft)} />}
      {probe.error && unreached}
      {report && report.keys.length > 1 && <Way keys={report.keys} />}
      {judge?.key.state === 'unknown' && <UnknownKey host={judge.key} busy={probe.busy} onAccept={accept} />}
      {judge?.key.state === 'changed' && <ChangedKey host={judge.key} name={draft.name.trim() || draft.host} busy={probe.busy} onAccept={accept} />}
      {known && !probe.busy && (
        <>
          <Note tone="good" icon={<IconShieldCheck size={18} aria-hidden />}>
            The fingerprint is pinned: if the key ever changes, Backstay stops and says so.
          </Note>
          {children}
        </>
      )}
    </div>
  );
}

function Way({ keys }: { keys: HostKeyView[] }) {
  const words: Record<string, string> = { pinned: 'known', known_hosts: 'in known_hosts', unknown: 'not known yet', changed: 'has changed' };
  return (
    <Card title="On the way">
      <ul className="lines">
        {keys.map((key) => (
          <li key={key.host}>
            <span className="mono grow">{key.host}</span>
            <StateBadge state={key.state === 'changed' ? 'failed' : key.state === 'unknown' ? 'note' : 'ok'} text={words[key.state]} />
          </li>
        ))}
      </ul>
    </Card>
  );
}

/** A fingerprint in groups that can be compared by eye. */
export function Fingerprint({ value, label }: { value: string; label: string }) {
  const { method, groups } = fingerprintGroups(value);
  return (
    <div className="fingerprint mono" role="img" aria-label={`${label}: ${value}`}>
      <span className="mute">{method}:</span>
      {groups.map((group, i) => <span key={i}>{group}</span>)}
    </div>
  );
}

function UnknownKey({ host, busy, onAccept }: { host: HostKeyView; busy: boolean; onAccept: () => void }) {
  return (
    <Card title={`Fingerprint of ${host.host}`} aside={host.algorithm}>
      <div className="card-pad stack">
        <Fingerprint value={host.fingerprint} label="Fingerprint" />
        <KeyCommand algorithm={host.algorithm} />
        <p className="mute">Only if they are equal are you talking to this server and to nobody in between.</p>
        <div className="row">
          <Button variant="filled" loading={busy} onClick={onAccept}>They are equal: accept</Button>
          <CopyText value={host.fingerprint} label="Copy the fingerprint" />
        </div>
      </div>
    </Card>
  );
}

function KeyCommand({ algorithm }: { algorithm: string }) {
  const command = `ssh-keygen -lf ${keyFileOf(algorithm)}`;
  return (
    <div>
      <p>Compare it with what this prints on the server, at its console or by a connection you trust:</p>
      <div className="command"><code className="mono grow">{command}</code><CopyText value={command} label="Copy" /></div>
    </div>
  );
}

type ChangedProps = { host: HostKeyView; name: string; busy: boolean; onAccept: () => void };

/** A key that is not the expected one: nothing goes on until the user, who found out why, types the server's name. */
function ChangedKey({ host, name, busy, onAccept }: ChangedProps) {
  const [asking, setAsking] = useState(false);
  const replaceable = isFingerprint(host.expected);
  return (
    <Card title={`The key of ${host.host} has changed`} aside={host.algorithm}>
      <div className="card-pad stack">
        <Note tone="bad" icon={<IconShieldX size={18} aria-hidden />}>
          <b>Backstay does not connect.</b> Either the server was set up anew, or somebody stands in between. Find out which before going on.
        </Note>
        <div className="key-pair">
          {host.expected && (
            <div>
              <div className="field-label">Expected</div>
              {replaceable ? <Fingerprint value={host.expected} label="Fingerprint expected" /> : <p>{host.expected}</p>}
            </div>
          )}
          <div><div className="field-label">It shows now</div><Fingerprint value={host.fingerprint} label="Fingerprint now" /></div>
        </div>
        {replaceable && (
          <>
            <KeyCommand algorithm={host.algorithm} />
            <div className="row"><Button loading={busy} onClick={() => setAsking(true)}>The new key is right…</Button></div>
          </>
        )}
      </div>
      <ConfirmDialog opened={asking} title={`Accept the new key of ${host.host}?`} action="Accept the new key" danger typedName={name} onClose={() => setAsking(false)} onConfirm={() => { setAsking(false); onAccept(); }}>
        <div className="stack">
          <p>Backstay will trust whoever holds this key, and log in there:</p>
          <Fingerprint value={host.fingerprint} label="New fingerprint" />
          <p className="mute">Only if the server itself shows the same is it the server you mean. The audit log names both keys.</p>
        </div>
      </ConfirmDialog>
    </Card>
  );
}
