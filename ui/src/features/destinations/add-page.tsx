import { useState } from 'react';
import { api, type DestinationAdded, type DestinationTest } from '../../ipc';
import { useAction, useDestinations } from '../../shared/query';
import { navigate } from '../../shared/router';
import { WizardPage } from '../../shared/wizard';
import { AddedSide, AddedStep } from './add-kit';
import { FolderStep, KeyStep, TestSide, TestStep } from './add-steps';
import { EMPTY, STEPS, folderProblems, keyProblems, suggestName, testBlocks, toDraft, type DestinationForm } from './form';
import './destinations.css';

const CRUMBS = [{ title: 'Destinations', to: '/destinations' }];

/** Adds a destination: folder, test, name and key, recovery kit. */
export function AddDestinationPage() {
  const list = useDestinations();
  const taken = (list.data ?? []).map((row) => row.name);
  const [step, setStep] = useState(0);
  const [form, setForm] = useState<DestinationForm>(EMPTY);
  const [test, setTest] = useState<DestinationTest>();
  const [added, setAdded] = useState<DestinationAdded>();
  const change = (part: Partial<DestinationForm>) => setForm((old) => ({ ...old, ...part }));

  const testing = useAction((path: string) => api.testDestination(toDraft({ ...form, path }, 'empty')), {
    inline: true,
    onDone: (result, path) => {
      setTest(result);
      setForm((old) => ({ ...old, name: old.name || suggestName(path, taken) }));
    },
  });
  const adding = useAction(() => api.addDestination(toDraft(form, test?.found ?? 'empty')), {
    changes: ['destinations', 'backups', 'secrets'],
    inline: true,
    onDone: (result) => {
      // The password has done its work: it does not stay in the window.
      setForm((old) => ({ ...old, password: '', repeated: '' }));
      setAdded(result);
      setStep(3);
    },
  });
  const startTest = (path: string) => {
    change({ path });
    setTest(undefined);
    setStep(1);
    testing.run(path);
  };
  const found = test?.found ?? 'empty';
  const problems = keyProblems(form, found, taken);

  if (step === 0) {
    return (
      <WizardPage
        title="Add a destination"
        text="Where should backups lie?"
        crumbs={CRUMBS}
        steps={STEPS}
        current={0}
        side={{ title: 'What makes a good place', body: <GoodPlace /> }}
        back={{ title: 'Cancel', run: () => navigate('/destinations') }}
        next={{ title: 'Test it', problem: folderProblems(form).path ?? null, run: () => startTest(form.path.trim()) }}
      >
        <FolderStep form={form} onChange={change} />
      </WizardPage>
    );
  }
  if (step === 1) {
    return (
      <WizardPage
        title="Add a destination"
        text={form.path}
        crumbs={CRUMBS}
        steps={STEPS}
        current={1}
        onGo={setStep}
        side={{ title: 'Test', aside: testCount(test), body: <TestSide path={form.path} test={test} running={testing.busy} error={testing.error} onRetry={() => startTest(form.path)} /> }}
        back={{ title: 'Back', run: () => setStep(0) }}
        next={{ title: 'Continue', busy: testing.busy, problem: testing.busy ? null : testBlocks(test), run: () => setStep(2) }}
      >
        <TestStep path={form.path} test={test} running={testing.busy} onFolder={startTest} onAgain={() => startTest(form.path)} />
      </WizardPage>
    );
  }
  if (step === 2 || !added) {
    return (
      <WizardPage
        title="Add a destination"
        text={form.path}
        crumbs={CRUMBS}
        steps={STEPS}
        current={2}
        onGo={setStep}
        side={{ title: 'What the key does', body: <KeyWords opening={found === 'vault'} /> }}
        back={{ title: 'Back', run: () => setStep(1) }}
        next={{
          title: found === 'vault' ? 'Open the vault' : 'Make the vault',
          busy: adding.busy,
          problem: Object.values(problems)[0] ?? null,
          run: () => adding.run(),
        }}
      >
        <KeyStep form={form} found={found} problems={problems} error={adding.error} onChange={change} />
      </WizardPage>
    );
  }
  return (
    <WizardPage
      title={`Recovery kit of ${added.destination.name}`}
      text="Without it, nobody can open the backups once this computer is lost"
      steps={STEPS}
      current={3}
      side={{ title: 'Is it safe?', body: <AddedSide added={added} /> }}
    >
      <AddedStep added={added} />
    </WizardPage>
  );
}

function testCount(test: DestinationTest | undefined): string {
  if (!test) return '';
  return `${test.steps.filter((one) => one.state === 'ok' || one.state === 'note').length} of ${test.steps.length}`;
}

function GoodPlace() {
  return (
    <div className="card-pad stack">
      <p>A disk or a NAS that does not go down together with the servers: another building is best.</p>
      <p>Backups are encrypted before they are written. Whoever runs the place sees only their size.</p>
      <p>A folder with a vault of Backstay or restic in it is opened, not overwritten: give its password, and every backup in it is listed.</p>
    </div>
  );
}

function KeyWords({ opening }: { opening: boolean }) {
  return (
    <div className="card-pad stack">
      {opening ? (
        <p>There is a vault in this folder already. Its password is on its recovery kit. Nothing in it is changed by opening it.</p>
      ) : (
        <>
          <p>The vault is encrypted with this key. It is kept with the other secrets of this computer, so that backups run without asking.</p>
          <p>On the next page you get it as a recovery kit, to print or to save elsewhere. There is no other way back in: nobody can reset it.</p>
        </>
      )}
    </div>
  );
}
