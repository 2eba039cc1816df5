// A TCP proxy for the benchmark: delays both ways, counts bytes, and can lose the link for a while.
import { createServer, connect } from 'node:net';

/**
 * Starts a proxy to a port of this computer. `delayMs` is added to each direction. Resolves to {port, up, down, cut, stop}:
 * `up()` and `down()` tell the bytes carried so far, `cut(ms)` drops all connections and refuses new ones for so long.
 */
export function startProxy(target, delayMs = 0) {
  const count = { up: 0, down: 0 };
  const sockets = new Set();
  let lostUntil = 0;
  const carry = (from, to, way) => {
    // One queue a direction: chunks leave in order, each so long after it came.
    from.on('data', (chunk) => {
      count[way] += chunk.length;
      const send = () => to.writable && (to.write(chunk) || from.pause());
      if (delayMs > 0) setTimeout(send, delayMs);
      else send();
    });
    to.on('drain', () => from.resume());
    from.on('end', () => setTimeout(() => to.end(), delayMs));
    from.on('error', () => to.destroy());
    from.on('close', () => setTimeout(() => to.destroy(), delayMs));
  };
  const server = createServer((client) => {
    if (Date.now() < lostUntil) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(target, '127.0.0.1');
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    }
    carry(client, upstream, 'up');
    carry(upstream, client, 'down');
  });
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => resolve({
      port: server.address().port,
      up: () => count.up,
      down: () => count.down,
      cut: (ms) => {
        lostUntil = Date.now() + ms;
        for (const socket of sockets) socket.resetAndDestroy();
      },
      stop: () => {
        for (const socket of sockets) socket.destroy();
        server.close();
      },
    }));
  });
}
