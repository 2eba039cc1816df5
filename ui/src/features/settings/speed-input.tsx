import { NumberInput, Select } from '@mantine/core';
import { useState } from 'react';
import { UNITS, fromBytes, toBytes, type Unit } from '../../shared/bandwidth';

type Props = { label: string; bytes: number; onSave: (bytes: number) => void };

/** A speed with its unit. Saved when it is left or Enter is pressed, not with each digit. */
export function SpeedInput({ label, bytes, onSave }: Props) {
  const start = fromBytes(bytes);
  const [unit, setUnit] = useState<Unit>(start.unit);
  const [value, setValue] = useState<number | string>(start.value);
  const save = (number: number | string, as: Unit) => {
    const next = toBytes(Number(number), as);
    if (next === null) setValue(start.value);
    else if (next !== bytes) onSave(next);
  };
  return (
    <div className="row speed" role="group" aria-label={label}>
      <NumberInput
        w={96} aria-label={label} min={0} decimalScale={2} hideControls allowNegative={false} value={value} onChange={setValue}
        onBlur={() => save(value, unit)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter') return;
          event.preventDefault();
          save(value, unit);
        }}
      />
      <Select
        w={92} aria-label={`Unit of ${label.toLowerCase()}`} data={Object.keys(UNITS)} value={unit}
        onChange={(to) => {
          const next = (to ?? 'MiB/s') as Unit;
          setUnit(next);
          save(value, next);
        }}
      />
    </div>
  );
}
