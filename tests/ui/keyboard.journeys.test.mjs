// The keyboard on lists, trees and pages: how far it gets, and where it stands after a dialog, a panel or a page.
import assert from 'node:assert/strict';
import { openCopies, openFirstBackup } from './backups.steps.mjs';
import { focused, heading } from './controls.mjs';
import { journey, settled, violations, withBrowser } from './window.mjs';

withBrowser();

journey('every control of the first screen is reached by Tab, with focus to be seen', '/overview', async (page) => {
  await settled(page);
  const wanted = await page.evaluate(() => [...document.querySelectorAll('a[href], button, [tabindex="0"]')].filter((e) => e.tabIndex >= 0 && e.getClientRects().length > 0).length);
  await page.evaluate(() => document.activeElement?.blur());
  const seen = new Set();
  for (let i = 0; i < wanted + 3; i += 1) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const e = document.activeElement;
      if (!e || e === document.body) return null;
      e.dataset.walked ??= String(Math.random());
      return { id: e.dataset.walked, ring: getComputedStyle(e).outlineStyle !== 'none', name: (e.getAttribute('aria-label') ?? e.textContent ?? '').trim() };
    });
    if (!at) continue;
    seen.add(at.id);
    assert.ok(at.ring, `no focus ring on ${at.name}`);
    assert.notEqual(at.name, '', 'a control without a name');
  }
  assert.ok(seen.size >= wanted, `${seen.size} of ${wanted} reached`);
}, { atOnce: true });

journey('lists are walked by keyboard: filter, arrows, Enter, Esc', '/servers', async (page) => {
  await settled(page);
  await page.locator('body').press('/');
  await page.keyboard.type('game');
  const grid = page.getByRole('grid', { name: 'Servers' });
  await page.waitForFunction(() => document.querySelectorAll('[role="grid"] .dt-body-row').length === 2);
  await page.keyboard.press('Tab');
  await grid.focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => window.location.hash === '#/servers/s4');
  await page.getByRole('complementary', { name: 'game-2' }).waitFor();
  await page.locator('main h1').click();
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => window.location.hash === '#/servers');
  await page.keyboard.press('n');
  await heading(page, 'Add a server').waitFor();
}, { atOnce: true });

journey("a row's menu opens by keyboard", '/servers', async (page) => {
  await settled(page);
  await page.getByRole('grid', { name: 'Servers' }).focus();
  await page.keyboard.press('End');
  await page.keyboard.press('Shift+F10');
  await page.getByRole('menuitem', { name: 'Edit' }).waitFor();
  assert.deepEqual(await violations(page, { floating: true }), []);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => /^#\/(plans\/new|servers\/s1\/edit)/.test(window.location.hash));
}, { atOnce: true });

for (const [place, list] of [['/servers', 'Servers'], ['/plans', 'Plans'], ['/destinations', 'Destinations'], ['/backups', 'Backups']]) {
  journey(`${list}: Enter opens a row and Esc closes it, and the keyboard stays in the list`, place, async (page) => {
    await page.getByRole('grid', { name: list }).focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    const panel = page.locator('aside.panel');
    await panel.waitFor();
    await focused(page, list);
    // From inside the panel too.
    await panel.getByRole('button', { name: /^Close/ }).focus();
    await page.keyboard.press('Escape');
    await panel.waitFor({ state: 'detached' });
    await focused(page, list);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await panel.waitFor();
  });
}

journey('the tree of a server is walked and ticked by keys alone', '/plans/new?server=s1', async (page) => {
  const tree = page.getByRole('tree', { name: 'Folders of web-1' });
  await tree.focus();
  await page.keyboard.press('End');
  await page.keyboard.press('Home');
  const first = tree.getByRole('treeitem').first();
  const before = await first.getAttribute('aria-checked');
  await page.keyboard.press('Space');
  assert.notEqual(await first.getAttribute('aria-checked'), before);
  await page.keyboard.press('ArrowRight');
  assert.equal(await first.getAttribute('aria-expanded'), 'true');
  await page.keyboard.press('ArrowLeft');
  assert.equal(await first.getAttribute('aria-expanded'), 'false');
});

for (const [what, place, name, way] of [
  ['a plan', '/plans/p1', 'Remove…'], ['a destination', '/destinations/d1', 'Recovery kit…'], ['a backup', '/backups', 'Delete…', openFirstBackup], ['a copy', '/backups?plan=p7', 'Temporary link…', openCopies],
]) {
  journey(`Esc closes only the dialog of ${what}, and gives its button the focus back`, place, async (page) => {
    if (way) await way(page);
    const button = page.locator('aside.panel').getByRole('button', { name }).first();
    await button.focus();
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await focused(page, name);
    await page.locator('aside.panel').waitFor();
  });
}

journey('a dialog from a row’s menu leads back to the list', '/backups', async (page) => {
  await page.getByRole('grid', { name: 'Backups' }).focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Shift+F10');
  await page.getByRole('menuitem', { name: 'Download…' }).click();
  await page.waitForFunction(() => document.activeElement?.closest('[role="dialog"]'));
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await focused(page, 'Backups');
});

journey('a page that is still being read has the focus when it is there', '/activity', async (page) => {
  await page.getByRole('grid', { name: 'Runs before' }).focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await focused(page, 'Restore: web nightly');
});

journey('each step of a wizard has the focus on its title, which says which step it is, or on its first field', '/plans/new?server=s1', async (page) => {
  await page.getByRole('tree').first().waitFor();
  await page.getByRole('button', { name: 'Continue' }).focus();
  await page.keyboard.press('Enter');
  await focused(page, 'Make a plan (step 2 of 3: Where to)');
  await page.getByRole('checkbox', { name: 'nas' }).check();
  await page.getByRole('button', { name: 'Continue' }).focus();
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.activeElement === document.querySelector('.wizard-step input'));
  await page.getByRole('button', { name: 'Back' }).focus();
  await page.keyboard.press('Enter');
  await focused(page, 'Make a plan (step 2 of 3: Where to)');
});

journey('the steps of a server keep the focus too', '/servers/s1/edit', async (page) => {
  await page.getByRole('button', { name: 'Continue' }).focus();
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.activeElement?.closest('main .step-content, main h1') !== null);
  await page.getByRole('button', { name: 'Back' }).focus();
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.activeElement?.closest('main .step-content, main h1') !== null);
  await heading(page, 'Edit web-1 (step 1 of 4: Where)').waitFor();
});
