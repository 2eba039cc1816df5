import { flushSync } from 'react-dom';

/** Shows what is wrong with a form, and puts the cursor into the first such field: it may be out of sight. */
export function showFaults(form: HTMLFormElement, show: () => void): void {
  flushSync(show);
  form.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
}
