import { defineConfig } from '@playwright/test';
import { launchOptions } from './browser.mjs';

export default defineConfig({
  testDir: 'tests',
  outputDir: 'results',
  reporter: 'list',
  // The model uses the whole machine: one page at a time, and time enough for a slow one.
  workers: 1,
  timeout: 180_000,
  expect: { timeout: 60_000 },
  use: { launchOptions, viewport: { width: 1280, height: 800 }, screenshot: 'only-on-failure' },
});
