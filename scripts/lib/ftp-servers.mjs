// FTP servers for tests. Their packages exclude one another and would start services, so that they are not installed:
// they are unpacked into the cache, with the libraries this system lacks.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ask, has, say } from './system.mjs';

const SERVERS = ['proftpd-core', 'proftpd-mod-crypto', 'vsftpd', 'libpam-pwdfile'];

/** Where tests look for them; `backstay_lab::ftp` knows the same place. */
export function ftpFolder() {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'backstay', 'tools', 'ftp');
}

/** The libraries that packages need and this system does not have. */
function missingLibraries(packages) {
  const told = ask('apt-cache', ['depends', '--recurse', '--no-recommends', '--no-suggests', '--no-conflicts', '--no-breaks', '--no-replaces', '--no-enhances', ...packages]) ?? '';
  const names = [...told.matchAll(/^\s+\|?Depends: (lib[\w.+-]+)$/gm)].map(([, name]) => name);
  const installed = (name) => (ask('dpkg-query', ['-W', '-f', '${Status}', name]) ?? '').endsWith('install ok installed');
  return [...new Set(names)].filter((name) => !packages.includes(name) && !installed(name));
}

/** Unpacks the servers, once. Where that cannot be, says so; their tests then say that they were skipped. */
export function ensureFtpServers() {
  const folder = ftpFolder();
  if (existsSync(join(folder, 'usr/sbin/vsftpd')) && existsSync(join(folder, 'usr/sbin/proftpd'))) return true;
  if (!has('apt-get') || !has('dpkg-deb')) {
    console.log('skipped: FTP servers for tests need apt-get and dpkg-deb');
    return false;
  }
  say('Unpacking FTP servers for tests (once)');
  mkdirSync(join(folder, '..'), { recursive: true });
  const temp = mkdtempSync(`${folder}-`);
  try {
    const known = SERVERS.filter((name) => ask('apt-cache', ['show', '--no-all-versions', name]));
    const quiet = { cwd: temp, stdio: ['ignore', 'ignore', 'inherit'] };
    if (spawnSync('apt-get', ['-o', 'APT::Sandbox::User=root', 'download', '-q', ...known, ...missingLibraries(known)], quiet).status !== 0) {
      console.log('skipped: FTP servers for tests could not be fetched');
      return false;
    }
    for (const file of readdirSync(temp).filter((name) => name.endsWith('.deb'))) {
      spawnSync('dpkg-deb', ['-x', file, 'root'], quiet);
    }
    rmSync(folder, { recursive: true, force: true });
    renameSync(join(temp, 'root'), folder);
    return true;
  } finally {
    rmSync(temp, { recursive: true, force: true });
  }
}

// `node scripts/lib/ftp-servers.mjs` does it by hand.
if (process.argv[1] === import.meta.filename && !ensureFtpServers()) process.exitCode = 1;
