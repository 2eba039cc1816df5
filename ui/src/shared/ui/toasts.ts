import type { IpcError } from '../../ipc';

/** A message at the foot of the window. Failures ("bad") stay until closed; what is done ("good") or has only begun ("run") leaves by itself. */
export type Toast = { id: number; tone: 'good' | 'run' | 'bad'; error: IpcError | null; text: string; link: { title: string; to: string } | null };

let toasts: readonly Toast[] = [];
let next = 1;
const listeners = new Set<() => void>();

function set(value: readonly Toast[]): void {
  toasts = value;
  for (const listener of listeners) listener();
}

function add(toast: Omit<Toast, 'id'>): number {
  const id = next++;
  set([...toasts, { id, ...toast }].slice(-5));
  return id;
}

/** Hears changes; for the view. */
export function subscribeToasts(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Returns what is shown now. */
export function currentToasts(): readonly Toast[] {
  return toasts;
}

/** Closes a message. */
export function closeToast(id: number): void {
  set(toasts.filter((toast) => toast.id !== id));
}

/** Shows a failure. It stays until closed; the same failure is not shown twice. */
export function showError(error: IpcError): void {
  if (error.code === 'cancelled' || toasts.some((toast) => toast.error?.message === error.message)) return;
  add({ tone: 'bad', error, text: '', link: null });
}

/** Says something that went well and cannot be seen elsewhere; leaves after six seconds. */
export function showNote(text: string, link: Toast['link'] = null, tone: Toast['tone'] = 'good'): void {
  const id = add({ tone, error: null, text, link });
  setTimeout(() => closeToast(id), 6000);
}

/** Says what a run that has only begun does, and leads to it. */
export function showBegun(text: string, run: string): void {
  showNote(text, { title: 'Watch it', to: `/activity/${run}` }, 'run');
}
