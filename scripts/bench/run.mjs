// Runs a command and measures it as a whole process: wall time and peak resident memory.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Reads VmHWM (peak resident memory, KiB) of a running process; 0 when it is gone. */
function peakKib(pid) {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Runs `argv`; resolves to {seconds, peakMib, stdout}. A status other than 0 is an error that shows what it said. */
export function measure(argv, { env = {}, cwd, input, allow = [0] } = {}) {
  return new Promise((resolve, reject) => {
    const begun = process.hrtime.bigint();
    const child = spawn(argv[0], argv.slice(1), { env: { ...process.env, ...env }, cwd, stdio: 'pipe' });
    let stdout = '';
    let stderr = '';
    let peak = 0;
    const sampler = setInterval(() => (peak = Math.max(peak, peakKib(child.pid))), 20);
    child.stdout.on('data', (data) => (stdout += data));
    child.stderr.on('data', (data) => (stderr += data));
    child.on('error', reject);
    child.on('close', (code) => {
      clearInterval(sampler);
      const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
      if (!allow.includes(code)) {
        reject(new Error(`${argv.join(' ')} ended with ${code}\n${stdout.slice(-2000)}\n${stderr.slice(-2000)}`));
        return;
      }
      resolve({ seconds, peakMib: peak / 1024, stdout });
    });
    child.stdin.end(input ?? '');
  });
}

/** The middle of the values. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
