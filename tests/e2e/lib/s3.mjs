// The lab's S3 server as a process of its own.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';

const binary = process.env.BACKSTAY_S3_BINARY;

/** Says why there can be none here, or nothing. */
export function whyNoS3() {
  return binary && existsSync(binary) ? null : 'the S3 server of the lab is not built (set BACKSTAY_S3_BINARY to the example s3_server of backstay-lab)';
}

/** Starts a server with one empty bucket; returns {port, region, bucket, accessKey, secretKey, stop}. It ends with this process. */
export async function startS3() {
  const server = spawn(binary, [], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  const first = new Promise((resolve) => createInterface(server.stdout).once('line', resolve));
  const line = await Promise.race([first, ended.then((code) => Promise.reject(new Error(`the S3 server ended with ${code}`)))]);
  const stop = async () => {
    server.stdin.end();
    await ended;
  };
  return { ...JSON.parse(line), stop };
}
