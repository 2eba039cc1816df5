// What a user does with destinations, plans, backups and restores, step by step over made-up data.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goToPreview, goToRestore, makeVault, openFirstBackup, press, testFolder } from './part2-steps.mjs';
import { openWindow, settled, withBrowser } from './window.mjs';

withBrowser();

function journey(name, place, steps, options) {
  test(name, async () => {
    const { page, faults, close } = await openWindow(place, options);
    await settled(page);
    await steps(page);
    assert.deepEqual(faults, []);
    await close();
  });
}

const enabled = (page, name) => page.getByRole('button', { name, exact: true }).first().isEnabled();

journey('a new vault ends with a recovery kit that is asked back', '/destinations/new', async (page) => {
  assert.equal(await enabled(page, 'Test it'), false);
  await makeVault(page, '/mnt/disk');
  const word = page.getByLabel('Word 4 of the kit');
  await word.fill('harbor');
  await press(page, 'Confirm the kit');
  await page.getByText('That is not word 4 of this kit. Look again').waitFor();
  await word.fill('Meadow');
  await press(page, 'Confirm the kit');
  await page.getByText('The kit is confirmed').waitFor();
  await press(page, 'Make a plan that writes here');
  await page.getByRole('heading', { level: 1, name: 'Make a plan' }).waitFor();
});

journey('a plan made right after its destination has it, however late the list is', '/destinations/new', async (page) => {
  await makeVault(page, '/mnt/disk');
  await press(page, 'Later');
  await page.getByRole('complementary', { name: 'disk' }).getByText('Kit not confirmed').waitFor();
  await page.evaluate(() => (location.hash = '/destinations/new'));
  await makeVault(page, '/mnt/other');
  const word = page.getByLabel(/^Word \d+ of the kit/);
  await word.fill('Meadow');
  await press(page, 'Confirm the kit');
  await press(page, 'Make a plan that writes here');
  const side = page.getByRole('complementary', { name: 'The plan so far' });
  assert.match(await side.innerText(), /Where to\s+other/);
}, { slow: 'destinations' });

journey('leaving the kit for later is said to have a consequence, and shows', '/destinations/new', async (page) => {
  await makeVault(page, '/mnt/disk');
  await page.getByText('nobody can open the backups in disk').waitFor();
  await press(page, 'Later');
  await page.getByRole('complementary', { name: 'disk' }).getByText('Kit not confirmed').waitFor();
});

journey('a folder with other files is refused, and one inside is offered', '/destinations/new', async (page) => {
  await testFolder(page, '/mnt/foreign');
  assert.equal(await enabled(page, 'Continue'), false);
  await page.getByRole('button', { name: 'Use /mnt/foreign/backstay' }).waitFor();
});

journey('an existing vault opens with its password only', '/destinations/new', async (page) => {
  await testFolder(page, '/mnt/vault');
  await press(page, 'Continue');
  const password = page.getByLabel('Password of the vault', { exact: true });
  await password.fill('wrong');
  await press(page, 'Open the vault');
  await page.getByText('the password does not open it').waitFor();
  await password.fill('right');
  await press(page, 'Open the vault');
  await page.getByText('42 backups found').waitFor();
});

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

journey('10,000 backups: first rows at once, few of them drawn, the end is reached', '/backups', async (page) => {
  await page.getByText('10,000 backups', { exact: true }).waitFor();
  assert.ok((await page.locator('.dt-body-row').count()) < 80, 'only rows in sight are drawn');
  const grid = page.getByRole('grid', { name: 'Backups' });
  await page.waitForFunction(async () => {
    const list = document.querySelector('.dt-scroll');
    list.scrollTop = list.scrollHeight;
    return Number(list.getAttribute('aria-rowcount')) === 10_001;
  }, undefined, { polling: 100 });
  await grid.focus();
});

journey('backups are filtered by text and server, and the filters are cleared', '/backups', async (page) => {
  await page.keyboard.press('/');
  await page.keyboard.type('mail');
  await page.getByText(/^[\d,]+ backups match$/).waitFor();
  assert.match(await page.locator('.dt-body-row').first().innerText(), /mail/);
  await page.getByLabel('Filter backups', { exact: true }).last().fill('nobody has this');
  await press(page, 'Clear the filters');
  await page.getByText('10,000 backups', { exact: true }).waitFor();
});

journey('a window made narrower keeps the dialog that was opened from the details', '/backups', async (page) => {
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.locator('.dt-body-row').first().click();
  const panel = page.locator('aside.panel');
  await panel.getByRole('button', { name: 'Download…' }).click();
  const dialog = page.getByRole('dialog', { name: /^Download/ });
  await dialog.waitFor();
  await page.setViewportSize({ width: 900, height: 600 });
  await panel.waitFor({ state: 'hidden' });
  assert.ok(await dialog.isVisible());
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await page.setViewportSize({ width: 1280, height: 800 });
  await panel.waitFor();
});

journey('sorting by size puts the biggest first and drops the day groups', '/backups', async (page) => {
  await page.getByText('Today', { exact: true }).waitFor();
  await press(page, 'Size');
  await page.getByText('Today', { exact: true }).waitFor({ state: 'detached' });
  assert.match(await page.locator('.dt-body-row').first().innerText(), /112\.\d GiB|11\d\.\d GiB/);
});

journey('parts are picked in the tree, siblings stay, and are downloaded', '/backups', async (page) => {
  await openFirstBackup(page);
  const line = (path) => page.locator(`[role=treeitem][data-path="${path}"]`);
  await line('srv').locator('.tree-tick').click();
  await page.getByText('1 part picked').waitFor();
  // The only folder in it opens by itself.
  await line('srv').locator('.tree-twist').click();
  await line('srv/www/shop').locator('.tree-tick').click();
  await page.getByText('3 parts picked').waitFor();
  assert.equal(await line('srv').getAttribute('aria-checked'), 'mixed');
  await page.getByRole('toolbar').getByRole('button', { name: 'Download…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('radio', { name: /^\.zip/ }).check();
  await dialog.getByLabel('Into this folder').fill('relative');
  assert.equal(await dialog.getByRole('button', { name: 'Download', exact: true }).isEnabled(), false);
  await dialog.getByLabel('Into this folder').fill('/home/anna');
  await dialog.getByRole('button', { name: 'Download', exact: true }).click();
  await page.getByRole('link', { name: 'Watch it' }).waitFor();
});

journey('a search in a backup finds by name, and says when nothing does', '/backups', async (page) => {
  await openFirstBackup(page);
  const search = page.getByLabel('Search in this backup');
  await search.fill('fstab');
  await page.getByText('1 match').waitFor();
  await search.fill('no such thing');
  await page.getByText('Nothing in this backup has "no such thing" in its name.').waitFor();
});

journey('replace shows what is deleted, and starts only with the name typed', '/backups', async (page) => {
  await goToRestore(page);
  await goToPreview(page, /^Replace/);
  assert.equal(await page.getByRole('tab', { name: /^Delete/ }).getAttribute('aria-selected'), 'true', 'the most dangerous list first');
  await press(page, 'Restore to web-1');
  const dialog = page.getByRole('dialog');
  await dialog.getByText('18 files and databases on web-1 will be deleted.').waitFor();
  const go = dialog.getByRole('button', { name: 'Restore to web-1' });
  assert.equal(await go.isEnabled(), false);
  await dialog.getByRole('textbox').fill('web-2');
  assert.equal(await go.isEnabled(), false);
  await dialog.getByRole('textbox').fill('web-1');
  await go.click();
  await page.getByRole('button', { name: /^Cancel restoring/i }).waitFor();
  assert.match(page.url(), /run=/, 'a reload finds the run again');
});

journey('a merge needs no name; cancelling ends in a plain report', '/backups', async (page) => {
  await goToRestore(page);
  await goToPreview(page, /^Merge Brings/);
  await press(page, 'Restore to web-1');
  await page.getByRole('dialog').getByRole('button', { name: 'Restore to web-1' }).click();
  await page.getByRole('button', { name: /^Cancel restoring/i }).click();
  await page.getByText('Cancelled. What had been written to web-1').waitFor();
  await page.getByRole('button', { name: 'Restore again…' }).waitFor();
});

journey('the paths of a preview are filtered', '/backups', async (page) => {
  await goToRestore(page);
  await goToPreview(page, /^Merge Brings/);
  await page.getByLabel('Filter paths', { exact: true }).fill('IMG_0007');
  await page.getByText(/^1 path match/).waitFor();
});

journey('no room blocks a restore and says why', '/backups', async (page) => {
  await goToRestore(page);
  await press(page, 'Continue');
  await page.getByRole('radio', { name: /^Into another folder/ }).check();
  assert.equal(await enabled(page, 'Show what would happen'), false);
  await page.getByLabel('Folder on web-1').fill('/full');
  await press(page, 'Show what would happen');
  await page.getByText('It cannot be done as asked:').waitFor();
  assert.equal(await enabled(page, 'Restore to web-1'), false);
});

journey('at the smallest size a backup opens on its own page', '/backups', async (page) => {
  await page.locator('.dt-body-row').first().click();
  await page.getByRole('heading', { level: 1, name: /web nightly/ }).waitFor();
  assert.match(page.url(), /#\/backups\/b/);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), true, 'nothing is cut off at the side');
}, { width: 900, height: 600 });
