// The smallest window: nothing of any page is cut off, and every list has an end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openWindow, settled, small, withBrowser } from './window.mjs';

withBrowser();

test('no page is wider than the smallest window', async () => {
  for (const place of ['/overview', '/servers', '/servers/s1', '/servers/new', '/activity', '/activity/r2', '/settings']) {
    const { page, close } = await openWindow(place, { width: 900, height: 600 });
    await settled(page);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(over <= 0, `${place} is ${over} px too wide`);
    await close();
  }
});

test('no part of a page is wider than its place in the smallest window', async () => {
  for (const place of ['/destinations', '/destinations/d3', '/destinations/new', '/destinations/open', '/destinations/d3/edit', '/destinations/d5/edit', '/settings?part=bandwidth', '/activity/live1', '/plans/p7', '/activity/r96']) {
    const { page, close } = await openWindow(place, { width: 900, height: 600 });
    await settled(page);
    const over = await page.evaluate(() => [document.documentElement, ...document.querySelectorAll('.wizard-step, .page-content, [role="tabpanel"], .panel-body')].filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.className || e.tagName));
    assert.deepEqual(over, [], place);
    await close();
  }
});

test('every list can be scrolled to its end at the smallest window', async () => {
  for (const place of ['/activity', '/activity/live1', '/activity/r2', '/backups', '/servers', '/settings?part=audit']) {
    const { page, close } = await openWindow(place, small);
    await settled(page);
    const below = await page.evaluate(() => {
      const scrolls = (e) => /auto|scroll/.test(getComputedStyle(e).overflowY);
      for (const e of document.querySelectorAll('main *')) if (scrolls(e)) e.scrollTop = e.scrollHeight;
      return [...document.querySelectorAll('main *')].filter((e) => scrolls(e) && e.getBoundingClientRect().bottom > window.innerHeight + 1).map((e) => e.className);
    });
    assert.deepEqual(below, [], place);
    await close();
  }
});
