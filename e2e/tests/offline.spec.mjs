// A visited page needs no network, whatever host it came from.

import { startSite } from '../site.mjs';
import { DIST, expect, test } from './fixtures.mjs';
import { DEFAULT_MODEL, Minnow } from './minnow.mjs';

/** Waits until the service worker holds everything that the page needs, with the engine that runs here and the one it falls back to. */
async function kept({ page }) {
  const missing = () =>
    page.evaluate(async () => {
      const engine = ['worker_threads', 'worker_relaxed'].flatMap((worker) => [`${worker}_loader.js`, `${worker}.js`, `${worker}_bg.wasm`]);
      const files = ['./', 'minnow-ui_bg.wasm', ...engine];
      const found = await Promise.all(files.map((file) => caches.match(new URL(file, document.baseURI))));
      return files.filter((_, i) => !found[i]);
    });
  await expect.poll(missing).toEqual([]);
}

test('without the network: the page, the conversation and the model are still there', async ({ minnow, site }) => {
  await minnow.set('Temperature', 0);
  await minnow.loadDefault();
  await expect(await minnow.ask('What is the capital of France?')).toContainText('Paris');
  await kept(minnow);
  await minnow.page.context().setOffline(true);
  await site.stop();
  try {
    await minnow.page.reload();
    await expect(minnow.model).toContainText(DEFAULT_MODEL);
    await expect(minnow.news).toBeHidden();
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
  await kept(minnow);
  await pages.stop();
  await minnow.page.reload();
  await minnow.answers();
  expect(errors).toEqual([]);
});
