// What a user does with backups: the long list, what is in one, its copies, downloads and links, deleting.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openCopies, openFirstBackup } from './backups.steps.mjs';
import { press } from './controls.mjs';
import { journey, openWindow, settled, withBrowser } from './window.mjs';

withBrowser();

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

journey('what is not loaded yet is not picked, and that is said', '/backups', async (page) => {
  await page.getByText('10,000 backups', { exact: true }).waitFor();
  await page.getByRole('checkbox', { name: /^Pick the first \d+ of the list$/ }).check();
  const bar = page.getByRole('toolbar', { name: 'Actions for the picked rows' });
  await bar.getByText(/^The first \d+ rows of the list\. Scroll down for more\.$/).waitFor();
  await page.locator('.dt-body-row input').first().uncheck();
  await bar.getByText(/^The first/).waitFor({ state: 'detached' });
});

journey('what a filter hides or a deletion takes is picked no longer', '/backups?server=s1', async (page) => {
  await page.getByText(/^[\d,]+ backups match$/).waitFor();
  const ticks = page.locator('.dt-body-row input');
  await ticks.nth(0).check();
  await ticks.nth(1).check();
  const bar = page.getByRole('toolbar', { name: 'Actions for the picked rows' });
  await bar.getByText('2 picked', { exact: true }).waitFor();
  await page.locator('.dt-body-row').first().getByRole('button', { name: /^Actions for/ }).click();
  await page.getByRole('menuitem', { name: 'Delete…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Delete the backup' });
  await dialog.getByRole('button', { name: /^Delete/ }).waitFor();
  const sure = dialog.getByRole('checkbox');
  if (await sure.count() > 0) await sure.check();
  await dialog.getByRole('button', { name: /^Delete/ }).click();
  await bar.getByText('1 picked', { exact: true }).waitFor();
  await page.getByLabel('Filter backups', { exact: true }).last().fill('mail');
  await bar.waitFor({ state: 'detached' });
});

journey('a key held down is meant once', '/backups', async (page) => {
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.locator('.dt-body-row').first().click();
  await page.locator('aside.panel').waitFor();
  await page.evaluate(() => document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', repeat: true, bubbles: true })));
  assert.equal(await page.locator('aside.panel').count(), 1);
  await page.keyboard.press('Escape');
  await page.locator('aside.panel').waitFor({ state: 'detached' });
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

journey('whoever comes back from a backup finds the list as it was', '/backups', async (page) => {
  const text = page.getByLabel('Filter backups', { exact: true }).last();
  const asLeft = async () => {
    await page.getByText(/^[\d,]+ backups match$/).waitFor();
    assert.equal(await text.inputValue(), 'mail');
    assert.equal(await page.getByRole('columnheader', { name: 'Size' }).getAttribute('aria-sort'), 'descending');
    assert.equal(await page.getByRole('combobox', { name: 'State' }).inputValue(), 'Good');
  };
  await text.pressSequentially('mail');
  await page.getByRole('combobox', { name: 'State' }).click();
  await page.getByRole('option', { name: 'Good' }).click();
  await press(page, 'Size');
  await asLeft();
  for (const back of [() => page.goBack(), () => page.getByRole('navigation', { name: 'Breadcrumb' }).getByRole('link', { name: 'Backups' }).click()]) {
    await page.locator('.dt-body-row').first().getByRole('button', { name: /^Actions for/ }).click();
    await page.getByRole('menuitem', { name: 'Open its page' }).click();
    await page.getByRole('tab', { name: 'Log' }).waitFor();
    await back();
    await asLeft();
  }
  // The way in from elsewhere shows all.
  await page.getByRole('link', { name: /^Backups/ }).first().click();
  await page.getByText('10,000 backups', { exact: true }).waitFor();
  assert.equal(await text.inputValue(), '');
});

journey('sorting by size puts the biggest first and drops the day groups', '/backups', async (page) => {
  await page.getByText('Today', { exact: true }).waitFor();
  await press(page, 'Size');
  await page.getByText('Today', { exact: true }).waitFor({ state: 'detached' });
  assert.match(await page.locator('.dt-body-row').first().innerText(), /112\.\d GiB|11\d\.\d GiB/);
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

journey('at the smallest size a backup opens on its own page', '/backups', async (page) => {
  await page.locator('.dt-body-row').first().click();
  await page.getByRole('heading', { level: 1, name: /web nightly/ }).waitFor();
  assert.match(page.url(), /#\/backups\/b/);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), true, 'nothing is cut off at the side');
}, { width: 900, height: 600 });

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

journey('several backups are picked and downloaded together', '/backups', async (page) => {
  const boxes = page.locator('.dt-body-row').getByRole('checkbox');
  await boxes.nth(0).check();
  await page.getByRole('grid', { name: 'Backups' }).focus();
  await boxes.nth(2).check();
  await page.getByText('2 picked').waitFor();
  await page.getByRole('toolbar').getByRole('button', { name: 'Download…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Download 2 backups' });
  assert.equal(await dialog.getByRole('radio', { name: /^As it lies there/ }).count(), 0, 'vaults have no files to be fetched as they are');
  await dialog.getByRole('button', { name: 'Download', exact: true }).click();
  await page.getByRole('link', { name: 'Watch it' }).waitFor();
  await page.getByText('2 picked').waitFor({ state: 'detached' });
});

journey('an archive is fetched as it lies there', '/backups?plan=p7', async (page) => {
  await page.locator('.dt-body-row').first().click();
  await press(page, 'Download…');
  assert.equal(await page.getByRole('radio', { name: /^As it lies there/ }).isChecked(), true);
});

journey('a missing copy is synced, and a copy deleted while another stays', '/backups?plan=p1', async (page) => {
  await openCopies(page);
  await press(page, 'Sync now: b2 offsite');
  await page.getByRole('link', { name: 'Watch it' }).waitFor();
});

journey('a temporary link is made for a sealed archive, with its end', '/backups?plan=p7', async (page) => {
  await openCopies(page);
  await press(page, 'Temporary link… to the copy at archive store');
  const dialog = page.getByRole('dialog');
  await dialog.getByText('The file is sealed').waitFor();
  await dialog.getByRole('combobox', { name: 'It ends after' }).click();
  await page.getByRole('option', { name: '7 days' }).click();
  await dialog.getByRole('button', { name: 'Make the link' }).click();
  assert.match(await dialog.getByLabel('Link', { exact: true }).inputValue(), /^https:\/\/.*X-Amz-Expires=604800/);
  await dialog.getByRole('button', { name: 'Copy the link' }).waitFor();
});

journey('an archive in cold storage is brought back', '/backups?plan=p7&text=', async (page) => {
  await press(page, 'When');
  await openCopies(page);
  await page.getByText('In cold storage').waitFor();
  await press(page, 'Bring back… the copy at archive store');
  await page.getByRole('dialog').getByRole('button', { name: 'Bring it back' }).click();
  await page.getByText('Being brought back').waitFor();
});

journey('the newest backup is deleted only with a tick', '/backups?plan=p1', async (page) => {
  await page.locator('.dt-body-row').first().click();
  await press(page, 'Delete…');
  const dialog = page.getByRole('dialog');
  await dialog.getByText('This is the newest good backup of web nightly').waitFor();
  const go = dialog.getByRole('button', { name: 'Delete the backup' });
  assert.equal(await go.isEnabled(), false);
  await dialog.getByRole('checkbox', { name: 'Delete the newest backup' }).check();
  await go.click();
  await page.getByText('1,428 backups match').waitFor();
  await page.getByRole('complementary').waitFor({ state: 'detached' });
});

journey('a copy that cannot be deleted is named, and what went is told', '/backups?plan=p6', async (page) => {
  await page.locator('.dt-body-row').nth(3).click();
  await press(page, 'Delete…');
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Delete the backup' }).click();
  await dialog.getByText('Cannot delete the copy on usb disk').waitFor();
  await dialog.getByText('Deleted at nas').waitFor();
  await dialog.getByRole('button', { name: 'Close' }).last().click();
});
