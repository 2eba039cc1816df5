// npm test: sets up what tests need, then runs all of them. `npm test -- rust ui` runs only those parts.
import { fileURLToPath } from 'url';
import { ensureNode } from './lib/node.mjs';

ensureNode(fileURLToPath(import.meta.url));
import('./lib/test.mjs').then((test) => test.main(process.argv.slice(2))).then((code) => process.exit(code));
