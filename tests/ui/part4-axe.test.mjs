// Log-ins, host keys and certificates, looked over by axe in light and dark: the forms that only some servers and places need.
import { press } from './part2-steps.mjs';
import { choosePlace, fillBucket } from './part3-steps.mjs';
import { addJump, changedPlace, databaseLogin, loginOf, restoreWhere, storeCertificate } from './part4-steps.mjs';
import { lookOver, withBrowser } from './window.mjs';

withBrowser();

const dialog = (page) => page.getByRole('dialog').waitFor();
const wrongKey = (page) => page.getByText('Backstay does not connect.').waitFor();
const SCREENS = {
  'new server, log-in': ['/servers/new', '', (page) => loginOf(page, 'web-9.example.org')],
  'new server, a password besides the key': ['/servers/new', '', async (page) => { await loginOf(page, 'web-9.example.org'); await page.getByText('Key file', { exact: true }).click(); await page.getByRole('switch', { name: /besides the key/ }).check({ force: true }); await press(page, 'Continue'); await page.getByText('Type the password').waitFor(); }],
  'new server, sudo with password': ['/servers/new', '', async (page) => { await loginOf(page, 'web-9.example.org'); await page.getByText('sudo with password').click(); await press(page, 'Continue'); await page.getByText("Type sudo's password").waitFor(); }],
  'new server, jump host with a password': ['/servers/new', '', async (page) => { await loginOf(page, 'web-9.example.org'); await addJump(page, 'Its own password'); await press(page, 'Continue'); await page.getByText('Type its password').waitFor(); }],
  'new server, jump host with a key': ['/servers/new', '', async (page) => { await loginOf(page, 'web-9.example.org'); await addJump(page, 'Its own key file'); await press(page, 'Continue'); await page.getByText('Choose the private key file').waitFor(); }],
  'new server, changed key asked about': ['/servers/new', '', async (page) => { await loginOf(page, 'changed.example.org'); await press(page, 'Continue'); await press(page, 'The new key is right…'); await dialog(page); }],
  'changing a server, log-in': ['/servers/s6/edit', '', async (page) => { await press(page, 'Continue'); await page.getByRole('group', { name: 'Jump host 1' }).waitFor(); }],
  'changing a server, key and sudo': ['/servers/s5/edit', '', async (page) => { await press(page, 'Continue'); await page.getByText('Empty keeps the stored one').waitFor(); }],
  'changing a server, tested': ['/servers/s6/edit', '', async (page) => { await press(page, 'Continue'); await press(page, 'Continue'); await page.getByText('Check its host key').waitFor(); }],
  'changing a server, what was found': ['/servers/s6/edit', '', async (page) => { await press(page, 'Continue'); await press(page, 'Continue'); await page.getByText('Check its host key').waitFor(); await press(page, 'Continue'); await page.getByText('MariaDB 10.11: shop, blog').waitFor(); }],
  'changing a server, changed key': ['/servers/s6/edit', 'rekeyed', async (page) => { await press(page, 'Continue'); await press(page, 'Continue'); await wrongKey(page); }],
  'new destination, changed key': ['/destinations/new', '', changedPlace],
  'new destination, changed key asked about': ['/destinations/new', '', async (page) => { await changedPlace(page); await press(page, 'The new key is right…'); await dialog(page); }],
  'changing a destination, changed key': ['/destinations/d5/edit', 'rekeyed', async (page) => { await press(page, 'Ask for it again'); await wrongKey(page); }],
  'new SFTP, jump host with a key': ['/destinations/new', '', async (page) => { await choosePlace(page, /^SFTP/); await page.getByRole('radio', { name: /^An address/ }).check(); await addJump(page, 'Its own key file'); }],
  'certificate of a store': ['/destinations/new', '', storeCertificate],
  'certificate of a store, accepted': ['/destinations/new', '', async (page) => { await storeCertificate(page); await press(page, 'They are equal: accept'); await page.getByText('nothing lies here yet').first().waitFor(); await press(page, 'Back'); await press(page, 'Advanced'); await page.getByText('Accepted certificate').waitFor(); }],
  'new bucket, everything of Advanced': ['/destinations/new', '', async (page) => { await choosePlace(page, /^Amazon/); await press(page, 'Advanced'); await page.getByRole('combobox', { name: 'Encryption at rest' }).click(); await page.getByRole('option', { name: 'With a key of yours in KMS' }).click(); await page.getByLabel('Lock archives against deletion').fill('30'); await page.getByRole('combobox', { name: 'Who may lift the lock' }).waitFor(); }],
  'new bucket, wrong in Advanced': ['/destinations/new', '', async (page) => { await fillBucket(page); await press(page, 'Advanced'); const authority = page.getByLabel('Own certificate authority'); await authority.fill('not a certificate'); await authority.blur(); await page.locator('.mantine-InputWrapper-error').first().waitFor(); }],
  'restore, where it came from': ['/backups', '', restoreWhere],
  'restore, to another server': ['/backups', '', async (page) => { await restoreWhere(page); await page.getByRole('combobox', { name: 'To which server' }).click(); await page.getByRole('option', { name: /^shop/ }).click(); await page.getByRole('radio', { name: /^Replace/ }).check(); await page.getByText('This is another server').waitFor(); }],
  'restore, log-in to a database': ['/backups', '', databaseLogin],
};

lookOver(SCREENS);
