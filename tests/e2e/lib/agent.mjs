// A private SSH agent that holds one key.
import { spawn, spawnSync } from 'node:child_process';
import { waitFor } from './webdriver.mjs';

/** Starts an agent on a socket and gives it a key that has no passphrase; returns {socket, stop}. */
export async function startAgent(socket, key) {
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  const stop = () => agent.kill();
  const add = () => spawnSync('ssh-add', ['-q', key], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: 'ignore' }).status === 0;
  try {
    await waitFor('the SSH agent to take the key', add);
  } catch (error) {
    stop();
    throw error;
  }
  return { socket, stop };
}
