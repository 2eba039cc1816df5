import { useEffect, useState, type ReactNode } from 'react';
import { api, type Adopted, type ExistingFound } from '../../ipc';
import { useAction, useDestinations, useServers } from '../../shared/query';
import { navigate } from '../../shared/router';
import { WizardPage, type WizardNext } from '../../shared/wizard';
import { DetailsStep } from './details';
import { EMPTY, detailProblems, kitWords, placeText, purposeProblems, suggestName, toDraft, type DestinationForm } from './form';
import { forgetForm, keptForm } from './handover';
import { AdoptedStep, FoundSide, FoundStep } from './open-found';
import { KeyStep, type GivenKey } from './open-key';
import { useDestinationTest, useProviders } from './queries';
import { TestSide, testCount } from './step-test';
import { WhereStep } from './step-where';
import './destinations.css';

const CRUMBS = [{ title: 'Destinations', to: '/destinations' }];
type Step = 'where' | 'details' | 'key' | 'found' | 'done';
const WORDS: Record<Step, string> = { where: 'Where', details: 'Details', key: 'Key', found: 'What is there', done: 'Done' };

/** Opens a place with backups on a computer that does not know them: place, key, what is there, its servers and plans. */
export function OpenExistingPage() {
  const list = useDestinations();
  const servers = useServers();
  const providers = useProviders();
  const [form, setForm] = useState<DestinationForm>(() => keptForm() ?? EMPTY);
  const [step, setStep] = useState<Step>(() => (keptForm() && keptForm()?.draft.kind !== 'local' ? 'details' : 'where'));
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const [key, setKey] = useState<GivenKey>({ kind: 'words', text: '' });
  const [found, setFound] = useState<ExistingFound>();
  const [copy, setCopy] = useState<string | null>(null);
  const [adopted, setAdopted] = useState<Adopted | null>(null);
  const test = useDestinationTest('look');
  const taken = (list.data ?? []).filter((row) => row.id !== found?.destination.id).map((row) => row.name);
  const provider = providers.data?.find((each) => each.id === form.draft.s3.provider);
  const place = placeText(form, provider, servers.data?.find((row) => row.id === form.draft.sftp.server)?.name);
  const problems = detailProblems(form, provider);
  const shown = Object.fromEntries(Object.entries(problems).filter(([field]) => left.has(field)));
  const steps: Step[] = form.draft.kind === 'local' ? ['where', 'key', 'found', 'done'] : ['where', 'details', 'key', 'found', 'done'];
  const nameProblem = purposeProblems({ ...form, use: 'archives' }, 'vault', taken).name ?? null;

  const begin = (of: DestinationForm) => {
    const named = { ...of, draft: { ...of.draft, name: of.draft.name || suggestName(of, provider, taken) } };
    setForm(named);
    setStep('key');
    test.start(toDraft({ ...named, use: 'vault', key: 'made' }, 'empty'));
  };
  // What the other wizard left has been taken over.
  useEffect(forgetForm, []);

  const opening = useAction(
    (given: GivenKey) => {
      const draft = toDraft({ ...form, use: 'vault', key: 'made' }, 'empty');
      const text = given.kind === 'words' ? kitWords(given.text) : given.kind === 'none' ? '' : given.text;
      return api.openExisting({ ...draft, id: found?.destination.id ?? draft.id }, text);
    },
    {
      changes: ['destinations', 'backups', 'secrets'],
      inline: true,
      onDone: (result) => {
        setFound(result);
        setCopy(result.configurations.find((one) => one.servers.length + one.plans.length + one.destinations.length > 0)?.id ?? null);
        setKey({ kind: 'words', text: '' });
        setStep('found');
      },
    },
  );
  const adopting = useAction(() => api.adoptConfiguration(found?.destination.id ?? '', copy ?? ''), {
    changes: ['servers', 'plans', 'destinations', 'backups'],
    inline: true,
    onDone: (result) => finish(result),
  });
  const finish = (result: Adopted | null) => {
    // The secrets have done their work: they do not stay in the window.
    setForm((old) => ({ ...EMPTY, draft: { ...EMPTY.draft, kind: old.draft.kind } }));
    setAdopted(result);
    setStep('done');
  };

  const pages: Record<Step, Page> = {
    where: {
      text: 'Where do the backups lie?',
      side: { title: 'What this does', body: <About /> },
      back: { title: 'Cancel', run: () => navigate('/destinations') },
      next: form.draft.kind === 'local' ? { title: 'Look there', problem: problems.path ?? null, run: () => begin(form) } : { title: 'Continue', run: () => setStep('details') },
      body: <WhereStep form={form} onChange={setForm} folderHint="The folder with the vault or the archives in it" />,
    },
    details: {
      text: place,
      side: { title: 'What this does', body: <About /> },
      back: { title: 'Back', run: () => setStep('where') },
      next: { title: 'Look there', problem: Object.values(problems)[0] ?? null, run: () => begin(form) },
      body: <DetailsStep form={form} shown={shown} onChange={setForm} onLeave={(field) => setLeft((old) => new Set(old).add(field))} />,
    },
    key: {
      text: place,
      side: { title: 'Looking there', aside: testCount(test), body: <TestSide place={place} test={test} onRetry={() => begin(form)} /> },
      back: { title: 'Back', run: () => setStep(form.draft.kind === 'local' ? 'where' : 'details') },
      next: { title: 'Open it', busy: opening.busy, problem: test.busy ? 'Looking there…' : keyBlocks(test.result?.found, test.result?.ok ?? false, key) ?? nameProblem, run: () => opening.run(key) },
      body: <KeyStep form={form} place={place} test={test} given={key} nameProblem={nameProblem} error={opening.error} onKey={setKey} onChange={setForm} onAgain={begin} />,
    },
    found: {
      text: found?.destination.place ?? '',
      side: { title: 'What happens', body: <FoundSide copy={copy !== null} /> },
      next: copy === null
        ? { title: 'Go on without them', run: () => finish(null) }
        : { title: 'Take over these settings', busy: adopting.busy, run: () => adopting.run() },
      body: found && (
        <FoundStep
          found={found} copy={copy} onCopy={setCopy} given={key} onKey={setKey} opening={opening.busy} error={opening.error ?? adopting.error}
          onTry={() => opening.run(key)}
        />
      ),
    },
    done: {
      title: `${found?.destination.name ?? ''} is open`,
      text: found?.destination.place ?? '',
      side: { title: 'What next', body: <p className="card-pad mute">Look into a backup, or bring a file back to be sure.{(adopted?.missing_secrets.length ?? 0) > 0 && ' You can start the plans once what is still needed is given.'}</p> },
      next: { title: 'Show the backups', run: () => navigate(`/backups?destination=${encodeURIComponent(found?.destination.id ?? '')}`) },
      body: found && <AdoptedStep found={found} adopted={adopted} />,
    },
  };
  const page = pages[step];
  return (
    <WizardPage
      title={page.title ?? 'Open existing backups'}
      text={page.text}
      crumbs={CRUMBS}
      steps={steps.map((each) => WORDS[each])}
      current={steps.indexOf(step)}
      {...(found ? {} : { onGo: (to: number) => setStep(steps[to] ?? 'where') })}
      side={page.side}
      {...(page.back ? { back: page.back } : {})}
      {...(page.next ? { next: page.next } : {})}
    >
      {page.body}
    </WizardPage>
  );
}

type Page = { title?: string; text: string; side: { title: string; aside?: ReactNode; body: ReactNode }; back?: { title: string; run: () => void }; next?: WizardNext; body: ReactNode };

/** Says why the place cannot be opened yet, or nothing. */
function keyBlocks(found: string | undefined, ok: boolean, key: GivenKey): string | null {
  if (found === undefined) return 'It has to be reached first';
  if (!ok) return 'It cannot be read as it is';
  if (found === 'empty') return 'Nothing lies there: check the folder';
  if (found === 'foreign') return 'No backups of Backstay or restic lie there: check the folder';
  if (key.kind === 'none') return found === 'vault' ? 'A vault needs its password' : null;
  return key.text.trim() === '' ? 'Give the key' : null;
}

function About() {
  return (
    <div className="card-pad stack">
      <p>Point at the bucket or folder, give its key or the words of its recovery kit, and every backup in it is listed here, with its server and plan. Nothing there is changed or written: a key that may only read will do.</p>
      <p>If another computer kept its settings beside the backups, its servers, plans and destinations can be taken over too. Passwords are never kept there: they are asked for again.</p>
      <p>A repository made by restic opens as well.</p>
    </div>
  );
}
