import { Button, Skeleton, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, type DestinationDraft, type IpcError } from '../../ipc';
import { keys, useAction, useDestinations } from '../../shared/query';
import { Link, navigate, useParam } from '../../shared/router';
import { Card, ErrorNote, Note, Page, PathText, showNote } from '../../shared/ui';
import { WizardPage } from '../../shared/wizard';
import { DetailsStep } from './details';
import { detailProblems, formOf, pinnedForm, placeText, purposeProblems, toDraft, type DestinationForm } from './form';
import { useDestinationTest, useProviders } from './queries';
import { TestSide, TestStep, testCount } from './step-test';
import { changeDraft } from './step-where';
import './destinations.css';

const CRUMBS = [{ title: 'Destinations', to: '/destinations' }];

/** Changes a destination: its name and log-in, never its place. */
export function EditDestinationPage() {
  const id = useParam('id');
  // Not kept in the cache: what is changed must be what is stored now.
  const draft = useQuery<DestinationDraft, IpcError>({ queryKey: keys.destination(id), queryFn: () => api.destination(id), staleTime: 0, gcTime: 0, refetchOnWindowFocus: false });
  if (draft.data) return <EditForm key={id} start={draft.data} />;
  return <Page title="Edit a destination" crumbs={CRUMBS}>{draft.error ? <ErrorNote error={draft.error} retry={() => void draft.refetch()} /> : <Skeleton height={240} />}</Page>;
}

function EditForm({ start }: { start: DestinationDraft }) {
  const list = useDestinations();
  const providers = useProviders();
  const [form, setForm] = useState<DestinationForm>(() => formOf(start));
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const test = useDestinationTest();
  const { draft } = form;
  const provider = providers.data?.find((each) => each.id === draft.s3.provider);
  const row = list.data?.find((each) => each.id === start.id);
  const place = row?.place ?? placeText(form, provider);
  const taken = (list.data ?? []).filter((each) => each.id !== start.id).map((each) => each.name);
  const name = purposeProblems({ ...form, use: 'archives' }, 'empty', taken).name;
  const problems = detailProblems(form, provider);
  const shown = Object.fromEntries(Object.entries(problems).filter(([field]) => left.has(field)));
  const back = `/destinations/${start.id ?? ''}`;
  const sent = (of: DestinationForm) => ({ ...toDraft(of, 'empty'), use_for: start.use_for, vault_password: null });
  const save = useAction(() => api.changeDestination(sent(form)), {
    changes: ['destinations', 'secrets'],
    inline: true,
    onDone: (saved) => {
      showNote(`${saved.name} is changed.`);
      navigate(back, { replace: true });
    },
  });
  const tryIt = (of: DestinationForm) => {
    setForm(of);
    test.start(sent(of));
  };
  return (
    <WizardPage
      title={`Edit ${start.name}`}
      text={place}
      crumbs={CRUMBS}
      steps={[]}
      current={0}
      side={{
        title: 'Test', aside: testCount(test),
        body: test.busy || test.result || test.error
          ? <TestSide place={place} test={test} onRetry={() => tryIt(form)} />
          : <p className="card-pad mute">Try it before you save: with what stands at the left, and with what is stored where a secret is left empty.</p>,
      }}
      back={{ title: 'Cancel', run: () => navigate(back) }}
      next={{ title: 'Save', busy: save.busy, problem: name ?? Object.values(problems)[0] ?? null, run: () => save.run() }}
    >
      {save.error && <ErrorNote error={save.error} />}
      <Card padded>
        <TextInput label="Name" value={draft.name} error={name} onChange={(event) => changeDraft(setForm, { name: event.currentTarget.value })} />
      </Card>
      {draft.kind === 'local'
        ? <Card title="Folder" padded><PathText path={draft.path} wrap /></Card>
        : <DetailsStep form={form} shown={shown} onChange={setForm} onLeave={(field) => setLeft((old) => new Set(old).add(field))} />}
      <Note tone="run">The place itself stays: backups would be looked for in the wrong one. For another place add a destination, and let plans write to both. How fast bytes may go is set in <Link to="/settings?part=bandwidth">Bandwidth</Link>.</Note>
      <div className="row"><Button loading={test.busy} disabled={Object.keys(problems).length > 0} onClick={() => tryIt(form)}>{test.result ? 'Test again' : 'Test it'}</Button></div>
      {test.result && (test.result.certificate || test.result.abilities.length > 0) && (
        <TestStep
          form={form} place={place} test={test} onAgain={() => tryIt(form)} onInside={tryIt}
          onAccept={(certificate) => tryIt(pinnedForm(form, certificate))}
        />
      )}
    </WizardPage>
  );
}
