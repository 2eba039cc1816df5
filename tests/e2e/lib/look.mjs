// Pictures of the real window as build output, in both schemes and in the smallest size the window has.
import { join } from 'node:path';
import { SCREENS } from './app.mjs';

const LARGE = [1280, 800];
const SMALL = [900, 600];
const ALL = [['light', LARGE], ['dark', LARGE], ['light', SMALL], ['dark', SMALL]];

/** Which pictures are taken: a few, so that journeys stay quick, or with BACKSTAY_E2E_PICTURES=all every one. */
const TAKEN = process.env.BACKSTAY_E2E_PICTURES === 'all' ? ALL : [ALL[0], ALL[3]];

/**
 * Takes pictures of what the window shows. `large`: in its ordinary size alone, for what a smaller one would close.
 * `moving`: at once, for what does not come to rest.
 */
export async function look(session, name, { large = false, moving = false } = {}) {
  if (!moving) await session.settle();
  for (const [scheme, size] of TAKEN) {
    if (large && size !== LARGE) continue;
    if (size !== LARGE) await session.resize(...size);
    await setScheme(session, scheme);
    await session.screenshot(join(SCREENS, `${name}-${scheme}${size === LARGE ? '' : '-small'}.png`));
    if (size !== LARGE) await session.resize(...LARGE);
  }
  await setScheme(session, 'light');
}

/** The scheme of the page alone: the setting is none of this journey's business. */
function setScheme(session, scheme) {
  return session.run((wanted) => document.documentElement.setAttribute('data-mantine-color-scheme', wanted), scheme);
}
