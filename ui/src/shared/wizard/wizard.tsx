import { Button } from '@mantine/core';
import { useId, type ReactNode } from 'react';
import { PageHeader, type Crumb } from '../ui';
import './wizard.css';

/** The button that leads on. */
export type WizardNext = {
  /** What it does: "Continue", "Make the plan". */
  title: string;
  /** Why it cannot be pressed yet, or nothing. Shown above it. */
  problem?: string | null;
  busy?: boolean;
  run: () => void;
};

type Props = {
  title: ReactNode;
  text?: ReactNode;
  crumbs?: Crumb[];
  steps: readonly string[];
  current: number;
  onGo?: (step: number) => void;
  /** The card at the right: its title, and what it says. */
  side: { title: string; aside?: ReactNode; body: ReactNode };
  back?: { title: string; run: () => void };
  next?: WizardNext;
  children: ReactNode;
};

/** A page of several steps: the step at the left, a plain summary and the buttons at the right. */
export function WizardPage({ title, text, crumbs, steps, current, onGo, side, back, next, children }: Props) {
  const why = useId();
  return (
    <form
      className="page"
      onSubmit={(event) => {
        event.preventDefault();
        // What is sent off in a dialog comes by here too, for it is drawn by a part of this form.
        if (event.target !== event.currentTarget) return;
        if (next && !next.problem && !next.busy) next.run();
      }}
    >
      <PageHeader
        title={title}
        {...(text !== undefined ? { text } : {})}
        {...(crumbs ? { crumbs } : {})}
        {...(steps.length > 0 ? { steps: { steps, current, ...(onGo ? { onGo } : {}) } } : {})}
      />
      <div className="page-body page-fill">
        <div className="wizard-step step-content">{children}</div>
        <aside className="panel wizard-side" aria-label={side.title}>
          <div className="card-title">
            <h2>{side.title}</h2>
            {side.aside !== undefined && <span className="card-aside">{side.aside}</span>}
          </div>
          <div className="panel-body" tabIndex={0} role="region" aria-label={`${side.title}: details`}>
            {side.body}
          </div>
          {(back || next) && (
            <div className="wizard-foot">
              {next?.problem && <p id={why} className="mute small">{next.problem}</p>}
              <div className="row">
                {back && <Button onClick={back.run}>{back.title}</Button>}
                <span className="grow" />
                {next && (
                  <Button
                    type="submit"
                    variant="filled"
                    disabled={Boolean(next.problem)}
                    loading={next.busy ?? false}
                    {...(next.problem ? { 'aria-describedby': why } : {})}
                  >
                    {next.title}
                  </Button>
                )}
              </div>
            </div>
          )}
        </aside>
      </div>
    </form>
  );
}
