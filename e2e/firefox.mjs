// Firefox, with WebGPU on whatever Vulkan driver there is. Playwright drives only a Firefox of its own, so Puppeteer does.

import { existsSync } from 'node:fs';
import puppeteer from 'puppeteer-core';

const CANDIDATES = ['/usr/bin/firefox-esr', '/usr/bin/firefox', '/Applications/Firefox.app/Contents/MacOS/firefox'];

/** `MINNOW_FIREFOX` names another one. */
export function launchFirefox() {
  return puppeteer.launch({
    browser: 'firefox',
    executablePath: process.env.MINNOW_FIREFOX ?? CANDIDATES.find(existsSync) ?? CANDIDATES[0],
    extraPrefsFirefox: { 'dom.webgpu.enabled': true, 'gfx.webgpu.ignore-blocklist': true },
    protocolTimeout: 3_600_000, // Who calls has a limit of their own.
  });
}
