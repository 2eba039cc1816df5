// What the window shows until its scripts ran: the sidebar's words where they will stand, in the same styles. It is drawn as
// soon as the page is there, and replaced as a whole.
import type { Plugin } from 'vite';
import { BRAND, PAGES, SETTINGS } from './src/app/pages.ts';

const word = (title: string) => `<span class="nav-link"><svg width="16" height="16"></svg>${title}</span>`;

const SHELL = `<div class="app" aria-hidden="true"><div class="sidebar"><div><div class="brand">\
<svg viewBox="0 0 24 24" width="20" height="20" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round"><path d="${BRAND}"/></svg>\
Backstay</div><ul>${PAGES.map(({ title }) => `<li>${word(title)}</li>`).join('')}</ul></div>\
<div class="sidebar-foot">${word(SETTINGS.title)}</div></div></div>`;

/** Puts the shell into the page. */
export function shell(): Plugin {
  return {
    name: 'backstay-shell',
    transformIndexHtml: (html) => html.replace('<div id="root"></div>', `<div id="root">${SHELL}</div>`),
  };
}
