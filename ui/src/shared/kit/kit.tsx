import { Button, TextInput } from '@mantine/core';
import { IconDownload, IconFileText, IconPrinter } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { createPortal } from 'react-dom';
import { api, dialogs, type AppInfo, type IpcError, type RecoveryKit } from '../../ipc';
import { formatExact } from '../format';
import { keys, useAction } from '../query';
import { KeyValues, Note, PathText, showNote } from '../ui';
import './kit.css';

/** What is typed to restore with plain restic, wherever the vault then lies. */
function resticSteps(kit: RecoveryKit): string {
  return [
    `restic -r ${quote(kit.repository)} snapshots`,
    `restic -r ${quote(kit.repository)} restore latest --target ./restored`,
  ].join('\n');
}

function quote(text: string): string {
  return /^[A-Za-z0-9_/.:@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Whose key a kit holds: a destination's vault's, or the one a plan's archives are sealed with. `id` is then the plan's. */
export type KitOf = 'destinations' | 'plans';

/** How the words make up the key: joined by "-" (a vault's), by nothing (groups of hex digits), or it is one word. */
function joinedBy(kit: RecoveryKit): string {
  if (kit.words.length < 2) return '';
  return kit.words.join('') === kit.password ? ': these groups, without spaces' : ': these words, joined by "-"';
}

/** The recovery kit on screen, with ways to keep it on paper or in a file. */
export function KitSheet({ id, kit, of = 'destinations' }: { id: string; kit: RecoveryKit; of?: KitOf }) {
  const made = kit.words.length > 1;
  const archives = of === 'plans';
  return (
    <div className="kit stack">
      <KitButtons id={id} kit={kit} />
      <div>
        <h2>{made ? `The key${joinedBy(kit)}` : 'The key you chose'}</h2>
      </div>
      <ol className="kit-words" aria-label="Words of the key">
        {kit.words.map((word, i) => (
          <li key={`${i}-${word}`}>
            {made && <i aria-hidden>{i + 1}</i>}
            <b className="mono kit-secret">{word}</b>
          </li>
        ))}
      </ol>
      <div className="card">
        <KeyValues
          rows={[
            { name: archives ? 'Plan' : 'Destination', value: kit.destination },
            ...(kit.repository ? [{ name: archives ? 'Place' : 'Repository', value: <PathText path={kit.repository} wrap /> }] : []),
            ...(archives ? [] : [{ name: 'Vault', value: <span className="mono">{kit.vault_id.slice(0, 16)}</span> }]),
            { name: 'Made', value: formatExact(kit.created) },
          ]}
        />
      </div>
      {archives ? (
        <>
          <h2>What the kit says</h2>
          <pre className="mono" tabIndex={0} aria-label="Text of the kit">{kit.text}</pre>
        </>
      ) : (
        <>
          <h2>Restore without Backstay</h2>
          <p className="mute">
            Any computer with restic can read the vault. It asks for the password: {made ? 'type the words joined by "-".' : 'type the key.'}
          </p>
          <pre className="mono" tabIndex={0} aria-label="Commands for restic">{resticSteps(kit)}</pre>
        </>
      )}
      <PrintedKit kit={kit} archives={archives} />
    </div>
  );
}

function KitButtons({ id, kit }: { id: string; kit: RecoveryKit }) {
  const app = useQuery<AppInfo, IpcError>({ queryKey: keys.appInfo, queryFn: api.appInfo });
  const save = useAction(async (format: 'html' | 'txt') => {
    const file = await dialogs.saveFile({
      title: `Save the recovery kit of ${kit.destination}`,
      name: `Backstay recovery kit ${kit.destination.replace(/[\\/:*?"<>|]/g, '-')}.${format}`,
      extension: format,
      ...(app.data ? { start: app.data.user_home } : {}),
    });
    if (file === null) return;
    await api.saveRecoveryKit(id, file, format);
    showNote(`The recovery kit of ${kit.destination} is saved as ${file}. Keep it away from the backups.`);
  });
  return (
    <div className="row" style={{ flexWrap: 'wrap' }}>
      <Button leftSection={<IconPrinter size={16} />} onClick={() => window.print()}>Print</Button>
      <Button leftSection={<IconDownload size={16} />} loading={save.busy} onClick={() => save.run('html')}>Save as page (HTML)</Button>
      <Button leftSection={<IconFileText size={16} />} loading={save.busy} onClick={() => save.run('txt')}>Save as text</Button>
    </div>
  );
}

/** The page that is printed: nothing of the window around it. */
function PrintedKit({ kit, archives }: { kit: RecoveryKit; archives: boolean }) {
  const made = kit.words.length > 1;
  return createPortal(
    <div className="kit-print" aria-hidden>
      <h1>Recovery kit: {kit.destination}</h1>
      <p>
        With this page anybody can read the backups {archives ? `of ${kit.destination}` : `in ${kit.repository}`}. Without it, and without the computer that made it, nobody can.
        Keep it where neither a thief nor a fire finds both.
      </p>
      <h2>{made ? `${archives ? 'Key' : 'Password'}${joinedBy(kit)}` : archives ? 'Key' : 'Password'}</h2>
      {made ? <ol>{kit.words.map((word, i) => <li key={`${i}-${word}`}>{word}</li>)}</ol> : <pre>{kit.password}</pre>}
      {archives ? (
        <>
          <h2>What it opens</h2>
          <p>The archives of the plan {kit.destination}. Made {formatExact(kit.created)}.</p>
          <pre>{kit.text}</pre>
        </>
      ) : (
        <>
          <h2>Repository</h2>
          <pre>{kit.repository}{'\n'}Vault {kit.vault_id}{'\n'}Made {formatExact(kit.created)}</pre>
          <h2>Restore with Backstay</h2>
          <p>Destinations, Open existing, choose the place, type these words. Every backup is listed again.</p>
          <h2>Restore with restic</h2>
          <pre>{resticSteps(kit)}</pre>
        </>
      )}
    </div>,
    document.body,
  );
}

type AskProps = { id: string; destination: string; of?: KitOf; words: number; ask: number; onConfirmed: () => void; onLater?: () => void };

/** Asks one word back, to know that the kit was written down. */
export function KitConfirm({ id, destination, of = 'destinations', words, ask, onConfirmed, onLater }: AskProps) {
  const [word, setWord] = useState('');
  const [wrong, setWrong] = useState(false);
  const check = useAction((typed: string) => api.confirmRecoveryKit(id, ask, typed), {
    changes: [of],
    onDone: (right) => {
      setWrong(!right);
      if (right) onConfirmed();
    },
  });
  const label = words > 1 ? `Word ${ask} of the kit` : 'The key, once more';
  return (
    <div className="stack">
      <TextInput
        label={label}
        description="Read it from the paper or the file, not from the screen"
        value={word}
        error={wrong ? `That is not ${words > 1 ? `word ${ask}` : 'the key'} of this kit. Look again` : null}
        onChange={(event) => {
          setWord(event.currentTarget.value);
          setWrong(false);
        }}
        onKeyDown={(event) => {
          if (event.key !== 'Enter') return;
          event.preventDefault();
          if (word.trim() !== '') check.run(word.trim());
        }}
      />
      <div className="row">
        {onLater && <Button onClick={onLater}>Later</Button>}
        <span className="grow" />
        <Button variant="filled" disabled={word.trim() === ''} loading={check.busy} onClick={() => check.run(word.trim())}>Confirm the kit</Button>
      </div>
      {onLater && (
        <Note tone="warn">
          If you leave without confirming and this computer is lost, nobody can open the backups {of === 'plans' ? 'of' : 'in'} {destination}. Backstay will keep reminding you.
        </Note>
      )}
    </div>
  );
}
