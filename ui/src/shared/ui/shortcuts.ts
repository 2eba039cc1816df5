import { useEffect, useRef } from 'react';

function typing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName);
}

/** Tells whether a dialog or menu is open, which then owns the keyboard. */
function dialogOpen(): boolean {
  // A select keeps its closed list in the page: only what is on screen counts.
  const open = document.querySelectorAll('[role="dialog"],[role="menu"],[role="listbox"]');
  return [...open].some((element) => element.getClientRects().length > 0);
}

// Noted before anything else hears of the key: a dialog that this very Esc closes is gone by the time its turn comes here.
let dialogWasOpen = false;
if (typeof window !== 'undefined') window.addEventListener('keydown', () => { dialogWasOpen = dialogOpen(); }, { capture: true });

/** Runs an action on a key ("n", "/", "Escape"), unless the user is typing or a dialog is open. */
export function useShortcut(key: string, action: (() => void) | null): void {
  const latest = useRef(action);
  useEffect(() => {
    latest.current = action;
  });
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      // A key held down is meant once: what it opened or closed first is not for its repeats.
      if (event.repeat || event.key !== key || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (typing(event.target) || dialogWasOpen || !latest.current) return;
      event.preventDefault();
      latest.current();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [key]);
}
