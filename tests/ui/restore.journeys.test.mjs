// What a user does to restore: what, where to, the preview of what would happen, and the run.
import assert from 'node:assert/strict';
import { drawn, enabled, press } from './controls.mjs';
import { goToPreview, goToRestore, restoreWhere } from './restore.steps.mjs';
import { journey, withBrowser } from './window.mjs';

withBrowser();

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

journey('what cannot be read anew meanwhile leaves the steps as they are', '/backups', async (page) => {
  await restoreWhere(page);
  await page.getByRole('radio', { name: /^Into another folder/ }).check();
  await page.getByLabel('Folder on web-1').fill('/srv/back');
  await page.evaluate(() => {
    window.mock.failing = ['backup', 'servers'];
    window.mock.changed('servers');
    window.mock.changed('backups');
  });
  await page.waitForFunction(() => window.mock.failed >= 2);
  await drawn(page);
  assert.equal(await page.getByLabel('Folder on web-1').inputValue(), '/srv/back');
});

journey('another server is warned of beside its name, before the choices', '/backups', async (page) => {
  await restoreWhere(page);
  await page.getByRole('combobox', { name: 'To which server' }).click();
  await page.getByRole('option', { name: /^shop/ }).click();
  const note = await page.getByText('This is another server').boundingBox();
  const choices = await page.getByRole('radiogroup', { name: 'To which place' }).boundingBox();
  assert.ok(note.y < choices.y);
});

journey('the paths of a preview are filtered', '/backups', async (page) => {
  await goToRestore(page);
  await goToPreview(page, /^Merge Brings/);
  await page.getByLabel('Filter paths', { exact: true }).fill('IMG_0007');
  await page.getByText(/^1 path match/).waitFor();
});

journey('replace shows what is deleted, and starts only with the name typed', '/backups', async (page) => {
  await goToRestore(page);
  await goToPreview(page, /^Replace/);
  assert.equal(await page.getByRole('tab', { name: /^Delete/ }).getAttribute('aria-selected'), 'true', 'the most dangerous list first');
  await press(page, 'Restore to web-1');
  const dialog = page.getByRole('dialog');
  await dialog.getByText('18 files and databases, and 2 folders on web-1 will be deleted.').waitFor();
  const go = dialog.getByRole('button', { name: 'Restore to web-1' });
  assert.equal(await go.isEnabled(), false);
  await dialog.getByRole('textbox').fill('web-2');
  assert.equal(await go.isEnabled(), false);
  await dialog.getByRole('textbox').fill('web-1');
  await go.click();
  await page.getByRole('button', { name: /^Cancel restoring/i }).waitFor();
  assert.match(page.url(), /run=/, 'a reload finds the run again');
});

journey('folders alone are a change: they are counted above their list, and can be restored', '/backups', async (page) => {
  await goToRestore(page);
  await press(page, 'Continue');
  await page.getByRole('radio', { name: /^Into another folder/ }).check();
  await page.getByLabel('Folder on web-1').fill('/folders');
  await page.getByRole('radio', { name: /^Replace/ }).check();
  await press(page, 'Show what would happen');
  await page.getByRole('tab', { name: 'Delete 2' }).waitFor();
  await page.getByText('2 folders', { exact: true }).waitFor();
  await page.getByLabel('Filter paths', { exact: true }).fill('new-1');
  await page.getByText('1 path matches, of 2').waitFor();
  assert.equal(await enabled(page, 'Restore to web-1'), true);
});

journey('a merge needs no name; cancelling ends in a plain report', '/backups', async (page) => {
  await goToRestore(page);
  await goToPreview(page, /^Merge Brings/);
  await press(page, 'Restore to web-1');
  await page.getByRole('dialog').getByRole('button', { name: 'Restore to web-1' }).click();
  const cancel = page.getByRole('button', { name: /^Cancel restoring/i });
  assert.equal(await cancel.evaluate((button) => getComputedStyle(button).color), await page.evaluate(() => {
    const probe = document.body.appendChild(Object.assign(document.createElement('i'), { style: 'color: var(--bad)' }));
    return getComputedStyle(probe).color;
  }), 'what cannot be taken back is red');
  await cancel.click();
  await page.getByRole('dialog', { name: 'Stop restoring to web-1?' }).getByRole('button', { name: 'Keep restoring' }).click();
  await cancel.click();
  await press(page.getByRole('dialog'), 'Stop the restore');
  await page.getByText('Stopping…').waitFor();
  assert.equal(await cancel.isEnabled(), false);
  await page.getByText('Cancelled. What had been written to web-1').waitFor();
  await page.getByRole('button', { name: 'Restore again…' }).waitFor();
});

journey('a restore that has ended says when, and all its steps are done', '/activity/r90', async (page) => {
  await press(page, 'Restore again…');
  await page.getByRole('heading', { level: 1, name: /^Restore / }).waitFor();
  await page.evaluate(() => (location.hash += '?run=r90'));
  await page.getByText(/^Ended \d+ \w+ \d{4} \d\d:\d\d$/).waitFor();
  await page.getByText('items restored').waitFor();
  assert.equal(await page.getByText(/the restore goes on/).count(), 0);
  assert.equal(await page.getByRole('list', { name: 'Steps' }).getByText('(done)').count(), 4);
});

journey('a restore that was cut short is not said to have written nothing', '/activity/r89', async (page) => {
  await page.getByText('was cut short').waitFor();
  assert.equal(await page.getByText('The target is partly restored').count(), 1, 'said once');
  assert.equal(await page.locator('main .note .tabler-icon-check').count(), 0, 'nothing is ticked');
  await page.getByRole('tab', { name: 'Log' }).click();
  await page.getByRole('link', { name: 'Open the plan' }).waitFor();
  await press(page, 'Restore again…');
  await page.getByRole('heading', { level: 1, name: /^Restore / }).waitFor();
  await page.evaluate(() => (location.hash += '?run=r89'));
  await page.getByText(/^Ended \d+ \w+ \d{4} \d\d:\d\d$/).waitFor();
  assert.equal(await page.getByText(/items restored|written$/).count(), 0);
  assert.equal(await page.getByText('The target is partly restored').count(), 1, 'said once');
});
