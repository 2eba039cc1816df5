import { IconCheck, IconCircleDashed, IconLoader2, IconX } from '@tabler/icons-react';
import type { TestStep } from '../../ipc';
import { StateBadge } from './values';
import './tests.css';

const WORDS: Record<string, string> = { ok: 'OK', note: 'Note', failed: 'Failed', skipped: 'Skipped' };

/** The steps of a test, each with what came of it. `running`: what is being tried now, as a last line. */
export function TestSteps({ steps, running, label }: { steps: TestStep[]; running?: string | undefined; label: string }) {
  return (
    <ul className="test-steps" aria-label={label} aria-live="polite">
      {steps.map((step, i) => (
        <li key={`${i}-${step.title}`}>
          <StateBadge state={step.state} text={WORDS[step.state]} />
          <div className="grow">
            <div>{step.title}</div>
            {step.text && <div className="mute test-text">{step.text}</div>}
            {step.hint && <div className="test-hint">{step.hint}</div>}
          </div>
        </li>
      ))}
      {running !== undefined && (
        <li>
          <StateBadge state="running" text="Now" />
          <div className="grow">{running}</div>
        </li>
      )}
    </ul>
  );
}

/** A line with a tick, for short lists of what is done and what is not. */
export function Tick({ state, children }: { state: 'done' | 'now' | 'next' | 'failed'; children: React.ReactNode }) {
  const Symbol = { done: IconCheck, now: IconLoader2, next: IconCircleDashed, failed: IconX }[state];
  const word = { done: 'done', now: 'under way', next: 'to do', failed: 'failed' }[state];
  return (
    <span className={`tick tick-${state}`}>
      <Symbol size={16} aria-hidden className={state === 'now' ? 'spin' : undefined} />
      <span className="grow">{children}</span>
      <span className="visually-hidden"> ({word})</span>
    </span>
  );
}
