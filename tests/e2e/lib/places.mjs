// The wizard of a destination, as several kinds of place share it.
import assert from 'node:assert/strict';
import { acceptKeys, go } from './wizard.mjs';

/** Begins the wizard and chooses a kind of place. */
export async function beginPlace(session, card) {
  await go(session, 'Destinations');
  await session.click('button', 'Add a destination');
  await choosePlace(session, card);
}

/** Chooses a kind of place and goes on to its details. */
export async function choosePlace(session, card) {
  await session.see('Object storage (S3)');
  await session.click('radio', card);
  await session.click('button', 'Continue');
}

/** Fills in a bucket of a store that is none of the known providers. */
export async function fillS3(session, { endpoint, bucket, prefix, accessKey, secretKey }) {
  await session.fill('Address', endpoint);
  await session.fill('Access key', accessKey);
  await session.fill('Secret key', secretKey);
  await session.fill('Bucket', bucket);
  await session.fill('Folder in the bucket', prefix);
}

/** Fills in an SFTP place with an address of its own; returns the fingerprint that was accepted. */
export async function fillSftp(session, { port, user, key, path }) {
  await session.click('radio', /^An address of its own/);
  await session.fill('Address', '127.0.0.1');
  await session.fill('Port', String(port));
  await session.fill('Folder', path);
  await session.fill('User', user);
  await session.click('radio', 'Key file');
  await session.fill('Private key file', key);
  await session.click('button', 'Ask for its fingerprint');
  const shown = await session.get('img', /^Fingerprint/, { timeout: 30_000 });
  const label = await session.run((element) => element.getAttribute('aria-label'), shown);
  await acceptKeys(session, 1);
  await session.see('is pinned', 30_000);
  return label;
}

/** Fills in an FTP place. */
export async function fillFtp(session, { port, user, password }) {
  await session.fill('Host', '127.0.0.1');
  await session.fill('Port', String(port));
  await session.fill('User', user);
  await session.fill('Password', password);
}

/**
 * Notes how many steps of the test are drawn, frame by frame, from now on. What is drawn counts: steps that come one by
 * one but are shown all at once at the end are no use to anybody.
 */
async function watchSteps(session) {
  await session.run(() => {
    window.__steps = [];
    const look = () => {
      const count = document.querySelectorAll('.test-steps li:not(:has(.badge-run))').length;
      if (window.__steps.at(-1) !== count) window.__steps.push(count);
      window.__stepsFrame = requestAnimationFrame(look);
    };
    look();
  });
}

/** Presses "Test it" and waits for the end; returns the counts of steps that were drawn, in order. */
export async function testPlace(session, button = 'Test it') {
  await watchSteps(session);
  await session.click('button', button);
  await session.get('button', 'Test again', { timeout: 60_000 });
  return session.run(() => {
    cancelAnimationFrame(window.__stepsFrame);
    return window.__steps;
  });
}

/** From the test to the end of the wizard: archives only, under this name. */
export async function finishPlace(session, name) {
  await session.click('button', 'Continue');
  await session.fill('Name', name);
  await session.click('radio', /^Archives only/);
  await session.click('button', 'Add the destination');
  await session.see(`${name} is ready`, 30_000);
}

/** Fails unless steps were drawn one after the other. */
export function assertLive(counts, least) {
  assert.ok(new Set(counts.filter((count) => count > 0)).size >= least, `steps drawn: ${counts.join(' ')}`);
}
