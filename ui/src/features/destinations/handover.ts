import type { DestinationForm } from './form';

// What was typed in one wizard goes to the other without being typed again, and without a secret in the address.
let kept: DestinationForm | null = null;

/** Keeps a form for the next wizard. */
export function keepForm(form: DestinationForm): void {
  kept = form;
}

/** Returns the kept form, if any. */
export function keptForm(): DestinationForm | null {
  return kept;
}

/** Forgets it: it holds secrets. */
export function forgetForm(): void {
  kept = null;
}
