import './progress.css';

/** A bar: real where a part is known, stripes where not. */
export function Bar({ part, label, thin = false, tone }: { part: number | null; label: string; thin?: boolean; tone?: 'good' | 'bad' }) {
  return (
    <div
      className={`bar${thin ? ' bar-thin' : ''}${part === null ? ' bar-stripes' : ''}${tone ? ` bar-${tone}` : ''}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={part === null ? undefined : Math.round(part)}
    >
      <i style={part === null ? undefined : { width: `${part}%` }} />
    </div>
  );
}
