import { ipcError } from '../transport';
import type * as T from '../generated/bindings';
import { GIB, type World } from './data';

function needs(w: World): T.Need[] {
  const none = { plan: null, server: null, destination: null, run: null };
  const list: T.Need[] = [];
  if (w.secrets.state !== 'ready') list.push({ ...none, kind: 'secrets_locked', subject: 'Secrets', text: w.secrets.state === 'keyring_closed' ? 'The keyring does not open: backups that need a password or key cannot run' : 'Secrets are locked: backups cannot run until they are unlocked' });
  if (w.plans.length === 0) return list;
  list.push({ ...none, kind: 'no_backup', subject: 'game-2', text: 'Last backup 3 days ago', server: 's4' });
  list.push({ ...none, kind: 'problems', subject: 'shop nightly', text: 'Backed up with 2 problems', plan: 'p2', server: 's2', run: 'r2' });
  for (const d of w.destinations.filter((each) => each.state === 'kit_not_confirmed')) {
    list.push({ ...none, kind: 'kit_not_confirmed', subject: d.name, text: 'Its recovery kit is not confirmed: without it, losing this computer means losing the backups', destination: d.id });
  }
  for (const p of w.plans.filter((each) => each.kit_confirmed === false)) {
    list.push({ ...none, kind: 'kit_not_confirmed', subject: p.name, text: 'The recovery kit of its key is not confirmed: without it, losing this computer means losing its archives', plan: p.id });
  }
  return list;
}

/** Commands about the app itself. */
export const system = {
  app_info: (): T.AppInfo => ({ version: '0.1.0', platform: 'linux', home: '/home/anna/.local/share/backstay', user_home: '/home/anna', user: 'anna' }),
  settings: (w: World) => w.settings,
  save_settings: (w: World, { settings }: { settings: T.Settings }) => {
    w.settings = settings;
    w.emit({ type: 'changed', what: 'settings' });
    return settings;
  },
  secrets_status: (w: World) => w.secrets,
  secrets_try_keyring: (w: World) => {
    w.secrets = { ...w.secrets, backend: 'keyring', state: 'ready', reason: null };
    w.emit({ type: 'changed', what: 'secrets' });
    return w.secrets;
  },
  secrets_unlock: (w: World, { passphrase }: { passphrase: string }) => {
    if (passphrase !== 'right') throw ipcError('wrong_key', 'Cannot unlock the secrets: the passphrase does not open them', 'Try again; there is no way round it.');
    w.secrets = { ...w.secrets, state: 'ready' };
    w.emit({ type: 'changed', what: 'secrets' });
    return w.secrets;
  },
  secrets_create_file: (w: World) => {
    w.secrets = { ...w.secrets, backend: 'file', state: 'ready' };
    w.emit({ type: 'changed', what: 'secrets' });
    return w.secrets;
  },
  overview: (w: World): T.Overview => ({
    servers: w.servers, needs: needs(w), stored_bytes: w.destinations.length ? 148.6 * GIB : null,
    protected_bytes: w.plans.reduce((sum, p) => sum + (p.last_bytes ?? 0), 0), added_bytes_7d: w.plans.length ? 6.3 * GIB : 0,
    counts: { servers: w.servers.length, plans: w.plans.length, backups: w.backups.length, destinations: w.destinations.length },
    first_steps: { server: w.servers.some((s) => !s.local), destination: w.destinations.length > 0, plan: w.plans.length > 0, backup: w.backups.length > 0 },
    active: w.runs.filter((r) => r.state === 'running' || r.state === 'waiting'),
  }),
  audit: (w: World, { offset, limit }: { offset: number; limit: number }): T.AuditPage => ({ rows: w.audit.slice(offset, offset + limit), total: w.audit.length }),
  verify_audit: (w: World): T.AuditCheck => ({ good: w.audit.length, fault: null }),
  export_audit: () => null,
  quit: () => null,
};
