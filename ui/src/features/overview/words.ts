import type { Need, Overview, PlanRow, ServerRow } from '../../ipc';

const OFF = new Set(['unplanned']);

/** The sentence under the title: how many servers are protected, and how many things need the user. */
export function overviewSentence(overview: Pick<Overview, 'servers' | 'needs'>): string {
  const planned = overview.servers.filter((server) => !OFF.has(server.state));
  if (planned.length === 0) return 'Nothing is backed up yet.';
  const good = planned.filter(isProtected).length;
  const first =
    good === planned.length
      ? planned.length === 1 ? 'The server is protected.' : `All ${planned.length} servers are protected.`
      : good === 0
        ? planned.length === 1 ? `The server is not ${planned[0]?.last_backup === null ? '' : 'fully '}protected.` : `None of ${planned.length} servers is fully protected.`
        : `${good} of ${planned.length} servers ${good === 1 ? 'is' : 'are'} protected.`;
  const needs = overview.needs.length;
  if (needs === 0) return `${first} Nothing needs you.`;
  return `${first} ${needs === 1 ? 'One thing needs you.' : `${needs} things need you.`}`;
}

function isProtected(server: ServerRow): boolean {
  if (server.state === 'protected') return true;
  // While a server is being backed up its last good backup still stands.
  return server.state === 'running' && server.last_backup !== null;
}

/** What a need's one button says and where it leads; `backUp` starts the plan. */
export type NeedAction = { title: string; to: string } | { title: string; backUp: string };

const WORDS: Record<string, string> = {
  no_backup: 'No recent backup', failed: 'Failed', problems: 'Done with problems', interrupted: 'Interrupted',
  kit_not_confirmed: 'Kit not confirmed', secrets_locked: 'Locked',
};

/** The badge's word for a need. */
export function needWord(kind: string): string | undefined {
  return WORDS[kind];
}

/** The one action for a need; `null` only when it names nothing to act on. */
export function needAction(need: Need, plans: Pick<PlanRow, 'id' | 'server'>[] = []): NeedAction | null {
  switch (need.kind) {
    case 'secrets_locked':
      return { title: 'Open the secrets', to: '/settings?part=secrets' };
    case 'kit_not_confirmed':
      if (need.destination) return { title: 'Confirm the kit…', to: `/destinations/${need.destination}` };
      return need.plan ? { title: 'Confirm the kit…', to: `/plans/${need.plan}` } : null;
    case 'damaged':
      if (need.destination) return { title: 'Mend it…', to: `/destinations/${need.destination}` };
      break;
    case 'problems':
      if (need.run) return { title: 'See the problems', to: `/activity/${need.run}?tab=problems` };
      break;
    case 'failed':
      if (need.run) return { title: 'See why', to: `/activity/${need.run}` };
      break;
    case 'no_backup':
    case 'interrupted':
      {
        // A need of a whole server names no plan; with only one plan there it is clear which.
        const own = plans.filter((plan) => plan.server === need.server);
        const plan = need.plan ?? (own.length === 1 ? own[0]?.id : null);
        if (plan) return { title: 'Back up now', backUp: plan };
      }
      break;
  }
  if (need.run) return { title: 'Look at it', to: `/activity/${need.run}` };
  if (need.plan) return { title: 'Open the plan', to: `/plans/${need.plan}` };
  if (need.server) return { title: 'Open the server', to: `/servers/${need.server}` };
  return null;
}

/** A step of a new installation. */
export type FirstStep = { title: string; text: string; done: boolean; to: string; action: string };

/** The steps of a new installation, in the order in which they make sense. */
export function firstSteps(steps: Overview['first_steps']): FirstStep[] {
  return [
    { title: 'Add a server', text: 'Over SSH; nothing is installed on it. This computer is there already.', done: steps.server, to: '/servers/new', action: 'Add a server' },
    { title: 'Add a destination', text: 'Where backups lie, encrypted: a disk, a NAS, a storage box, a bucket.', done: steps.destination, to: '/destinations/new', action: 'Add a destination' },
    { title: 'Make a plan', text: 'What to back up, and where to.', done: steps.plan, to: '/plans/new', action: 'Make a plan' },
    { title: 'Back up', text: 'Then look at what lies in it, and try to bring a file back.', done: steps.backup, to: '/plans', action: 'Go to the plans' },
  ];
}
