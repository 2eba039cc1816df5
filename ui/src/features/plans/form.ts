import type { DestinationRow, ItemDraft, PlanDraft } from '../../ipc';
import { serverPathProblem } from '../../shared/paths/paths';
import { itemText, KIND_WORDS } from './items';
import { VAULT, destinationsProblem, layoutProblem, sentLayout, type LayoutAround } from './layout';

// The rules of the plan wizard, without a screen.

export const STEPS = ['What', 'Where to', 'Name'] as const;

export const EMPTY: PlanDraft = { id: null, name: '', server: '', items: [], destinations: [], layout: VAULT };

/** Says what is wrong with one item, or nothing. */
export function itemProblem(item: ItemDraft): string | null {
  const settings = item.settings;
  switch (settings.kind) {
    case 'files': {
      if (settings.paths.length === 0) return 'Pick at least one folder or file';
      const bad = settings.paths.find((path) => serverPathProblem(path) !== null);
      return bad === undefined ? null : `${bad}: ${serverPathProblem(bad) ?? ''}`;
    }
    case 'sqlite': {
      if (settings.paths.length === 0) return 'Add at least one database file';
      const bad = settings.paths.find((path) => serverPathProblem(path) !== null);
      return bad === undefined ? null : `${bad}: ${serverPathProblem(bad) ?? ''}`;
    }
    case 'mysql':
      if (settings.socket !== '' && settings.host !== '') return 'Give a socket or a host, not both';
      return portProblem(settings.port) ?? loginProblem(settings.user, item.password);
    case 'postgres':
      if (settings.format !== 'custom' && settings.format !== 'plain') return 'Choose a dump format';
      return portProblem(settings.port) ?? loginProblem(settings.user, item.password);
  }
}

function portProblem(port: number): string | null {
  return Number.isInteger(port) && port >= 0 && port <= 65535 ? null : 'A port is a number from 1 to 65535';
}

function loginProblem(user: string, password: string | null): string | null {
  return password !== null && password !== '' && user.trim() === '' ? 'A password needs its user' : null;
}

/** What the wizard knows beside the draft. */
export type Around = LayoutAround & { destinations: readonly DestinationRow[] };

const NOTHING: Around = { repeated: '', stored: false, destinations: [] };

/** Says why the wizard may not leave a step, or nothing. */
export function stepProblem(step: number, draft: PlanDraft, takenNames: readonly string[], around: Around = NOTHING): string | null {
  switch (step) {
    case 0: {
      if (draft.server === '') return 'Choose the server';
      if (draft.items.length === 0) return 'Choose what to back up';
      const bad = draft.items.find((item) => itemProblem(item) !== null);
      return bad ? `${KIND_WORDS[bad.settings.kind]}: ${itemProblem(bad) ?? ''}` : null;
    }
    case 1:
      return destinationsProblem(draft, around.destinations) ?? layoutProblem(draft.layout, around);
    default:
      return nameProblem(draft.name, takenNames);
  }
}

/** Says what is wrong with the name, or nothing. */
export function nameProblem(typed: string, taken: readonly string[]): string | null {
  const name = typed.trim();
  if (name === '') return 'Give the plan a name';
  if (taken.some((one) => one.toLowerCase() === name.toLowerCase())) return `There is a plan named ${name} already`;
  return null;
}

/** Suggests a name: the server and what is taken from it. */
export function suggestName(serverName: string, items: readonly ItemDraft[], taken: readonly string[]): string {
  const kinds = new Set(items.map((item) => (item.settings.kind === 'files' ? 'files' : 'databases')));
  const what = kinds.size === 2 ? 'files and databases' : [...kinds][0] ?? 'backup';
  const base = `${serverName} ${what}`.trim();
  let name = base;
  for (let n = 2; nameProblem(name, taken) !== null; n += 1) name = `${base} ${n}`;
  return name;
}

/** Returns what is sent: tidy, with empty passwords left as they are stored. */
export function toDraft(draft: PlanDraft): PlanDraft {
  const items = draft.items.map((item) => ({ ...item, password: item.password === '' ? null : item.password }));
  return { ...draft, name: draft.name.trim(), items, layout: sentLayout(draft.layout) };
}

/** Says in one line what the plan takes. */
export function whatText(items: readonly ItemDraft[]): string {
  return items.map((item) => `${KIND_WORDS[item.settings.kind]}: ${itemText(item.settings)}`).join(' · ');
}
