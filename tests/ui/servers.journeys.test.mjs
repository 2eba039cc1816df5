// What a user does with servers: adding one, its host key, its log-in, looking at it again, removing it.
import assert from 'node:assert/strict';
import { button, heading, press } from './controls.mjs';
import { loginOf } from './servers.steps.mjs';
import { journey, small, violations, withBrowser } from './window.mjs';

withBrowser();

journey('a server is added by its address, its key compared, and a plan follows', '/servers/new', async (page) => {
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
}, { atOnce: true });

journey('a changed host key stops everything until its server is named', '/servers/new', async (page) => {
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
}, { atOnce: true });

journey('a server that cannot be reached says so, and can be tried again', '/servers/new', async (page) => {
  await page.getByRole('textbox', { name: 'Address' }).fill('down.example.org');
  await button(page, 'Continue').click();
  await button(page, 'Continue').click();
  await page.getByText('Cannot connect to down.example.org:22: connection refused').waitFor();
  await button(page, 'Details').click();
  await page.getByText('Connection refused (os error 111)').waitFor();
  await button(page, 'Try again').waitFor();
}, { atOnce: true });

journey('a jump host of the SSH config is asked for its key first', '/servers/new', async (page) => {
  await page.getByText('From your SSH config').click();
  await button(page, 'Use db-1').click();
  await button(page, 'Continue').click();
  await button(page, 'Continue').click();
  await heading(page, 'Fingerprint of bastion.example.org:22').waitFor();
  await button(page, 'They are equal: accept').click();
  await heading(page, 'Fingerprint of 10.0.3.4:22').waitFor();
  await button(page, 'They are equal: accept').click();
  await page.getByText('Route: this computer → anna@bastion.example.org → admin@10.0.3.4:22').waitFor();
}, { atOnce: true });

journey('sudo that does not work gives the line for sudoers', '/servers/new', async (page) => {
  await page.getByRole('textbox', { name: 'Address' }).fill('admin@nosudo-1');
  await button(page, 'Continue').click();
  await page.getByText('sudo without password').click();
  await button(page, 'Continue').click();
  await button(page, 'They are equal: accept').click();
  await page.getByText('admin ALL=(root) NOPASSWD: ALL').waitFor();
  assert.equal(await button(page, 'Continue').count(), 0, 'a failed test must not lead on');
}, { atOnce: true });

journey('what is wrong far up gets the cursor', '/servers/new', async (page) => {
  await loginOf(page, 'web-9.example.org');
  await page.getByRole('textbox', { name: 'User' }).fill('');
  await press(page, 'Add a jump host');
  await press(page, 'Continue');
  const user = page.getByRole('textbox', { name: 'User' }).first();
  assert.equal(await user.evaluate((input) => input === document.activeElement), true);
  await page.getByText('Type the user to log in as').waitFor();
}, small);

journey('the buttons of a long step are in sight at the smallest window', '/servers/new', async (page) => {
  await loginOf(page, 'web-9.example.org');
  await press(page, 'Add a jump host');
  await page.locator('.page-body').evaluate((body) => body.scrollTo(0, 0));
  const box = await page.getByRole('button', { name: 'Continue' }).boundingBox();
  assert.ok(box.y + box.height <= 600, `Continue ends at ${box.y + box.height}`);
}, small);

journey('a server is looked at again', '/servers/s1', async (page) => {
  await page.getByRole('tab', { name: 'Facts' }).click();
  await button(page, 'Look again').click();
  await page.getByText('Looking what is on web-1').waitFor();
  await page.getByText('Looking what is on web-1').waitFor({ state: 'detached' });
  assert.deepEqual(await violations(page), []);
}, { atOnce: true });

journey('removing a server asks first, and a refusal is shown in the dialog', '/servers/s1', async (page) => {
  await page.getByRole('tab', { name: 'Connection' }).click();
  await button(page, 'Remove web-1…').click();
  const dialog = page.getByRole('dialog', { name: 'Remove web-1?' });
  await dialog.getByRole('button', { name: 'Remove web-1' }).click();
  await dialog.getByText('Cannot remove web-1: 1 plan reads it').waitFor();
  assert.deepEqual(await violations(page), []);
  await dialog.getByRole('button', { name: 'Cancel' }).click();
}, { atOnce: true });

journey('an error of the whole database is shown with a way to try again', '/servers', async (page) => {
  await page.getByText(/Cannot read the local database/).first().waitFor();
  await button(page, 'Try again').first().waitFor();
}, { scene: 'broken', atOnce: true });

journey('a server that is down gets its new name all the same, but no other address', '/servers/s1/edit', async (page) => {
  await page.evaluate(() => (window.mock.failing = ['probe_host_key']));
  const name = page.getByRole('textbox', { name: 'Name' });
  const toFingerprint = async () => {
    await button(page, 'Continue').click();
    await page.getByRole('textbox', { name: 'User' }).waitFor();
    await button(page, 'Continue').click();
    await page.getByText(/probe_host_key/).waitFor();
  };
  await name.fill('web-old');
  await page.getByRole('textbox', { name: 'Port' }).fill('2222');
  await toFingerprint();
  await page.getByText('What was changed can be saved once the server can be reached.').waitFor();
  assert.equal(await button(page, 'Save the name').count(), 0);
  await press(page, 'Back');
  await press(page, 'Back');
  await page.getByRole('textbox', { name: 'Port' }).fill('22');
  await toFingerprint();
  await page.getByText('The new name can be saved all the same.').waitFor();
  await press(page, 'Save the name');
  await page.getByRole('complementary', { name: 'web-old' }).waitFor();
});
