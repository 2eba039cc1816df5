// Destinations everywhere: wizards for each kind, opening what exists, plans with archives, copies, limits, downloads.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { press } from './part2-steps.mjs';
import { choosePlace, fillBucket, fillFtp, openCopies, openVault, planWhere, testPlace } from './part3-steps.mjs';
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

const enabled = (page, name) => page.getByRole('button', { name, exact: true }).first().isEnabled();

journey('a bucket is tested step by step, and becomes a vault with its kit', '/destinations/new', async (page) => {
  await fillBucket(page);
  await press(page, 'Test it');
  // The first steps are there while the last are still to come.
  await page.getByText('Find the bucket').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Test again' }).count(), 0);
  await page.getByRole('button', { name: 'Test again' }).waitFor();
  await page.getByRole('row', { name: /^Locks files against deletion .*Yes$/ }).waitFor();
  await page.getByRole('row', { name: /^Tells how much room is free .*No$/ }).waitFor();
  await page.getByText('billed for 90 days, so that').first().waitFor();
  await press(page, 'Continue');
  assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'Wasabi acme-backups');
  await press(page, 'Make the vault');
  await page.getByRole('heading', { level: 1, name: 'Recovery kit of Wasabi acme-backups' }).waitFor();
});

journey('a wrong key and a missing bucket are named, with what to do', '/destinations/new', async (page) => {
  await fillBucket(page, { secret: 'wrong' });
  await testPlace(page);
  await page.getByText('The secret key does not belong to this access key').waitFor();
  assert.equal(await enabled(page, 'Continue'), false);
  await press(page, 'Back');
  await page.getByRole('textbox', { name: 'Secret key' }).fill('secret');
  await page.getByRole('textbox', { name: 'Bucket', exact: true }).fill('missing-one');
  await testPlace(page);
  await page.getByText('There is no bucket missing-one').waitFor();
});

journey('a private bucket is made, and one that is taken is not', '/destinations/new', async (page) => {
  await fillBucket(page, { bucket: 'taken' });
  await press(page, 'Make a private bucket for me…');
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Make the bucket' }).click();
  await dialog.getByText('The name is taken by somebody else').waitFor();
  await dialog.getByRole('button', { name: 'Close' }).last().click();
  await page.getByRole('textbox', { name: 'Bucket', exact: true }).fill('acme-new');
  await press(page, 'Make a private bucket for me…');
  await dialog.getByRole('button', { name: 'Make the bucket' }).click();
  await dialog.getByText('Block public access').waitFor();
  await dialog.getByText('The bucket is ready').waitFor();
});

journey('another provider forgets the keys of the one before', '/destinations/new', async (page) => {
  await fillBucket(page);
  await press(page, 'Back');
  await choosePlace(page, /^Vultr/);
  assert.equal(await page.getByRole('textbox', { name: 'Access key' }).inputValue(), '');
  assert.equal(await page.getByRole('textbox', { name: 'Secret key' }).inputValue(), '');
});

journey('an address without encryption is warned of', '/destinations/new', async (page) => {
  await choosePlace(page, /^Other S3/);
  await page.getByRole('textbox', { name: 'Address' }).fill('http://10.0.0.9:9000');
  await page.getByText('This address is not encrypted').waitFor();
  await page.getByRole('textbox', { name: 'Address' }).fill('https://10.0.0.9:9000');
  await page.getByText('This address is not encrypted').waitFor({ state: 'detached' });
});

journey('an SFTP address of its own shows its fingerprint before any log-in', '/destinations/new', async (page) => {
  await choosePlace(page, /^SFTP/);
  await page.getByRole('radio', { name: /^An address of its own/ }).check();
  await page.getByRole('textbox', { name: 'Address' }).fill('u1@box.example.org:23');
  await page.getByRole('textbox', { name: 'Folder' }).fill('backups');
  await page.getByText('Compare the fingerprint of the server first').waitFor();
  assert.equal(await enabled(page, 'Test it'), false);
  await press(page, 'Ask for its fingerprint');
  await press(page, 'They are equal: accept');
  await page.getByText('is pinned').first().waitFor();
  // Another port is another server: its key has to be compared anew.
  await page.getByRole('textbox', { name: 'Port' }).fill('24');
  assert.equal(await enabled(page, 'Test it'), false);
  await press(page, 'Ask for its fingerprint');
  await press(page, 'They are equal: accept');
  await testPlace(page);
  await press(page, 'Continue');
  assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'box');
});

journey('an SFTP folder of a server set up here needs no other log-in', '/destinations/new', async (page) => {
  await choosePlace(page, /^SFTP/);
  await page.getByRole('combobox', { name: 'Server' }).click();
  await page.getByRole('option', { name: /^vpn-gw/ }).click();
  await page.getByRole('textbox', { name: 'Folder' }).fill('/srv/backups');
  await testPlace(page);
  await page.getByText('It works, and nothing lies here yet.').waitFor();
});

journey('a certificate nobody vouches for is compared and pinned', '/destinations/new', async (page) => {
  await fillFtp(page, 'selfsigned.example');
  await testPlace(page);
  assert.equal(await enabled(page, 'Continue'), false);
  await press(page, 'Look at the certificate…');
  const dialog = page.getByRole('dialog');
  await dialog.getByText(/Subject CN=ftp.selfsigned.example, valid from/).waitFor();
  await dialog.getByRole('img', { name: /^Fingerprint: 9f86d081/ }).waitFor();
  await dialog.getByRole('button', { name: 'They are equal: accept' }).click();
  await page.getByText('It works, and nothing lies here yet.').waitFor();
  assert.equal(await enabled(page, 'Continue'), true);
});

journey('a store with a certificate of its own is used once that is accepted', '/destinations/new', async (page) => {
  await choosePlace(page, /^Other S3/);
  await page.getByRole('textbox', { name: 'Address' }).fill('https://s3.selfsigned.example:9000');
  await page.getByRole('textbox', { name: 'Access key' }).fill('AK0123456789');
  await page.getByRole('textbox', { name: 'Secret key' }).fill('secret');
  await page.getByRole('textbox', { name: 'Bucket', exact: true }).fill('acme');
  await testPlace(page);
  assert.equal(await enabled(page, 'Continue'), false);
  await press(page, 'Look at the certificate…');
  const dialog = page.getByRole('dialog', { name: 'Certificate of s3.selfsigned.example:9000' });
  await dialog.getByText(/CN=s3.selfsigned.example, signed by/).waitFor();
  await dialog.getByRole('button', { name: 'They are equal: accept' }).click();
  await page.getByText('It works, and nothing lies here yet.').waitFor();
  // Another address shows another certificate.
  await press(page, 'Back');
  await press(page, 'Advanced');
  await page.getByText('Accepted certificate (SHA-256)').waitFor();
  await page.getByRole('textbox', { name: 'Address' }).fill('https://s3.selfsigned.example:9001');
  await page.getByText('Accepted certificate (SHA-256)').waitFor({ state: 'detached' });
});

journey('FTP without encryption says what can be read', '/destinations/new', async (page) => {
  await fillFtp(page);
  await page.getByRole('radio', { name: /^FTP without encryption/ }).check();
  await page.getByText('Without TLS the password and everything sent can be read').waitFor();
});

journey('a place for archives only has no kit and leads to a plan', '/destinations/new', async (page) => {
  await fillBucket(page);
  await testPlace(page);
  await press(page, 'Continue');
  await page.getByRole('radio', { name: /^Archives only/ }).check();
  assert.equal(await page.getByRole('radio', { name: /^Make a strong key/ }).count(), 0);
  await press(page, 'Add the destination');
  await page.getByRole('heading', { level: 1, name: 'Wasabi acme-backups is ready' }).waitFor();
  await press(page, 'Make a plan that writes here');
  await page.getByRole('heading', { level: 1, name: 'Make a plan' }).waitFor();
});

journey('a copy of a vault is added without a key, and a plan is changed to write to both', '/destinations/new', async (page) => {
  await page.getByLabel('Folder', { exact: true }).fill('/mnt/disk');
  await testPlace(page);
  await press(page, 'Continue');
  await page.getByRole('radio', { name: /^A copy of another vault/ }).check();
  await press(page, 'Add the destination');
  await press(page, 'Choose a plan to write here too');
  await page.getByRole('row', { name: /vpn state/ }).click();
  await press(page, 'Edit');
  await planWhere(page);
  await page.getByRole('checkbox', { name: 'disk', exact: true }).check();
  await page.getByText('Becomes a copy of the vault at nas').waitFor();
  assert.equal(await enabled(page, 'Continue'), true);
});

journey('a place with backups of another computer leads to opening them, with what was typed', '/destinations/new', async (page) => {
  await fillBucket(page, { bucket: 'acme-vault' });
  await testPlace(page);
  await press(page, 'Open existing…');
  await page.getByRole('heading', { level: 1, name: 'Open existing backups' }).waitFor();
  assert.equal(await page.getByRole('textbox', { name: 'Bucket', exact: true }).inputValue(), 'acme-vault');
  assert.equal(await page.getByRole('textbox', { name: 'Secret key' }).inputValue(), 'secret');
});

journey('existing backups are opened with the words of their kit, and their plans taken over', '/destinations/open', async (page) => {
  await openVault(page);
  await page.getByText('3 archives cannot be opened by this key').waitFor();
  await press(page, 'Give another key…');
  await page.getByRole('radio', { name: /^A password or passphrase/ }).check();
  await page.getByRole('textbox', { name: 'Key' }).fill('another');
  await press(page, 'Try it');
  await page.getByText('3 archives cannot be opened by this key').waitFor({ state: 'detached' });
  assert.equal(await page.getByRole('radio', { name: /^anna-laptop/ }).isChecked(), true);
  await page.getByText('all in it is set up here already').waitFor();
  await press(page, 'Take them over');
  await page.getByText('Taken over: 1 server, 1 plan.').waitFor();
  await page.getByRole('link', { name: 'Give it… Server old-web: log-in password' }).click();
  await page.getByRole('heading', { level: 1, name: 'Change old-web' }).waitFor();
});

journey('a bucket gets its clean-up rule, and what it says then is shown', '/destinations/d4', async (page) => {
  await press(page, 'Set the clean-up rule…');
  await page.getByText('other rules of the bucket stay as they are').waitFor();
  await press(page, 'Set the rule');
  await page.getByText('Unfinished uploads go after 7 days, old versions after 30 days').waitFor();
});

journey('a key that opens nothing is said, and an empty folder is not opened', '/destinations/open', async (page) => {
  await page.getByLabel('Folder', { exact: true }).fill('/mnt/vault');
  await press(page, 'Look there');
  await page.getByText('5 of 5').waitFor();
  await page.getByRole('radio', { name: /^A password or passphrase/ }).check();
  await page.getByRole('textbox', { name: 'Key' }).fill('wrong');
  await press(page, 'Open it');
  await page.getByText('the key opens nothing there').waitFor();
  await press(page, 'Back');
  await page.getByLabel('Folder', { exact: true }).fill('/mnt/disk');
  await press(page, 'Look there');
  await page.getByText('No backups lie there.').waitFor();
  assert.equal(await enabled(page, 'Open it'), false);
});

journey('a new installation can begin with what is there already', '/overview', async (page) => {
  await page.getByRole('link', { name: 'I have backups already' }).click();
  await page.getByRole('heading', { level: 1, name: 'Open existing backups' }).waitFor();
}, { scene: 'empty' });

journey('a destination is changed: its place stays, its secrets are kept when left empty', '/destinations/d3', async (page) => {
  await press(page, 'Change…');
  await page.getByRole('heading', { level: 1, name: 'Change b2 offsite' }).waitFor();
  assert.equal(await page.getByRole('textbox', { name: 'Bucket', exact: true }).isDisabled(), true);
  await page.getByLabel('Name', { exact: true }).fill('nas');
  await page.getByText('There is a destination named nas already').first().waitFor();
  await page.getByLabel('Name', { exact: true }).fill('b2 cellar');
  await press(page, 'Test it');
  await page.getByRole('row', { name: /^Keeps old versions .*Yes$/ }).waitFor();
  await press(page, 'Save');
  await page.getByRole('complementary', { name: 'b2 cellar' }).waitFor();
});

journey('what a destination lacks is made good by Sync', '/destinations/d3', async (page) => {
  const panel = page.getByRole('complementary', { name: 'b2 offsite' });
  await panel.getByText('4 backups did not get here yet').waitFor();
  await press(page, 'Sync now');
  await page.getByRole('link', { name: 'Watch it' }).click();
  await page.getByRole('heading', { level: 1, name: 'Sync: b2 offsite' }).waitFor();
});

journey('the room of deleted backups is freed after a question', '/destinations/d1', async (page) => {
  await press(page, 'Free their room…');
  const dialog = page.getByRole('dialog');
  await dialog.getByText('Every backup that is listed stays whole').waitFor();
  await dialog.getByRole('button', { name: 'Free the room' }).click();
  await page.getByRole('link', { name: 'Watch it' }).waitFor();
});

journey('a plan writes to several destinations in order, and says what becomes of an empty one', '/plans/new?server=s1', async (page) => {
  await planWhere(page);
  await page.getByRole('checkbox', { name: 'archive store' }).check();
  await page.getByText('Becomes a copy of the vault at nas').waitFor();
  await press(page, 'Move archive store up');
  assert.match(await page.locator('.order li').first().innerText(), /archive store\s+primary/);
  await page.getByRole('checkbox', { name: 'storage box' }).check();
  await page.getByText('nas and storage box hold two different vaults').waitFor();
  assert.equal(await enabled(page, 'Continue'), false);
  await page.getByRole('radio', { name: /^As archives/ }).check();
  await page.getByText('nas and storage box hold two different vaults').waitFor({ state: 'detached' });
});

journey('archives get a name by fields, shown as it would be now, and a key with a kit that is asked back', '/plans/new?server=s1', async (page) => {
  await planWhere(page);
  await page.getByRole('radio', { name: /^As archives/ }).check();
  await page.getByText(/web-1-files-and-databases_\d{8}_\d{6}\.tar\.zst\.sealed/).waitFor();
  const name = page.getByLabel('Name of the files');
  await name.fill('');
  await press(page, 'Plan');
  await page.getByText('Cannot use the file name: each backup would have the same').first().waitFor();
  assert.equal(await enabled(page, 'Continue'), false);
  await press(page, 'Day');
  assert.equal(await name.inputValue(), '{plan}_{time:%Y-%m-%d}');
  await page.getByText('.zip', { exact: true }).click();
  await page.getByText(/web-1-files-and-databases_\d{4}-\d\d-\d\d\.zip\.sealed/).waitFor();
  await press(page, 'Continue');
  await press(page, 'Make the plan');
  await page.getByRole('heading', { level: 1, name: 'Recovery kit of web-1 files and databases' }).waitFor();
  const label = await page.getByLabel(/^Word \d+ of the kit/).evaluate((input) => document.querySelector(`label[for="${input.id}"]`).textContent);
  const number = Number(/\d+/.exec(label)[0]);
  await page.getByLabel(/^Word \d+ of the kit/).fill('nonsense');
  await press(page, 'Confirm the kit');
  await page.getByText(`That is not word ${number} of this kit`).waitFor();
  await page.getByLabel(/^Word \d+ of the kit/).fill(await page.locator('.kit-words b').nth(number - 1).innerText());
  await press(page, 'Confirm the kit');
  await page.getByText('The kit is confirmed').waitFor();
  await press(page, 'Show the plan');
  await page.getByRole('complementary', { name: 'web-1 files and databases' }).getByText('Archives: zip, sealed').waitFor();
});

journey('the kit of a plan is asked for on the first screen until a word of it is typed back', '/plans/new?server=s1', async (page) => {
  const name = 'web-1 files and databases';
  await planWhere(page);
  await page.getByRole('radio', { name: /^As archives/ }).check();
  await press(page, 'Continue');
  await press(page, 'Make the plan');
  await page.getByRole('heading', { level: 1, name: `Recovery kit of ${name}` }).waitFor();
  await press(page, 'Later');
  const panel = page.getByRole('complementary', { name });
  await panel.getByText('Kit not confirmed').waitFor();
  await page.getByRole('link', { name: 'Overview' }).first().click();
  await press(page, `Confirm the kit…: ${name}`);
  await press(page, 'Recovery kit…');
  const dialog = page.getByRole('dialog', { name: `Recovery kit of ${name}` });
  const field = dialog.getByLabel(/^Word \d+ of the kit/);
  await field.waitFor();
  const label = await field.evaluate((input) => document.querySelector(`label[for="${input.id}"]`).textContent);
  await field.fill(await dialog.locator('.kit-words b').nth(Number(/\d+/.exec(label)[0]) - 1).innerText());
  await press(page, 'Confirm the kit');
  await page.getByText(`The recovery kit of ${name} is confirmed.`).waitFor();
  await panel.getByText('Kit not confirmed').waitFor({ state: 'detached' });
  await page.getByRole('link', { name: 'Overview' }).first().click();
  await page.getByRole('heading', { name: 'Needs you' }).waitFor();
  assert.equal(await page.getByRole('button', { name: `Confirm the kit…: ${name}` }).count(), 0);
});

journey('a passphrase is typed twice, a key has 64 hex digits, no seal is warned of', '/plans/new?server=s1', async (page) => {
  await planWhere(page);
  await page.getByRole('radio', { name: /^As archives/ }).check();
  await page.getByRole('radio', { name: /^With a passphrase/ }).check();
  await page.getByRole('textbox', { name: 'Passphrase', exact: true }).fill('correct horse battery');
  await page.getByText('The two passphrases are not the same').waitFor();
  await page.getByRole('textbox', { name: 'The passphrase once more' }).fill('correct horse battery');
  assert.equal(await enabled(page, 'Continue'), true);
  await page.getByRole('radio', { name: /^With a key you bring/ }).check();
  await page.getByRole('textbox', { name: 'Key' }).fill('abc');
  await page.getByText(/64 hex digits \(0 to 9, a to f\); these are 3/).waitFor();
  await page.getByRole('textbox', { name: 'Key' }).fill('0f'.repeat(32));
  assert.equal(await enabled(page, 'Continue'), true);
  await page.getByRole('radio', { name: /^Not at all/ }).check();
  await page.getByText('Everything in these archives can be read').waitFor();
});

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

journey('a missing copy is synced, and a copy deleted while another stays', '/backups?plan=p1', async (page) => {
  await openCopies(page);
  await press(page, 'Sync now: b2 offsite');
  await page.getByRole('link', { name: 'Watch it' }).waitFor();
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

journey('a download that was broken off goes on where it was', '/activity', async (page) => {
  await page.getByRole('button', { name: 'Go on with the download of web nightly 12 Nov' }).click();
  await page.getByRole('link', { name: 'Watch it' }).click();
  await page.getByRole('heading', { level: 1, name: 'Download: web nightly 12 Nov' }).waitFor();
});

test('nothing is cut off at the smallest window', async () => {
  for (const place of ['/destinations', '/destinations/d3', '/destinations/new', '/destinations/open', '/destinations/d3/edit', '/destinations/d5/edit', '/settings?part=bandwidth', '/activity/live1', '/plans/p7', '/activity/r96']) {
    const { page, close } = await openWindow(place, { width: 900, height: 600 });
    await settled(page);
    const over = await page.evaluate(() => [document.documentElement, ...document.querySelectorAll('.wizard-step, .page-content, [role="tabpanel"], .panel-body')].filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.className || e.tagName));
    assert.deepEqual(over, [], place);
    await close();
  }
});
