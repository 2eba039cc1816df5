// What goes with every page: the palette, and the banner that says when the secrets are not open.
import assert from 'node:assert/strict';
import { button, heading } from './controls.mjs';
import { journey, violations, withBrowser } from './window.mjs';

withBrowser();

journey('the palette goes to a server and starts a backup', '/overview', async (page) => {
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
}, { atOnce: true });

journey('locked secrets are unlocked', '/overview', async (page) => {
  await page.getByText('Passwords and keys are locked.').waitFor();
  await button(page, 'Unlock…').click();
  await page.locator('input[type="password"]').fill('wrong');
  await button(page, 'Unlock').click();
  await page.getByText('Cannot unlock the secrets: the passphrase does not open them').waitFor();
  await page.locator('input[type="password"]').fill('right');
  await button(page, 'Unlock').click();
  await page.getByText('Ready', { exact: true }).waitFor();
}, { scene: 'locked', atOnce: true });

journey('a keyring that was locked is tried again before anything is begun anew', '/overview', async (page) => {
  await page.getByText('The keyring does not open.').waitFor();
  await button(page, 'More…').click();
  assert.equal(await page.locator('input[type="password"]').count(), 0, 'no sealed file is offered at first');
  await button(page, 'Make a sealed file instead…').click();
  await page.getByText('A sealed file begins empty.').waitFor();
  assert.deepEqual(await violations(page), []);
  await button(page, 'Try again').click();
  await page.getByText('Ready', { exact: true }).waitFor();
}, { scene: 'keyring_closed', atOnce: true });
