import { Skeleton } from '@mantine/core';
import { useState } from 'react';
import type { ServerDraft, ServerRow } from '../../../ipc';
import { Link, navigate, useParam } from '../../../shared/router';
import { cleaned, emptyDraft } from '../../../shared/ssh';
import { Card, ErrorNote, Page } from '../../../shared/ui';
import { useServer, useServers } from '../queries';
import { FingerprintStep } from './fingerprint-step';
import { FoundStep } from './found-step';
import { LoginStep } from './login-step';
import { WhereStep } from './where-step';
import './wizard.css';

const STEPS = ['Where', 'Log in', 'Fingerprint', 'What we found'];
const CRUMBS = [{ title: 'Servers', to: '/servers' }];

/** Adds a server: where it is, how to log in, its fingerprint, what was found there. */
export function AddServerPage() {
  return <Wizard title="Add a server" start={emptyDraft()} stored={null} />;
}

/** Changes how a server is reached: the same steps, filled in. */
export function EditServerPage() {
  const id = useParam('id');
  const server = useServer(id);
  if (server.error && !server.data) return <Page title="Edit a server" crumbs={CRUMBS}><ErrorNote error={server.error} retry={() => void server.refetch()} /></Page>;
  if (!server.data) return <Page title="Edit a server" crumbs={CRUMBS}><Card padded><Skeleton height={180} /></Card></Page>;
  return <Wizard title={`Edit ${server.data.row.name}`} start={server.data.draft} stored={server.data.row} />;
}

const TEXTS = [
  'Where is it?',
  'How does Backstay log in? Nothing is installed on the server.',
  'Is it really this server?',
  'What is there, and what to do with it.',
];

function Wizard({ title, start, stored }: { title: string; start: ServerDraft; stored: ServerRow | null }) {
  const [draft, setDraft] = useState(start);
  const [step, setStep] = useState(0);
  const servers = useServers();
  const leave = stored ? `/servers/${stored.id}` : '/servers';
  // On this computer there is no key to compare.
  const next = () => setStep(draft.local && step === 1 ? 3 : step + 1);
  const back = () => (step === 0 ? navigate(leave) : setStep(draft.local && step === 3 ? 1 : step - 1));
  const goTo = (to: number) => setStep(draft.local && to === 2 ? 1 : to);
  const shared = { draft, onChange: setDraft, onNext: next, onBack: back, stored: stored !== null };
  return (
    <Page title={title} text={TEXTS[step]} crumbs={CRUMBS} steps={{ steps: STEPS, current: step, onGo: goTo }}>
      <div className="step-content server-steps">
        {step === 0 && <WhereStep {...shared} servers={servers.data ?? []} />}
        {step === 1 && <LoginStep {...shared} was={stored ? start : null} />}
        {step === 2 && <FingerprintStep {...shared} was={stored ? start : null} />}
        {step === 3 && <FoundStep draft={cleaned(draft)} stored={stored !== null} onBack={back} />}
      </div>
      <p className="mute small">Passwords and passphrases go to your keyring, never into a file that can be read. {step > 0 && <Link to={leave}>Leave without saving</Link>}</p>
    </Page>
  );
}
