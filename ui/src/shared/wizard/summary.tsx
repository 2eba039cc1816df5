import type { ReactNode } from 'react';

/** What has been chosen so far, in words; what is still open is said in grey. */
export function Summary({ rows }: { rows: { name: string; value: ReactNode; open?: string }[] }) {
  return (
    <dl className="kv">
      {rows.map((row) => (
        <div key={row.name}>
          <dt>{row.name}</dt>
          <dd>{row.value ? row.value : <span className="mute">{row.open ?? 'not chosen yet'}</span>}</dd>
        </div>
      ))}
    </dl>
  );
}
