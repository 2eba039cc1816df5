// The screens of destinations everywhere, looked over by axe in light and dark: every page, every step, every dialog.
import { press } from './part2-steps.mjs';
import { choosePlace, fillBucket, fillFtp, openCopies, openVault, planWhere, testPlace } from './part3-steps.mjs';
import { lookOver, withBrowser } from './window.mjs';

withBrowser();

const dialog = (page) => page.getByRole('dialog').waitFor();
const archives = async (page) => { await planWhere(page); await page.getByRole('radio', { name: /^As archives/ }).check(); };
const SCREENS = {
  'a destination that lacks backups': ['/destinations/d3'],
  'a destination out of reach': ['/destinations/d5'],
  'freeing room': ['/destinations/d1', '', async (page) => { await press(page, 'Free their room…'); await dialog(page); }],
  'new bucket': ['/destinations/new', '', async (page) => { await fillBucket(page); await press(page, 'Advanced'); await page.getByLabel('Own certificate authority').waitFor(); }],
  'new bucket with locks': ['/destinations/new', '', async (page) => { await choosePlace(page, /^Amazon/); await press(page, 'Advanced'); await page.getByLabel('Lock archives against deletion').fill('30'); await page.getByRole('combobox', { name: 'Who may lift the lock' }).waitFor(); }],
  'new bucket, made for you': ['/destinations/new', '', async (page) => { await fillBucket(page); await press(page, 'Make a private bucket for me…'); await page.getByRole('dialog').getByRole('button', { name: 'Make the bucket' }).click(); await page.getByText('The bucket is ready').waitFor(); }],
  'new bucket, tested': ['/destinations/new', '', async (page) => { await fillBucket(page); await testPlace(page); }],
  'new bucket, what for': ['/destinations/new', '', async (page) => { await fillBucket(page); await testPlace(page); await press(page, 'Continue'); }],
  'new bucket, no vault': ['/destinations/new', '', async (page) => { await fillBucket(page); await testPlace(page); await press(page, 'Continue'); await page.getByRole('radio', { name: /^Archives only/ }).check(); await press(page, 'Add the destination'); await page.getByRole('heading', { level: 1, name: /is ready$/ }).waitFor(); }],
  'new SFTP': ['/destinations/new', '', async (page) => { await choosePlace(page, /^SFTP/); await page.getByRole('radio', { name: /^An address/ }).check(); await page.getByRole('textbox', { name: 'Address' }).fill('box.example.org'); await press(page, 'Ask for its fingerprint'); await page.getByRole('img', { name: /^Fingerprint/ }).waitFor(); }],
  'new FTP without encryption': ['/destinations/new', '', async (page) => { await fillFtp(page); await page.getByRole('radio', { name: /^FTP without/ }).check(); await press(page, 'Advanced'); }],
  'certificate': ['/destinations/new', '', async (page) => { await fillFtp(page, 'selfsigned.example'); await testPlace(page); await press(page, 'Look at the certificate…'); await dialog(page); }],
  'changing a bucket': ['/destinations/d3/edit', '', async (page) => { await press(page, 'Test it'); await page.getByRole('button', { name: 'Test again' }).first().waitFor(); }],
  'changing an SFTP place': ['/destinations/d5/edit'],
  'open existing': ['/destinations/open'],
  'open existing, what is there': ['/destinations/open', '', async (page) => { await openVault(page); await press(page, 'Give another key…'); }],
  'open existing, done': ['/destinations/open', '', async (page) => { await openVault(page); await press(page, 'Take them over'); await page.getByText('Still needed before plans can run').waitFor(); }],
  'plan with several destinations': ['/plans/new?server=s1', '', async (page) => { await planWhere(page); await page.getByRole('checkbox', { name: 'archive store' }).check(); }],
  'plan with archives': ['/plans/new?server=s1', '', async (page) => { await archives(page); await page.getByRole('radio', { name: /^With a passphrase/ }).check(); await page.getByText(/sealed$/).first().waitFor(); }],
  'plan with plain archives': ['/plans/new?server=s1', '', async (page) => { await archives(page); await page.getByRole('radio', { name: /^Not at all/ }).check(); }],
  'kit of a plan': ['/plans/new?server=s1', '', async (page) => { await archives(page); await press(page, 'Continue'); await press(page, 'Make the plan'); await page.getByText('Is it safe?').waitFor(); }],
  'a plan of archives': ['/plans/p7'],
  'bandwidth': ['/settings?part=bandwidth', '', async (page) => { await page.getByRole('radio', { name: /^b2 offsite/ }).check(); await press(page, 'Add a rule'); }],
  'run that stumbles': ['/activity/live1', '', (page) => page.getByText('the connection was reset').waitFor({ timeout: 20_000 })],
  'broken download': ['/activity/r96'],
  'copies': ['/backups?plan=p1', '', openCopies],
  'copies of an archive': ['/backups?plan=p7', '', openCopies],
  'temporary link': ['/backups?plan=p7', '', async (page) => { await openCopies(page); await press(page, 'Temporary link… to the copy at archive store'); await page.getByRole('dialog').getByRole('button', { name: 'Make the link' }).click(); await page.getByLabel('Link', { exact: true }).waitFor(); }],
  'deleting': ['/backups?plan=p1', '', async (page) => { await page.locator('.dt-body-row').first().click(); await press(page, 'Delete…'); await page.getByText('newest good backup').waitFor(); }],
  'several picked': ['/backups', '', async (page) => { await page.locator('.dt-body-row').getByRole('checkbox').first().check(); await page.getByText('1 picked').waitFor(); }],
  'kits of vaults and plans': ['/settings?part=kits'],
};

lookOver(SCREENS);
