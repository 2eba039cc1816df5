import { useState, type ReactNode } from 'react';
import { api, type DestinationAdded } from '../../ipc';
import { useAction, useDestinations, useServers } from '../../shared/query';
import { navigate } from '../../shared/router';
import { WizardPage, type WizardNext } from '../../shared/wizard';
import { AddedSide, AddedStep } from './add-kit';
import { DetailsStep } from './details';
import { EMPTY, detailProblems, pinnedForm, placeText, stepWord, stepsOf, suggestName, testBlocks, toDraft, purposeProblems, type DestinationForm, type Step } from './form';
import { keepForm } from './handover';
import { useDestinationTest, useProviders } from './queries';
import { TestSide, TestStep, testCount } from './step-test';
import { UseSide, UseStep } from './step-use';
import { WhereStep } from './step-where';
import './destinations.css';

const CRUMBS = [{ title: 'Destinations', to: '/destinations' }];

/** Adds a destination: where, its details, a live test, what it is for, recovery kit. */
export function AddDestinationPage() {
  const list = useDestinations();
  const servers = useServers();
  const providers = useProviders();
  const [step, setStep] = useState<Step>('where');
  const [form, setForm] = useState<DestinationForm>(EMPTY);
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const [added, setAdded] = useState<DestinationAdded>();
  const test = useDestinationTest();
  const others = list.data ?? [];
  const taken = others.map((row) => row.name);
  const provider = providers.data?.find((each) => each.id === form.draft.s3.provider);
  const place = placeText(form, provider, servers.data?.find((row) => row.id === form.draft.sftp.server)?.name);
  const found = test.result?.found ?? 'empty';
  const problems = step === 'use' ? purposeProblems(form, found, taken) : detailProblems(form, provider);
  const shown = Object.fromEntries(Object.entries(problems).filter(([field]) => left.has(field)));
  const opening = found === 'vault' && form.use === 'vault';

  const adding = useAction(() => api.addDestination(toDraft(form, found)), {
    changes: ['destinations', 'backups', 'secrets'],
    inline: true,
    onDone: (result) => {
      // The secrets have done their work: they do not stay in the window.
      setForm((old) => ({ ...EMPTY, use: old.use, draft: { ...EMPTY.draft, kind: old.draft.kind, name: old.draft.name } }));
      setAdded(result);
      setStep('done');
    },
  });
  const startTest = (of: DestinationForm) => {
    setForm(of);
    setStep('test');
    test.start(toDraft({ ...of, use: 'vault', key: 'made' }, 'empty'));
  };
  const toUse = () => {
    const { settled } = test.result ?? {};
    setForm((old) => ({
      ...old,
      use: found === 'vault' || old.use !== 'copy' || others.some((row) => row.vault) ? old.use : 'vault',
      draft: {
        ...old.draft,
        name: old.draft.name || suggestName(old, provider, taken),
        // What the test found out goes along; what was typed stays.
        s3: settled ? { ...old.draft.s3, path_style: old.draft.s3.path_style ?? settled.path_style, checksums: old.draft.s3.checksums ?? settled.checksums } : old.draft.s3,
      },
    }));
    setStep('use');
  };

  const steps = stepsOf(form.draft.kind);
  const pages: Record<Step, Page> = {
    where: {
      text: 'Where should backups lie?',
      side: { title: 'What makes a good place', body: <GoodPlace /> },
      back: { title: 'Cancel', run: () => navigate('/destinations') },
      next: form.draft.kind === 'local'
        ? { title: 'Test it', problem: problems.path ?? null, run: () => startTest(form) }
        : { title: 'Continue', run: () => setStep('details') },
      body: <WhereStep form={form} onChange={setForm} />,
    },
    details: {
      text: place,
      side: { title: 'Where the secrets go', body: <Secrets kind={form.draft.kind} /> },
      back: { title: 'Back', run: () => setStep('where') },
      next: { title: 'Test it', problem: Object.values(problems)[0] ?? null, run: () => startTest(form) },
      body: <DetailsStep form={form} shown={shown} onChange={setForm} onLeave={(field) => setLeft((old) => new Set(old).add(field))} />,
    },
    test: {
      text: place,
      side: { title: 'Test', aside: testCount(test), body: <TestSide place={place} test={test} onRetry={() => startTest(form)} /> },
      back: { title: 'Back', run: () => setStep(form.draft.kind === 'local' ? 'where' : 'details') },
      next: { title: 'Continue', busy: test.busy, problem: test.busy ? null : testBlocks(test.result), run: toUse },
      body: (
        <TestStep
          form={form} place={place} test={test} onAgain={() => startTest(form)} onInside={startTest}
          onAccept={(certificate) => startTest(pinnedForm(form, certificate))}
          onExisting={() => { keepForm(form); navigate('/destinations/open'); }}
        />
      ),
    },
    use: {
      text: place,
      side: { title: form.use === 'vault' ? 'What the key does' : 'What happens next', body: <UseSide use={form.use} opening={opening} /> },
      back: { title: 'Back', run: () => setStep('test') },
      next: { title: opening ? 'Open the vault' : form.use === 'vault' ? 'Make the vault' : 'Add the destination', busy: adding.busy, problem: Object.values(problems)[0] ?? null, run: () => adding.run() },
      body: <UseStep form={form} found={found} others={others} problems={problems} error={adding.error} onChange={setForm} />,
    },
    done: {
      title: added?.kit ? `Recovery kit of ${added.destination.name}` : `${added?.destination.name ?? ''} is ready`,
      text: added?.kit ? 'Without it, nobody can open the backups once this computer is lost' : (added?.destination.place ?? ''),
      side: { title: added?.kit ? 'Is it safe?' : 'What next', body: added && <AddedSide added={added} use={form.use} /> },
      body: added && <AddedStep added={added} use={form.use} />,
    },
  };
  const page = pages[step];
  return (
    <WizardPage
      title={page.title ?? 'Add a destination'}
      text={page.text}
      crumbs={CRUMBS}
      {...(step === 'done' ? {} : { onGo: (to: number) => setStep(steps[to] ?? 'where') })}
      steps={steps.map((each) => stepWord(each, form.use))}
      current={steps.indexOf(step)}
      side={page.side}
      {...(page.back ? { back: page.back } : {})}
      {...(page.next ? { next: page.next } : {})}
    >
      {page.body}
    </WizardPage>
  );
}

type Page = {
  title?: string;
  text: string;
  side: { title: string; aside?: ReactNode; body: ReactNode };
  back?: { title: string; run: () => void };
  next?: WizardNext;
  body: ReactNode;
};

function GoodPlace() {
  return (
    <div className="card-pad stack">
      <p>One that does not go down together with the servers: another building, another company.</p>
      <p>In a vault or a sealed archive everything is encrypted before it is written. Whoever runs the place sees only sizes and times.</p>
      <p>A place with backups of Backstay or restic in it is opened, not overwritten: give its password, and every backup in it is listed.</p>
    </div>
  );
}

function Secrets({ kind }: { kind: string }) {
  return (
    <div className="card-pad stack">
      <p>{kind === 's3' ? 'The secret key' : 'The password'} goes to the keyring of this computer. It is never in the database, in logs or on a command line, and is not shown again.</p>
      {kind === 's3' && <p>Best are keys that can do nothing but read and write this one bucket.</p>}
      {kind === 'sftp' && <p>A user whose log-in reaches this one folder and nothing else is best: whoever gets hold of it can then reach nothing else.</p>}
      {kind === 'ftp' && <p>Where SFTP is offered too, take that: FTP needs a second connection for data, which routers and firewalls often break.</p>}
      <p>The servers that are backed up never see this secret.</p>
    </div>
  );
}
