// A private ProFTPD that asks for TLS, with a certificate nobody vouches for. The lab of the Rust tests starts the same one.
import { execFileSync, spawn } from 'node:child_process';
import { createConnection } from 'node:net';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ftpFolder } from '../../../scripts/lib/ftp-servers.mjs';
import { freePort, waitFor } from './webdriver.mjs';

/** Whom its files belong to: daemon. */
const OWNER = 1;
const USER = 'webspace';
const PASSWORD = 'pw #\'"1 ü';
const program = join(ftpFolder(), 'usr/sbin/proftpd');

/** Says why there can be none here, or nothing. */
export function whyNoFtp() {
  if (process.getuid() !== 0) return 'ProFTPD can be started by root only';
  return existsSync(program) ? null : 'ProFTPD is not unpacked (node scripts/lib/ftp-servers.mjs)';
}

/** Makes key and certificate in one file; returns the certificate's SHA-256, 64 hex digits. */
async function makeCertificate(folder, both) {
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30', '-subj', '/CN=lab/O=Backstay'];
  execFileSync('openssl', [...made, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  await writeFile(both, Buffer.concat([await readFile(key), await readFile(certificate)]), { mode: 0o600 });
  const told = execFileSync('openssl', ['x509', '-in', certificate, '-noout', '-fingerprint', '-sha256'], { encoding: 'utf8' });
  return told.trim().split('=')[1].replaceAll(':', '').toLowerCase();
}

/** The programs' libraries lie beside them where the system has none. */
function libraries() {
  const triple = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;
  return [join(ftpFolder(), 'usr/lib', triple), join(ftpFolder(), 'lib', triple)].join(':');
}

/**
 * Starts a server below `folder`, whose every parent must be open to others; returns {port, user, password, sha256, root,
 * readOnly, stop}. `root` is the user's folder.
 */
export async function startFtp(folder) {
  const root = join(folder, 'root');
  await mkdir(root, { recursive: true });
  await chmod(folder, 0o755);
  await chown(root, OWNER, OWNER);
  const [both, users, config] = [join(folder, 'both.pem'), join(folder, 'users'), join(folder, 'config')];
  const sha256 = await makeCertificate(folder, both);
  const hashed = execFileSync('openssl', ['passwd', '-6', '-stdin'], { input: PASSWORD, encoding: 'utf8' }).trim();
  await writeFile(users, `${USER}:${hashed}:${OWNER}:${OWNER}::${root}:/bin/false\n`, { mode: 0o600 });
  const port = await freePort();
  const lines = [
    'ServerName lab', 'ServerType standalone', 'DefaultServer on', 'DefaultAddress 127.0.0.1', `Port ${port}`, 'UseIPv6 off', 'UseReverseDNS off',
    'SocketBindTight on', `ModulePath ${join(ftpFolder(), 'usr/lib/proftpd')}`, 'User nobody', 'Group nogroup', `PidFile ${folder}/pid`,
    `ScoreboardFile ${folder}/scoreboard`, `SystemLog ${folder}/log`, 'TransferLog none', 'WtmpLog off', 'DelayEngine off', 'AuthOrder mod_auth_file.c',
    `AuthUserFile ${users}`, 'RequireValidShell off', 'AllowOverwrite on', 'AllowStoreRestart on', 'AllowRetrieveRestart on', 'DefaultRoot ~', 'Umask 077',
    'TimesGMT on', 'MaxInstances 100', 'LoadModule mod_tls.c', 'TLSEngine on', 'TLSRequired on', `TLSLog ${folder}/tls.log`,
    `TLSECCertificateFile ${both}`, `TLSECCertificateKeyFile ${both}`,
  ];
  await writeFile(config, `${lines.join('\n')}\n`, { mode: 0o600 });
  const server = spawn(program, ['-n', '-q', '-c', config], { stdio: 'ignore', env: { ...process.env, LD_LIBRARY_PATH: libraries() } });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  const stop = async () => {
    server.kill();
    await ended;
  };
  try {
    await waitFor('ProFTPD to listen', () => {
      if (server.exitCode !== null) throw new Error(`it ended with ${server.exitCode}`);
      return listens(port);
    });
  } catch (error) {
    await stop();
    throw error;
  }
  /** Takes the right to write away from the user, or gives it back. */
  const readOnly = (yes) => execFileSync('chmod', ['-R', yes ? 'a-w' : 'u+w', root]);
  return { port, user: USER, password: PASSWORD, sha256, root, readOnly, stop };
}

function listens(port) {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1');
    socket.once('connect', () => resolve(socket.destroy() && true));
    socket.once('error', () => resolve(false));
  });
}
