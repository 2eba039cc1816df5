// What the browser tests share: one Chromium, one page a test, and the names they look for.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

const axeSource = readFileSync(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
let browser;

/** The smallest window there can be. */
export const small = { width: 900, height: 600 };

/** Starts the browser for a test file and ends it afterwards. */
export function withBrowser() {
  before(async () => {
    browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] });
  });
  after(async () => {
    await browser.close();
  });
}

/** Moves the page's clock: what happened "today" must not depend on when the tests run. */
function startAtNoon(shift) {
  const Real = Date;
  window.Date = class extends Real {
    constructor(...given) {
      if (given.length > 0) super(...given);
      else super(Real.now() + shift);
    }
    static now() {
      return Real.now() + shift;
    }
  };
}

/**
 * Opens the window at a place. `scene` is one of the made-up worlds of ui/src/ipc/mock, `slow` a command that takes long there.
 * `faults` collects what the page complained about; a test ends by looking that it is empty.
 */
export async function openWindow(place, { scene = '', slow = '', theme = 'light', width = 1280, height = 800 } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, reducedMotion: 'reduce' });
  await context.addInitScript(startAtNoon, new Date().setHours(12, 0, 0, 0) - Date.now());
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const faults = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  await page.goto(`${process.env.UI_URL}?scene=${scene}&slow=${slow}&theme=${theme}#${place}`);
  await page.locator('main h1').first().waitFor();
  return { page, faults, close: () => context.close() };
}

/** Waits until nothing is being loaded any more: no skeleton, no busy region. */
export async function settled(page) {
  await page.waitForFunction(() => !document.querySelector('main [aria-busy="true"], main .mantine-Skeleton-root'));
}

/**
 * Runs a test in a window of its own and looks that the page had nothing to complain about. It begins when everything is loaded,
 * with `atOnce` as soon as the page has its heading; the other options are those of the window.
 */
export function journey(name, place, steps, { atOnce = false, ...options } = {}) {
  test(name, async () => {
    const { page, faults, close } = await openWindow(place, options);
    try {
      if (!atOnce) await settled(page);
      await steps(page);
      assert.deepEqual(faults, []);
    } finally {
      await close();
    }
  });
}

/** What axe finds wrong on the page, as short lines. An open menu floats outside the landmarks on purpose: `floating` allows that. */
export async function violations(page, { floating = false, only } = {}) {
  await page.evaluate(axeSource);
  const rules = { region: { enabled: !floating } };
  const options = { resultTypes: ['violations'], ...(only ? { runOnly: only } : { rules }) };
  const result = await page.evaluate((given) => window.axe.run(document, given), options);
  return result.violations.map((each) => `${each.id}: ${each.nodes.map((node) => `${node.target.join(' ')} ${node.any[0]?.message ?? ''}`).slice(0, 3).join(' | ')}`);
}

/** Screens that need no more than a place and a scene, and are named by these. */
export function atPlaces(places) {
  return Object.fromEntries(places.map(([place, scene]) => [`${place} ${scene}`, [place, scene]]));
}

/** Looks a screen over in light, then in dark, where only colours differ. Each of `screens` is a place, a scene, and what to do there. */
export function lookOver(screens) {
  for (const [name, [place, scene = '', act]] of Object.entries(screens)) {
    test(`axe finds nothing on ${name}, light and dark`, async () => {
      const { page, faults, close } = await openWindow(place, { scene, theme: 'light' });
      try {
        await settled(page);
        if (act) await act(page);
        await settled(page);
        assert.deepEqual(await violations(page), []);
        await page.evaluate(async () => {
          document.documentElement.dataset.mantineColorScheme = 'dark';
          for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
        });
        assert.deepEqual(await violations(page, { only: ['color-contrast'] }), [], 'dark');
        assert.deepEqual(faults, []);
      } finally {
        await close();
      }
    });
  }
}
