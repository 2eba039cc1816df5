import { ipcError, type Transport } from '../transport';
import type { Event } from '../generated/bindings';
import { backups } from './backups';
import { copies } from './copies';
import { makeWorld, type World } from './data';
import { places } from './places';
import { drive, runs } from './runs';
import { servers } from './servers';
import { stores } from './stores';
import { system } from './system';

type Handler = (world: World, args: never) => unknown;

/** Every command of the contract, over made-up data. */
const HANDLERS: Record<string, Handler> = { ...system, ...servers, ...stores, ...places, ...backups, ...copies, ...runs } as Record<string, Handler>;

// Tests and connections take a while, so that their screens can be seen at work.
const SLOW: Record<string, number> = { probe_host_key: 300, test_server: 700, discover_server: 900, make_bucket: 700, open_existing: 900, plan_restore: 700 };

/** What a test may do to the made-up engine from outside, as `window.mock`: commands that fail from now on, a change told of. */
type Outside = { failing: string[]; failed: number; changed: (what: string) => void };

/** A made-up Backstay, for drawing screens and for tests. Query of the page: `scene`, `theme`, `still` (nothing moves), `slow` (a command that takes a second). */
export function mockTransport(query: URLSearchParams): Transport {
  const world = makeWorld(query.get('scene') ?? '', Date.now());
  const listeners: ((event: Event) => void)[] = [];
  world.emit = (event) => listeners.forEach((listener) => listener(event));
  const outside: Outside = { failing: [], failed: 0, changed: (what) => world.emit({ type: 'changed', what }) };
  Object.assign(window, { mock: outside });
  const theme = query.get('theme');
  const slow = query.get('slow');
  if (theme) world.settings = { ...world.settings, theme };
  if (world.runs.some((run) => run.id === 'live1')) drive(world, 'live1', 34, query.has('still'));
  return {
    async call<T>(command: string, args: Record<string, unknown>): Promise<T> {
      await new Promise((resolve) => setTimeout(resolve, command === slow ? 1000 : (SLOW[command] ?? 5)));
      if (world.scene === 'broken' && !['app_info', 'settings', 'secrets_status'].includes(command)) {
        throw ipcError('internal', `Cannot read the local database: it is locked by another program (${command})`, 'Close other copies of Backstay and try again.', 'SQLITE_BUSY: database is locked');
      }
      if (outside.failing.includes(command)) {
        outside.failed += 1;
        throw ipcError('internal', `Cannot read the local database: it is locked by another program (${command})`, 'Close other copies of Backstay and try again.');
      }
      const handler = HANDLERS[command];
      if (!handler) throw ipcError('internal', `There is no command ${command}`);
      // A copy, as it would come over the wire: screens must not share memory with the engine.
      return structuredClone(await (handler as (w: World, a: unknown) => unknown)(world, args)) as T;
    },
    async subscribe(onEvent) {
      listeners.push(onEvent);
    },
    pickFolder: async () => '/home/anna/Backups',
    pickFile: async () => '/home/anna/.ssh/id_ed25519',
    saveFile: async ({ name }) => `/home/anna/${name}`,
  };
}
