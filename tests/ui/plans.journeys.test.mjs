// What a user does with plans: what is backed up, where to, as a vault or as archives, with which key.
import assert from 'node:assert/strict';
import { enabled, press } from './controls.mjs';
import { openVault, testFolder } from './destinations.steps.mjs';
import { planWhere } from './plans.steps.mjs';
import { journey, withBrowser } from './window.mjs';

withBrowser();

journey('a plan is made from what was found, and can be run', '/plans/new?server=s1', async (page) => {
  await page.getByRole('checkbox', { name: /MariaDB/ }).waitFor();
  assert.equal(await page.getByRole('checkbox', { name: /MariaDB/ }).isChecked(), true, 'suggestions are ticked');
  await page.getByRole('checkbox', { name: /PostgreSQL/ }).check();
  const path = page.getByLabel('Add a path of web-1');
  await path.fill('srv');
  await press(page, 'Add');
  await page.getByText('Start at the root').waitFor();
  await path.fill('/home');
  await press(page, 'Add');
  await page.getByRole('button', { name: 'Take out /home' }).waitFor();
  await page.getByLabel('Leave out a path or pattern').fill('*.bak');
  await page.getByLabel('Leave out a path or pattern').press('Enter');
  await page.getByText('Every file and folder with a name like *.bak').waitFor();
  await press(page, 'Continue');
  assert.equal(await enabled(page, 'Continue'), false);
  await page.getByRole('checkbox', { name: 'nas' }).check();
  await press(page, 'Continue');
  assert.equal(await page.getByLabel('Name of the plan').inputValue(), 'web-1 files and databases');
  await press(page, 'Make the plan');
  const panel = page.getByRole('complementary', { name: 'web-1 files and databases' });
  await panel.getByText('No backup yet. The first one reads everything').waitFor();
  await panel.getByText('*.bak').waitFor();
  await panel.getByRole('button', { name: 'Back up now' }).click();
  await panel.getByRole('button', { name: 'Watch it' }).waitFor();
});

journey('a plan writes to several destinations in order, and says what becomes of an empty one', '/plans/new?server=s1', async (page) => {
  await planWhere(page);
  await page.getByRole('checkbox', { name: 'archive store' }).check();
  await page.getByText('Becomes a copy of the vault at nas').waitFor();
  await press(page, 'Move archive store up');
  assert.match(await page.locator('.order li').first().innerText(), /archive store\s+primary/);
  await page.getByRole('checkbox', { name: 'storage box' }).check();
  await page.getByText('nas and storage box hold two different vaults').waitFor();
  assert.equal(await enabled(page, 'Continue'), false);
  await page.getByRole('radio', { name: /^As archives/ }).check();
  await page.getByText('nas and storage box hold two different vaults').waitFor({ state: 'detached' });
});

journey('a destination added on the way leads back to the plan as it was left', '/plans/new?server=s1', async (page) => {
  await page.getByRole('checkbox', { name: /PostgreSQL/ }).check();
  await planWhere(page);
  await page.getByRole('checkbox', { name: 'archive store' }).check();
  await page.getByRole('radio', { name: /^As archives/ }).check();
  await press(page, 'Add another destination');
  await page.getByRole('heading', { level: 1, name: 'Add a destination' }).waitFor();
  await testFolder(page, '/mnt/second');
  await press(page, 'Continue');
  await page.getByRole('radio', { name: /^Archives only/ }).check();
  await page.getByLabel('Name', { exact: true }).fill('second disk');
  await press(page, 'Add the destination');
  await press(page, 'Go on with the plan');
  await page.getByText('The plan is as you left it.').waitFor();
  for (const name of ['nas', 'archive store', 'second disk']) assert.equal(await page.getByRole('checkbox', { name }).isChecked(), true, name);
  assert.equal(await page.getByRole('radio', { name: /^As archives/ }).isChecked(), true);
  await press(page, 'Back');
  assert.equal(await page.getByRole('checkbox', { name: /PostgreSQL/ }).isChecked(), true);
  await press(page, 'Continue');
  await press(page, 'Start anew');
  await page.getByText('What should be backed up?').waitFor();
});

journey('a place on the server itself is warned of', '/plans/new?server=s4', async (page) => {
  await page.getByRole('tree').first().waitFor();
  await press(page, 'Continue');
  await page.getByRole('checkbox', { name: 'storage box' }).check();
  await page.getByText(/^storage box lies on game-2 itself\. Its backups are lost with that server/).waitFor();
  await page.getByRole('checkbox', { name: 'storage box' }).uncheck();
  await page.getByText(/lies on game-2 itself/).waitFor({ state: 'detached' });
});

journey('archives get a name by fields, shown as it would be now, and a key with a kit that is asked back', '/plans/new?server=s1', async (page) => {
  await planWhere(page);
  await page.getByRole('radio', { name: /^As archives/ }).check();
  await page.getByText(/web-1-files-and-databases_\d{8}_\d{6}\.tar\.zst\.sealed/).waitFor();
  const name = page.getByLabel('Name of the files');
  await name.fill('');
  await press(page, 'Plan');
  await page.getByText('Cannot use the file name: each backup would have the same').first().waitFor();
  assert.equal(await enabled(page, 'Continue'), false);
  await press(page, 'Day');
  assert.equal(await name.inputValue(), '{plan}_{time:%Y-%m-%d}');
  await page.getByText('.zip', { exact: true }).click();
  await page.getByText(/web-1-files-and-databases_\d{4}-\d\d-\d\d\.zip\.sealed/).waitFor();
  await press(page, 'Continue');
  await press(page, 'Make the plan');
  await page.getByRole('heading', { level: 1, name: 'Recovery kit of web-1 files and databases' }).waitFor();
  const label = await page.getByLabel(/^Group \d+ of the kit/).evaluate((input) => document.querySelector(`label[for="${input.id}"]`).textContent);
  const number = Number(/\d+/.exec(label)[0]);
  await page.getByLabel(/^Group \d+ of the kit/).fill('nonsense');
  await press(page, 'Confirm the kit');
  await page.getByText(`That is not group ${number} of this kit`).waitFor();
  await page.getByLabel(/^Group \d+ of the kit/).fill(await page.locator('.kit-words b').nth(number - 1).innerText());
  await press(page, 'Confirm the kit');
  await page.getByText('The kit is confirmed').waitFor();
  await press(page, 'Show the plan');
  await page.getByRole('complementary', { name: 'web-1 files and databases' }).getByText('Archives: zip, sealed').waitFor();
});

journey('the kit of a plan is asked for on the first screen until a group of it is typed back', '/plans/new?server=s1', async (page) => {
  const name = 'web-1 files and databases';
  await planWhere(page);
  await page.getByRole('radio', { name: /^As archives/ }).check();
  await press(page, 'Continue');
  await press(page, 'Make the plan');
  await page.getByRole('heading', { level: 1, name: `Recovery kit of ${name}` }).waitFor();
  await press(page, 'Later');
  const panel = page.getByRole('complementary', { name });
  await panel.getByText('Kit not confirmed').waitFor();
  await page.getByRole('link', { name: 'Overview' }).first().click();
  await press(page, `Confirm the kit…: ${name}`);
  await press(page, 'Recovery kit…');
  const dialog = page.getByRole('dialog', { name: `Recovery kit of ${name}` });
  const field = dialog.getByLabel(/^Group \d+ of the kit/);
  await field.waitFor();
  const label = await field.evaluate((input) => document.querySelector(`label[for="${input.id}"]`).textContent);
  await field.fill(await dialog.locator('.kit-words b').nth(Number(/\d+/.exec(label)[0]) - 1).innerText());
  await press(page, 'Confirm the kit');
  await page.getByText(`The recovery kit of ${name} is confirmed.`).waitFor();
  await panel.getByText('Kit not confirmed').waitFor({ state: 'detached' });
  await page.getByRole('link', { name: 'Overview' }).first().click();
  await page.getByRole('heading', { name: 'Needs you' }).waitFor();
  assert.equal(await page.getByRole('button', { name: `Confirm the kit…: ${name}` }).count(), 0);
});

journey('a passphrase is typed twice, a key has 64 hex digits, no seal is warned of', '/plans/new?server=s1', async (page) => {
  await planWhere(page);
  await page.getByRole('radio', { name: /^As archives/ }).check();
  await page.getByRole('radio', { name: /^With a passphrase/ }).check();
  await page.getByRole('textbox', { name: 'Passphrase', exact: true }).fill('correct horse battery');
  await page.getByText('The two passphrases are not the same').waitFor();
  await page.getByRole('textbox', { name: 'The passphrase once more' }).fill('correct horse battery');
  assert.equal(await enabled(page, 'Continue'), true);
  await page.getByRole('radio', { name: /^With a key you bring/ }).check();
  await page.getByRole('textbox', { name: 'Key' }).fill('abc');
  await page.getByText(/64 hex digits \(0 to 9, a to f\); these are 3/).waitFor();
  await page.getByRole('textbox', { name: 'Key' }).fill('0f'.repeat(32));
  assert.equal(await enabled(page, 'Continue'), true);
  await page.getByRole('radio', { name: /^Not at all/ }).check();
  await page.getByText('Everything in these archives can be read').waitFor();
});

journey('a plan taken over with its backups was not run here, and is not called without a backup', '/destinations/open', async (page) => {
  await openVault(page);
  await press(page, 'Take over these settings');
  await page.getByText('Taken over: 1 server, 1 plan.').waitFor();
  await page.getByRole('link', { name: 'Plans' }).first().click();
  await page.getByRole('row', { name: /old web nightly.*Not run here yet.*3 d ago/ }).click();
  const panel = page.getByRole('complementary', { name: 'old web nightly' });
  await panel.getByText('Not run on this computer yet; its backups were made on another one.').waitFor();
  assert.equal(await page.getByText('No backup yet').count(), 0);
});
