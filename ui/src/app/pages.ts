/** The pages of the sidebar, in its order, and what is counted beside each. The build reads them too: see `ui/shell.ts`. */
export const PAGES = [
  { to: '/overview', title: 'Overview' },
  { to: '/servers', title: 'Servers', count: 'servers' },
  { to: '/plans', title: 'Plans', count: 'plans' },
  { to: '/backups', title: 'Backups', count: 'backups' },
  { to: '/destinations', title: 'Destinations', count: 'destinations' },
  { to: '/activity', title: 'Activity' },
] as const;

/** Stands apart, at the sidebar's foot. */
export const SETTINGS = { to: '/settings', title: 'Settings' } as const;

/** The mark of Backstay, in a box of 24 by 24. */
export const BRAND = 'M6 3v18M6 4l13 15M6 10l8 9M3 21h18';
