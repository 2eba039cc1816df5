// Changed keys, wrong fields, and where the keyboard stands after a dialog, a panel or a page.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openFirstBackup, press } from './part2-steps.mjs';
import { openCopies } from './part3-steps.mjs';
import { loginOf, restoreWhere } from './part4-steps.mjs';
import { openWindow, settled, withBrowser } from './window.mjs';

withBrowser();

function journey(name, place, steps, options) {
  test(name, async () => {
    const { page, faults, close } = await openWindow(place, options);
    try {
      await settled(page);
      await steps(page);
      assert.deepEqual(faults, []);
    } finally {
      await close();
    }
  });
}

const small = { width: 900, height: 600 };
const focused = (page, name) => page.waitForFunction((wanted) => document.activeElement?.matches('button, [role="grid"], h1, input') && (document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent ?? '').startsWith(wanted), name);

journey('a place that shows another key is not written to until its name is typed', '/destinations/d5/edit', async (page) => {
  await press(page, 'Test it');
  await page.getByText('The host key of u1234.storagebox.example:23 has changed').waitFor();
  await press(page, 'Ask for it again');
  await page.getByRole('img', { name: /^Fingerprint expected: SHA256:cTbJ/ }).waitFor();
  await press(page, 'The new key is right…');
  await page.getByRole('textbox', { name: 'Type storage box to confirm' }).fill('storage box');
  await press(page, 'Accept the new key');
  await page.getByText('The fingerprint is pinned').waitFor();
  // Accepting is not saving yet.
  await page.getByRole('heading', { level: 1, name: 'Change storage box' }).waitFor();
  await press(page, 'Test again');
  await page.getByText('Go on with a broken upload').waitFor();
  await press(page, 'Save');
  await page.getByText('storage box is changed').waitFor();
}, { scene: 'rekeyed' });

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

journey('the arrow keys bring the last kind of place into sight', '/destinations/new', async (page) => {
  await page.getByRole('radio', { name: /^MinIO/ }).focus();
  await page.keyboard.press('ArrowDown');
  const other = page.locator('.place-card', { hasText: 'Other S3 storage' });
  assert.equal(await other.getByRole('radio').isChecked(), true);
  const box = await other.boundingBox();
  assert.ok(box.y > 90 && box.y < 580, `it stands at ${box.y}`);
}, small);

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

journey('another server is warned of beside its name, before the choices', '/backups', async (page) => {
  await restoreWhere(page);
  await page.getByRole('combobox', { name: 'To which server' }).click();
  await page.getByRole('option', { name: /^shop/ }).click();
  const note = await page.getByText('This is another server').boundingBox();
  const choices = await page.getByRole('radiogroup', { name: 'To which place' }).boundingBox();
  assert.ok(note.y < choices.y);
});

test('every list can be scrolled to its end at the smallest window', async () => {
  for (const place of ['/activity', '/activity/live1', '/activity/r2', '/backups', '/servers', '/settings?part=audit']) {
    const { page, close } = await openWindow(place, small);
    await settled(page);
    const below = await page.evaluate(() => {
      const scrolls = (e) => /auto|scroll/.test(getComputedStyle(e).overflowY);
      for (const e of document.querySelectorAll('main *')) if (scrolls(e)) e.scrollTop = e.scrollHeight;
      return [...document.querySelectorAll('main *')].filter((e) => scrolls(e) && e.getBoundingClientRect().bottom > window.innerHeight + 1).map((e) => e.className);
    });
    assert.deepEqual(below, [], place);
    await close();
  }
});
