import type { Event, IpcError } from './generated/bindings';

/** What to ask a folder or file dialog of this computer. */
export type DialogOptions = { title: string; start?: string };
/** What to ask a save dialog of this computer. */
export type SaveOptions = DialogOptions & { name: string; extension: string };

/** How the window talks to what lies behind it: Tauri, or made-up data in tests and while drawing screens. */
export interface Transport {
  call<T>(command: string, args: Record<string, unknown>): Promise<T>;
  subscribe(onEvent: (event: Event) => void): Promise<void>;
  pickFolder(options: DialogOptions): Promise<string | null>;
  pickFile(options: DialogOptions): Promise<string | null>;
  saveFile(options: SaveOptions): Promise<string | null>;
}

let current: Transport | null = null;

/** Sets the transport; once, before the first screen. */
export function setTransport(transport: Transport): void {
  current = transport;
}

/** Returns the transport in use. */
export function transport(): Transport {
  if (!current) throw ipcError('internal', 'The window is not connected to Backstay');
  return current;
}

/** Makes an error in the shape of the wire. */
export function ipcError(code: string, message: string, hint: string | null = null, detail: string | null = null): IpcError {
  return { code, message, hint, detail };
}

/** Brings whatever was thrown into the shape of the wire, so that screens know one kind of error only. */
export function toIpcError(thrown: unknown): IpcError {
  if (typeof thrown === 'object' && thrown !== null && 'message' in thrown) {
    const t = thrown as Partial<IpcError> & { message: unknown };
    return {
      code: typeof t.code === 'string' ? t.code : 'internal',
      message: String(t.message),
      hint: t.hint ?? null,
      detail: t.detail ?? (thrown instanceof Error ? (thrown.stack ?? null) : null),
    };
  }
  return ipcError('internal', typeof thrown === 'string' ? thrown : 'Something unexpected went wrong', null, null);
}
