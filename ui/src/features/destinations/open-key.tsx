import { PasswordInput, TextInput, Textarea } from '@mantine/core';
import type { IpcError } from '../../ipc';
import { Card, ErrorNote, Note } from '../../shared/ui';
import { Choices } from '../../shared/wizard';
import { kitCount, pinnedForm, type DestinationForm } from './form';
import type { RunningTest } from './queries';
import { TestStep } from './step-test';
import { changeDraft, type Change } from './step-where';

/** The key the user has. */
export type GivenKey = { kind: 'words' | 'text' | 'none'; text: string };

type KeyProps = { given: GivenKey; plain: boolean; onKey: (key: GivenKey) => void };

/** The fields for a key: kit words, any other key, or none. */
export function KeyFields({ given, plain, onKey }: KeyProps) {
  return (
    <div className="stack">
      <Choices
        label="The key you have"
        value={given.kind}
        onChange={(kind) => onKey({ kind, text: '' })}
        options={[
          { value: 'words', title: 'The words of a recovery kit', text: 'As they are printed; numbers and commas do not matter. The groups of a plan\'s key too.' },
          { value: 'text', title: 'A password or passphrase of your own', text: "A vault's password, an archive's passphrase, or a key of 64 hex digits." },
          ...(plain ? [{ value: 'none' as const, title: 'None', text: 'The archives are not sealed.' }] : []),
        ]}
      />
      {given.kind === 'words' && (
        <Textarea label="Words of the recovery kit" description={kitCount(given.text) || 'For example: 1 harbor 2 copper 3 lantern …'} autosize minRows={2} value={given.text} onChange={(event) => onKey({ ...given, text: event.currentTarget.value })} />
      )}
      {given.kind === 'text' && <PasswordInput label="Key" value={given.text} onChange={(event) => onKey({ ...given, text: event.currentTarget.value })} />}
    </div>
  );
}

type Props = {
  form: DestinationForm;
  place: string;
  test: RunningTest;
  given: GivenKey;
  nameProblem: string | null;
  error: IpcError | null;
  onKey: (key: GivenKey) => void;
  onChange: Change;
  onAgain: (form: DestinationForm) => void;
};

/** The key, while the place is being looked at. */
export function KeyStep({ form, place, test, given, nameProblem, error, onKey, onChange, onAgain }: Props) {
  const result = test.result;
  const nothing = result?.ok && (result.found === 'empty' || result.found === 'foreign');
  return (
    <>
      {error && <ErrorNote error={error} />}
      {nothing ? (
        <Note tone="warn">No backups lie there. Go back and check the folder: it is the one that holds the vault&apos;s <span className="mono">config</span>, or the folder <span className="mono">archives</span>.</Note>
      ) : result && !result.ok ? (
        <TestStep form={form} place={place} test={test} onAgain={() => onAgain(form)} onInside={onAgain} onAccept={(certificate) => onAgain(pinnedForm(form, certificate))} />
      ) : null}
      <Card title="Key" padded><KeyFields given={given} plain={result?.found === 'archives'} onKey={onKey} /></Card>
      <Card padded>
        <TextInput label="Name" description="What the destination is called here" value={form.draft.name} error={form.draft.name === '' ? null : nameProblem} onChange={(event) => changeDraft(onChange, { name: event.currentTarget.value })} />
      </Card>
    </>
  );
}
