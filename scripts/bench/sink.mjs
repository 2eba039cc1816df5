// A store that takes anything and keeps nothing: just enough of S3 to swallow an upload that no disk here would hold.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

const xml = (text) => `<?xml version="1.0" encoding="UTF-8"?>\n${text}`;

/** Starts the sink; resolves to {endpoint, bytes, stop}. */
export function startSink() {
  let bytes = 0;
  const server = createServer((request, response) => {
    const url = new URL(request.url, 'http://sink');
    const sum = createHash('md5');
    request.on('data', (chunk) => {
      bytes += chunk.length;
      sum.update(chunk);
    });
    request.on('end', () => {
      const tag = `"${sum.digest('hex')}"`;
      if (request.method === 'POST' && url.searchParams.has('uploads')) {
        response.end(xml('<InitiateMultipartUploadResult><Bucket>sink</Bucket><Key>stream</Key><UploadId>1</UploadId></InitiateMultipartUploadResult>'));
      } else if (request.method === 'POST') {
        response.end(xml('<CompleteMultipartUploadResult><Bucket>sink</Bucket><Key>stream</Key><ETag>"1-1"</ETag></CompleteMultipartUploadResult>'));
      } else if (request.method === 'PUT') {
        response.writeHead(200, { etag: tag }).end();
      } else if (request.method === 'DELETE') {
        response.writeHead(204).end();
      } else {
        response.writeHead(404).end();
      }
    });
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve({
      endpoint: `http://127.0.0.1:${server.address().port}`,
      bytes: () => bytes,
      stop: () => server.close(),
    }));
  });
}
