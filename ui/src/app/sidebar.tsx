import {
  IconActivity, IconBox, IconDatabase, IconHome, IconListDetails, IconServer, IconSettings, type Icon,
} from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { api, type Counts, type IpcError, type Overview } from '../ipc';
import { formatCount } from '../shared/format';
import { keys, useActiveRuns, useRunsElsewhere } from '../shared/query';
import { Link, usePlace } from '../shared/router';
import { ProgressMini } from '../shared/ui';
import { BRAND, PAGES, SETTINGS } from './pages';

type Place = { to: string; title: string };

const ICONS: Record<(typeof PAGES)[number]['to'], Icon> = {
  '/overview': IconHome,
  '/servers': IconServer,
  '/plans': IconListDetails,
  '/backups': IconBox,
  '/destinations': IconDatabase,
  '/activity': IconActivity,
};

/** Tells whether a place belongs to a sidebar entry; a restore is entered from a backup. */
function here(entry: string, path: string): boolean {
  const at = path.startsWith('/restore') ? '/backups' : path;
  return at === entry || at.startsWith(`${entry}/`);
}

function NavLink({ page, icon: Symbol, path, count }: { page: Place; icon: Icon; path: string; count: number | undefined }) {
  return (
    <Link to={page.to} className="nav-link" aria-current={here(page.to, path) ? 'page' : undefined}>
      <Symbol size={16} stroke={1.7} aria-hidden />
      {page.title}
      {count !== undefined && <span className="nav-count">{formatCount(count)}</span>}
    </Link>
  );
}

/** The bar at the left: pages with counts; at its foot what runs now, and the settings. */
export function Sidebar() {
  const { path } = usePlace();
  const overview = useQuery<Overview, IpcError>({ queryKey: keys.overview, queryFn: api.overview });
  const counts: Counts | undefined = overview.data?.counts;
  const active = useActiveRuns();
  useRunsElsewhere(active.data?.rows);
  return (
    <div className="sidebar">
      <nav aria-label="Pages">
        <div className="brand">
          <svg viewBox="0 0 24 24" width="20" height="20" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" aria-hidden>
            <path d={BRAND} />
          </svg>
          Backstay
        </div>
        <ul>
          {PAGES.map((page) => (
            <li key={page.to}><NavLink page={page} icon={ICONS[page.to]} path={path} count={'count' in page ? counts?.[page.count] : undefined} /></li>
          ))}
        </ul>
      </nav>
      <div className="sidebar-foot">
        <section aria-label="Running now"><ProgressMini runs={active.data?.rows ?? []} /></section>
        <nav aria-label="Settings">
          <NavLink page={SETTINGS} icon={IconSettings} path={path} count={undefined} />
        </nav>
      </div>
    </div>
  );
}
