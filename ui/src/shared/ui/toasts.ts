import type { IpcError } from '../../ipc';

/** A message at the foot of the window. Failures stay until closed; others leave by themselves. */
export type Toast = { id: number; error: IpcError | null; text: string; link: { title: string; to: string } | null };

let toasts: readonly Toast[] = [];
let next = 1;
const listeners = new Set<() => void>();

function set(value: readonly Toast[]): void {
  toasts = value;
  for (const listener of listeners) listener();
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
  set([...toasts, { id: next++, error, text: '', link: null }].slice(-5));
}

/** Says something that went well and cannot be seen elsewhere; leaves after six seconds. */
export function showNote(text: string, link: Toast['link'] = null): void {
  const id = next++;
  set([...toasts, { id, error: null, text, link }].slice(-5));
  setTimeout(() => closeToast(id), 6000);
}
