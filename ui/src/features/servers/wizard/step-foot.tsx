import { Button } from '@mantine/core';
import type { ReactNode } from 'react';

type Props = { onBack: () => void; backTitle?: string; next: string | null; busy?: boolean; onNext?: () => void; children?: ReactNode };

/** The buttons of a wizard's step. Without `onNext` the main button submits the form. `next` null: this step leads on by itself. */
export function StepFoot({ onBack, backTitle = 'Back', next, busy = false, onNext, children }: Props) {
  return (
    <div className="row step-foot">
      <Button onClick={onBack}>{backTitle}</Button>
      <span className="grow" />
      {children}
      {next !== null && (
        <Button variant="filled" loading={busy} type={onNext ? 'button' : 'submit'} onClick={onNext}>{next}</Button>
      )}
    </div>
  );
}
