export { api, dialogs } from './client';
export { setTransport, toIpcError, ipcError } from './transport';
export type { Transport } from './transport';
export type * from './generated/bindings';
