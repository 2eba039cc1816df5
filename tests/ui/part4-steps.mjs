// Ways to the screens of log-ins, host keys and certificates: through the window, as a user would go.
import { goToRestore, press } from './part2-steps.mjs';
import { choosePlace } from './part3-steps.mjs';

/** Goes to the log-in of a new server. */
export async function loginOf(page, address) {
  await page.getByRole('textbox', { name: 'Address' }).fill(address);
  await press(page, 'Continue');
  await page.getByRole('textbox', { name: 'User' }).waitFor();
}

/** Adds a jump host that logs in in its own way. */
export async function addJump(page, way) {
  await press(page, 'Add a jump host');
  const jump = page.getByRole('group', { name: 'Jump host 1' });
  await jump.getByRole('textbox', { name: 'Address' }).fill('bastion.example.org');
  await jump.getByRole('textbox', { name: 'User' }).fill('anna');
  await jump.getByRole('combobox', { name: 'Log in by' }).click();
  await page.getByRole('option', { name: way }).click();
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

/** Goes to the second step of a restore. */
export async function restoreWhere(page) {
  await goToRestore(page);
  await press(page, 'Continue');
  await page.getByRole('radiogroup', { name: 'To which place' }).waitFor();
}

/** Gives the databases of a restore a log-in of their own. */
export async function databaseLogin(page) {
  await restoreWhere(page);
  await page.getByRole('switch', { name: /^Log in another way/ }).check({ force: true });
  await page.getByRole('textbox', { name: 'Socket on the server' }).waitFor();
}
