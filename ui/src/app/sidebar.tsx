import {
  IconActivity, IconBox, IconDatabase, IconHome, IconListDetails, IconServer, IconSettings, type Icon,
} from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { api, type Counts, type IpcError, type Overview } from '../ipc';
import { formatCount } from '../shared/format';
import { keys, useActiveRuns, useRunsElsewhere } from '../shared/query';
import { Link, usePlace } from '../shared/router';
import { ProgressMini } from '../shared/ui';

type Entry = { to: string; title: string; icon: Icon; count?: keyof Counts };

const ENTRIES: Entry[] = [
  { to: '/overview', title: 'Overview', icon: IconHome },
  { to: '/servers', title: 'Servers', icon: IconServer, count: 'servers' },
  { to: '/plans', title: 'Plans', icon: IconListDetails, count: 'plans' },
  { to: '/backups', title: 'Backups', icon: IconBox, count: 'backups' },
  { to: '/destinations', title: 'Destinations', icon: IconDatabase, count: 'destinations' },
  { to: '/activity', title: 'Activity', icon: IconActivity },
];

/** Tells whether a place belongs to a sidebar entry; a restore is entered from a backup. */
function here(entry: string, path: string): boolean {
  const at = path.startsWith('/restore') ? '/backups' : path;
  return at === entry || at.startsWith(`${entry}/`);
}

function NavLink({ entry, path, count }: { entry: Entry; path: string; count: number | undefined }) {
  const Symbol = entry.icon;
  return (
    <Link to={entry.to} className="nav-link" aria-current={here(entry.to, path) ? 'page' : undefined}>
      <Symbol size={16} stroke={1.7} aria-hidden />
      {entry.title}
      {count !== undefined && <span className="nav-count">{formatCount(count)}</span>}
    </Link>
  );
}

/** The bar at the left: pages with counts; at its foot what runs now, and the settings. */
export function Sidebar() {
  const { path } = usePlace();
  const overview = useQuery<Overview, IpcError>({ queryKey: keys.overview, queryFn: api.overview });
  const active = useActiveRuns();
  useRunsElsewhere(active.data?.rows);
  return (
    <div className="sidebar">
      <nav aria-label="Pages">
        <div className="brand">
          <svg viewBox="0 0 24 24" width="20" height="20" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" aria-hidden>
            <path d="M6 3v18M6 4l13 15M6 10l8 9M3 21h18" />
          </svg>
          Backstay
        </div>
        <ul>
          {ENTRIES.map((entry) => (
            <li key={entry.to}><NavLink entry={entry} path={path} count={entry.count && overview.data?.counts[entry.count]} /></li>
          ))}
        </ul>
      </nav>
      <div className="sidebar-foot">
        <section aria-label="Running now"><ProgressMini runs={active.data?.rows ?? []} /></section>
        <nav aria-label="Settings">
          <NavLink entry={{ to: '/settings', title: 'Settings', icon: IconSettings }} path={path} count={undefined} />
        </nav>
      </div>
    </div>
  );
}
