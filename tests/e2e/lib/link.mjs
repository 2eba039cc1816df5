// The way between the app and one of its destinations: slow where a journey wants to look on, and away when it says so.
import { createServer, connect } from 'node:net';
import { Transform, pipeline } from 'node:stream';

/**
 * Stands before a port of this computer. Returns {port, slow, away, back, stop}: `slow(delayMs, bytesPerSecond)` holds up
 * what each connection carries from now on, `away()` drops all connections and takes no new ones until `back()`.
 */
export async function startLink(target) {
  let delayMs = 0;
  let bytesPerSecond = Infinity;
  let gone = false;
  const sockets = new Set();
  const held = () =>
    new Transform({
      transform(chunk, _encoding, done) {
        const wait = delayMs + (chunk.length * 1000) / bytesPerSecond;
        if (wait < 1) done(null, chunk);
        else setTimeout(done, wait, null, chunk);
      },
    });
  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (gone) {
      client.resetAndDestroy();
      return;
    }
    const far = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true });
    for (const socket of [client, far]) {
      socket.setNoDelay(true);
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    }
    const ended = (error) => {
      if (!error) return;
      client.destroy();
      far.destroy();
    };
    pipeline(client, held(), far, ended);
    pipeline(far, held(), client, ended);
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const drop = () => sockets.forEach((socket) => socket.resetAndDestroy());
  return {
    port: server.address().port,
    slow(delay, rate = Infinity) {
      delayMs = delay;
      bytesPerSecond = rate;
    },
    away() {
      gone = true;
      drop();
    },
    back() {
      gone = false;
    },
    stop() {
      server.close();
      drop();
    },
  };
}
