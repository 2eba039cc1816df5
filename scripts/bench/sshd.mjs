// A private sshd on loopback for the benchmark, for the user who runs it, with a key of its own.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { join } from 'node:path';
import { userInfo } from 'node:os';

function freePort() {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function reachable(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(socket.destroy() && true));
    socket.once('error', () => resolve(false));
  });
}

/**
 * Starts sshd below `dir`; returns {user, port, key, sshOptions, stop}. More lines of configuration, where given, go before
 * its own: sshd takes the first value of each.
 */
export async function startSshd(dir, lines = []) {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const user = userInfo().username;
  const [key, hostKey, keys] = [join(dir, 'id'), join(dir, 'host'), join(dir, 'authorized_keys')];
  for (const file of [key, hostKey]) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
  writeFileSync(keys, readFileSync(`${key}.pub`), { mode: 0o600 });
  const port = await freePort();
  const config = join(dir, 'sshd_config');
  writeFileSync(
    config,
    [
      ...lines, `Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${hostKey}`, `PidFile ${join(dir, 'pid')}`,
      `AuthorizedKeysFile ${keys}`, 'StrictModes no', 'UsePAM no', 'PasswordAuthentication no',
      'PermitRootLogin yes', 'Subsystem sftp internal-sftp', 'MaxStartups 100:30:200', '',
    ].join('\n'),
  );
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true });
  const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config], { stdio: 'ignore' });
  const deadline = Date.now() + 5000;
  while (!(await reachable(port))) {
    if (Date.now() > deadline) throw new Error('The private sshd did not come up');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const sshOptions = [
    '-p', String(port), '-i', key, '-o', 'StrictHostKeyChecking=no', '-o', `UserKnownHostsFile=${join(dir, 'known')}`,
    '-o', 'LogLevel=ERROR',
  ];
  return { user, port, key, sshOptions, stop: () => child.kill() };
}
