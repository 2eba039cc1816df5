import { useMantineColorScheme } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import { api, type IpcError, type Settings } from '../ipc';
import { keys } from '../shared/query';

/** Applies the theme of the settings. */
export function useTheme(): void {
  const settings = useQuery<Settings, IpcError>({ queryKey: keys.settings, queryFn: api.settings });
  const { setColorScheme } = useMantineColorScheme();
  const theme = settings.data?.theme;
  useEffect(() => {
    if (theme) setColorScheme(theme === 'light' || theme === 'dark' ? theme : 'auto');
  }, [theme, setColorScheme]);
}
