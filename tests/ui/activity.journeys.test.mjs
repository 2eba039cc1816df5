// What a user does with runs: watching one, its problems and its destinations, cancelling it, making good what it missed.
import assert from 'node:assert/strict';
import { button, press } from './controls.mjs';
import { journey, withBrowser } from './window.mjs';

withBrowser();

journey('a run that goes on shows its log and problems as they come', '/activity/live1?tab=problems', async (page) => {
  await page.getByRole('row', { name: /var.log.private/ }).waitFor({ timeout: 20_000 });
  await page.getByRole('tab', { name: 'Log' }).click();
  await page.getByText('find lists 38,559 entries').waitFor();
}, { atOnce: true });

journey('a running backup moves, and is cancelled', '/activity', async (page) => {
  const card = page.getByRole('region', { name: 'Backing up game saves' });
  const bar = card.getByRole('progressbar', { name: 'Backing up game saves' });
  await page.waitForFunction(() => Number(document.querySelector('.progress-card [role="progressbar"]')?.getAttribute('aria-valuenow')) > 0);
  const first = Number(await bar.getAttribute('aria-valuenow'));
  await page.waitForFunction((was) => Number(document.querySelector('.progress-card [role="progressbar"]')?.getAttribute('aria-valuenow')) > was, first);
  const cancel = card.getByRole('button', { name: 'Cancel backing up game saves' });
  await cancel.click();
  await card.getByText('Stopping…').waitFor();
  assert.equal(await cancel.isEnabled(), false, 'until it has ended');
  await card.waitFor({ state: 'detached' });
  await page.getByRole('row', { name: /game saves.*Cancelled/ }).first().waitFor();
}, { atOnce: true });

journey('problems are picked and left out of the plan', '/activity/r2?tab=problems', async (page) => {
  await page.getByLabel('Filter problems').fill('cache');
  await page.getByText('1 match').waitFor();
  await page.getByRole('checkbox', { name: 'Pick /root/.cache' }).check();
  await button(page, 'Exclude from shop nightly').click();
  await page.getByText('1 path left out of shop nightly from the next run on').waitFor();
}, { atOnce: true });

journey('what a whole run skipped is shown, and not called read', '/activity/r98', async (page) => {
  await page.getByRole('tab', { name: 'Notes 2' }).click();
  await page.getByRole('row', { name: /server\.sock/ }).waitFor();
  await page.getByText('2 notes on what was skipped').waitFor();
  assert.equal(await page.getByText(/Everything that was asked for|No problems/).count(), 0);
}, { atOnce: true });

journey('each destination of a run has its own bar, limit, stumble and reason', '/activity/live1', async (page) => {
  const places = page.getByRole('list', { name: 'Destinations' });
  await places.getByText(/limited to 2\.0 MiB\/s/).waitFor();
  await places.getByText('the connection was reset; trying again in 4 s').waitFor({ timeout: 20_000 });
  await places.getByText('connection refused. Sync makes it good later').waitFor({ timeout: 20_000 });
  const failed = page.getByRole('progressbar', { name: 'Written to b2 offsite' });
  assert.ok(Number(await failed.getAttribute('aria-valuenow')) < 100, 'what failed is not shown as whole');
});

journey('a run that did not get everywhere offers Sync', '/backups?plan=p1', async (page) => {
  await page.locator('.dt-body-row').first().click();
  await page.getByRole('tab', { name: 'Log' }).click();
  await page.getByRole('link', { name: 'Show the run' }).click();
  await page.getByText('This backup did not get to').waitFor();
  await press(page, 'Sync now: b2 offsite');
  await page.getByRole('link', { name: 'Watch it' }).waitFor();
});

journey('a download that was broken off goes on where it was', '/activity', async (page) => {
  await page.getByRole('button', { name: 'Go on with the download of web nightly 12 Nov' }).click();
  await page.getByRole('link', { name: 'Watch it' }).click();
  await page.getByRole('heading', { level: 1, name: 'Download: web nightly 12 Nov' }).waitFor();
});

journey('a destination that fails counts as a problem before the run ends', '/activity/live1?tab=problems', async (page) => {
  await page.getByText('1 destination failed so far, see above.').waitFor({ timeout: 20_000 });
  await page.getByRole('tab', { name: 'Problems 1' }).waitFor();
}, { atOnce: true });

journey('what has only begun is not ticked, and nothing is said of it on its own page', '/plans/p1', async (page) => {
  const panel = page.getByRole('complementary', { name: 'web nightly' });
  await panel.getByRole('button', { name: 'Back up now' }).click();
  const said = page.getByRole('region', { name: 'Messages' }).getByText('Backing up web nightly.');
  await said.waitFor();
  assert.equal(await page.locator('.toast-good').count(), 0);
  await panel.getByRole('button', { name: 'Watch it' }).click();
  await page.getByRole('heading', { level: 1, name: 'Backup: web nightly' }).waitFor();
  // At once: by itself it would leave after six seconds.
  await said.waitFor({ state: 'detached', timeout: 2_000 });
});

journey('each run says on which day it was, and so does its log', '/activity', async (page) => {
  await page.getByRole('combobox', { name: 'Kind of run' }).click();
  await page.getByRole('option', { name: 'Checks' }).click();
  const check = page.getByRole('row', { name: /Check.*mail nightly/ }).first();
  await check.getByText('yesterday 04:00', { exact: true }).waitFor();
  assert.match(await check.getByText('yesterday 04:00').getAttribute('title'), /^\d+ \w{3} \d{4} 04:00$/);
  await check.click();
  await page.getByRole('tab', { name: 'Log' }).click();
  const log = page.getByRole('region', { name: 'Log' });
  await log.getByText(/^\d+ \w{3} \d{4}, times in UTC/).waitFor();
  assert.match(await log.locator('time').first().getAttribute('title'), /^\d+ \w{3} \d{4} 04:00:\d\d$/);
});
