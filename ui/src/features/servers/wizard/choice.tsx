import type { Icon } from '@tabler/icons-react';

/** One of a few ways, as a card. */
export function Choice({ icon: Symbol, title, text, on, onChoose }: { icon: Icon; title: string; text: string; on: boolean; onChoose: () => void }) {
  return (
    <label className={on ? 'choice choice-on' : 'choice'}>
      <input type="radio" className="visually-hidden" name="where" checked={on} onChange={onChoose} />
      <Symbol size={20} stroke={1.6} aria-hidden />
      <span><b>{title}</b><span className="mute">{text}</span></span>
    </label>
  );
}
