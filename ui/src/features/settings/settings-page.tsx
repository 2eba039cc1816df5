import { Tabs } from '@mantine/core';
import { navigate, useQueryValue } from '../../shared/router';
import { Page } from '../../shared/ui';
import { About } from './about';
import { AuditLog } from './audit-log';
import { Bandwidth } from './bandwidth';
import { Appearance, General, Notifications } from './general';
import { Kits } from './kits';
import { PARTS, partOf } from './rules';
import { Secrets } from './secrets';
import './settings.css';

/** The settings, a part at a time. Changes take effect and are saved at once. */
export function SettingsPage() {
  const part = partOf(useQueryValue('part'));
  return (
    <Page title="Settings" text="Changes are saved at once" fill>
      <Tabs orientation="vertical" value={part} onChange={(value) => navigate(`/settings?part=${value ?? 'general'}`, { replace: true })} className="settings">
        <Tabs.List aria-label="Parts of the settings">
          {PARTS.map((each) => <Tabs.Tab key={each.key} value={each.key}>{each.title}</Tabs.Tab>)}
        </Tabs.List>
        <Tabs.Panel value="general"><General /></Tabs.Panel>
        <Tabs.Panel value="appearance"><Appearance /></Tabs.Panel>
        <Tabs.Panel value="notifications"><Notifications /></Tabs.Panel>
        <Tabs.Panel value="bandwidth"><Bandwidth /></Tabs.Panel>
        <Tabs.Panel value="kits"><Kits /></Tabs.Panel>
        <Tabs.Panel value="secrets"><Secrets /></Tabs.Panel>
        <Tabs.Panel value="audit"><AuditLog /></Tabs.Panel>
        <Tabs.Panel value="about"><About /></Tabs.Panel>
      </Tabs>
    </Page>
  );
}
