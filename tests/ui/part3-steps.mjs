// Ways to the screens of destinations everywhere: through the window, as a user would go.
import { press } from './part2-steps.mjs';

/** Chooses a kind of place on the first page of a wizard. */
export async function choosePlace(page, name) {
  await page.getByRole('radio', { name }).check({ force: true });
  await press(page, 'Continue');
}

/** Fills in a bucket at Wasabi; ends on its details. */
export async function fillBucket(page, { bucket = 'acme-backups', secret = 'secret' } = {}) {
  await choosePlace(page, /^Wasabi/);
  await page.getByRole('combobox', { name: 'Region' }).click();
  await page.getByRole('option', { name: /Frankfurt/ }).click();
  await page.getByRole('textbox', { name: 'Access key' }).fill('AK0123456789');
  await page.getByRole('textbox', { name: 'Secret key' }).fill(secret);
  await page.getByRole('textbox', { name: 'Bucket', exact: true }).fill(bucket);
}

/** Tests what is filled in and waits for the end. */
export async function testPlace(page) {
  await press(page, 'Test it');
  await page.getByRole('button', { name: 'Test again' }).waitFor();
}

/** Fills in an FTP server; ends on its details. */
export async function fillFtp(page, host = 'ftp.example.org') {
  await choosePlace(page, /^FTP/);
  await page.getByRole('textbox', { name: 'Host' }).fill(host);
  await page.getByRole('textbox', { name: 'User' }).fill('anna');
  await page.getByRole('textbox', { name: 'Password' }).fill('x');
}

/** Goes to the second page of a new plan, with one destination ticked. */
export async function planWhere(page) {
  await page.getByRole('tree').first().waitFor();
  await press(page, 'Continue');
  await page.getByRole('checkbox', { name: 'nas' }).check();
}

/** Opens the folder /mnt/vault with a kit's words; ends on what was found there. */
export async function openVault(page) {
  await page.getByLabel('Folder', { exact: true }).fill('/mnt/vault');
  await press(page, 'Look there');
  await page.getByText('5 of 5').waitFor();
  await page.getByLabel('Words of the recovery kit').fill('1 Harbor, 2 copper\n3 lantern');
  await press(page, 'Open it');
  await page.getByText('42 backups found').waitFor();
}

/** Opens the copies of the first backup of the list. */
export async function openCopies(page) {
  await page.locator('.dt-body-row').first().click();
  await page.getByRole('tab', { name: /^Copies/ }).click();
  await page.getByRole('list', { name: 'Copies' }).waitFor();
}
