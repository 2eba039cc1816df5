import { Button, PasswordInput, TextInput } from '@mantine/core';
import { IconCheck, IconFolder, IconFolderOpen } from '@tabler/icons-react';
import { useState } from 'react';
import { dialogs, type DestinationTest, type IpcError } from '../../ipc';
import { useAction } from '../../shared/query';
import { Card, ErrorNote, Note, PathText, TestSteps } from '../../shared/ui';
import { Choices } from '../../shared/wizard';
import { SHORTEST_PASSWORD, folderInside, type DestinationForm, type FormProblems, type KeyChoice } from './form';

type Change = (part: Partial<DestinationForm>) => void;

/** Which kind of place, and where it is. */
export function FolderStep({ form, onChange }: { form: DestinationForm; onChange: Change }) {
  const pick = useAction(async () => {
    const folder = await dialogs.pickFolder({ title: 'Where should backups lie?', ...(form.path ? { start: form.path } : {}) });
    if (folder !== null) onChange({ path: folder });
  });
  return (
    <>
      <Choices
        label="Kind of destination"
        layout="grid"
        value="local"
        onChange={() => undefined}
        options={[{ value: 'local', title: 'Local or mounted folder', text: 'A disk, a USB drive, a NAS that is mounted', icon: <IconFolder size={18} aria-hidden /> }]}
      />
      <Card padded>
        <div className="wizard-fields">
          <label htmlFor="destination-folder">Folder</label>
          <div className="row">
            <TextInput
              id="destination-folder"
              className="grow"
              classNames={{ input: 'mono' }}
              data-autofocus
              autoFocus
              placeholder="/mnt/nas/backups"
              description="It may be new; it is made when you go on"
              inputWrapperOrder={['label', 'input', 'description', 'error']}
              value={form.path}
              onChange={(event) => onChange({ path: event.currentTarget.value })}
            />
            <Button style={{ alignSelf: 'flex-start' }} loading={pick.busy} onClick={() => pick.run()}>Choose…</Button>
          </div>
        </div>
      </Card>
    </>
  );
}

type TestProps = { path: string; test: DestinationTest | undefined; running: boolean };

/** What the test found, in words, and what to do about it. */
export function TestStep({ path, test, running, onFolder, onAgain }: TestProps & { onFolder: (path: string) => void; onAgain: () => void }) {
  if (running || !test) {
    return (
      <Card padded>
        <p role="status">{running ? <>Writing and reading a few small files in <PathText path={path} wrap />…</> : 'Not tested yet.'}</p>
      </Card>
    );
  }
  return (
    <Card padded>
      <div className="stack">
        {test.found === 'empty' && test.ok && (
          <Note tone="good" icon={<IconCheck size={18} aria-hidden />}>The folder is empty and can be used. A new vault will be made in it.</Note>
        )}
        {test.found === 'vault' && (
          <Note tone="run" icon={<IconFolderOpen size={18} aria-hidden />}>
            There is a vault in this folder already. Go on and give its password: every backup in it will be listed here. Nothing is overwritten.
          </Note>
        )}
        {test.found === 'foreign' && (
          <Note tone="warn" action={<Button onClick={() => onFolder(folderInside(path))}>Use {folderInside(path)}</Button>}>
            There are other files in this folder. A vault gets a folder of its own, so that nothing gets mixed up.
          </Note>
        )}
        {!test.ok && test.found !== 'foreign' && (
          <Note tone="bad">The folder cannot be used as it is. The list at the right says what to mend.</Note>
        )}
        <div className="row">
          <Button onClick={onAgain}>Test again</Button>
        </div>
      </div>
    </Card>
  );
}

/** The list of steps at the right. */
export function TestSide({ path, test, running, error, onRetry }: TestProps & { error: IpcError | null; onRetry: () => void }) {
  if (error && !running) return <div className="card-pad"><ErrorNote error={error} retry={onRetry} /></div>;
  return <TestSteps label={`Test of ${path}`} steps={test?.steps ?? []} running={running ? 'Trying the folder…' : undefined} />;
}

type KeyProps = { form: DestinationForm; found: string; problems: FormProblems; error: IpcError | null; onChange: Change };

/** Its name, and the vault's key. */
export function KeyStep({ form, found, problems, error, onChange }: KeyProps) {
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const touch = (field: string) => setLeft((old) => new Set(old).add(field));
  const shown = (field: keyof FormProblems) => (left.has(field) ? (problems[field] ?? null) : null);
  return (
    <Card padded>
      <div className="stack" style={{ gap: 16 }}>
        {error && <ErrorNote error={error} />}
        <TextInput
          label="Name"
          description="How the destination is called everywhere in Backstay"
          value={form.name}
          error={problems.name && form.name !== '' ? problems.name : shown('name')}
          onChange={(event) => onChange({ name: event.currentTarget.value })}
          onBlur={() => touch('name')}
        />
        {found !== 'vault' && (
          <Choices<KeyChoice>
            label="Key of the vault"
            value={form.key}
            onChange={(key) => onChange({ key })}
            options={[
              { value: 'made', title: 'Make a strong key for me', text: 'Words that can be read from paper and typed. The best choice.' },
              { value: 'own', title: 'I choose the key', text: `At least ${SHORTEST_PASSWORD} characters, used nowhere else.` },
            ]}
          />
        )}
        {(found === 'vault' || form.key === 'own') && (
          <PasswordInput
            label={found === 'vault' ? 'Password of the vault' : 'Key'}
            value={form.password}
            error={shown('password')}
            onChange={(event) => onChange({ password: event.currentTarget.value })}
            onBlur={() => touch('password')}
          />
        )}
        {found !== 'vault' && form.key === 'own' && (
          <PasswordInput
            label="The key once more"
            value={form.repeated}
            error={shown('repeated')}
            onChange={(event) => onChange({ repeated: event.currentTarget.value })}
            onBlur={() => touch('repeated')}
          />
        )}
      </div>
    </Card>
  );
}
