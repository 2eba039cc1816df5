// Paths in their text form: `/` between parts, other bytes escaped (`\xHH`). Absolute on a server, relative in a backup.

/** Returns the path one step up; `null` at the root. */
export function parentOf(path: string): string | null {
  if (path === '' || path === '/') return null;
  const cut = path.lastIndexOf('/');
  if (cut < 0) return '';
  return cut === 0 ? '/' : path.slice(0, cut);
}

/** Returns the last part of a path. */
export function nameOf(path: string): string {
  if (path === '' || path === '/') return '/';
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Tells whether `path` is `folder` or lies below it. */
export function isWithin(path: string, folder: string): boolean {
  if (folder === '' || folder === '/') return true;
  return path === folder || path.startsWith(`${folder}/`);
}

/** Tells whether `path` lies below `folder` and is not the folder itself. */
export function isBelow(path: string, folder: string): boolean {
  return path !== folder && isWithin(path, folder);
}

/** Returns all folders above a path, the root first, without the path itself. */
export function ancestorsOf(path: string): string[] {
  const found: string[] = [];
  for (let at = parentOf(path); at !== null; at = parentOf(at)) found.unshift(at);
  return found;
}

/** Returns a typed path without needless slashes and dots, as the engine would keep it. */
export function tidyPath(typed: string): string {
  const trimmed = typed.trim();
  const parts = trimmed.split('/').filter((part) => part !== '' && part !== '.');
  return (trimmed.startsWith('/') ? '/' : '') + parts.join('/');
}

/** Says what is wrong with a typed path on a server, or nothing. */
export function serverPathProblem(typed: string): string | null {
  const path = typed.trim();
  if (path === '') return 'Type a path, for example /srv/www';
  if (!path.startsWith('/')) return 'Start at the root, for example /srv/www';
  if (path.split('/').includes('..')) return 'Write the path without ".."';
  if (path.replace(/\\(\\|x[0-9a-fA-F]{2})/g, '').includes('\\')) return 'Write a backslash as \\\\';
  return null;
}

/** Says what is wrong with a typed folder of this computer, or nothing. Windows paths are allowed. */
export function localFolderProblem(typed: string): string | null {
  const path = typed.trim();
  if (path === '') return 'Choose a folder';
  if (!path.startsWith('/') && !/^[A-Za-z]:[\\/]/.test(path) && !path.startsWith('\\\\')) {
    return 'Write the whole path, from the root on';
  }
  return null;
}

/** Orders paths as a person reads them. */
export function comparePaths(a: string, b: string): number {
  return a.localeCompare(b, undefined, { numeric: true });
}
