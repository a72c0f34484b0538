// The one browser of the tests and the benchmarks: the system's Chromium, never a downloaded one.

import { existsSync } from 'node:fs';

const CANDIDATES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];

/** What `launch` of Playwright takes; `MINNOW_CHROMIUM` names another browser. */
export const launchOptions = {
  executablePath: process.env.MINNOW_CHROMIUM ?? CANDIDATES.find(existsSync) ?? CANDIDATES[0],
  // Root has no sandbox; the rest keeps Chromium from talking to anyone but the page.
  args: ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
};
