import { Button, Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { api, type DestinationRow, type IpcError, type LayoutDraft, type PlanDraft, type PlanRow, type PlanSaved, type PlanView, type ServerRow } from '../../ipc';
import { keys, useAction, useDestinations, usePlans, useServers } from '../../shared/query';
import { navigate, useParam, useQueryValue } from '../../shared/router';
import { ErrorNote, Note, Page, showNote } from '../../shared/ui';
import { Summary, WizardPage, forgetWayBack, keepWayBack } from '../../shared/wizard';
import { EMPTY, STEPS, stepProblem, suggestName, toDraft } from './form';
import { forgetPlan, keepPlan, keptPlan, withAdded, type KeptPlan } from './handover';
import { KIND_WORDS, itemText } from './items';
import { PlanKitPage } from './kit-page';
import { keepsKey, layoutText } from './layout';
import { LayoutCards, useArchiveName } from './step-layout';
import { NameStep, WhereStep } from './step-where';
import { WhatStep } from './step-what';
import './plans.css';

const CRUMBS = [{ title: 'Plans', to: '/plans' }];

/** Makes a plan, or changes one: reads what it needs, then shows the steps. */
export function PlanWizardPage() {
  const id = useParam('id');
  const server = useQueryValue('server');
  const destination = useQueryValue('destination');
  const [kept, setKept] = useState(() => keptPlan(id, server));
  // Taken up or not, it does not come up a second time.
  useEffect(() => {
    forgetPlan();
    forgetWayBack();
  }, []);
  const servers = useServers();
  const destinations = useDestinations();
  const plans = usePlans();
  const plan = useQuery<PlanView, IpcError>({ queryKey: keys.plan(id), queryFn: () => api.plan(id), enabled: id !== '', staleTime: 0 });

  const error = servers.error ?? destinations.error ?? plans.error ?? plan.error;
  const title = id === '' ? 'Make a plan' : 'Edit the plan';
  const ready = servers.data && destinations.data && plans.data && (id === '' || plan.data);
  // A later reading that fails must not throw away what has been filled in.
  if (error && !ready) {
    return <Page title={title} crumbs={CRUMBS}><ErrorNote error={error} retry={() => void Promise.all([servers.refetch(), destinations.refetch(), plans.refetch()])} /></Page>;
  }
  // One that was added a moment ago is in the list only once that is read anew.
  const awaited = (wanted: string | null, list: { data?: { id: string }[]; isFetching: boolean }) => wanted !== null && list.isFetching && !list.data?.some((row) => row.id === wanted);
  const early = awaited(server, servers) || awaited(destination, destinations);
  if (!servers.data || !destinations.data || !plans.data || (id !== '' && !plan.data) || early) {
    return <Page title={title} crumbs={CRUMBS}><Skeleton height={240} /></Page>;
  }
  const only = destinations.data.length === 1 ? destinations.data[0]?.id : undefined;
  const start: PlanDraft = plan.data?.draft ?? {
    ...EMPTY,
    server: servers.data.find((row) => row.id === server)?.id ?? (servers.data.length === 1 ? (servers.data[0]?.id ?? '') : ''),
    destinations: [destinations.data.find((row) => row.id === destination)?.id ?? only].filter((one) => one !== undefined),
  };
  const taken = kept && withAdded(kept, destinations.data.find((row) => row.id === destination), destinations.data);
  return <Wizard key={`${id} ${taken ? 'kept' : ''}`} start={start} kept={taken} onAnew={() => setKept(null)} servers={servers.data} destinations={destinations.data} plans={plans.data} />;
}

type Props = { start: PlanDraft; kept: KeptPlan | null; onAnew: () => void; servers: ServerRow[]; destinations: DestinationRow[]; plans: PlanRow[] };

function Wizard({ start, kept, onAnew, servers, destinations, plans }: Props) {
  const [step, setStep] = useState(kept ? 1 : 0);
  const [draft, setDraft] = useState(kept?.draft ?? start);
  const [named, setNamed] = useState(kept?.named ?? start.name !== '');
  const [repeated, setRepeated] = useState(kept?.repeated ?? '');
  const [saved, setSaved] = useState<PlanSaved>();
  const editing = start.id !== null;
  const serverName = servers.find((row) => row.id === draft.server)?.name ?? '';
  const taken = plans.filter((row) => row.id !== draft.id).map((row) => row.name);
  // The name is asked last; until then file names are shown with the one that will be suggested.
  const asNamed = { ...draft, name: draft.name || suggestName(serverName, draft.items, taken) };
  const fileName = useArchiveName(asNamed);

  const save = useAction(() => api.savePlan(toDraft(draft)), {
    changes: ['plans'],
    inline: true,
    onDone: (result) => {
      const { row } = result;
      if (result.kit) {
        // The key has done its work: it does not stay in the window.
        setDraft((old) => ({ ...old, layout: { ...old.layout, key: null } }));
        setRepeated('');
        setSaved(result);
        return;
      }
      showNote(editing ? `${row.name} is changed. The next backup takes it up.` : `The plan ${row.name} is made.`);
      navigate(`/plans/${row.id}`, { replace: true });
    },
  });
  const go = (to: number) => {
    if (to === 2 && !named) setDraft((old) => ({ ...old, name: suggestName(serverName, old.items, taken) }));
    setStep(to);
  };
  const addDestination = () => {
    keepPlan({ draft, named, repeated });
    keepWayBack(start.id === null ? '/plans/new' : `/plans/${start.id}/edit`);
    navigate('/destinations/new');
  };
  const last = step === STEPS.length - 1;
  const around = { repeated, stored: keepsKey(start.id === null ? null : start.layout, draft.layout), destinations };
  const nameProblem = step === 1 && draft.layout.kind === 'archive' && fileName.error ? fileName.error.message : null;
  const setLayout = (part: Partial<LayoutDraft>) => setDraft((old) => ({ ...old, layout: { ...old.layout, ...part } }));
  if (saved?.kit) return <PlanKitPage row={saved.row} kit={saved.kit} />;
  return (
    <WizardPage
      title={editing ? `Edit ${start.name}` : 'Make a plan'}
      text={['What should be backed up?', 'Where should the backups lie, and how?', 'How is the plan called?'][step]}
      crumbs={CRUMBS}
      steps={STEPS}
      current={step}
      onGo={setStep}
      side={{ title: 'The plan so far', body: <PlanSummary draft={draft} serverName={serverName} destinations={destinations} /> }}
      back={step === 0 ? { title: 'Cancel', run: () => navigate(editing ? `/plans/${start.id ?? ''}` : '/plans') } : { title: 'Back', run: () => setStep(step - 1) }}
      next={{
        title: last ? (editing ? 'Save the plan' : 'Make the plan') : 'Continue',
        problem: stepProblem(step, draft, taken, around) ?? nameProblem,
        busy: save.busy,
        run: () => (last ? save.run() : go(step + 1)),
      }}
    >
      {step === 0 && <WhatStep draft={draft} servers={servers} suggest={!editing} onChange={setDraft} />}
      {step === 1 && (
        <>
          {kept && <Note tone="run" action={<Button onClick={onAnew}>Start anew</Button>}>The plan is as you left it.</Note>}
          <WhereStep draft={draft} destinations={destinations} serverName={serverName} onChange={setDraft} onAdd={addDestination} />
          {destinations.length > 0 && <LayoutCards draft={asNamed} around={around} onLayout={setLayout} onRepeated={setRepeated} />}
        </>
      )}
      {last && (
        <NameStep
          name={draft.name}
          problem={stepProblem(2, draft, taken)}
          error={save.error}
          onName={(name) => {
            setNamed(true);
            setDraft((old) => ({ ...old, name }));
          }}
        />
      )}
    </WizardPage>
  );
}

function PlanSummary({ draft, serverName, destinations }: { draft: PlanDraft; serverName: string; destinations: DestinationRow[] }) {
  const where = draft.destinations.map((id) => destinations.find((row) => row.id === id)?.name ?? id);
  return (
    <Summary
      rows={[
        { name: 'Server', value: serverName },
        {
          name: 'What',
          open: 'nothing ticked yet',
          value: draft.items.length > 0 && (
            <ul className="summary-items">
              {draft.items.map((item, i) => (
                <li key={`${item.settings.kind}-${i}`}>
                  <b>{KIND_WORDS[item.settings.kind]}</b>
                  <div>{itemText(item.settings)}</div>
                  {item.settings.kind === 'files' && item.settings.excludes.length > 0 && (
                    <div className="mute">without {item.settings.excludes.slice(0, 4).join(', ')}{item.settings.excludes.length > 4 && ` and ${item.settings.excludes.length - 4} more`}</div>
                  )}
                </li>
              ))}
            </ul>
          ),
        },
        { name: 'Where to', value: where.join(' · ') },
        { name: 'Layout', value: layoutText(draft.layout) },
        { name: 'When', value: 'When you press "Back up now"' },
        { name: 'Name', value: draft.name, open: 'asked last' },
      ]}
    />
  );
}
