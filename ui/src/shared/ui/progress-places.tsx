import type { DestinationProgress, ProgressView } from '../../ipc';
import { formatRate } from '../format';
import { Bar } from './bar';
import { placeBytes, placePart } from './progress-rules';
import { StateBadge } from './values';

/** Each destination of a run with a bar of its own: how far, how fast, what holds it back, why it failed. */
export function ProgressPlaces({ progress }: { progress: ProgressView }) {
  return (
    <ul className="progress-places" aria-label="Destinations">
      {progress.destinations.map((place) => <Place key={place.name} place={place} part={placePart(place, progress)} />)}
    </ul>
  );
}

function Place({ place, part }: { place: DestinationProgress; part: number | null }) {
  const tone = place.state === 'failed' ? 'bad' : place.state === 'done' ? 'good' : undefined;
  const moving = place.state === 'writing' && place.rate > 0;
  return (
    <li>
      <b className="clip" title={place.name}>{place.name}</b>
      <Bar thin part={part} label={`Written to ${place.name}`} {...(tone ? { tone } : {})} />
      <span className="mute num">{placeBytes(place)}</span>
      <span className="mute num">{moving ? formatRate(place.rate) : ''}</span>
      <StateBadge state={place.state} />
      {(place.text || place.limit !== null) && (
        <span className={place.state === 'failed' ? 'progress-why progress-why-bad' : 'progress-why mute'}>
          {[place.text, place.limit === null ? '' : place.limit === 0 ? 'held by a rule of the week' : `limited to ${formatRate(place.limit)}`].filter(Boolean).join('; ')}
        </span>
      )}
    </li>
  );
}
