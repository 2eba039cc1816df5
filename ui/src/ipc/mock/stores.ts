import { ipcError } from '../transport';
import type * as T from '../generated/bindings';
import { VAULT, type World } from './data';

const WORDS = ['harbor', 'copper', 'lantern', 'meadow', 'violin', 'summit', 'ribbon', 'cactus', 'window', 'marble', 'falcon', 'orchid'];

export function kit(w: World, name: string, place: string): T.RecoveryKit {
  return {
    destination: name, repository: place, vault_id: '7f3a9c1e55d04b8896aa01b2c3d4e5f6', password: WORDS.join('-'), words: WORDS, created: w.now,
    html: `<!doctype html><title>Recovery kit</title><h1>Recovery kit: ${name}</h1><p>Repository: <code>${place}</code></p><ol>${WORDS.map((word) => `<li>${word}</li>`).join('')}</ol>`,
    text: `Recovery kit: ${name}\nRepository: ${place}\nPassword: ${WORDS.join('-')}\n\nrestic -r ${place} restore latest --target /tmp/restored\n`,
  };
}

/** 64 hex digits, as a plan's own key is printed. */
const GROUPS = ['9fe9178b', 'a5eff03c', '41d7b26e', '0c88f5a1', 'e3b0c442', '98fc1c14', '9afbf4c8', '27ae41e4'];

/** The kit of a plan's archive key. */
function planKit(w: World, draft: T.PlanDraft): T.RecoveryKit {
  const made = kit(w, draft.name, w.destinations.find((d) => d.id === draft.destinations[0])?.place ?? '');
  return { ...made, vault_id: 'k-9c1e55d0', text: `Recovery kit of the archives of ${draft.name}\n\nbackstay inspect FILE`, ...(draft.layout.seal === 'plan_key' ? { password: GROUPS.join(''), words: GROUPS } : { password: draft.layout.key ?? 'kept', words: [draft.layout.key ?? 'kept'] }) };
}

/** What a template gives at a made-up time; the fields are those of `ArchiveSettings`. */
function archiveName(w: World, draft: T.PlanDraft): string {
  const two = (n: number) => String(n).padStart(2, '0');
  const at = new Date(w.now);
  const parts: Record<string, string> = { Y: String(at.getUTCFullYear()), m: two(at.getUTCMonth() + 1), d: two(at.getUTCDate()), H: two(at.getUTCHours()), M: two(at.getUTCMinutes()), S: two(at.getUTCSeconds()) };
  const name = draft.layout.template.replace(/\{([^{}]*)\}/g, (_whole, field: string) => {
    if (field === 'plan') return (draft.name || 'plan').replaceAll(' ', '-');
    if (field === 'server') return w.servers.find((s) => s.id === draft.server)?.name ?? 'server';
    if (field === 'type') return draft.items.map((item) => item.settings.kind).join('+') || 'files';
    if (field === 'id') return '7f3a9c1e';
    if (field.startsWith('time:')) return field.slice(5).replace(/%([YmdHMS])/g, (_m, p: string) => parts[p] ?? '');
    throw ipcError('invalid', `Cannot use the file name: there is no field {${field}}`, 'Fields are {server}, {plan}, {type}, {id} and {time:%Y%m%d_%H%M%S}.');
  });
  if (name.trim() === '') throw ipcError('invalid', 'Cannot use the file name: it is empty', 'Put in {plan} and {time:%Y%m%d_%H%M%S}.');
  if (!/\{(time|id)/.test(draft.layout.template)) throw ipcError('invalid', 'Cannot use the file name: each backup would have the same', 'Put in {time:%Y%m%d_%H%M%S} or {id}.');
  return `${name}.${draft.layout.format}${draft.layout.seal === 'none' ? '' : '.sealed'}`;
}

/** Commands about kits and plans. */
export const stores = {
  destinations: (w: World) => w.destinations,
  plan_kit: (w: World, { id }: { id: string }) => planKit(w, w.planDrafts.get(id) ?? stores.plan(w, { id }).draft),
  archive_name: (w: World, { draft }: { draft: T.PlanDraft }) => archiveName(w, draft),
  recovery_kit: (w: World, { id }: { id: string }) => {
    const d = w.destinations.find((each) => each.id === id);
    if (!d) throw ipcError('missing', 'Cannot show the recovery kit: the destination was removed');
    if (w.secrets.state === 'locked') throw ipcError('locked', `Cannot read the key of ${d.name}: the secrets file is locked`, 'Unlock it in Settings, Secrets.');
    return kit(w, d.name, d.place);
  },
  save_recovery_kit: () => null,
  confirm_recovery_kit: (w: World, { id, wordNumber, word }: { id: string; wordNumber: number; word: string }) => {
    if (w.plans.some((p) => p.id === id)) {
      const { words } = stores.plan_kit(w, { id });
      const right = words.length === 1 ? words[0] === word.trim() : words[wordNumber - 1]?.toLowerCase() === word.trim().toLowerCase();
      if (right) {
        w.plans = w.plans.map((p) => (p.id === id ? { ...p, kit_confirmed: true } : p));
        w.emit({ type: 'changed', what: 'plans' });
      }
      return right;
    }
    const right = WORDS[wordNumber - 1] === word.trim().toLowerCase();
    if (right) {
      w.destinations = w.destinations.map((d) => (d.id === id ? { ...d, state: 'ok', state_text: '' } : d));
      w.emit({ type: 'changed', what: 'destinations' });
    }
    return right;
  },
  refresh_destination: (w: World, { id }: { id: string }) => w.destinations.find((d) => d.id === id)?.backups ?? 0,

  plans: (w: World) => w.plans,
  plan: (w: World, { id }: { id: string }): T.PlanView => {
    const row = w.plans.find((p) => p.id === id);
    const draft = w.planDrafts.get(id);
    if (!row || !draft) throw ipcError('missing', 'Cannot show the plan: it was removed');
    return { row, draft: { ...draft, layout: { ...draft.layout, key: null } } };
  },
  save_plan: (w: World, { draft }: { draft: T.PlanDraft }): T.PlanSaved => {
    if (w.plans.some((p) => p.name === draft.name && p.id !== draft.id)) throw ipcError('exists', `Cannot save the plan: there is already one called ${draft.name}`, 'Choose another name.');
    const id = draft.id ?? `p-new-${w.nextId++}`;
    const old = w.plans.find((p) => p.id === id);
    const row: T.PlanRow = {
      ...(old ?? { last_run: null, last_run_id: null, state: 'never', state_text: '', last_backup: null, last_bytes: null }),
      id, name: draft.name, server: draft.server, server_name: w.servers.find((s) => s.id === draft.server)?.name ?? '',
      what: draft.items.map((item) => ('paths' in item.settings ? item.settings.paths.join(' · ') : item.settings.databases.length ? item.settings.databases.join(', ') : 'all databases')).join(' · '),
      kinds: [...new Set(draft.items.map((item) => item.settings.kind))], destinations: w.destinations.filter((d) => draft.destinations.includes(d.id)).map((d) => d.name),
      layout: draft.layout.kind === 'vault' ? 'vault' : `${draft.layout.format}${draft.layout.seal === 'none' ? '' : ', sealed'}`, missing_copies: old?.missing_copies ?? 0, kit_confirmed: null,
    };
    const before = w.planDrafts.get(id)?.layout ?? VAULT;
    const sealed = draft.layout.kind === 'archive' && draft.layout.seal !== 'none';
    const newKey = sealed && (before.kind !== 'archive' || before.seal !== draft.layout.seal || draft.layout.key !== null);
    row.kit_confirmed = sealed ? !newKey && (old?.kit_confirmed ?? false) : null;
    w.plans = old ? w.plans.map((p) => (p.id === id ? row : p)) : [...w.plans, row];
    w.planDrafts.set(id, { ...draft, id, layout: { ...draft.layout, key: draft.layout.key ?? before.key } });
    w.emit({ type: 'changed', what: 'plans' });
    return { row, kit: newKey ? planKit(w, draft) : null };
  },
  remove_plan: (w: World, { id }: { id: string }) => {
    w.plans = w.plans.filter((p) => p.id !== id);
    w.emit({ type: 'changed', what: 'plans' });
    return null;
  },
  exclude_from_plan: (w: World, { id, paths }: { id: string; paths: string[] }): T.PlanRow => {
    const view = stores.plan(w, { id });
    const items = view.draft.items.map((item) => (item.settings.kind === 'files' ? { ...item, settings: { ...item.settings, excludes: [...new Set([...item.settings.excludes, ...paths])] } } : item));
    return stores.save_plan(w, { draft: { ...view.draft, items } }).row;
  },
};
