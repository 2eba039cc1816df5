import { start } from './app/start';
import { setTransport } from './ipc';
import { tauriTransport } from './ipc/tauri';

setTransport(tauriTransport);
start();
