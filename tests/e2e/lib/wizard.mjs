// The wizards' steps that several journeys take.
import { waitFor } from './webdriver.mjs';

/**
 * Goes to a page by the sidebar, and waits until it is there. The window hears of a new place only a moment after the
 * click, and the page before may have rows of the same names.
 */
export async function go(session, page) {
  const name = new RegExp(`^${page}`);
  await session.click('link', name);
  await waitFor(`the page ${page}`, async () => {
    const [link] = await session.all('link', name);
    const there = (element) => element.hash === location.hash.split('?')[0] && element.getAttribute('aria-current') === 'page';
    return link && (await session.run(there, link));
  });
  // From one page of a section to another the sidebar looks the same: what the window was told is drawn by the next frame.
  await session.runAsync(async () => {
    for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
  });
}

/** Closes the messages at the foot of the window: until they leave by themselves they lie over the buttons there. */
export async function closeMessages(session) {
  await session.run(() => document.querySelectorAll('.toast button[aria-label="Close message"]').forEach((button) => button.click()));
}

/** Accepts `count` fingerprints, one after the other. */
export async function acceptKeys(session, count) {
  for (let n = 0; n < count; n++) {
    const shown = await session.get('img', /^Fingerprint/);
    const label = await session.run((element) => element.getAttribute('aria-label'), shown);
    await session.click('button', 'They are equal: accept');
    await waitFor('the next step', async () => {
      const [next] = await session.all('img', /^Fingerprint/);
      return !next || (await session.run((element) => element.getAttribute('aria-label'), next)) !== label;
    });
  }
}

/** Takes everything out of a plan that is being made, so that a journey picks for itself. */
export async function takeAllOut(session) {
  await session.see('looked');
  for (;;) {
    const [remove] = await session.all('button', /^Take .* out of the plan$/);
    if (!remove) return;
    await session.run((element) => element.click(), remove);
  }
}

/** From the first step of a plan to its page. */
export async function finishPlan(session, name) {
  await session.click('button', 'Continue');
  await session.see('Where should the backups lie');
  await session.click('button', 'Continue');
  await session.fill('Name of the plan', name);
  await session.click('button', 'Make the plan');
  await session.see('No backup yet');
}

/** Presses "Back up now" on a plan's page; returns the run's row once it has ended. */
export async function backUpNow(session, nth = 1) {
  await session.click('button', 'Back up now');
  return endOf(session, 'backup', nth);
}

/** Waits until the `nth` run of a kind has ended, and returns its row. */
export async function endOf(session, kind, nth = 1, timeoutMs = 60_000) {
  return waitFor(`${kind} number ${nth} to end`, async () => {
    const { rows, total } = await session.invoke('runs', { filter: { kind, limit: 1 } });
    return total === nth && !['waiting', 'running'].includes(rows[0].state) ? rows[0] : null;
  }, timeoutMs);
}
