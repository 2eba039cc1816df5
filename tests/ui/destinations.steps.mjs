// Ways to the steps of a new destination of each kind, and to what exists at one: through the window, as a user would go.
import { press } from './controls.mjs';

/** Tests what is filled in and waits for the end. */
export async function testPlace(page) {
  await press(page, 'Test it');
  await page.getByRole('button', { name: 'Test again' }).waitFor();
}

/** Fills in the folder of a new destination and waits for its test. */
export async function testFolder(page, folder) {
  await page.getByLabel('Folder', { exact: true }).fill(folder);
  await testPlace(page);
}

/** Makes a vault in a folder; ends on its recovery kit. */
export async function makeVault(page, folder) {
  await testFolder(page, folder);
  await press(page, 'Continue');
  await press(page, 'Make the vault');
  await page.getByRole('heading', { level: 1, name: /^Recovery kit of/ }).waitFor();
}

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

/** Fills in an FTP server; ends on its details. */
export async function fillFtp(page, host = 'ftp.example.org') {
  await choosePlace(page, /^FTP/);
  await page.getByRole('textbox', { name: 'Host' }).fill(host);
  await page.getByRole('textbox', { name: 'User' }).fill('anna');
  await page.getByRole('textbox', { name: 'Password' }).fill('x');
}

/** Fills in a store of one's own and tests it, then looks at its certificate. */
export async function storeCertificate(page) {
  await choosePlace(page, /^Other S3/);
  await page.getByRole('textbox', { name: 'Address' }).fill('https://s3.selfsigned.example:9000');
  await page.getByRole('textbox', { name: 'Access key' }).fill('AK0123456789');
  await page.getByRole('textbox', { name: 'Secret key' }).fill('secret');
  await page.getByRole('textbox', { name: 'Bucket', exact: true }).fill('acme');
  await press(page, 'Test it');
  await press(page, 'Look at the certificate…');
  await page.getByRole('dialog', { name: /^Certificate of/ }).waitFor();
}

/** Asks an SFTP place for its key, which is not the expected one. */
export async function changedPlace(page) {
  await choosePlace(page, /^SFTP/);
  await page.getByRole('radio', { name: /^An address/ }).check();
  await page.getByRole('textbox', { name: 'Address' }).fill('changed.example.org');
  await press(page, 'Ask for its fingerprint');
  await page.getByText('Backstay does not connect.').waitFor();
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
