import type { DestinationRow, LayoutDraft, PlanDraft } from '../../ipc';

// How a plan's backups lie at its destinations: a vault or archives, how these are named and sealed. Without a screen.

/** The layout a plan begins with. */
export const VAULT: LayoutDraft = { kind: 'vault', format: 'tar.zst', seal: 'plan_key', key: null, template: '{plan}_{time:%Y%m%d_%H%M%S}' };

/** A passphrase shorter than this is refused: whoever has the file can try as often as they like. */
export const SHORTEST_PASSPHRASE = 12;

/** What the wizard knows beside the draft. */
export interface LayoutAround {
  /** The passphrase typed once more. */
  repeated: string;
  /** The plan is changed and sealed as before: its key is stored. */
  stored: boolean;
}

/** Tells whether a changed plan keeps the key it has. */
export function keepsKey(before: LayoutDraft | null, now: LayoutDraft): boolean {
  return before !== null && before.kind === 'archive' && before.seal === now.seal;
}

/** Says what is wrong with the layout, or nothing. The template itself is judged by the engine. */
export function layoutProblem(layout: LayoutDraft, { repeated, stored }: LayoutAround): string | null {
  if (layout.kind === 'vault') return null;
  if (layout.template.trim() === '') return 'Give the files a name';
  const key = layout.key ?? '';
  if (key === '' && stored) return null;
  if (layout.seal === 'passphrase') {
    if ([...key].length < SHORTEST_PASSPHRASE) return `A passphrase has at least ${SHORTEST_PASSPHRASE} characters`;
    if (key !== repeated) return 'The two passphrases are not the same';
  }
  if (layout.seal === 'own_key' && !/^[0-9a-fA-F]{64}$/.test(key.trim())) return `A key is 64 hex digits (0 to 9, a to f)${key.trim() ? `; these are ${key.trim().length} characters` : ''}`;
  return null;
}

/** The layout as it is sent: a key only where one was typed. */
export function sentLayout(layout: LayoutDraft): LayoutDraft {
  const typed = layout.kind === 'archive' && (layout.seal === 'passphrase' || layout.seal === 'own_key');
  return { ...layout, template: layout.template.trim(), key: typed ? (layout.seal === 'own_key' ? layout.key?.trim() : layout.key) || null : null };
}

/** The fields of a file name, with what each gives. */
export const FIELDS: readonly { field: string; title: string; text: string }[] = [
  { field: '{plan}', title: 'Plan', text: "The plan's name" },
  { field: '{server}', title: 'Server', text: "The server's name" },
  { field: '{type}', title: 'Type', text: 'What is in it: files, mysql …' },
  { field: '{time:%Y%m%d_%H%M%S}', title: 'Time', text: 'When it was made, in UTC: 20261120_101200' },
  { field: '{time:%Y-%m-%d}', title: 'Day', text: 'The day alone: 2026-11-20. Only if there is one backup a day' },
  { field: '{id}', title: 'Id', text: 'A short id, different for each backup' },
];

/** Puts a field into a template where the cursor is; parts are set off by "_". */
export function withField(template: string, at: number, field: string): { template: string; at: number } {
  const before = template.slice(0, at);
  const after = template.slice(at);
  const joined = `${before === '' || /[_\-. ]$/.test(before) ? '' : '_'}${field}${after === '' || /^[_\-. ]/.test(after) ? '' : '_'}`;
  return { template: before + joined + after, at: before.length + joined.length };
}

function sameVault(a: DestinationRow, b: DestinationRow): boolean {
  return a.id === b.id || a.copies_of.includes(b.name) || b.copies_of.includes(a.name);
}

/** Says why a plan cannot write to its destinations, or nothing. */
export function destinationsProblem(draft: Pick<PlanDraft, 'destinations' | 'layout'>, destinations: readonly DestinationRow[]): string | null {
  if (draft.destinations.length === 0) return 'Choose where the backups go';
  const chosen = draft.destinations.flatMap((id) => destinations.filter((row) => row.id === id));
  if (draft.layout.kind !== 'vault' || chosen.length === 0) return null;
  const vaults = chosen.filter((row) => row.vault);
  const first = vaults[0];
  if (!first) return chosen.length === 1 ? `${chosen[0]?.name ?? ''} has no vault. Choose one that has, or make archives` : 'None of these has a vault. Choose one that has, or make archives';
  const other = vaults.find((row) => !sameVault(first, row));
  if (other) return `${first.name} and ${other.name} hold two different vaults. A plan writes to one vault and its copies: leave one out, or use an empty folder in its place`;
  return null;
}

/** Says what a plan means for one of its destinations. */
export function destinationEffect(row: DestinationRow, draft: Pick<PlanDraft, 'destinations' | 'layout'>, destinations: readonly DestinationRow[]): string {
  if (draft.layout.kind !== 'vault') return 'Gets each archive';
  if (row.vault) return row.backups > 0 ? 'Gets each backup into its vault' : 'Gets each backup into its vault, which is empty still';
  const from = draft.destinations.map((id) => destinations.find((each) => each.id === id)).find((each) => each?.vault);
  if (!from) return 'Has no vault';
  return `Becomes a copy of the vault at ${from.name}, with the same key; what is in it is copied by the first Sync`;
}

/** Ticks a destination, or takes its tick away. In the vault layout one that has a vault goes before those that have none: they become its copies. */
export function toggled(draft: Pick<PlanDraft, 'destinations' | 'layout'>, row: DestinationRow, destinations: readonly DestinationRow[]): string[] {
  if (draft.destinations.includes(row.id)) return draft.destinations.filter((one) => one !== row.id);
  const vaultThere = destinations.some((each) => each.vault && draft.destinations.includes(each.id));
  const first = draft.layout.kind === 'vault' && row.vault && !vaultThere;
  return first ? [row.id, ...draft.destinations] : [...draft.destinations, row.id];
}

/** Moves a destination up or down in the order; the first is the primary. */
export function moved(ids: readonly string[], id: string, by: -1 | 1): string[] {
  const at = ids.indexOf(id);
  const to = at + by;
  if (at < 0 || to < 0 || to >= ids.length) return [...ids];
  const next = ids.filter((one) => one !== id);
  next.splice(to, 0, id);
  return next;
}

const SEALS: Record<string, string> = { none: 'not sealed', plan_key: "sealed with the plan's key", passphrase: 'sealed with a passphrase', own_key: 'sealed with your key' };

/** The layout in one line. */
export function layoutText(layout: LayoutDraft): string {
  return layout.kind === 'vault' ? 'Vault' : `Archives: .${layout.format}, ${SEALS[layout.seal] ?? layout.seal}`;
}
