// What a user does in the settings: their values, the place for secrets, kits and the audit log, bandwidth.
import assert from 'node:assert/strict';
import { button, press } from './controls.mjs';
import { journey, violations, withBrowser } from './window.mjs';

withBrowser();

journey('settings are kept: the theme turns at once', '/settings?part=appearance', async (page) => {
  await page.getByText('Dark', { exact: true }).click();
  await page.waitForFunction(() => document.documentElement.dataset.mantineColorScheme === 'dark');
}, { atOnce: true });

journey('a number of the settings is saved when left, within its limits', '/settings', async (page) => {
  const field = page.getByRole('textbox', { name: 'A server is stale after' });
  await field.fill('9999');
  await field.blur();
  await page.waitForFunction(() => [...document.querySelectorAll('input')].some((input) => input.value === '365 days'));
}, { atOnce: true });

journey('an emptied number is put back, and 0 is not meant by it', '/settings', async (page) => {
  const field = page.getByRole('textbox', { name: 'Stop a silent run after' });
  await field.fill('');
  await field.blur();
  await page.waitForFunction(() => [...document.querySelectorAll('input')].some((input) => input.value === '10 min'));
  await field.fill('0');
  await field.blur();
  await field.fill('');
  await field.blur();
  await page.waitForFunction(() => [...document.querySelectorAll('input')].some((input) => input.value === '0 min'));
}, { atOnce: true });

journey('a speed is saved when its number and its unit are left, not between them', '/settings?part=bandwidth', async (page) => {
  const all = page.locator('.limit-row').first();
  await page.locator('label').filter({ hasText: /^Limit$/ }).first().click();
  await all.getByText('2.0 MiB/s').waitFor();
  const speed = page.getByRole('textbox', { name: 'Speed at other times', exact: true });
  await speed.fill('500');
  await page.getByRole('combobox', { name: 'Unit of speed at other times' }).click();
  await page.getByRole('option', { name: 'KiB/s' }).click();
  assert.match(await all.innerText(), /2\.0 MiB\/s/, 'nothing is saved on the way to the unit');
  await page.getByRole('heading', { level: 1 }).click();
  await all.getByText('500 KiB/s').waitFor();
  assert.equal(await speed.inputValue(), '500');
});

journey('a limit that could not be saved is not shown as set', '/settings?part=bandwidth', async (page) => {
  const all = page.locator('.limit-row').first();
  const before = await all.innerText();
  await page.evaluate(() => (window.mock.failing = ['save_limits']));
  await page.locator('label').filter({ hasText: /^Limit$/ }).first().click();
  await page.getByText(/save_limits/).first().waitFor();
  await page.waitForFunction((was) => document.querySelector('.limit-row').innerText === was, before);
});

journey('a place for secrets is made', '/settings?part=secrets', async (page) => {
  await page.locator('input[type="password"]').nth(0).fill('a good passphrase');
  await page.locator('input[type="password"]').nth(1).fill('another');
  await button(page, 'Make the file').click();
  await page.getByText('The two are not equal').waitFor();
  await page.locator('input[type="password"]').nth(1).fill('a good passphrase');
  await button(page, 'Make the file').click();
  await page.getByText('Ready', { exact: true }).waitFor();
}, { scene: 'not_set_up', atOnce: true });

journey('the audit log is checked and its kit shown in a dialog that holds the focus', '/settings?part=audit', async (page) => {
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
}, { atOnce: true });

journey('the audit log speaks in words, with whole numbers and times', '/settings?part=audit', async (page) => {
  const row = page.getByRole('row', { name: /Host key accepted/ }).first();
  await row.waitFor();
  await page.getByRole('row', { name: /Backup ended.*done with problems/ }).first().waitFor();
  await row.getByText(/^\d+ \w{3} \d{4} \d\d:\d\d$/).waitFor();
  assert.equal(await page.getByText(/host.key\.accept|done_with/).count(), 0);
  for (const cell of [page.getByRole('gridcell', { name: '123,240' }), row.getByRole('gridcell').nth(1)]) {
    assert.equal(await cell.evaluate((drawn) => drawn.scrollWidth <= drawn.clientWidth), true, 'it is not cut off');
  }
});

journey('hours are painted by mouse and by keyboard, and become rules', '/settings?part=bandwidth', async (page) => {
  await page.getByRole('radio', { name: /^nas/ }).check();
  const cell = (name) => page.getByRole('gridcell', { name });
  await cell(/^Monday 09:00/).scrollIntoViewIfNeeded();
  const from = await cell(/^Monday 09:00/).boundingBox();
  const to = await cell(/^Monday 12:00/).boundingBox();
  await page.mouse.move(from.x + 3, from.y + 3);
  await page.mouse.down();
  await page.mouse.move(to.x + 3, to.y + 3, { steps: 12 });
  await page.mouse.up();
  const rules = page.getByRole('list', { name: 'Rules of nas' });
  await rules.getByText('Monday, 09:00 to 13:00').waitFor();
  await page.getByText('Held', { exact: true }).click();
  await page.getByRole('rowheader', { name: 'Sunday, all day' }).focus();
  await page.keyboard.press(' ');
  await rules.getByText('Sunday, all day').waitFor();
  await cell(/^Tuesday 22:00/).focus();
  for (let i = 0; i < 1; i += 1) await page.keyboard.press('Shift+ArrowRight');
  await rules.getByText('Tuesday, 22:00 to 24:00').waitFor();
  assert.equal(await cell(/^Sunday 05:00: held/).count(), 1);
  await page.getByText('As at other times', { exact: true }).click();
  await page.getByRole('rowheader', { name: 'Sunday, all day' }).click();
  await rules.getByText('Sunday, all day').waitFor({ state: 'detached' });
});

journey('a rule is added and removed as words; the panel of the destination says it', '/settings?part=bandwidth', async (page) => {
  await page.getByRole('radio', { name: /^archive store/ }).check();
  await press(page, 'Add a rule');
  await page.getByText('Tue', { exact: true }).last().click();
  await page.getByRole('textbox', { name: 'Speed of the rule' }).fill('10');
  await press(page, 'Add the rule');
  const rules = page.getByRole('list', { name: 'Rules of archive store' });
  await rules.getByText('Mon, Wed, Thu, Fri, 09:00 to 17:00').waitFor();
  await rules.getByText('10.0 MiB/s').waitFor();
  await page.getByText('Limit', { exact: true }).first().click();
  await page.getByText(/^2\.0 MiB\/s now|^10\.0 MiB\/s now/).first().waitFor();
  await page.goto(`${page.url().split('#')[0]}#/destinations/d4`);
  await page.getByRole('complementary', { name: 'archive store' }).getByText(/MiB\/s now, by a rule of the week/).waitFor();
});
