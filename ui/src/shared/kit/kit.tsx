import { Button, TextInput } from '@mantine/core';
import { IconDownload, IconFileText, IconPrinter } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { createPortal } from 'react-dom';
import { api, dialogs, type AppInfo, type IpcError, type RecoveryKit } from '../../ipc';
import { formatExact } from '../format';
import { keys, useAction } from '../query';
import { ErrorNote, KeyValues, Note, PathText } from '../ui';
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

/** What a kit's key is made of: words joined by "-", groups of hex digits joined by nothing, or it is whole. */
export function kitPart(kit: RecoveryKit): 'word' | 'group' | 'key' {
  if (kit.words.length < 2) return 'key';
  return kit.words.join('') === kit.password ? 'group' : 'word';
}

const JOINED = { word: ': these words, joined by "-"', group: ': these groups, without spaces', key: '' };
const PARTS = { word: 'Words of the key', group: 'Groups of the key', key: 'The key' };
const ASKED = { word: 'Word', group: 'Group' };

/** The recovery kit on screen, with ways to keep it on paper or in a file. */
export function KitSheet({ id, kit, of = 'destinations' }: { id: string; kit: RecoveryKit; of?: KitOf }) {
  const part = kitPart(kit);
  const made = part !== 'key';
  const archives = of === 'plans';
  return (
    <div className="kit stack">
      <KitButtons id={id} kit={kit} />
      <div>
        <h2>{made ? `The key${JOINED[part]}` : 'The key you chose'}</h2>
      </div>
      <ol className="kit-words" aria-label={PARTS[part]}>
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
            ...(kit.repository ? [{ name: 'Place', value: <PathText path={kit.repository} wrap /> }] : []),
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
    if (file !== null) await api.saveRecoveryKit(id, file, format);
    return file;
  }, { inline: true });
  return (
    <>
      <div className="row" style={{ flexWrap: 'wrap' }}>
        <Button leftSection={<IconPrinter size={16} />} onClick={() => window.print()}>Print</Button>
        <Button leftSection={<IconDownload size={16} />} loading={save.busy} onClick={() => save.run('html')}>Save as page (HTML)</Button>
        <Button leftSection={<IconFileText size={16} />} loading={save.busy} onClick={() => save.run('txt')}>Save as text</Button>
      </div>
      {save.error && <ErrorNote error={save.error} />}
      {save.result && <div role="status"><Note tone="good">Saved as <PathText path={save.result} wrap />. Keep it away from the backups.</Note></div>}
    </>
  );
}

/** The page that is printed: nothing of the window around it. */
function PrintedKit({ kit, archives }: { kit: RecoveryKit; archives: boolean }) {
  const part = kitPart(kit);
  return createPortal(
    <div className="kit-print" aria-hidden>
      <h1>Recovery kit: {kit.destination}</h1>
      <p>
        With this page anybody can read the backups {archives ? `of ${kit.destination}` : `in ${kit.repository}`}. Without it, and without the computer that made it, nobody can.
        Keep it where neither a thief nor a fire finds both.
      </p>
      <h2>{archives ? 'Key' : 'Password'}{JOINED[part]}</h2>
      {part !== 'key' ? <ol>{kit.words.map((word, i) => <li key={`${i}-${word}`}>{word}</li>)}</ol> : <pre>{kit.password}</pre>}
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

type AskProps = { id: string; kit: RecoveryKit; of?: KitOf; ask: number; onConfirmed: () => void; onLater?: () => void };

/** Asks one part of the key back, to know that the kit was written down. */
export function KitConfirm({ id, kit, of = 'destinations', ask, onConfirmed, onLater }: AskProps) {
  const [word, setWord] = useState('');
  const [wrong, setWrong] = useState(false);
  const check = useAction((typed: string) => api.confirmRecoveryKit(id, ask, typed), {
    changes: [of],
    inline: true,
    onDone: (right) => {
      setWrong(!right);
      if (right) onConfirmed();
    },
  });
  const part = kitPart(kit);
  return (
    <div className="stack">
      <TextInput
        label={part === 'key' ? 'The key, once more' : `${ASKED[part]} ${ask} of the kit`}
        description="Read it from the paper or the file, not from the screen"
        value={word}
        error={wrong ? `That is not ${part === 'key' ? 'the key' : `${part} ${ask}`} of this kit. Look again` : null}
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
      {check.error && <ErrorNote error={check.error} />}
      <div className="row">
        {onLater && <Button onClick={onLater}>Later</Button>}
        <span className="grow" />
        <Button variant="filled" disabled={word.trim() === ''} loading={check.busy} onClick={() => check.run(word.trim())}>Confirm the kit</Button>
      </div>
      {onLater && (
        <Note tone="warn">
          If you leave without confirming and this computer is lost, nobody can open the backups {of === 'plans' ? 'of' : 'in'} {kit.destination}. Backstay will keep reminding you.
        </Note>
      )}
    </div>
  );
}
