import { useState } from 'react';
import { api, type BackupDetail, type BackupRow, type RestorePreview, type ServerRow } from '../../ipc';
import { formatBytes, formatExact, plural } from '../../shared/format';
import { useAction } from '../../shared/query';
import { navigate } from '../../shared/router';
import { ConfirmDialog, ErrorNote, Note, PathText } from '../../shared/ui';
import { Summary, WizardPage } from '../../shared/wizard';
import { STEPS, backupText, changesNothing, changesOf, confirmSentences, modeWords, startForm, stepProblem, toRequest, type RestoreForm } from './form';
import { InShort, PreviewStep } from './preview-step';
import { WhatStep } from './what-step';
import { WhereStep } from './where-step';

type Props = { detail: BackupDetail; servers: ServerRow[]; paths: string[] };

/** The steps before anything is touched: what, where, preview, and the question. */
export function RestoreFlow({ detail, servers, paths }: Props) {
  const { row } = detail;
  const known = servers.some((server) => server.id === row.server) ? row.server : null;
  const [step, setStep] = useState(paths.length > 0 ? 1 : 0);
  const [form, setForm] = useState<RestoreForm>(() => startForm(known, paths));
  const [asking, setAsking] = useState(false);
  const server = servers.find((one) => one.id === form.server);
  const change = (part: Partial<RestoreForm>) => setForm((old) => ({ ...old, ...part }));

  const compare = useAction((wanted: RestoreForm) => api.planRestore(toRequest(row.id, wanted)), { inline: true });
  const start = useAction((typed: { preview: string; name: string | null }) => api.startRestore(typed.preview, typed.name), {
    changes: ['runs'],
    inline: true,
    onDone: (run) => navigate(`/restore/${row.id}?run=${run}`, { replace: true }),
  });
  const go = (to: number) => {
    if (to === 2) {
      compare.reset();
      compare.run(form);
    }
    setStep(to);
  };
  const what = form.whole ? 'whole backup' : form.paths.length === 0 ? 'parts of it' : plural(form.paths.length, 'part');
  const common = {
    title: server && step > 0 ? `Restore ${row.plan_name} to ${server.name}` : `Restore ${row.plan_name}`,
    text: `Backup of ${formatExact(row.started)} · ${what}`,
    crumbs: [{ title: 'Backups', to: '/backups' }],
    steps: STEPS,
    current: step,
    onGo: (to: number) => setStep(to),
  };
  if (step < 2) {
    return (
      <WizardPage
        {...common}
        side={{ title: 'In short', body: <SoFar detail={detail} form={form} server={server} step={step} /> }}
        back={step === 0 ? { title: 'Cancel', run: () => window.history.back() } : { title: 'Back', run: () => setStep(0) }}
        next={{ title: step === 0 ? 'Continue' : 'Show what would happen', problem: stepProblem(step, form), run: () => go(step + 1) }}
      >
        {step === 0 ? <WhatStep detail={detail} form={form} onChange={change} /> : <WhereStep form={form} origin={row.server} originName={row.server_name} items={detail.items} servers={servers} onChange={change} />}
      </WizardPage>
    );
  }
  const preview = compare.busy ? undefined : compare.result;
  return (
    <WizardPage
      {...common}
      side={{ title: 'In short', body: preview ? <InShort row={row} preview={preview} form={form} /> : <SoFar detail={detail} form={form} server={server} step={2} /> }}
      back={{ title: 'Back', run: () => setStep(1) }}
      next={{
        title: `Restore to ${server?.name ?? ''}`,
        busy: compare.busy,
        problem: whyNot(preview, compare.busy),
        run: () => {
          start.reset();
          setAsking(true);
        },
      }}
    >
      {compare.error && <ErrorNote error={compare.error} retry={() => go(2)} />}
      {compare.busy && (
        <Note tone="run">Comparing the backup with {server?.name}. Nothing is changed by this; with many files it takes a minute or two.</Note>
      )}
      {preview && <PreviewStep key={preview.id} preview={preview} />}
      {preview && (
        <ConfirmDialog
          opened={asking}
          title={`Restore to ${preview.server_name}?`}
          action={`Restore to ${preview.server_name}`}
          danger={changesOf(preview.delete) > 0 || preview.mode === 'replace'}
          typedName={preview.needs_name ? preview.server_name : undefined}
          busy={start.busy}
          error={start.error}
          onConfirm={() => start.run({ preview: preview.id, name: preview.needs_name ? preview.server_name : null })}
          onClose={() => setAsking(false)}
        >
          <Question row={row} preview={preview} />
        </ConfirmDialog>
      )}
    </WizardPage>
  );
}

function whyNot(preview: RestorePreview | undefined, busy: boolean): string | null {
  if (!preview) return busy ? null : 'There is no preview yet';
  if (preview.blocked !== null) return preview.blocked;
  return changesNothing(preview) ? 'Nothing would change, so there is nothing to restore' : null;
}

/** What confirming does, in words. */
function Question({ row, preview }: { row: BackupRow; preview: RestorePreview }) {
  return (
    <div className="stack">
      <p>
        <b>{backupText(row)}</b> goes to <b>{preview.server_name}</b> ({preview.server_address}).
      </p>
      <ul className="sentences">
        {confirmSentences(preview).map((line) => <li key={line}>{line}</li>)}
      </ul>
      {changesOf(preview.delete) > 0 && <p>What is deleted comes back only if another backup has it.</p>}
      {preview.warnings.slice(0, 3).map((warning) => <Note key={warning} tone="warn">{warning}</Note>)}
    </div>
  );
}

function SoFar({ detail, form, server, step }: { detail: BackupDetail; form: RestoreForm; server: ServerRow | undefined; step: number }) {
  const { row } = detail;
  return (
    <Summary
      rows={[
        { name: 'From', value: `${backupText(row)}, of ${row.server_name}` },
        { name: 'Size', value: `${formatBytes(row.bytes)}, ${plural(row.files, 'file')} in the whole backup` },
        {
          name: 'What',
          open: 'nothing ticked yet',
          value: form.whole ? 'The whole backup' : form.paths.length > 0 && (
            <>{form.paths.slice(0, 8).map((path) => <div key={path}><PathText path={path} /></div>)}{form.paths.length > 8 && <div className="mute">and {form.paths.length - 8} more</div>}</>
          ),
        },
        { name: 'To', value: step > 0 && server && `${server.name}${server.local ? '' : ` (${server.address})`}`, open: 'asked next' },
        { name: 'Place', value: step > 0 && (form.place === 'original' ? 'where it came from' : form.folder), open: step > 0 ? 'choose a folder' : 'asked next' },
        { name: 'Mode', value: step > 0 && <><b>{modeWords(form.mode).title}</b>: {modeWords(form.mode).short}</>, open: 'asked next' },
      ]}
    />
  );
}
