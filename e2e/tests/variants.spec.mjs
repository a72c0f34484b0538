// Every build of the engine says what llama.cpp says, with one thread and with two; and what threads leave behind.

import { compare, goldenFolder } from '../golden.mjs';
import { startSite } from '../site.mjs';
import { answers, loader, probed } from '../worker.mjs';
import { DIST, expect, test } from './fixtures.mjs';

test('the site has every build of the engine', async ({ request, site }) => {
  expect(await (await request.get(`${site.url}variants.json`)).json()).toEqual(['plain', 'plain-threads', 'relaxed', 'threads']);
});

for (const [alone, threaded] of [['plain', 'plain-threads'], ['relaxed', 'threads']]) {
  test(`${alone} and ${threaded} give the golden texts`, async ({ page }) => {
    test.slow(); // Two builds read the prompts, one of them with one thread and with two.
    const { folder, remove } = goldenFolder();
    const site = await startSite({ dirs: { 'golden/': folder, '': DIST } });
    try {
      await page.goto(site.url);
      const texts = [];
      for (const [variant, threads] of [[alone, 1], [threaded, 1], [threaded, 2]]) {
        const run = await compare(page, { address: loader(variant), threads }, 2);
        expect(run.info).toMatchObject({ variant, threads: { prefill: threads, decode: threads } });
        expect(run.n).toBeGreaterThan(20);
        expect(run.unlike.length, JSON.stringify(run.unlike)).toBeLessThanOrEqual(run.n / 10);
        texts.push(run.texts);
      }
      // The same kernels, in the same order.
      expect(texts[1]).toEqual(texts[0]);
    } finally {
      await site.stop();
      remove();
    }
  });
}

test('where no memory can be shared, the model runs in one thread', async ({ page, probeSite }) => {
  await page.goto(probeSite.url);
  const question = { questions: ['What is the capital of France?'], threads: 2 };
  const worker = { ...probed('threads', 'off'), backend: 'cpu' };
  const run = await answers(page, { ...worker, address: `${worker.address}&flaw=no shared memory`, ...question });
  expect(run.info).toMatchObject({ variant: 'relaxed', threads: { prefill: 1, decode: 1 } });
  expect(run.texts).toEqual((await answers(page, { address: loader('relaxed'), ...question })).texts);
});

test('threads of models that are gone leave no memory behind', async ({ page, site }) => {
  await page.goto(site.url);
  const heapAfter = async (loads) => {
    const { heap } = await answers(page, { address: loader('threads'), threads: 4, questions: [], loads, asksForHeap: true });
    return heap / 2 ** 20;
  };
  // Three helpers a load, each with a stack of 2 MiB: 72 MiB more, if they stayed. The same number of loads ends with 10 MiB
  // more or less, by how late the last helpers left.
  expect(await heapAfter(14)).toBeLessThan((await heapAfter(2)) + 36);
});

test('an iPad that calls itself a Macintosh is asked for no more memory than any other', async ({ page, site }) => {
  await page.addInitScript(() => {
    const says = { userAgent: 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15', maxTouchPoints: 5 };
    for (const [name, value] of Object.entries(says)) Object.defineProperty(navigator, name, { value });
  });
  const started = page.waitForEvent('worker');
  await page.goto(site.url);
  const worker = await started;
  await expect.poll(() => worker.evaluate(() => self.memoryPagesMax)).toBe(2 ** 30 / 2 ** 16);
});
