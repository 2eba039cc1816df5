// Ways through the window with keyboard and mouse, over made-up data.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openWindow, settled, withBrowser, violations } from './window.mjs';

withBrowser();

/** Runs a test in a window of its own and looks that the page had nothing to complain about. */
function journey(title, place, options, body) {
  test(title, async () => {
    const opened = await openWindow(place, options);
    try {
      await body(opened.page);
      assert.deepEqual(opened.faults, []);
    } finally {
      await opened.close();
    }
  });
}

const button = (page, name) => page.getByRole('button', { name, exact: true });
const heading = (page, name) => page.getByRole('heading', { name });

journey('a server is added by its address, its key compared, and a plan follows', '/servers/new', {}, async (page) => {
  await page.getByRole('textbox', { name: 'Address' }).fill('anna@web-9.example.org:2222');
  assert.equal(await page.getByRole('textbox', { name: 'Name' }).inputValue(), 'web-9');
  assert.equal(await page.getByRole('textbox', { name: 'Port' }).inputValue(), '2222');
  await button(page, 'Continue').click();
  assert.equal(await page.getByRole('textbox', { name: 'User' }).inputValue(), 'anna');
  await page.getByText('Password', { exact: true }).first().click();
  await button(page, 'Continue').click();
  await page.getByText('Type the password').waitFor();
  await page.locator('input[type="password"]').fill('secret');
  await button(page, 'Continue').click();
  await page.getByText('ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub').waitFor();
  await page.getByRole('img', { name: /Fingerprint: SHA256:3rKkHcPq/ }).waitFor();
  assert.deepEqual(await violations(page), []);
  await button(page, 'They are equal: accept').click();
  await page.getByText('Check its host key').waitFor();
  assert.deepEqual(await violations(page), []);
  await button(page, 'Continue').click();
  await page.getByText('MariaDB 10.11: shop, blog').waitFor();
  assert.deepEqual(await violations(page), []);
  await button(page, 'Save, and make a plan of it').click();
  await page.waitForFunction(() => window.location.hash.startsWith('#/plans/new?server=s-new-'));
});

journey('a changed host key stops everything until its server is named', '/servers/new', {}, async (page) => {
  await page.getByRole('textbox', { name: 'Address' }).fill('changed.example.org');
  await button(page, 'Continue').click();
  await button(page, 'Continue').click();
  await page.getByText('Backstay does not connect.').waitFor();
  assert.equal(await button(page, 'They are equal: accept').count(), 0);
  assert.equal(await button(page, 'Continue').count(), 0);
  await page.getByRole('img', { name: /Fingerprint expected: SHA256:cccc/ }).waitFor();
  await page.getByRole('img', { name: /Fingerprint now: SHA256:3rKkHcPq/ }).waitFor();
  assert.deepEqual(await violations(page), []);
  await button(page, 'The new key is right…').click();
  const accept = button(page, 'Accept the new key');
  await page.getByRole('textbox', { name: 'Type changed to confirm' }).fill('something else');
  assert.equal(await accept.isDisabled(), true);
  await page.getByRole('textbox', { name: 'Type changed to confirm' }).fill('changed');
  await accept.click();
  await page.getByText('Check its host key').waitFor();
  await button(page, 'Continue').waitFor();
});

journey('a server that cannot be reached says so, and can be tried again', '/servers/new', {}, async (page) => {
  await page.getByRole('textbox', { name: 'Address' }).fill('down.example.org');
  await button(page, 'Continue').click();
  await button(page, 'Continue').click();
  await page.getByText('Cannot connect to down.example.org:22: connection refused').waitFor();
  await button(page, 'Details').click();
  await page.getByText('Connection refused (os error 111)').waitFor();
  await button(page, 'Try again').waitFor();
});

journey('a jump host of the SSH config is asked for its key first', '/servers/new', {}, async (page) => {
  await page.getByText('From your SSH config').click();
  await button(page, 'Use db-1').click();
  await button(page, 'Continue').click();
  await button(page, 'Continue').click();
  await heading(page, 'Fingerprint of bastion.example.org:22').waitFor();
  await button(page, 'They are equal: accept').click();
  await heading(page, 'Fingerprint of 10.0.3.4:22').waitFor();
  await button(page, 'They are equal: accept').click();
  await page.getByText('Route: this computer → anna@bastion.example.org → admin@10.0.3.4:22').waitFor();
});

journey('sudo that does not work gives the line for sudoers', '/servers/new', {}, async (page) => {
  await page.getByRole('textbox', { name: 'Address' }).fill('admin@nosudo-1');
  await button(page, 'Continue').click();
  await page.getByText('sudo without password').click();
  await button(page, 'Continue').click();
  await button(page, 'They are equal: accept').click();
  await page.getByText('admin ALL=(root) NOPASSWD: ALL').waitFor();
  assert.equal(await button(page, 'Continue').count(), 0, 'a failed test must not lead on');
});

journey('lists are walked by keyboard: filter, arrows, Enter, Esc', '/servers', {}, async (page) => {
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
});

journey('a server is looked at again', '/servers/s1', {}, async (page) => {
  await page.getByRole('tab', { name: 'Facts' }).click();
  await button(page, 'Look again').click();
  await page.getByText('Looking what is on web-1').waitFor();
  await page.getByText('Looking what is on web-1').waitFor({ state: 'detached' });
  assert.deepEqual(await violations(page), []);
});

journey("a row's menu opens by keyboard", '/servers', {}, async (page) => {
  await settled(page);
  await page.getByRole('grid', { name: 'Servers' }).focus();
  await page.keyboard.press('End');
  await page.keyboard.press('Shift+F10');
  await page.getByRole('menuitem', { name: 'Change' }).waitFor();
  assert.deepEqual(await violations(page, { floating: true }), []);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => /^#\/(plans\/new|servers\/s1\/edit)/.test(window.location.hash));
});

journey('a run that goes on shows its log and problems as they come', '/activity/live1?tab=problems', {}, async (page) => {
  await page.getByRole('row', { name: /var.log.private/ }).waitFor({ timeout: 20_000 });
  await page.getByRole('tab', { name: 'Log' }).click();
  await page.getByText('find lists 38,559 entries').waitFor();
});

journey('every control of the first screen is reached by Tab, with focus to be seen', '/overview', {}, async (page) => {
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
});

journey('the palette goes to a server and starts a backup', '/overview', {}, async (page) => {
  await page.keyboard.press('Control+k');
  const box = page.getByRole('combobox', { name: 'Go to or do' });
  await box.fill('vpn-gw');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => window.location.hash === '#/servers/s5' || window.location.hash.startsWith('#/activity/'));
  await page.keyboard.press('Control+k');
  await box.fill('back up web nightly');
  assert.deepEqual(await violations(page), []);
  await page.keyboard.press('Enter');
  await heading(page, 'Backup: web nightly').waitFor();
  await heading(page, 'Backing up web nightly').waitFor();
});

journey('a running backup moves, and is cancelled', '/activity', {}, async (page) => {
  const card = page.getByRole('region', { name: 'Backing up game saves' });
  const bar = card.getByRole('progressbar', { name: 'Backing up game saves' });
  await page.waitForFunction(() => Number(document.querySelector('.progress-card [role="progressbar"]')?.getAttribute('aria-valuenow')) > 0);
  const first = Number(await bar.getAttribute('aria-valuenow'));
  await page.waitForFunction((was) => Number(document.querySelector('.progress-card [role="progressbar"]')?.getAttribute('aria-valuenow')) > was, first);
  await card.getByRole('button', { name: 'Cancel backing up game saves' }).click();
  await card.waitFor({ state: 'detached' });
  await page.getByRole('row', { name: /game saves.*Cancelled/ }).first().waitFor();
});

journey('problems are picked and left out of the plan', '/activity/r2?tab=problems', {}, async (page) => {
  await page.getByLabel('Filter problems').fill('cache');
  await page.getByText('1 match').waitFor();
  await page.getByRole('checkbox', { name: 'Pick /root/.cache' }).check();
  await button(page, 'Exclude from shop nightly').click();
  await page.getByText('1 path left out of shop nightly from the next run on').waitFor();
});

journey('settings are kept: the theme turns at once', '/settings?part=appearance', {}, async (page) => {
  await page.getByText('Dark', { exact: true }).click();
  await page.waitForFunction(() => document.documentElement.dataset.mantineColorScheme === 'dark');
});

journey('a number of the settings is saved when left, within its limits', '/settings', {}, async (page) => {
  const field = page.getByRole('textbox', { name: 'A server is stale after' });
  await field.fill('9999');
  await field.blur();
  await page.waitForFunction(() => [...document.querySelectorAll('input')].some((input) => input.value === '365 days'));
});

journey('locked secrets are unlocked', '/overview', { scene: 'locked' }, async (page) => {
  await page.getByText('Passwords and keys are locked.').waitFor();
  await button(page, 'Unlock…').click();
  await page.locator('input[type="password"]').fill('wrong');
  await button(page, 'Unlock').click();
  await page.getByText('Cannot unlock the secrets: the passphrase does not open them').waitFor();
  await page.locator('input[type="password"]').fill('right');
  await button(page, 'Unlock').click();
  await page.getByText('Ready', { exact: true }).waitFor();
});

journey('a keyring that was locked is tried again before anything is begun anew', '/overview', { scene: 'keyring_closed' }, async (page) => {
  await page.getByText('The keyring does not open.').waitFor();
  await button(page, 'More…').click();
  assert.equal(await page.locator('input[type="password"]').count(), 0, 'no sealed file is offered at first');
  await button(page, 'Make a sealed file instead…').click();
  await page.getByText('A sealed file begins empty.').waitFor();
  assert.deepEqual(await violations(page), []);
  await button(page, 'Try again').click();
  await page.getByText('Ready', { exact: true }).waitFor();
});

journey('a place for secrets is made', '/settings?part=secrets', { scene: 'not_set_up' }, async (page) => {
  await page.locator('input[type="password"]').nth(0).fill('a good passphrase');
  await page.locator('input[type="password"]').nth(1).fill('another');
  await button(page, 'Make the file').click();
  await page.getByText('The two are not equal').waitFor();
  await page.locator('input[type="password"]').nth(1).fill('a good passphrase');
  await button(page, 'Make the file').click();
  await page.getByText('Ready', { exact: true }).waitFor();
});

journey('the audit log is checked and its kit shown in a dialog that holds the focus', '/settings?part=audit', {}, async (page) => {
  await button(page, 'Check it').click();
  await page.getByText('All 240 entries are as they were written.').waitFor();
  await page.getByRole('tab', { name: 'Keys and recovery kits' }).click();
  await button(page, 'Show kit… of nas').click();
  const dialog = page.getByRole('dialog', { name: 'Recovery kit of nas' });
  await dialog.waitFor();
  assert.deepEqual(await violations(page), []);
  for (let i = 0; i < 8; i += 1) {
    await page.keyboard.press('Tab');
    assert.ok(await page.evaluate(() => document.activeElement?.closest('[role="dialog"]') !== null), 'the focus left the dialog');
  }
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
});

journey('removing a server asks first, and a refusal is shown in the dialog', '/servers/s1', {}, async (page) => {
  await page.getByRole('tab', { name: 'Connection' }).click();
  await button(page, 'Remove web-1…').click();
  const dialog = page.getByRole('dialog', { name: 'Remove web-1?' });
  await dialog.getByRole('button', { name: 'Remove web-1' }).click();
  await dialog.getByText('Cannot remove web-1: 1 plan reads it').waitFor();
  assert.deepEqual(await violations(page), []);
  await dialog.getByRole('button', { name: 'Cancel' }).click();
});

journey('an error of the whole database is shown with a way to try again', '/servers', { scene: 'broken' }, async (page) => {
  await page.getByText(/Cannot read the local database/).first().waitFor();
  await button(page, 'Try again').first().waitFor();
});

test('ten thousand backups: the first rows come fast, and only those in sight are drawn', async () => {
  const { page, close } = await openWindow('/overview');
  await settled(page);
  const ms = await page.evaluate(async () => {
    const start = performance.now();
    window.location.hash = '/backups';
    while (!document.querySelector('[role="grid"][aria-label="Backups"] .dt-body-row')) await new Promise((resolve) => requestAnimationFrame(resolve));
    return performance.now() - start;
  });
  console.log(`first rows of 10,000 backups after ${Math.round(ms)} ms`);
  const drawn = await page.locator('[role="grid"] .dt-body-row').count();
  assert.ok(drawn > 5 && drawn < 120, `${drawn} rows drawn`);
  await close();
});

test('nothing is cut off at the smallest window', async () => {
  for (const place of ['/overview', '/servers', '/servers/s1', '/servers/new', '/activity', '/activity/r2', '/settings']) {
    const { page, close } = await openWindow(place, { width: 900, height: 600 });
    await settled(page);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(over <= 0, `${place} is ${over} px too wide`);
    await close();
  }
});
