// Every build of the engine says what llama.cpp says, with one thread and with two; and what threads leave behind.

import { compare, goldenFolder } from '../golden.mjs';
import { startSite } from '../site.mjs';
import { answers, loader, probed } from '../worker.mjs';
import { DIST, expect, test } from './fixtures.mjs';

test('every build gives the golden texts', async ({ page }) => {
  const { folder, remove } = goldenFolder();
  const site = await startSite({ dirs: { 'golden/': folder, '': DIST } });
  try {
    await page.goto(site.url);
    const variants = await (await page.request.get(`${site.url}variants.json`)).json();
    expect(variants).toEqual(['plain', 'plain-threads', 'relaxed', 'threads']);
    const runs = variants.flatMap((variant) => (variant.endsWith('threads') ? [1, 2] : [1]).map((threads) => ({ variant, threads })));
    const byRun = {};
    for (const { variant, threads } of runs) {
      const { info, n, texts, unlike } = await compare(page, { address: loader(variant), threads }, 2);
      expect(info).toMatchObject({ variant, threads: { prefill: threads, decode: threads } });
      expect(n).toBeGreaterThan(20);
      expect(unlike.length, JSON.stringify(unlike)).toBeLessThanOrEqual(n / 10);
      byRun[`${variant}, ${threads}`] = texts;
    }
    // The same kernels, in the same order.
    expect(byRun['plain-threads, 1']).toEqual(byRun['plain, 1']);
    expect(byRun['threads, 1']).toEqual(byRun['relaxed, 1']);
  } finally {
    await site.stop();
    remove();
  }
});

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
