import { readdirSync } from 'node:fs';
import reactHooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

const features = readdirSync(new URL('./ui/src/features', import.meta.url)).join('|');
const tauriOnly = { group: ['@tauri-apps/*'], message: 'Only ui/src/ipc talks to Tauri.' };

export default tseslint.config(
  { ignores: ['dist', 'target', 'node_modules', 'ui/src/ipc/generated'] },
  ...tseslint.configs.recommended,
  reactHooks.configs.flat.recommended,
  {
    files: ['ui/src/**/*.{ts,tsx}', 'tests/ui/**/*.mjs', 'vite.config.ts'],
    rules: {
      // The virtualizer's functions stay inside the component that made them, so what the compiler skips does no harm.
      'react-hooks/incompatible-library': 'off',
      eqeqeq: ['error', 'always'],
      'no-console': ['error', { allow: ['error'] }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
    },
  },
  { files: ['tests/ui/**/*.mjs'], rules: { 'no-console': 'off' } },
  // shared <- features <- app, and features do not import one another.
  {
    files: ['ui/src/shared/**/*.{ts,tsx}'],
    rules: { 'no-restricted-imports': ['error', { patterns: [tauriOnly, { group: ['**/features/**', '**/app/**'], message: 'shared knows neither features nor app.' }] }] },
  },
  {
    files: ['ui/src/features/**/*.{ts,tsx}'],
    rules: { 'no-restricted-imports': ['error', { patterns: [tauriOnly, { regex: `^(\\.\\./)+(${features})(/|$)`, message: 'Features do not import one another; what both need goes to shared.' }, { group: ['**/app/**'], message: 'Features do not know app.' }] }] },
  },
  { files: ['ui/src/app/**/*.{ts,tsx}'], rules: { 'no-restricted-imports': ['error', { patterns: [tauriOnly] }] } },
);
