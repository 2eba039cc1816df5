import { Button, PasswordInput, SegmentedControl, TextInput, Tooltip } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useId, useRef } from 'react';
import { api, type IpcError, type LayoutDraft, type PlanDraft } from '../../ipc';
import { Card, Note } from '../../shared/ui';
import { Choices } from '../../shared/wizard';
import { FIELDS, SHORTEST_PASSPHRASE, sentLayout, withField, type LayoutAround } from './layout';

type Props = { draft: PlanDraft; around: LayoutAround; onLayout: (part: Partial<LayoutDraft>) => void; onRepeated: (text: string) => void };

/** How the backups lie there: in a vault, or as archives with a name and a seal. */
export function LayoutCards({ draft, around, onLayout, onRepeated }: Props) {
  const { layout } = draft;
  return (
    <>
      <Card title="How they lie there" padded>
        <Choices
          label="How the backups lie there"
          value={layout.kind}
          onChange={(kind) => onLayout({ kind })}
          options={[
            { value: 'vault', title: 'In a vault', text: 'Each backup adds only what changed, so a year of them takes little room; encrypted, readable by restic. Best for most.' },
            { value: 'archive', title: 'As archives', text: 'One file for each backup, whole each time: takes more room, but can be taken away and opened by itself.' },
          ]}
        />
      </Card>
      {layout.kind === 'archive' && (
        <>
          <FormatCard layout={layout} onLayout={onLayout} />
          <SealCard layout={layout} around={around} onLayout={onLayout} onRepeated={onRepeated} />
          <NameCard draft={draft} onLayout={onLayout} />
        </>
      )}
    </>
  );
}

const FORMATS: Record<string, string> = {
  'tar.zst': 'Fast and small. Opens with tar where zstd is installed.',
  'tar.gz': 'Opens everywhere on Linux and macOS; larger and slower than .tar.zst.',
  zip: 'Opens by double click on Windows and macOS. Does not keep owners; what a zip cannot hold is listed with the run.',
};

function FormatCard({ layout, onLayout }: { layout: LayoutDraft; onLayout: Props['onLayout'] }) {
  const id = useId();
  return (
    <Card title={<span id={id}>Format</span>} padded>
      <div className="stack">
        <SegmentedControl
          aria-labelledby={id} style={{ alignSelf: 'flex-start' }} value={layout.format} onChange={(format) => onLayout({ format })}
          data={Object.keys(FORMATS).map((format) => ({ value: format, label: `.${format}` }))}
        />
        <p className="mute">{FORMATS[layout.format]}</p>
      </div>
    </Card>
  );
}

function SealCard({ layout, around, onLayout, onRepeated }: Omit<Props, 'draft'> & { layout: LayoutDraft }) {
  const kept = around.stored ? 'Empty keeps the stored one' : undefined;
  return (
    <Card title="Seal" padded>
      <div className="stack">
        <Choices
          label="Seal"
          value={layout.seal}
          onChange={(seal) => {
            onRepeated('');
            onLayout({ seal, key: null });
          }}
          options={[
            { value: 'plan_key', title: "With a key of the plan's own", text: 'Made for you and printed in a recovery kit when the plan is saved. The best choice.' },
            { value: 'passphrase', title: 'With a passphrase', text: 'That you choose, and that opens the files anywhere.' },
            { value: 'own_key', title: 'With a key you bring', text: '64 hex digits, for example from your own key store.' },
            { value: 'none', title: 'Not at all', text: 'Whoever has the file can read it.' },
          ]}
        />
        {layout.seal === 'passphrase' && (
          <div className="fields2">
            <PasswordInput label="Passphrase" description={kept ?? `At least ${SHORTEST_PASSPHRASE} characters, used nowhere else`} value={layout.key ?? ''} onChange={(event) => onLayout({ key: event.currentTarget.value || null })} />
            <PasswordInput label="The passphrase once more" description={kept ? 'Only for a new one' : 'To be sure'} value={around.repeated} onChange={(event) => onRepeated(event.currentTarget.value)} />
          </div>
        )}
        {layout.seal === 'own_key' && <PasswordInput label="Key" description={kept ?? '64 hex digits'} classNames={{ innerInput: 'mono' }} value={layout.key ?? ''} onChange={(event) => onLayout({ key: event.currentTarget.value || null })} />}
        {layout.seal === 'none' && (
          <>
            <Note tone="warn">Everything in these archives can be read by whoever runs the place, finds the disk or gets the link: passwords in settings files, mail, databases.</Note>
            <p className="mute">The copy of your set-up that lies beside backups needs a key too: it is left out where there is neither a vault nor a sealed archive.</p>
          </>
        )}
      </div>
    </Card>
  );
}

/** The template, its fields as chips, and what it gives now. */
function NameCard({ draft, onLayout }: { draft: PlanDraft; onLayout: Props['onLayout'] }) {
  const { template } = draft.layout;
  const input = useRef<HTMLInputElement>(null);
  const insert = (field: string) => {
    const next = withField(template, input.current?.selectionStart ?? template.length, field);
    onLayout({ template: next.template });
    requestAnimationFrame(() => {
      input.current?.focus();
      input.current?.setSelectionRange(next.at, next.at);
    });
  };
  return (
    <Card title="File name" padded>
      <div className="stack" style={{ gap: 10 }}>
        <TextInput ref={input} label="Name of the files" description="The ending follows by itself" classNames={{ input: 'mono' }} value={template} onChange={(event) => onLayout({ template: event.currentTarget.value })} />
        <div className="presets" role="group" aria-label="Put into the name">
          {FIELDS.map((each) => (
            <Tooltip key={each.field} label={`${each.text}. Writes ${each.field}`} multiline maw={300}>
              <Button size="compact-sm" onClick={() => insert(each.field)}>{each.title}</Button>
            </Tooltip>
          ))}
        </div>
        <Preview draft={draft} />
      </div>
    </Card>
  );
}

function Preview({ draft }: { draft: PlanDraft }) {
  const name = useArchiveName(draft);
  return (
    <div className="name-preview" role="status">
      {name.error
        ? <span className="field-problem">{name.error.message}{name.error.hint && <span className="mute"> {name.error.hint}</span>}</span>
        : <><span className="mute">Now it would be</span> <span className="mono path-wrap">{name.data ?? '…'}</span></>}
    </div>
  );
}

/** What the engine makes of the template, or why it cannot use it. No key is sent along: the name does not depend on it. */
export function useArchiveName(draft: PlanDraft) {
  const asked = { ...draft, items: draft.items.map((item) => ({ ...item, password: null })), layout: { ...sentLayout(draft.layout), key: null } };
  const [of] = useDebouncedValue(JSON.stringify(asked), 200);
  const settled = JSON.parse(of) as PlanDraft;
  return useQuery<string, IpcError>({
    queryKey: ['archive-name', of],
    queryFn: () => api.archiveName(settled),
    // Right after the change to archives, what has settled is still a vault, which has no files to be named.
    enabled: draft.layout.kind === 'archive' && settled.layout.kind === 'archive',
    placeholderData: keepPreviousData,
    retry: false,
    gcTime: 10_000,
  });
}
