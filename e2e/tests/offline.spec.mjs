// A visited page needs no network, whatever host it came from.

import { startSite } from '../site.mjs';
import { DIST, expect, test } from './fixtures.mjs';
import { Minnow } from './minnow.mjs';

test('without the network: the page, the conversation and the model are still there', async ({ minnow, site }) => {
  await minnow.set('Temperature', 0);
  await minnow.loadDefault();
  await expect(await minnow.ask('What is the capital of France?')).toContainText('Paris');
  await minnow.page.evaluate(() => navigator.serviceWorker.ready);
  await minnow.page.context().setOffline(true);
  await site.stop();
  try {
    await minnow.page.reload();
    await expect(minnow.message).toBeVisible();
    const link = minnow.conversations.getByRole('link', { name: 'What is the capital of France?' });
    await link.click();
    await expect(minnow.replies).toContainText('Paris');
    await expect(await minnow.ask('And of Italy?')).toContainText('Rome', { timeout: 120_000 });
  } finally {
    await site.start();
  }
});

test('a static host under a sub-path: isolated by the service worker, and works offline', async ({ context, hub }) => {
  const pages = await startSite({ dirs: { '': DIST }, base: '/minnow/', isolated: false });
  const errors = [];
  const minnow = await Minnow.open({ context, site: pages, hub, errors });
  await expect.poll(() => minnow.page.evaluate(() => globalThis.crossOriginIsolated).catch(() => false)).toBe(true);
  await minnow.load('acme/tiny/model.gguf');
  await minnow.answers();
  expect(pages.requests.filter((url) => !url.startsWith('/minnow/'))).toEqual([]);
  await pages.stop();
  await minnow.page.reload();
  await minnow.answers();
  expect(errors).toEqual([]);
});
