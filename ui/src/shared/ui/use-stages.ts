import { useEffect, useState } from 'react';

/**
 * Draws something dear in stages: returns 0 at first, then one more after each frame that has been painted, up to `last`.
 * What the user came for goes first; what can wait never holds up a frame.
 */
export function useStages(last: number): number {
  const [stage, setStage] = useState(0);
  useEffect(() => {
    if (stage >= last) return;
    // A frame's callbacks run before it is painted; a task set by one runs after.
    let timer: ReturnType<typeof setTimeout> | undefined;
    const frame = requestAnimationFrame(() => {
      timer = setTimeout(() => setStage((old) => old + 1));
    });
    return () => {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
    };
  }, [stage, last]);
  return stage;
}
