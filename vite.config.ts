import react from '@vitejs/plugin-react';
import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';
import { shell } from './ui/shell.ts';

// Two pages, never in one bundle: the window (index.html), and the same window over made-up data (mock.html), which is
// served and built only in mode "mock".
export default defineConfig(({ mode }) => ({
  root: 'ui',
  base: './',
  plugins: [react(), shell()],
  clearScreen: false,
  server: { port: 1420, strictPort: mode !== 'mock' },
  build: {
    outDir: mode === 'mock' ? '../target/ui-mock' : '../dist',
    emptyOutDir: true,
    target: 'es2022',
    chunkSizeWarningLimit: 1200,
    rolldownOptions: { input: resolve(import.meta.dirname, mode === 'mock' ? 'ui/mock.html' : 'ui/index.html') },
  },
  test: { root: '.', include: ['ui/src/**/*.test.{ts,tsx}'], environment: 'node' },
}));
