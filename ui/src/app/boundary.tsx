import { Button } from '@mantine/core';
import { Component, type ErrorInfo, type ReactNode } from 'react';
import { toIpcError } from '../ipc';
import { ErrorNote } from '../shared/ui';

type Props = { children: ReactNode };
type State = { thrown: unknown };

/** Keeps a fault of one screen from blanking the window. Runs go on behind it: they do not live in the window. */
export class Boundary extends Component<Props, State> {
  override state: State = { thrown: null };

  static getDerivedStateFromError(thrown: unknown): State {
    return { thrown };
  }

  override componentDidCatch(thrown: Error, info: ErrorInfo): void {
    console.error(thrown, info.componentStack);
  }

  override render(): ReactNode {
    if (this.state.thrown === null) return this.props.children;
    const error = toIpcError(this.state.thrown);
    return (
      <div className="stack" style={{ padding: 24 }}>
        <ErrorNote error={{ ...error, message: `This screen could not be drawn: ${error.message}`, hint: 'Running backups and restores go on. Draw the screen again, or go to the overview.' }} />
        <div className="row">
          <Button onClick={() => this.setState({ thrown: null })}>Draw again</Button>
          <Button
            onClick={() => {
              window.location.hash = '/overview';
              this.setState({ thrown: null });
            }}
          >
            Go to the overview
          </Button>
        </div>
      </div>
    );
  }
}
