// A private MariaDB for a journey, found as an admin's own would be: by the log-in user's option file.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, waitFor } from './webdriver.mjs';

/** Says why there can be none here, or nothing. */
export function whyNoMariaDb() {
  const missing = ['mariadbd', 'mariadb-install-db', 'mariadb', 'mariadb-dump'].find(
    (name) => !['/usr/bin', '/usr/sbin', '/usr/local/bin'].some((folder) => existsSync(join(folder, name))),
  );
  return missing ? `${missing} is missing` : null;
}

/** Starts a server below `folder` and writes its log-in into `home`/.my.cnf; returns {sql, stop}. */
export async function startMariaDb(folder, home) {
  const root = process.getuid() === 0;
  const [data, socket] = [join(folder, 'data'), join(folder, 's.sock')];
  await mkdir(data, { recursive: true });
  if (root) execFileSync('chown', ['-R', 'mysql:', folder]);
  const user = root ? ['--user=mysql'] : [];
  const small = ['--innodb-log-file-size=8M', `--datadir=${data}`, ...user];
  execFileSync('mariadb-install-db', ['--no-defaults', '--auth-root-authentication-method=normal', '--skip-test-db', ...small], { stdio: 'ignore' });
  const port = await freePort();
  const options = ['--no-defaults', ...small, `--socket=${socket}`, `--pid-file=${join(data, 'pid')}`, `--port=${port}`, '--bind-address=127.0.0.1', '--innodb-buffer-pool-size=32M', '--performance-schema=OFF'];
  const server = spawn('mariadbd', options, { stdio: 'ignore', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  // Until it has ended it writes into its folder.
  const stop = async () => {
    server.kill();
    await ended;
  };
  try {
    const client = ['--no-defaults', '--user=root', `--socket=${socket}`, '--batch', '--skip-column-names'];
    const ask = (sql, env = {}) => execFileSync('mariadb', client, { input: sql, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    await waitFor('MariaDB to answer', () => ask('select 1;').includes('1'), 60_000);
    const password = 'owner \'pass" #1';
    ask(`alter user root@localhost identified by '${password.replaceAll("'", "\\'")}';`);
    const file = join(home, '.my.cnf');
    await writeFile(file, `[client]\nuser=root\npassword="${password.replaceAll('"', '\\"')}"\nsocket=${socket}\n`);
    await chmod(file, 0o600);
    return { sql: (text) => ask(text, { MYSQL_PWD: password }).trim(), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
