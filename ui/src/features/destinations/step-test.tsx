import { Button } from '@mantine/core';
import { IconCheck, IconCoin, IconFolderOpen } from '@tabler/icons-react';
import { useState } from 'react';
import type { DestinationTest } from '../../ipc';
import { Card, ErrorNote, Note, StateBadge, TestSteps } from '../../shared/ui';
import { CertificateDialog } from './certificate';
import { folderOf, insideForm, storeHost, type DestinationForm } from './form';
import type { RunningTest } from './queries';

type Props = {
  form: DestinationForm;
  place: string;
  test: RunningTest;
  onAgain: () => void;
  onInside: (form: DestinationForm) => void;
  onAccept: (certificate: string) => void;
  /** Leads to "Open existing" with what was typed; absent where the user is there already. */
  onExisting?: () => void;
};

/** What the test found, in words, and what to do about it; then what this store can and cannot do. */
export function TestStep({ form, place, test, onAgain, onInside, onAccept, onExisting }: Props) {
  const result = test.result;
  if (!result) {
    return (
      <Card padded>
        <p role="status">{test.busy ? `Writing and reading a few small files at ${place}. What is done stands at the right.` : test.error ? 'The test could not be made. The reason stands at the right.' : 'Not tested yet.'}</p>
      </Card>
    );
  }
  return (
    <>
      <Card padded>
        <div className="stack">
          <Outcome form={form} result={result} onInside={onInside} />
          {result.certificate && <Certificate form={form} result={result} certificate={result.certificate} onAccept={onAccept} />}
          {result.existing && result.ok && onExisting && (
            <Note tone="run" icon={<IconFolderOpen size={18} aria-hidden />} action={<Button onClick={onExisting}>Open existing…</Button>}>
              Backups of another installation lie here. Open them, and their servers and plans can be taken over as well.
            </Note>
          )}
          <div className="row"><Button onClick={onAgain}>Test again</Button></div>
        </div>
      </Card>
      {result.cost_notes.length > 0 && (
        <Card title="What it costs to know" padded>
          <ul className="cost-notes">
            {result.cost_notes.map((note) => <li key={note}><IconCoin size={16} aria-hidden /> <span>{note}</span></li>)}
          </ul>
        </Card>
      )}
      {result.abilities.length > 0 && <Abilities result={result} />}
    </>
  );
}

function Outcome({ form, result, onInside }: { form: DestinationForm; result: DestinationTest; onInside: (form: DestinationForm) => void }) {
  const local = form.draft.kind === 'local';
  if (result.found === 'foreign') {
    const inside = insideForm(form);
    return (
      <Note tone="warn" action={<Button onClick={() => onInside(inside)}>Use {folderOf(inside)}</Button>}>
        There are other files in this folder. Backups get a folder of their own, so that nothing gets mixed up.
      </Note>
    );
  }
  if (result.certificate) return <Note tone="warn">The server can be reached, but no authority vouches for its certificate. Compare it, then accept it.</Note>;
  if (!result.ok) return <Note tone="bad">{local ? 'The folder' : 'It'} cannot be used as it is. The list at the right says what to mend.</Note>;
  if (result.found === 'vault') {
    return (
      <Note tone="run" icon={<IconFolderOpen size={18} aria-hidden />}>
        There is a vault here already. Go on and give its password: every backup in it will be listed. Nothing is overwritten.
      </Note>
    );
  }
  if (result.found === 'archives') return <Note tone="run" icon={<IconFolderOpen size={18} aria-hidden />}>Archives lie here, and no vault. New ones go beside them; nothing is overwritten.</Note>;
  return <Note tone="good" icon={<IconCheck size={18} aria-hidden />}>{local ? 'The folder is empty and can be used.' : 'It works, and nothing lies here yet.'}</Note>;
}

function Certificate({ form, result, certificate, onAccept }: { form: DestinationForm; result: DestinationTest; certificate: string; onAccept: (certificate: string) => void }) {
  const [opened, setOpened] = useState(false);
  const about = result.steps.find((step) => step.state === 'failed') ?? null;
  return (
    <div className="row">
      <Button variant="filled" onClick={() => setOpened(true)}>Look at the certificate…</Button>
      {opened && (
        <CertificateDialog
          host={form.draft.kind === 's3' ? storeHost(form.draft.s3.endpoint) || 'the store' : form.draft.ftp.host} sha256={certificate} text={about?.text ?? ''}
          onAccept={() => { setOpened(false); onAccept(certificate); }}
          onClose={() => setOpened(false)}
        />
      )}
    </div>
  );
}

/** What this store can and cannot do, each with what it means. */
function Abilities({ result }: { result: DestinationTest }) {
  return (
    <Card title="What this store can do">
      <table className="abilities">
        <thead className="visually-hidden"><tr><th>Ability, and what it means</th><th>State</th></tr></thead>
        <tbody>
          {result.abilities.map((ability) => (
            <tr key={ability.id}>
              <th scope="row">{ability.title}<div className="mute">{ability.text}</div></th>
              <td><StateBadge state={ability.state} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  );
}

/** The list of steps at the right, as they come in. */
export function TestSide({ place, test, onRetry }: { place: string; test: RunningTest; onRetry: () => void }) {
  return (
    <>
      <TestSteps label={`Test of ${place}`} steps={test.steps} running={test.busy ? (test.steps.length === 0 ? 'Connecting…' : 'Going on…') : undefined} />
      {test.error && <div className="card-pad"><ErrorNote error={test.error} retry={onRetry} /></div>}
    </>
  );
}

/** "5 of 6" for the head of the list. */
export function testCount(test: RunningTest): string {
  const good = test.steps.filter((one) => one.state === 'ok' || one.state === 'note').length;
  return test.result ? `${good} of ${test.steps.length}` : test.busy && good > 0 ? `${good} done` : '';
}
