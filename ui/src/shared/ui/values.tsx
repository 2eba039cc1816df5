import {
  IconAlertTriangle, IconCheck, IconCircleDashed, IconClock, IconHourglass, IconLoader2, IconLock, IconPlugOff, IconRefresh, IconShieldCheck,
  IconSnowflake, IconX,
  type Icon,
} from '@tabler/icons-react';
import { Tooltip } from '@mantine/core';
import type { PlanRow } from '../../ipc';
import { formatAgo, formatBytes, formatCount, formatExact } from '../format';
import { useNow } from './use-now';
import './values.css';

type Tone = 'good' | 'warn' | 'bad' | 'run' | 'idle';
type Look = { tone: Tone; word: string; icon: Icon };

/** Every state word of the contract: its colour, its word, its icon. Never one without the others. */
const LOOKS: Record<string, Look> = {
  // Servers
  protected: { tone: 'good', word: 'Protected', icon: IconShieldCheck },
  stale: { tone: 'bad', word: 'Stale', icon: IconClock },
  never: { tone: 'warn', word: 'No backup yet', icon: IconCircleDashed },
  not_run_here: { tone: 'idle', word: 'Not run here yet', icon: IconCircleDashed },
  unplanned: { tone: 'idle', word: 'No plan', icon: IconCircleDashed },
  // Runs and plans
  waiting: { tone: 'idle', word: 'Waiting', icon: IconHourglass },
  running: { tone: 'run', word: 'Running', icon: IconLoader2 },
  done: { tone: 'good', word: 'Done', icon: IconCheck },
  done_with_problems: { tone: 'warn', word: 'Done with problems', icon: IconAlertTriangle },
  failed: { tone: 'bad', word: 'Failed', icon: IconX },
  cancelled: { tone: 'idle', word: 'Cancelled', icon: IconX },
  interrupted: { tone: 'bad', word: 'Interrupted', icon: IconAlertTriangle },
  // Backups
  good: { tone: 'good', word: 'Good', icon: IconCheck },
  problems: { tone: 'warn', word: 'Problems', icon: IconAlertTriangle },
  verified: { tone: 'good', word: 'Good, checked', icon: IconShieldCheck },
  there: { tone: 'good', word: 'There', icon: IconCheck },
  missing: { tone: 'warn', word: 'Missing', icon: IconAlertTriangle },
  frozen: { tone: 'idle', word: 'In cold storage', icon: IconSnowflake },
  thawing: { tone: 'run', word: 'Being brought back', icon: IconHourglass },
  // Destinations
  ok: { tone: 'good', word: 'Ready', icon: IconCheck },
  offline: { tone: 'bad', word: 'Not reachable', icon: IconPlugOff },
  locked: { tone: 'warn', word: 'Locked', icon: IconLock },
  damaged: { tone: 'bad', word: 'Damaged', icon: IconAlertTriangle },
  kit_not_confirmed: { tone: 'warn', word: 'Kit not confirmed', icon: IconAlertTriangle },
  // Test steps
  note: { tone: 'warn', word: 'Note', icon: IconAlertTriangle },
  skipped: { tone: 'idle', word: 'Skipped', icon: IconCircleDashed },
  // Needs
  no_backup: { tone: 'bad', word: 'No backup', icon: IconClock },
  secrets_locked: { tone: 'warn', word: 'Secrets locked', icon: IconLock },
  // Progress of one destination
  writing: { tone: 'run', word: 'Writing', icon: IconLoader2 },
  retrying: { tone: 'warn', word: 'Trying again', icon: IconRefresh },
  checking: { tone: 'run', word: 'Checking', icon: IconLoader2 },
  // What a store can do
  yes: { tone: 'good', word: 'Yes', icon: IconCheck },
  no: { tone: 'idle', word: 'No', icon: IconX },
  unknown: { tone: 'idle', word: 'Not known', icon: IconCircleDashed },
};

const UNKNOWN: Omit<Look, 'word'> = { tone: 'idle', icon: IconCircleDashed };

/** Returns the look of a state; an unknown one is shown as it is, in grey. */
export function lookOf(state: string): Look {
  return LOOKS[state] ?? { ...UNKNOWN, word: state.replaceAll('_', ' ') };
}

/** The state of a plan. One that was taken over with its backups never ran here, but is not without a backup. */
export function planState(plan: Pick<PlanRow, 'state' | 'last_backup'>): string {
  return plan.state === 'never' && plan.last_backup !== null ? 'not_run_here' : plan.state;
}

/** A state: icon, word and colour. `text` replaces the word ("2 problems"); `title` says why on hover. */
export function StateBadge({ state, text, title }: { state: string; text?: string | undefined; title?: string | undefined }) {
  const look = lookOf(state);
  const Symbol = look.icon;
  const badge = (
    <span className={`badge badge-${look.tone}`}>
      <Symbol size={13} stroke={2.2} aria-hidden className={Symbol === IconLoader2 ? 'spin' : undefined} />
      <span className="clip">{text || look.word}</span>
    </span>
  );
  return title ? <Tooltip label={title} multiline maw={360}>{badge}</Tooltip> : badge;
}

/** A size; a dash when not known. */
export function Size({ bytes }: { bytes: number | null | undefined }) {
  if (bytes === null || bytes === undefined) return <Unknown />;
  return <span title={`${formatCount(bytes)} bytes`}>{formatBytes(bytes)}</span>;
}

/** "2 h ago", with the exact time on hover; `never` when there is none. */
export function Ago({ at, never = 'never', prefix = '' }: { at: number | null | undefined; never?: string; prefix?: string }) {
  const now = useNow();
  if (at === null || at === undefined) return <span className="mute">{never}</span>;
  return (
    <time dateTime={new Date(at).toISOString()} title={formatExact(at)}>
      {prefix}
      {formatAgo(at, now)}
    </time>
  );
}

function Unknown() {
  return <span className="mute"><span aria-hidden>–</span><span className="visually-hidden">not known</span></span>;
}

/** A path in mono. A long one loses its beginning, since its end tells it from its neighbours; whole on hover; escapes for odd bytes are kept as they are. */
export function PathText({ path, wrap = false }: { path: string; wrap?: boolean }) {
  if (wrap) return <span className="mono path-wrap" title={path} dir="ltr">{path}</span>;
  return <span className="mono clip path" title={path}><bdi dir="ltr">{path}</bdi></span>;
}

/** A small grey label: a kind, a tag. */
export function Chip({ children }: { children: React.ReactNode }) {
  return <span className="chip">{children}</span>;
}
