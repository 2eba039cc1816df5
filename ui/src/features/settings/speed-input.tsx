import { NumberInput, Select } from '@mantine/core';
import { useState } from 'react';
import { UNITS, fromBytes, toBytes, type Unit } from '../../shared/bandwidth';

type Props = { label: string; bytes: number; onSave: (bytes: number) => void };

/** A speed with its unit. Saved when both are left or Enter is pressed: a number with the unit that was to be changed is no speed anybody meant. */
export function SpeedInput({ label, bytes, onSave }: Props) {
  const start = fromBytes(bytes);
  const [unit, setUnit] = useState<Unit>(start.unit);
  const [value, setValue] = useState<number | string>(start.value);
  const [stored, setStored] = useState(bytes);
  const show = () => {
    setUnit(start.unit);
    setValue(start.value);
  };
  if (stored !== bytes) {
    setStored(bytes);
    show();
  }
  const save = () => {
    const next = toBytes(Number(value), unit);
    if (next === null) show();
    else if (next !== bytes) onSave(next);
  };
  return (
    <div
      className="row speed" role="group" aria-label={label}
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) save();
      }}
    >
      <NumberInput
        w={96} aria-label={label} min={0} decimalScale={2} hideControls allowNegative={false} value={value} onChange={setValue}
        onKeyDown={(event) => {
          if (event.key !== 'Enter') return;
          event.preventDefault();
          save();
        }}
      />
      <Select w={92} aria-label={`Unit of ${label.toLowerCase()}`} data={Object.keys(UNITS)} value={unit} onChange={(to) => setUnit((to ?? unit) as Unit)} />
    </div>
  );
}
