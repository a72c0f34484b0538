// What the tests share: the site, the hub, a page with the default model loaded, and a watch over the console.

import { test as base, expect } from '@playwright/test';
import { resolve } from 'node:path';
import { repositories, startHub } from '../hub.mjs';
import { DIST, startSite } from '../site.mjs';
import { Minnow } from './minnow.mjs';

export { DIST, expect };

export const MODELS = resolve(import.meta.dirname, '../../models');
/** Scripts that are put before the worker's own. */
export const PROBE = resolve(import.meta.dirname, '../probe');

const errors = [];

export const test = base.extend({
  /** Console errors that a test provokes. */
  allowedErrors: [[], { option: true }],

  /** The built page, as `cargo xtask run` serves it. */
  site: [
    async ({}, use) => {
      const site = await startSite({ dirs: { '': DIST } });
      await use(site);
      await site.stop();
    },
    { scope: 'worker' },
  ],

  /** The same, with what tests put in the place of its scripts. */
  probeSite: [
    async ({}, use) => {
      const site = await startSite({ dirs: { 'probe/': PROBE, '': DIST } });
      await use(site);
      await site.stop();
    },
    { scope: 'worker' },
  ],

  hubServer: [
    async ({}, use) => {
      const hub = await startHub({ repos: repositories(MODELS) });
      await use(hub);
      await hub.close();
    },
    { scope: 'worker' },
  ],

  /** The hub, with all its faults fresh. */
  hub: async ({ hubServer }, use) => {
    Object.assign(hubServer.repos, repositories(MODELS));
    hubServer.requests.length = 0;
    await use(hubServer);
  },

  /** A page of its own for this test: nothing stored, nothing loaded. */
  minnow: async ({ context, site, hub }, use) => use(await Minnow.open({ context, site, hub, errors })),

  loaded: [
    async ({ browser, site, hubServer }, use) => {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
      const minnow = await Minnow.open({ context, site, hub: hubServer, errors });
      await minnow.set('Temperature', 0);
      await minnow.loadDefault();
      await use(minnow);
      await context.close();
    },
    { scope: 'worker' },
  ],

  /** A page with the default model loaded and an empty chat, shared by the tests because loading takes seconds. */
  chat: async ({ loaded, hub }, use) => {
    await loaded.newChat();
    await use(loaded);
  },

  watch: [
    async ({ allowedErrors }, use) => {
      errors.length = 0;
      await use();
      expect(errors.filter((error) => !allowedErrors.some((allowed) => allowed.test(error)))).toEqual([]);
    },
    { auto: true },
  ],
});
