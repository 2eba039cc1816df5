import { IconAlertTriangle, IconCheck, IconCopy, IconInfoCircle, IconX } from '@tabler/icons-react';
import { ActionIcon, Button, Collapse, CopyButton } from '@mantine/core';
import { useId, useState, useSyncExternalStore } from 'react';
import type { IpcError } from '../../ipc';
import { Link, usePlace } from '../router';
import { closeToast, currentToasts, subscribeToasts, type Toast } from './toasts';
import './errors.css';

/** Copies a text; says so. */
export function CopyText({ value, label }: { value: string; label: string }) {
  return (
    <CopyButton value={value} timeout={1500}>
      {({ copied, copy }) => (
        <Button size="compact-xs" variant="subtle" onClick={copy} leftSection={copied ? <IconCheck size={14} /> : <IconCopy size={14} />}>
          {copied ? 'Copied' : label}
        </Button>
      )}
    </CopyButton>
  );
}

function Details({ error }: { error: IpcError }) {
  const [open, setOpen] = useState(false);
  const id = useId();
  if (!error.detail) return null;
  return (
    <div>
      <Button className="note-details" size="compact-xs" variant="subtle" aria-expanded={open} aria-controls={id} onClick={() => setOpen(!open)}>
        Details
      </Button>
      <Collapse expanded={open} transitionDuration={0} id={id}>
        <pre className="error-detail mono" tabIndex={0} aria-label="Technical detail">{error.detail}</pre>
        <CopyText value={`${error.message}\n${error.detail}`} label="Copy" />
      </Collapse>
    </div>
  );
}

/** An error as every screen shows it: what was tried and why it failed, what to do, and the technical part on demand. */
export function ErrorNote({ error, retry }: { error: IpcError; retry?: (() => void) | undefined }) {
  return (
    <div className="note note-bad" role="alert">
      <IconAlertTriangle size={18} aria-hidden />
      <div className="grow">
        <div>{error.message}</div>
        {error.hint && <div className="note-hint">{error.hint}</div>}
        <Details error={error} />
      </div>
      {retry && <Button onClick={retry}>Try again</Button>}
    </div>
  );
}

const NOTE_ICONS = { good: IconCheck, warn: IconAlertTriangle, bad: IconAlertTriangle, run: IconInfoCircle };

/** A calm coloured note, with the icon of its tone or one of the caller's choice. */
export function Note({ tone, icon, children, action }: { tone: keyof typeof NOTE_ICONS; icon?: React.ReactNode; children: React.ReactNode; action?: React.ReactNode }) {
  const Symbol = NOTE_ICONS[tone];
  return (
    <div className={`note note-${tone}`}>
      {icon ?? <Symbol size={18} aria-hidden />}
      <div className="grow">{children}</div>
      {action}
    </div>
  );
}

/** The messages at the foot of the window; none that only leads to the page that is open. */
export function Toasts() {
  const toasts = useSyncExternalStore(subscribeToasts, currentToasts);
  const { path } = usePlace();
  return (
    <div className="toasts" role="region" aria-label="Messages" aria-live="polite">
      {toasts.filter((toast) => toast.link?.to !== path).map((toast) => <Message key={toast.id} toast={toast} />)}
    </div>
  );
}

function Message({ toast }: { toast: Toast }) {
  const Symbol = NOTE_ICONS[toast.tone];
  return (
    <div className={`toast toast-${toast.tone}`}>
      <Symbol size={18} aria-hidden />
      <div className="grow">
        <div>{toast.error?.message ?? toast.text}</div>
        {toast.error?.hint && <div className="mute">{toast.error.hint}</div>}
        {toast.error && <Details error={toast.error} />}
        {toast.link && <Link to={toast.link.to} onClick={() => closeToast(toast.id)}>{toast.link.title}</Link>}
      </div>
      <ActionIcon variant="subtle" color="gray" aria-label="Close message" onClick={() => closeToast(toast.id)}>
        <IconX size={16} />
      </ActionIcon>
    </div>
  );
}
