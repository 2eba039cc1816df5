// What a user does with destinations: adding each kind of place, keys and certificates, opening what exists, changing one.
import assert from 'node:assert/strict';
import { enabled, press } from './controls.mjs';
import { choosePlace, fillBucket, fillFtp, makeVault, openVault, testFolder, testPlace } from './destinations.steps.mjs';
import { planWhere } from './plans.steps.mjs';
import { journey, small, withBrowser } from './window.mjs';

withBrowser();

journey('a new vault ends with a recovery kit that is asked back', '/destinations/new', async (page) => {
  assert.equal(await enabled(page, 'Test it'), false);
  await makeVault(page, '/mnt/disk');
  const word = page.getByLabel('Word 4 of the kit');
  await word.fill('harbor');
  await press(page, 'Confirm the kit');
  await page.getByText('That is not word 4 of this kit. Look again').waitFor();
  await word.fill('Meadow');
  await press(page, 'Confirm the kit');
  await page.getByText('The kit is confirmed').waitFor();
  await press(page, 'Make a plan that writes here');
  await page.getByRole('heading', { level: 1, name: 'Make a plan' }).waitFor();
});

journey('a plan made right after its destination has it, however late the list is', '/destinations/new', async (page) => {
  await makeVault(page, '/mnt/disk');
  await press(page, 'Later');
  await page.getByRole('complementary', { name: 'disk' }).getByText('Kit not confirmed').waitFor();
  await page.evaluate(() => (location.hash = '/destinations/new'));
  await makeVault(page, '/mnt/other');
  const word = page.getByLabel(/^Word \d+ of the kit/);
  await word.fill('Meadow');
  await press(page, 'Confirm the kit');
  await press(page, 'Make a plan that writes here');
  const side = page.getByRole('complementary', { name: 'The plan so far' });
  assert.match(await side.innerText(), /Where to\s+other/);
}, { slow: 'destinations' });

journey('leaving the kit for later is said to have a consequence, and shows', '/destinations/new', async (page) => {
  await makeVault(page, '/mnt/disk');
  await page.getByText('nobody can open the backups in disk').waitFor();
  await press(page, 'Later');
  await page.getByRole('complementary', { name: 'disk' }).getByText('Kit not confirmed').waitFor();
});

journey('a folder with other files is refused, and one inside is offered', '/destinations/new', async (page) => {
  await testFolder(page, '/mnt/foreign');
  assert.equal(await enabled(page, 'Continue'), false);
  await page.getByRole('button', { name: 'Use /mnt/foreign/backstay' }).waitFor();
});

journey('an existing vault opens with its password only', '/destinations/new', async (page) => {
  await testFolder(page, '/mnt/vault');
  await press(page, 'Continue');
  const password = page.getByLabel('Password of the vault', { exact: true });
  await password.fill('wrong');
  await press(page, 'Open the vault');
  await page.getByText('the password does not open it').waitFor();
  await password.fill('right');
  await press(page, 'Open the vault');
  await page.getByText('42 backups found').waitFor();
});

journey('the arrow keys bring the last kind of place into sight', '/destinations/new', async (page) => {
  await page.getByRole('radio', { name: /^MinIO/ }).focus();
  await page.keyboard.press('ArrowDown');
  const other = page.locator('.place-card', { hasText: 'Other S3 storage' });
  assert.equal(await other.getByRole('radio').isChecked(), true);
  const box = await other.boundingBox();
  assert.ok(box.y > 90 && box.y < 580, `it stands at ${box.y}`);
}, small);

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

journey('a bucket that is there already is left as it is', '/destinations/new', async (page) => {
  await fillBucket(page, { bucket: 'acme-there' });
  await press(page, 'Make a private bucket for me…');
  const dialog = page.getByRole('dialog');
  await dialog.getByText('A bucket that is there already is left as it is').waitFor();
  await dialog.getByRole('button', { name: 'Make the bucket' }).click();
  await dialog.getByText('its settings were left as they are').waitFor();
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

journey('the storage class of a store that is not known is typed', '/destinations/new', async (page) => {
  await choosePlace(page, /^Other S3/);
  await press(page, 'Advanced');
  const name = page.getByRole('textbox', { name: 'Storage class of archives' });
  await name.fill('cold, please');
  await name.blur();
  await page.getByText('Only its name, for example STANDARD_IA').waitFor();
  await name.fill('STANDARD_IA');
  await page.getByText('Only its name, for example STANDARD_IA').waitFor({ state: 'detached' });
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
  await page.getByRole('heading', { level: 1, name: 'Edit storage box' }).waitFor();
  await press(page, 'Test again');
  await page.getByText('Go on with a broken upload').waitFor();
  await press(page, 'Save');
  await page.getByText('storage box is changed').waitFor();
}, { scene: 'rekeyed' });

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
  assert.equal(await page.getByRole('radio', { name: /^Settings of anna-laptop/ }).isChecked(), true);
  await page.getByText('all in it is set up here already').waitFor();
  await press(page, 'Take over these settings');
  await page.getByText('Taken over: 1 server, 1 plan.').waitFor();
  await page.getByText('You can start the plans once what is still needed is given.').waitFor();
  await page.getByRole('link', { name: 'Give it… Plan old web nightly: password of its MySQL log-in' }).waitFor();
  await page.getByRole('link', { name: 'Give it… Server old-web: log-in password' }).click();
  await page.getByRole('heading', { level: 1, name: 'Edit old-web' }).waitFor();
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

journey('a destination is changed: its place stays, its secrets are kept when left empty', '/destinations/d3', async (page) => {
  await press(page, 'Edit');
  await page.getByRole('heading', { level: 1, name: 'Edit b2 offsite' }).waitFor();
  assert.equal(await page.getByRole('textbox', { name: 'Bucket', exact: true }).isDisabled(), true);
  await page.getByLabel('Name', { exact: true }).fill('nas');
  await page.getByText('There is a destination named nas already').first().waitFor();
  await page.getByLabel('Name', { exact: true }).fill('b2 cellar');
  await press(page, 'Test it');
  await page.getByRole('row', { name: /^Keeps old versions .*Yes$/ }).waitFor();
  await press(page, 'Save');
  await page.getByRole('complementary', { name: 'b2 cellar' }).waitFor();
});

journey('a bucket gets its clean-up rule, and what it says then is shown', '/destinations/d4', async (page) => {
  await press(page, 'Set the clean-up rule…');
  await page.getByText('other rules of the bucket stay as they are').waitFor();
  await press(page, 'Set the rule');
  await page.getByText('Unfinished uploads go after 7 days, old versions after 30 days').waitFor();
});

journey('what a destination lacks is made good by Sync', '/destinations/d3', async (page) => {
  const panel = page.getByRole('complementary', { name: 'b2 offsite' });
  await panel.getByText('4 backups did not get here yet').waitFor();
  await press(page, 'Sync now');
  await page.getByRole('link', { name: 'Watch it' }).click();
  await page.getByRole('heading', { level: 1, name: 'Sync: b2 offsite' }).waitFor();
});

journey('the space of deleted backups is freed up after a question', '/destinations/d1', async (page) => {
  await press(page, 'Free up space…');
  const dialog = page.getByRole('dialog');
  await dialog.getByText('Every backup that is listed stays whole').waitFor();
  await dialog.getByRole('button', { name: 'Free up the space' }).click();
  await page.getByRole('link', { name: 'Watch it' }).waitFor();
});

journey('a message lies under a dialog, and what the dialog has to say stands in it', '/destinations/d2', async (page) => {
  await press(page, 'Look again');
  const toast = page.locator('.toast', { hasText: '3,333 backups at usb disk.' });
  await toast.waitFor();
  await press(page, 'Recovery kit…');
  const dialog = page.getByRole('dialog', { name: 'Recovery kit of usb disk' });
  const save = dialog.getByRole('button', { name: 'Save as text' });
  await save.waitFor();
  const covers = await toast.evaluate((element) => {
    const box = element.getBoundingClientRect();
    return element.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2));
  });
  assert.equal(covers, false);
  await save.click();
  await dialog.getByText('Keep it away from the backups.').waitFor();
}, small);
