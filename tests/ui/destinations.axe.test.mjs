// Destinations, looked over by axe in light and dark: every page, every kind of place, every step, every dialog.
import { dialog, press } from './controls.mjs';
import { changedPlace, choosePlace, fillBucket, fillFtp, makeVault, openVault, storeCertificate, testFolder, testPlace } from './destinations.steps.mjs';
import { addJump, wrongKey } from './servers.steps.mjs';
import { lookOver, withBrowser } from './window.mjs';

withBrowser();

lookOver({
  'destinations': ['/destinations'],
  'destinations, none yet': ['/destinations', 'empty'],
  'destinations, unreadable': ['/destinations', 'broken'],
  'one destination': ['/destinations/d2'],
  'recovery kit again': ['/destinations/d2', '', async (page) => { await press(page, 'Recovery kit…'); await page.getByRole('button', { name: 'Print' }).waitFor(); }],
  'removing a destination': ['/destinations/d1', '', async (page) => { await press(page, 'Remove…'); await dialog(page); }],
  'new destination, folder': ['/destinations/new'],
  'new destination, good test': ['/destinations/new', '', (page) => testFolder(page, '/mnt/disk')],
  'new destination, other files': ['/destinations/new', '', (page) => testFolder(page, '/mnt/foreign')],
  'new destination, own key': ['/destinations/new', '', async (page) => { await testFolder(page, '/mnt/disk'); await press(page, 'Continue'); await page.getByRole('radio', { name: /^I choose the key/ }).check(); }],
  'new destination, kit': ['/destinations/new', '', (page) => makeVault(page, '/mnt/disk')],
  'a destination that lacks backups': ['/destinations/d3'],
  'a destination out of reach': ['/destinations/d5'],
  'freeing up space': ['/destinations/d1', '', async (page) => { await press(page, 'Free up space…'); await dialog(page); }],
  'new bucket': ['/destinations/new', '', async (page) => { await fillBucket(page); await press(page, 'Advanced'); await page.getByLabel('Own certificate authority').waitFor(); }],
  'new bucket with locks': ['/destinations/new', '', async (page) => { await choosePlace(page, /^Amazon/); await press(page, 'Advanced'); await page.getByLabel('Lock archives against deletion').fill('30'); await page.getByRole('combobox', { name: 'Who may lift the lock' }).waitFor(); }],
  'new bucket, made for you': ['/destinations/new', '', async (page) => { await fillBucket(page); await press(page, 'Make a private bucket for me…'); await page.getByRole('dialog').getByRole('button', { name: 'Make the bucket' }).click(); await page.getByText('The bucket is ready').waitFor(); }],
  'new bucket, tested': ['/destinations/new', '', async (page) => { await fillBucket(page); await testPlace(page); }],
  'new bucket, what for': ['/destinations/new', '', async (page) => { await fillBucket(page); await testPlace(page); await press(page, 'Continue'); }],
  'new bucket, no vault': ['/destinations/new', '', async (page) => { await fillBucket(page); await testPlace(page); await press(page, 'Continue'); await page.getByRole('radio', { name: /^Archives only/ }).check(); await press(page, 'Add the destination'); await page.getByRole('heading', { level: 1, name: /is ready/ }).waitFor(); }],
  'new SFTP': ['/destinations/new', '', async (page) => { await choosePlace(page, /^SFTP/); await page.getByRole('radio', { name: /^An address/ }).check(); await page.getByRole('textbox', { name: 'Address' }).fill('box.example.org'); await press(page, 'Ask for its fingerprint'); await page.getByRole('img', { name: /^Fingerprint/ }).waitFor(); }],
  'new FTP without encryption': ['/destinations/new', '', async (page) => { await fillFtp(page); await page.getByRole('radio', { name: /^FTP without/ }).check(); await press(page, 'Advanced'); }],
  'certificate': ['/destinations/new', '', async (page) => { await fillFtp(page, 'selfsigned.example'); await testPlace(page); await press(page, 'Look at the certificate…'); await dialog(page); }],
  'changing a bucket': ['/destinations/d3/edit', '', async (page) => { await press(page, 'Test it'); await page.getByRole('button', { name: 'Test again' }).first().waitFor(); }],
  'changing an SFTP place': ['/destinations/d5/edit'],
  'open existing': ['/destinations/open'],
  'open existing, what is there': ['/destinations/open', '', async (page) => { await openVault(page); await press(page, 'Give another key…'); }],
  'open existing, done': ['/destinations/open', '', async (page) => { await openVault(page); await press(page, 'Take over these settings'); await page.getByText('Still needed before plans can run').waitFor(); }],
  'new destination, changed key': ['/destinations/new', '', changedPlace],
  'new destination, changed key asked about': ['/destinations/new', '', async (page) => { await changedPlace(page); await press(page, 'The new key is right…'); await dialog(page); }],
  'changing a destination, changed key': ['/destinations/d5/edit', 'rekeyed', async (page) => { await press(page, 'Ask for it again'); await wrongKey(page); }],
  'new SFTP, jump host with a key': ['/destinations/new', '', async (page) => { await choosePlace(page, /^SFTP/); await page.getByRole('radio', { name: /^An address/ }).check(); await addJump(page, 'Its own key file'); }],
  'certificate of a store': ['/destinations/new', '', storeCertificate],
  'certificate of a store, accepted': ['/destinations/new', '', async (page) => { await storeCertificate(page); await press(page, 'They are equal: accept'); await page.getByText('nothing lies here yet').first().waitFor(); await press(page, 'Back'); await press(page, 'Advanced'); await page.getByText('Accepted certificate').waitFor(); }],
  'new bucket, everything of Advanced': ['/destinations/new', '', async (page) => { await choosePlace(page, /^Amazon/); await press(page, 'Advanced'); await page.getByRole('combobox', { name: 'Encryption at rest' }).click(); await page.getByRole('option', { name: 'With a key of yours in KMS' }).click(); await page.getByLabel('Lock archives against deletion').fill('30'); await page.getByRole('combobox', { name: 'Who may lift the lock' }).waitFor(); }],
  'new bucket, wrong in Advanced': ['/destinations/new', '', async (page) => { await fillBucket(page); await press(page, 'Advanced'); const authority = page.getByLabel('Own certificate authority'); await authority.fill('not a certificate'); await authority.blur(); await page.locator('.mantine-InputWrapper-error').first().waitFor(); }],
});
