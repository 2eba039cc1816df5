import { IconChevronRight, IconX, type Icon } from '@tabler/icons-react';
import { ActionIcon } from '@mantine/core';
import { useEffect, useRef, type ReactNode } from 'react';
import { Link } from '../router';
import { useShortcut } from './shortcuts';
import './layout.css';

/** A way back, shown above the title. */
export type Crumb = { title: string; to: string };

type HeaderProps = { title: ReactNode; text?: ReactNode; crumbs?: Crumb[]; actions?: ReactNode; steps?: StepProps };

/** The line on top of every page: where, one sentence, the main action at the right. */
export function PageHeader({ title, text, crumbs, actions, steps }: HeaderProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  const step = steps?.current;
  const first = useRef(step);
  useEffect(() => {
    // A new page: screen readers and the Tab key begin at its title, unless a field of it or a dialog has the focus already.
    if (!document.activeElement?.closest('main, [role="dialog"]')) heading.current?.focus({ preventScroll: true });
  }, []);
  useEffect(() => {
    // Another step is as another page: its button went, or leads on to the next one already.
    if (first.current === step) return;
    first.current = step;
    if (!document.activeElement?.closest('.step-content, [role="dialog"]')) heading.current?.focus({ preventScroll: true });
  }, [step]);
  return (
    <header className="page-header">
      <div className="grow">
        {crumbs && crumbs.length > 0 && (
          <nav aria-label="Breadcrumb" className="crumbs">
            {crumbs.map((crumb) => (
              <span key={crumb.to}>
                <Link to={crumb.to}>{crumb.title}</Link>
                <IconChevronRight size={12} aria-hidden />
              </span>
            ))}
          </nav>
        )}
        <h1 tabIndex={-1} ref={heading}>{title}{steps && <span className="visually-hidden">{stepText(steps)}</span>}</h1>
        {text !== undefined && <p className="mute">{text}</p>}
      </div>
      {steps ? <div className="page-actions"><StepHeader {...steps} /></div> : actions !== undefined && <div className="page-actions">{actions}</div>}
    </header>
  );
}

type PageProps = HeaderProps & { panel?: ReactNode; fill?: boolean; children: ReactNode };

/**
 * A page: header, content, and at the right the detail panel of one row, where there is one.
 * `fill`: the content is one list that scrolls by itself and reaches to the foot; otherwise the page scrolls.
 */
export function Page({ panel, fill = false, children, ...header }: PageProps) {
  return (
    <div className="page">
      <PageHeader {...header} />
      <div className={fill ? 'page-body page-fill' : 'page-body'}>
        <div className="page-content">{children}</div>
        {panel}
      </div>
    </div>
  );
}

type CardProps = { title?: ReactNode; aside?: ReactNode; padded?: boolean; className?: string; children: ReactNode };

/** A panel with a hairline border. `padded` for text; without it for tables and lists. */
export function Card({ title, aside, padded = false, className = '', children }: CardProps) {
  return (
    <section className={`card ${className}`}>
      {(title !== undefined || aside !== undefined) && (
        <div className="card-title">
          <h2>{title}</h2>
          {aside !== undefined && <span className="card-aside">{aside}</span>}
        </div>
      )}
      {padded ? <div className="card-pad">{children}</div> : children}
    </section>
  );
}

type PanelProps = {
  title: ReactNode;
  /** The name screen readers say; the title's text. */
  label: string;
  text?: ReactNode;
  badge?: ReactNode;
  actions?: ReactNode;
  onClose: () => void;
  wide?: boolean;
  children: ReactNode;
};

/** One row's details at the right of its list, so that the list stays in sight. Esc closes it. */
export function DetailPanel({ title, label, text, badge, actions, onClose, wide = false, children }: PanelProps) {
  const panel = useRef<HTMLElement>(null);
  const close = () => {
    // Who was in it goes back to the list.
    if (panel.current?.contains(document.activeElement)) document.querySelector<HTMLElement>('.page-content [role="grid"]')?.focus({ preventScroll: true });
    onClose();
  };
  // A panel out of sight, in a window too narrow for it, is left alone.
  useShortcut('Escape', () => {
    if (panel.current && panel.current.getClientRects().length > 0) close();
  });
  return (
    <aside ref={panel} className={wide ? 'panel panel-wide' : 'panel'} aria-label={label}>
      <div className="panel-head">
        <div className="row">
          <div className="grow">
            <h2 className="clip">{title}</h2>
            {text !== undefined && <div className="mute clip" title={typeof text === 'string' ? text : undefined}>{text}</div>}
          </div>
          {badge}
          <ActionIcon variant="subtle" color="gray" aria-label={`Close ${label}`} onClick={close}>
            <IconX size={16} />
          </ActionIcon>
        </div>
        {actions !== undefined && <div className="panel-actions">{actions}</div>}
      </div>
      <div className="panel-body" tabIndex={0} role="region" aria-label={`${label}: details`}>{children}</div>
    </aside>
  );
}

/** A list of names and values. */
export function KeyValues({ rows }: { rows: { name: string; value: ReactNode }[] }) {
  return (
    <dl className="kv">
      {rows.map((row) => (
        <div key={row.name}>
          <dt>{row.name}</dt>
          <dd>{row.value}</dd>
        </div>
      ))}
    </dl>
  );
}

type EmptyProps = { icon?: Icon; title: string; text?: ReactNode; action?: ReactNode };

/** What a list shows when there is nothing yet: what it is for, and the next step. */
export function EmptyState({ icon: Symbol, title, text, action }: EmptyProps) {
  return (
    <div className="empty">
      {Symbol && <Symbol size={28} stroke={1.5} aria-hidden />}
      <p className="empty-title">{title}</p>
      {text !== undefined && <p className="mute">{text}</p>}
      {action !== undefined && <div className="row">{action}</div>}
    </div>
  );
}

type StepProps = { steps: readonly string[]; current: number; onGo?: (step: number) => void };

/** The step as a part of the page's title, for who hears it. */
function stepText({ steps, current }: StepProps): string {
  return current < steps.length ? ` (step ${current + 1} of ${steps.length}: ${steps[current] ?? ''})` : '';
}

/** The steps of a wizard. Steps already done can be gone back to. */
function StepHeader({ steps, current, onGo }: StepProps) {
  return (
    <ol className="steps" aria-label="Steps">
      {steps.map((title, i) => {
        const state = i < current ? 'ok' : i === current ? 'on' : 'next';
        const inner = (
          <>
            <i aria-hidden>{state === 'ok' ? '✓' : i + 1}</i>
            <span>{title}</span>
            {state === 'ok' && <span className="visually-hidden"> (done)</span>}
          </>
        );
        return (
          <li key={title} className={`step step-${state}`} aria-current={state === 'on' ? 'step' : undefined}>
            {state === 'ok' && onGo ? (
              <button type="button" onClick={() => onGo(i)}>{inner}</button>
            ) : (
              <span className="step-in">{inner}</span>
            )}
          </li>
        );
      })}
    </ol>
  );
}
