import { useId, type ReactNode } from 'react';

/** One of several choices: a title, and a sentence on what choosing it means. */
export type Choice<V extends string> = { value: V; title: ReactNode; text?: ReactNode; icon?: ReactNode };

type Props<V extends string> = {
  label: string;
  value: V;
  onChange: (value: V) => void;
  options: readonly Choice<V>[];
  /** "grid": small cards side by side; "list": one below the other. */
  layout?: 'grid' | 'list';
  /** Shows the label above, where no card names the choice. */
  titled?: boolean;
};

/** A choice of one, each with its consequence in words. Native radio buttons: the arrow keys work as everywhere. */
export function Choices<V extends string>({ label, value, onChange, options, layout = 'list', titled = false }: Props<V>) {
  const name = useId();
  const group = (
    <div role="radiogroup" aria-label={label} className={layout === 'grid' ? 'choice-grid' : 'stack choice-list'}>
      {options.map((option) => (
        <label key={option.value} className={option.value === value ? 'choice choice-on' : 'choice'}>
          <input type="radio" className="own-tick" name={name} value={option.value} checked={option.value === value} onChange={() => onChange(option.value)} />
          {option.icon}
          <span className="grow">
            <b>{option.title}</b>
            {option.text !== undefined && <span className="mute">{option.text}</span>}
          </span>
        </label>
      ))}
    </div>
  );
  // Named by its own label; the words above are for the eye.
  return titled ? <div className="stack choice-titled"><h2 className="section-title">{label}</h2>{group}</div> : group;
}
