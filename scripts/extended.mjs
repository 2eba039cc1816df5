// npm run test:extended: the slow tests (a real S3 engine, huge objects), which `npm test` leaves out.
import { fileURLToPath } from 'url';
import { ensureNode } from './lib/node.mjs';

ensureNode(fileURLToPath(import.meta.url));
import('./lib/extended.mjs').then((extended) => extended.main()).then((code) => process.exit(code));
