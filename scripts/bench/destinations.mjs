// Destinations beside their peers: S3 (rclone, restic), SFTP (OpenSSH's sftp, rclone), archives (tar with zstd and pigz),
// several at once, a limit kept, a link lost, memory of an endless stream. Everything on loopback, in the same run.
import { execFileSync, spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { randomFillSync } from 'node:crypto';
import { freemem } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { startProxy } from './proxy.mjs';
import { measure, median } from './run.mjs';
import { startSink } from './sink.mjs';
import { startSshd } from './sshd.mjs';

const BIG_BYTES = 2_000_000_000;
const LOST_LINK_BYTES = 1_000_000_000;
const DELAY_MS = 25;
const LIMIT_BYTES = 10_000_000;
const STREAM_GB = 20;
const PART_BYTES = 16 << 20;

/** Writes noise into a file, so many bytes. */
async function noise(file, bytes) {
  if (existsSync(file) && statSync(file).size === bytes) return;
  const out = createWriteStream(file);
  const block = Buffer.allocUnsafe(8 << 20);
  for (let left = bytes; left > 0; left -= block.length) {
    randomFillSync(block);
    if (!out.write(Buffer.from(block.subarray(0, Math.min(left, block.length))))) await once(out, 'drain');
  }
  out.end();
  await once(out, 'close');
}

/** What the one before left to be written must not slow down this one. */
function settled(run) {
  execFileSync('sync');
  return run();
}

/**
 * Fills free memory with a file of nothing, as that of a machine that has run for days is full: on a fresh virtual machine
 * who writes first pays for memory that its host has yet to give.
 */
function fillMemory(folder) {
  const file = join(folder, 'nothing');
  execFileSync('truncate', ['-s', String(Math.max(freemem() - 2 ** 31, 0)), file]);
  execFileSync('sh', ['-c', 'cat "$1" >/dev/null', 'sh', file]);
}

/** Builds an example program in release mode and returns its path. */
function example(top, name) {
  // Of the whole workspace: a part of it would have what it needs built once more, with other features.
  execFileSync('cargo', ['build', '--release', '--workspace', '--example', name], { cwd: top, stdio: ['ignore', 'inherit', 'inherit'] });
  return join(process.env.CARGO_TARGET_DIR ?? join(top, 'target'), 'release', 'examples', name);
}

async function startS3(program, folder) {
  const child = spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, TMPDIR: folder } });
  const [line] = await once(child.stdout, 'data');
  const stop = async () => {
    child.stdin.end();
    if (child.exitCode === null) await once(child, 'exit');
  };
  return { ...JSON.parse(String(line)), stop };
}

/** One throw-away set-up of ours, driven by the command line. */
class Ours {
  constructor(bin, folder) {
    this.bin = bin;
    mkdirSync(folder, { recursive: true });
    this.env = { BACKSTAY_HOME: folder, BACKSTAY_NO_KEYRING: '1', BACKSTAY_PASSPHRASE: 'bench' };
  }
  run(argv, options = {}) {
    return measure([this.bin, ...argv], { env: this.env, ...options });
  }
  s3(name, s3, prefix, { port = s3.port, vault = false } = {}) {
    const where = ['--provider', 'generic', '--endpoint', `http://127.0.0.1:${port}`, '--region', s3.region, '--bucket', s3.bucket, '--prefix', prefix, '--access-key', s3.accessKey];
    return this.run(['destination', 'add', name, ...(vault ? [] : ['--no-vault']), 's3', ...where], { input: `${s3.secretKey}\n` });
  }
  sftp(name, sshd, path, { port = sshd.port, vault = false } = {}) {
    mkdirSync(path, { recursive: true });
    return this.run(['destination', 'add', name, ...(vault ? [] : ['--no-vault']), 'sftp', '--path', path, '--ssh', `${sshd.user}@127.0.0.1:${port}`, '--key', sshd.key, '--trust-first-use']);
  }
  local(name, path, { vault = false } = {}) {
    return this.run(['destination', 'add', name, ...(vault ? [] : ['--no-vault']), 'local', path]);
  }
  plan(name, path, to, layout) {
    const form = layout ? ['--layout', 'archive', '--format', layout] : [];
    return this.run(['plan', 'add', name, '--server', 'This computer', '--item', `files:${path}`, ...to.flatMap((one) => ['--to', one]), ...form]);
  }
}

/** The environment that makes rclone know a remote called "lab". */
function rcloneS3(s3) {
  return {
    // rclone refuses to start with a bundle of certificates in its environment.
    AWS_CA_BUNDLE: undefined,
    RCLONE_CONFIG: '/dev/null', RCLONE_CONFIG_LAB_TYPE: 's3', RCLONE_CONFIG_LAB_PROVIDER: 'Other', RCLONE_CONFIG_LAB_ENDPOINT: s3.endpoint,
    RCLONE_CONFIG_LAB_REGION: s3.region, RCLONE_CONFIG_LAB_ACCESS_KEY_ID: s3.accessKey, RCLONE_CONFIG_LAB_SECRET_ACCESS_KEY: s3.secretKey,
  };
}

function rcloneSftp(sshd, port) {
  return {
    RCLONE_CONFIG: '/dev/null', RCLONE_CONFIG_LAB_TYPE: 'sftp', RCLONE_CONFIG_LAB_HOST: '127.0.0.1', RCLONE_CONFIG_LAB_PORT: String(port),
    RCLONE_CONFIG_LAB_USER: sshd.user, RCLONE_CONFIG_LAB_KEY_FILE: sshd.key, RCLONE_CONFIG_LAB_SHELL_TYPE: 'none',
  };
}

/** The one archive below a folder. */
function archiveIn(folder) {
  const name = readdirSync(folder, { recursive: true }).map(String).find((one) => /\.(tar\.zst|tar\.gz|zip)$/.test(one));
  if (!name) throw new Error(`No archive below ${folder}`);
  return join(folder, name);
}

/** Makes a plan whose archive of the big file lies in a folder, and gives it `name` as one more destination, not yet served. */
async function archived(ours, big, folder, add) {
  await ours.local('disk', join(folder, 'disk'));
  await add();
  await ours.plan('big', big, ['disk'], 'tar.zst');
  await ours.run(['backup', 'big']);
  return archiveIn(join(folder, 'disk'));
}

/** Adds a destination to the plan; `sync` then has the archive to bring there. */
const alsoTo = (ours, name) => ours.run(['plan', 'change', 'big', '--to', 'disk', '--to', name]);

async function s3Upload({ bin, dir, big, s3, row, runs }) {
  const [mine, theirs] = [[], []];
  for (let round = 0; round < runs; round++) {
    const folder = mkdtempSync(join(dir, 's3-'));
    const ours = new Ours(bin, join(folder, 'home'));
    const file = await archived(ours, big, folder, () => ours.s3('bucket', s3, `up-${round}`));
    await alsoTo(ours, 'bucket');
    mine.push((await settled(() => ours.run(['sync', 'bucket']))).seconds);
    const rclone = ['rclone', 'copyto', file, `lab:${s3.bucket}/rclone-${round}/big`];
    theirs.push((await settled(() => measure(rclone, { env: rcloneS3(s3) }))).seconds);
    rmSync(folder, { recursive: true, force: true });
  }
  row('2 GB archive to S3 / rclone', median(mine), median(theirs), 1.1);
}

async function s3Vault({ bin, dir, tree, s3, row, runs }) {
  const [mine, theirs] = [[], []];
  for (let round = 0; round < runs; round++) {
    const folder = mkdtempSync(join(dir, 's3v-'));
    const ours = new Ours(bin, join(folder, 'home'));
    await ours.s3('bucket', s3, `vault-${round}`, { vault: true });
    await ours.plan('tree', tree, ['bucket']);
    mine.push((await settled(() => ours.run(['backup', 'tree']))).seconds);
    const env = { RESTIC_PASSWORD: 'bench', AWS_ACCESS_KEY_ID: s3.accessKey, AWS_SECRET_ACCESS_KEY: s3.secretKey, AWS_DEFAULT_REGION: s3.region };
    const restic = ['restic', '-r', `s3:${s3.endpoint}/${s3.bucket}/restic-${round}`, '--no-cache', '-q'];
    await measure([...restic, 'init'], { env });
    theirs.push((await settled(() => measure([...restic, 'backup', tree], { env }))).seconds);
    rmSync(folder, { recursive: true, force: true });
  }
  row('vault backup to S3 / restic to the same S3', median(mine), median(theirs), 1.2);
}

async function sftp({ bin, dir, big, row, runs, sshd, delayed }) {
  const proxy = delayed ? await startProxy(sshd.port, DELAY_MS) : undefined;
  const port = proxy?.port ?? sshd.port;
  const [up, down, theirUp, theirDown, syncedUp, syncedDown] = [[], [], [], [], [], []];
  for (let round = 0; round < runs; round++) {
    const folder = mkdtempSync(join(dir, 'sftp-'));
    const ours = new Ours(bin, join(folder, 'home'));
    const file = await archived(ours, big, folder, () => ours.sftp('nas', sshd, join(folder, 'nas'), { port }));
    await alsoTo(ours, 'nas');
    mkdirSync(join(folder, 'out'));
    const mine = async () => {
      up.push((await settled(() => ours.run(['sync', 'nas']))).seconds);
      const get = ['download', 'big@latest', '--out', join(folder, 'out'), '--as', 'as-is', '--from', 'nas'];
      down.push((await settled(() => ours.run(get))).seconds);
    };
    const peer = (from, to, ...more) => {
      if (proxy) return measure(['rclone', 'copyto', from, to], { env: rcloneSftp(sshd, port) });
      const batch = from.startsWith('lab:') ? `get "${from.slice(4)}" "${to}"\n` : `put "${from}" "${to.slice(4)}"\n`;
      const options = sshd.sshOptions.map((one) => (one === '-p' ? '-P' : one));
      return measure(['sftp', '-q', ...more, '-b', '-', ...options, `${sshd.user}@127.0.0.1`], { input: batch });
    };
    const theirs = async (name, puts, gets, ...more) => {
      puts.push((await settled(() => peer(file, `lab:${join(folder, name)}`, ...more))).seconds);
      gets.push((await settled(() => peer(`lab:${join(folder, name)}`, join(folder, `${name}-back`), ...more))).seconds);
    };
    const all = [mine, () => theirs('theirs', theirUp, theirDown)];
    // Ours is on the disk when it says so; sftp's is only with -f.
    if (!proxy) all.push(() => theirs('synced', syncedUp, syncedDown, '-f'));
    for (const one of round % 2 === 0 ? all : all.reverse()) await one();
    rmSync(folder, { recursive: true, force: true });
  }
  proxy?.stop();
  const [link, name, bar] = delayed ? [' with 50 ms', 'rclone', 1.0] : ['', 'OpenSSH sftp', 1.1];
  row(`SFTP upload${link} / ${name}`, median(up), median(theirUp), bar);
  row(`SFTP download${link} / ${name}`, median(down), median(theirDown), bar);
  if (delayed) return;
  row('SFTP upload / OpenSSH sftp -f, synced like ours', median(up), median(syncedUp), bar);
  row('SFTP download / OpenSSH sftp -f, synced like ours', median(down), median(syncedDown), bar);
}

async function several({ bin, dir, tree, s3, sshd, row, runs }) {
  const [together, slowest] = [[], []];
  for (let round = 0; round < runs; round++) {
    const alone = [];
    const order = ['disk', 'nas', 'bucket', 'all'];
    for (const only of round % 2 === 0 ? order : order.reverse()) {
      const folder = mkdtempSync(join(dir, `several-${only}-`));
      const ours = new Ours(bin, join(folder, 'home'));
      const wanted = only === 'all' ? ['disk', 'nas', 'bucket'] : [only];
      for (const [at, name] of wanted.entries()) {
        const vault = at === 0;
        if (name === 'disk') await ours.local('disk', join(folder, 'disk'), { vault });
        if (name === 'nas') await ours.sftp('nas', sshd, join(folder, 'nas'), { vault });
        if (name === 'bucket') await ours.s3('bucket', s3, `several-${only}-${round}`, { vault });
      }
      await ours.plan('tree', tree, wanted);
      const { seconds } = await settled(() => ours.run(['backup', 'tree']));
      if (only === 'all') together.push(seconds);
      else alone.push(seconds);
      rmSync(folder, { recursive: true, force: true });
    }
    slowest.push(Math.max(...alone));
  }
  row('three destinations at once / the slowest alone', median(together), median(slowest), 1.3);
}

async function archives({ bin, dir, tree, row, runs, say }) {
  for (const [format, packer, bar] of [['tar.zst', 'zstd -3 -T0', 1.2], ['tar.gz', 'pigz', 1.0]]) {
    const [mine, theirs] = [[], []];
    for (let round = 0; round < runs; round++) {
      const folder = mkdtempSync(join(dir, 'archive-'));
      const ours = new Ours(bin, join(folder, 'home'));
      await ours.local('disk', join(folder, 'disk'));
      await ours.plan('tree', tree, ['disk'], format);
      const peer = join(folder, 'peer');
      const both = [
        async () => mine.push((await settled(() => ours.run(['backup', 'tree']))).seconds),
        async () => theirs.push((await settled(() => measure(['sh', '-c', `tar -cf - "$1" 2>/dev/null | ${packer} > "$2"`, 'sh', tree, peer]))).seconds),
      ];
      for (const one of round % 2 === 0 ? both : both.reverse()) await one();
      if (round === 0) say(`${format}: ours ${(statSync(archiveIn(join(folder, 'disk'))).size / 1e6).toFixed(0)} MB, peer ${(statSync(peer).size / 1e6).toFixed(0)} MB`);
      rmSync(folder, { recursive: true, force: true });
    }
    row(`archive .${format} / tar | ${packer}`, median(mine), median(theirs), bar);
  }
}

/** Uploads an archive of so many bytes through the proxy while `watch` looks on; resolves to the seconds it took. */
async function throughProxy({ bin, dir, s3, bytes, name, limit, watch }) {
  const folder = mkdtempSync(join(dir, `${name}-`));
  const file = join(folder, 'source.bin');
  await noise(file, bytes);
  const proxy = await startProxy(s3.port);
  const ours = new Ours(bin, join(folder, 'home'));
  await archived(ours, file, folder, () => ours.s3('bucket', s3, name, { port: proxy.port }));
  await alsoTo(ours, 'bucket');
  if (limit) await ours.run(['destination', 'limits', 'bucket', '--rate', String(limit)]);
  const before = proxy.up();
  const watching = watch(proxy, before);
  await ours.run(['sync', 'bucket']);
  const seen = await watching(proxy.up() - before);
  proxy.stop();
  rmSync(folder, { recursive: true, force: true });
  return seen;
}

async function limitKept(all) {
  const bytes = 150_000_000;
  // From a fifth to four fifths of the way, so that neither the start nor the end counts.
  const rate = await throughProxy({
    ...all, bytes, name: 'limit', limit: LIMIT_BYTES,
    watch: (proxy, before) => {
      const marks = {};
      const timer = setInterval(() => {
        const done = proxy.up() - before;
        if (!marks.from && done > bytes / 5) marks.from = { at: Date.now(), done };
        if (!marks.to && done > (bytes * 4) / 5) marks.to = { at: Date.now(), done };
      }, 5);
      return async () => {
        clearInterval(timer);
        return ((marks.to.done - marks.from.done) / (marks.to.at - marks.from.at)) * 1000;
      };
    },
  });
  all.row('limit of 10 MB/s: off by', Math.abs(rate / LIMIT_BYTES - 1) * 100, undefined, 5, '%');
}

async function linkLost(all) {
  const sentAgain = await throughProxy({
    ...all, bytes: LOST_LINK_BYTES, name: 'lost',
    watch: (proxy, before) => {
      const timer = setInterval(() => {
        if (proxy.up() - before < LOST_LINK_BYTES / 2) return;
        clearInterval(timer);
        proxy.cut(20_000);
      }, 2);
      return async (sent) => sent - LOST_LINK_BYTES;
    },
  });
  all.row('link lost for 20 s in a 1 GB upload: parts sent again', sentAgain / PART_BYTES, undefined, 2, 'parts');
}

async function endlessStream({ top, row, say }) {
  const program = example(top, 'stream_to_s3');
  const sink = await startSink();
  const { seconds, stdout } = await measure([program, sink.endpoint, String(STREAM_GB)]);
  sink.stop();
  const told = JSON.parse(stdout);
  say(`${STREAM_GB} GB of unknown length to S3: ${seconds.toFixed(0)} s`);
  row(`peak memory, ${STREAM_GB} GB stream of unknown length to S3`, told.peakKib / 1024, undefined, 300, 'MiB');
}

/** Measures all, or the parts named in `only`. */
export async function destinationsBench({ bin, top, work, tree, runs, row, say, has, only }) {
  const missing = ['rclone', 'restic', 'pigz', 'zstd', 'sftp'].filter((name) => !has(name));
  if (missing.length > 0) {
    say(`skipped: the destinations' numbers need ${missing.join(', ')}`);
    return;
  }
  const dir = mkdtempSync(join(work, 'destinations-'));
  const big = join(work, 'big.bin');
  await noise(big, BIG_BYTES);
  fillMemory(dir);
  const sshd = await startSshd(join(dir, 'sshd'));
  const all = { bin, top, dir, big, tree, sshd, runs, row, say };
  const needsS3 = new Set(['s3-upload', 's3-vault', 'several', 'limit', 'lost']);
  const parts = {
    archives, 's3-upload': s3Upload, 's3-vault': s3Vault, sftp, 'sftp-delayed': (given) => sftp({ ...given, delayed: true }),
    several, limit: limitKept, lost: linkLost, stream: endlessStream,
  };
  try {
    for (const [name, part] of Object.entries(parts)) {
      if (only && !only.has(name)) continue;
      if (needsS3.has(name)) all.s3 ??= await startS3(example(top, 's3_server'), dir);
      say(`destinations: ${name}…`);
      await part(all).catch((error) => {
        say(`FAILED: ${name}: ${error.message}`);
        row(`${name}: could not be measured`, Number.POSITIVE_INFINITY, undefined, 0, '');
      });
    }
  } finally {
    sshd.stop();
    await all.s3?.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}
