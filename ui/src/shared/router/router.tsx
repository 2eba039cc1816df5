import { createContext, useContext, useMemo, useSyncExternalStore, type AnchorHTMLAttributes, type ReactNode } from 'react';

/** Where the window is: a path and its query. It lives in the hash, so a reload and "back" do what is expected. */
export type Place = { path: string; query: URLSearchParams };

/** Reads a place from the text after `#`. */
export function parsePlace(hash: string): Place {
  const text = hash.replace(/^#/, '') || '/overview';
  const [path = '', query = ''] = text.split('?', 2);
  return { path: path.startsWith('/') ? path : `/${path}`, query: new URLSearchParams(query) };
}

/** Matches a path against "/servers/:id"; gives the parameters, or `null`. */
export function matchPath(pattern: string, path: string): Record<string, string> | null {
  const want = pattern.split('/').filter(Boolean);
  const have = path.split('/').filter(Boolean);
  if (want.length !== have.length) return null;
  const params: Record<string, string> = {};
  for (const [i, part] of want.entries()) {
    const value = have[i] ?? '';
    if (part.startsWith(':')) {
      try {
        params[part.slice(1)] = decodeURIComponent(value);
      } catch {
        return null;
      }
    } else if (part !== value) return null;
  }
  return params;
}

/** Goes to a place: "/plans/new?server=…". */
export function navigate(to: string, options: { replace?: boolean } = {}): void {
  if (options.replace) {
    window.history.replaceState(null, '', `#${to}`);
    window.dispatchEvent(new HashChangeEvent('hashchange'));
  } else window.location.hash = to;
}

// One listener on the window for all who follow the place: between two of the window's own, React would draw those that
// know the new place already, and a page would be made twice.
const followers = new Set<() => void>();

function tellAll(): void {
  for (const follower of followers) follower();
}

function listen(onChange: () => void): () => void {
  if (followers.size === 0) window.addEventListener('hashchange', tellAll);
  followers.add(onChange);
  return () => {
    followers.delete(onChange);
    if (followers.size === 0) window.removeEventListener('hashchange', tellAll);
  };
}

/** Returns where the window is, and follows it. */
export function usePlace(): Place {
  const hash = useSyncExternalStore(listen, () => window.location.hash);
  return useMemo(() => parsePlace(hash), [hash]);
}

const ParamsContext = createContext<Record<string, string>>({});

/** Returns a parameter of the route: `:id`. */
export function useParam(name: string): string {
  return useContext(ParamsContext)[name] ?? '';
}

/** Returns a value of the query, or `null`. */
export function useQueryValue(name: string): string | null {
  return usePlace().query.get(name);
}

/** A route: a pattern, and what it shows. */
export type Route = { pattern: string; element: ReactNode };

/** Shows the first route that matches. */
export function Routes({ routes, otherwise }: { routes: Route[]; otherwise: ReactNode }) {
  const { path } = usePlace();
  for (const route of routes) {
    const params = matchPath(route.pattern, path);
    if (params) return <ParamsContext value={params}>{route.element}</ParamsContext>;
  }
  return otherwise;
}

type LinkProps = AnchorHTMLAttributes<HTMLAnchorElement> & { to: string };

/** A link within the window. */
export function Link({ to, ...rest }: LinkProps) {
  return <a href={`#${to}`} {...rest} />;
}
