import { Modal, type ModalProps } from '@mantine/core';
import { useEffect, useState, type ReactNode } from 'react';
import './dialog.css';

/**
 * A dialog. Who had the focus before has it afterwards; if that is gone, the list it stood in.
 * Without `opened` it is made open, and taken away to close it: the library gives no focus back then.
 */
export function Dialog({ opened = true, ...rest }: Omit<ModalProps, 'opened'> & { opened?: boolean }) {
  const [before] = useState(() => (opened ? [document.activeElement, document.querySelector('.page-content [role="grid"]')] : []));
  useEffect(() => () => {
    if (document.activeElement !== null && document.activeElement !== document.body) return;
    // The entry of a menu is about to go, or hidden already.
    const back = before.find((element) => element !== document.body && element?.isConnected && !element.closest('[role="menu"]'));
    if (back instanceof HTMLElement) back.focus({ preventScroll: true });
  }, [before]);
  return <Modal opened={opened} {...rest} />;
}

/** The buttons of a dialog: at its foot, in sight however long it is. */
export function DialogFoot({ children }: { children: ReactNode }) {
  return <div className="dialog-foot">{children}</div>;
}
