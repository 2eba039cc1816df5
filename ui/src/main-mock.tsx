import { start } from './app/start';
import { setTransport } from './ipc';
import { mockTransport } from './ipc/mock';

setTransport(mockTransport(new URLSearchParams(window.location.search)));
start();
