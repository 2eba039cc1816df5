import type { ServerFactsView } from '../../ipc';
import { formatBytes } from '../../shared/format';
import { Ago, Chip, KeyValues, Note, PathText, Size } from '../../shared/ui';

/** What is known of a server: system, room, tools, big folders. */
export function Facts({ facts }: { facts: ServerFactsView }) {
  return (
    <>
      {!facts.commands && <div className="card-pad"><Note tone="warn">Only SFTP is offered there: files can be backed up, databases cannot, and it is slower.</Note></div>}
      <KeyValues
        rows={[
          { name: 'System', value: facts.os || 'not known' },
          { name: 'Kernel', value: facts.kernel || 'not known' },
          { name: 'Host name', value: facts.hostname || 'not known' },
          { name: 'Logged in as', value: facts.user || 'not known' },
          { name: 'Room', value: <Lines lines={facts.space.map((s) => `${s.path}: ${formatBytes(s.free_bytes)} of ${formatBytes(s.total_bytes)} free`)} /> },
          { name: 'Tools', value: facts.tools.length === 0 ? 'none' : <span className="chips">{facts.tools.map((tool) => <Chip key={tool.name}>{tool.text ? `${tool.name} ${tool.text}` : tool.name}</Chip>)}</span> },
          ...(facts.folders.length > 0 ? [{ name: 'Folders', value: <FolderLines facts={facts} /> }] : []),
          { name: 'Seen', value: <Ago at={facts.seen} /> },
        ]}
      />
    </>
  );
}

function Lines({ lines }: { lines: string[] }) {
  return lines.length === 0 ? <>not known</> : <>{lines.map((line) => <div key={line}>{line}</div>)}</>;
}

function FolderLines({ facts }: { facts: ServerFactsView }) {
  return (
    <>
      {facts.folders.map((folder) => (
        <div className="row" key={folder.path}><span className="grow clip"><PathText path={folder.path} /></span><span className="mute"><Size bytes={folder.bytes} /></span></div>
      ))}
    </>
  );
}

/** What was found to back up. */
export function FoundList({ facts }: { facts: ServerFactsView }) {
  if (facts.found.length === 0) return <p className="card-pad mute">No databases were found. Files can be picked in the plan.</p>;
  return (
    <ul className="lines">
      {facts.found.map((found) => (
        <li key={found.title}>
          <span className="found-kind"><Chip>{found.kind}</Chip></span>
          <div className="grow"><div>{found.title}</div>{found.note && <div className="mute small">{found.note}</div>}</div>
          <span className="mute"><Size bytes={found.bytes} /></span>
        </li>
      ))}
    </ul>
  );
}
