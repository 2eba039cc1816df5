import { ipcError } from '../transport';
import type * as T from '../generated/bindings';
import { GIB, type World } from './data';

const WORDS = ['harbor', 'copper', 'lantern', 'meadow', 'violin', 'summit', 'ribbon', 'cactus', 'window', 'marble', 'falcon', 'orchid'];

function kit(w: World, name: string, place: string): T.RecoveryKit {
  return {
    destination: name, repository: place, vault_id: '7f3a9c1e55d04b8896aa01b2c3d4e5f6', password: WORDS.join('-'), words: WORDS, created: w.now,
    html: `<!doctype html><title>Recovery kit</title><h1>Recovery kit: ${name}</h1><p>Repository: <code>${place}</code></p><ol>${WORDS.map((word) => `<li>${word}</li>`).join('')}</ol>`,
    text: `Recovery kit: ${name}\nRepository: ${place}\nPassword: ${WORDS.join('-')}\n\nrestic -r ${place} restore latest --target /tmp/restored\n`,
  };
}

/** Commands about destinations and plans. Folders with "vault" in them hold one, "foreign" other files, "full" no room. */
export const stores = {
  destinations: (w: World) => w.destinations,
  test_destination: (_w: World, { draft }: { draft: T.DestinationDraft }): T.DestinationTest => {
    const full = draft.path.includes('full');
    const found = draft.path.includes('vault') ? 'vault' : draft.path.includes('foreign') ? 'foreign' : 'empty';
    const step = (title: string, state: string, text: string, hint: string | null = null): T.TestStep => ({ title, state, text, hint });
    return {
      ok: !full && found !== 'foreign', found,
      steps: [
        step('Reach the folder', 'ok', draft.path), step('Write a file', full ? 'failed' : 'ok', full ? 'No space left on device' : 'Wrote and read back 1 MiB', full ? 'Make room, or choose another folder.' : null),
        step('Read a part of it', full ? 'skipped' : 'ok', ''), step('Delete it', full ? 'skipped' : 'ok', ''),
        step('Free room', 'note', '210.0 GiB free; the first backup may need 40 GiB'),
        step('Look what is there', found === 'foreign' ? 'failed' : 'ok', found === 'vault' ? 'A vault lies here' : found === 'foreign' ? 'Other files lie here' : 'Nothing lies here yet', found === 'foreign' ? 'Choose an empty folder.' : null),
      ],
    };
  },
  add_destination: (w: World, { draft }: { draft: T.DestinationDraft }): T.DestinationAdded => {
    const exists = draft.path.includes('vault');
    if (exists && draft.vault_password !== 'right') throw ipcError('wrong_key', `Cannot open the vault in ${draft.path}: the password does not open it`, 'Type it as it stands on the recovery kit.');
    const destination: T.DestinationRow = {
      id: `d-new-${w.nextId++}`, name: draft.name, kind: 'local', place: draft.path, used_bytes: 0, free_bytes: 210 * GIB, total_bytes: 931 * GIB,
      backups: exists ? 42 : 0, plans: 0, state: exists ? 'ok' : 'kit_not_confirmed', state_text: exists ? '' : 'the recovery kit was never confirmed',
    };
    w.destinations = [...w.destinations, destination];
    w.emit({ type: 'changed', what: 'destinations' });
    return { destination, created: !exists, backups: destination.backups, kit: kit(w, draft.name, draft.path), ask_word: 4 };
  },
  remove_destination: (w: World, { id }: { id: string }) => {
    w.destinations = w.destinations.filter((d) => d.id !== id);
    w.emit({ type: 'changed', what: 'destinations' });
    return null;
  },
  recovery_kit: (w: World, { id }: { id: string }) => {
    const d = w.destinations.find((each) => each.id === id);
    if (!d) throw ipcError('missing', 'Cannot show the recovery kit: the destination was removed');
    if (w.secrets.state === 'locked') throw ipcError('locked', `Cannot read the key of ${d.name}: the secrets file is locked`, 'Unlock it in Settings, Secrets.');
    return kit(w, d.name, d.place);
  },
  save_recovery_kit: () => null,
  confirm_recovery_kit: (w: World, { id, wordNumber, word }: { id: string; wordNumber: number; word: string }) => {
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
    return { row, draft };
  },
  save_plan: (w: World, { draft }: { draft: T.PlanDraft }): T.PlanRow => {
    if (w.plans.some((p) => p.name === draft.name && p.id !== draft.id)) throw ipcError('exists', `Cannot save the plan: there is already one called ${draft.name}`, 'Choose another name.');
    const id = draft.id ?? `p-new-${w.nextId++}`;
    const old = w.plans.find((p) => p.id === id);
    const row: T.PlanRow = {
      ...(old ?? { last_run: null, last_run_id: null, state: 'never', state_text: '', last_backup: null, last_bytes: null }),
      id, name: draft.name, server: draft.server, server_name: w.servers.find((s) => s.id === draft.server)?.name ?? '',
      what: draft.items.map((item) => ('paths' in item.settings ? item.settings.paths.join(' · ') : item.settings.databases.length ? item.settings.databases.join(', ') : 'all databases')).join(' · '),
      kinds: [...new Set(draft.items.map((item) => item.settings.kind))], destinations: w.destinations.filter((d) => draft.destinations.includes(d.id)).map((d) => d.name),
    };
    w.plans = old ? w.plans.map((p) => (p.id === id ? row : p)) : [...w.plans, row];
    w.planDrafts.set(id, { ...draft, id });
    w.emit({ type: 'changed', what: 'plans' });
    return row;
  },
  remove_plan: (w: World, { id }: { id: string }) => {
    w.plans = w.plans.filter((p) => p.id !== id);
    w.emit({ type: 'changed', what: 'plans' });
    return null;
  },
  exclude_from_plan: (w: World, { id, paths }: { id: string; paths: string[] }): T.PlanRow => {
    const view = stores.plan(w, { id });
    const items = view.draft.items.map((item) => (item.settings.kind === 'files' ? { ...item, settings: { ...item.settings, excludes: [...new Set([...item.settings.excludes, ...paths])] } } : item));
    return stores.save_plan(w, { draft: { ...view.draft, items } });
  },
};
