// npm start: makes sure that everything is there, builds Backstay and opens it. The first time takes some minutes.
import { fileURLToPath } from 'url';
import { ensureNode } from './lib/node.mjs';

ensureNode(fileURLToPath(import.meta.url));
import('./lib/start.mjs').then((start) => process.exit(start.main(process.argv.slice(2))));
