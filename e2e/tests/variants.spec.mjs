// Every build of the engine answers alike, with one thread and with two.

import { answers, loader } from '../worker.mjs';
import { expect, test } from './fixtures.mjs';

const QUESTIONS = ['What is the capital of France?', 'Count from one to ten in words.'];

test('every build gives the same text', async ({ page, site }) => {
  await page.goto(site.url);
  const variants = await (await page.request.get(`${site.url}variants.json`)).json();
  expect(variants).toEqual(['plain', 'relaxed', 'threads']);
  const runs = [...variants.map((variant) => ({ variant, threads: 1 })), { variant: 'threads', threads: 2 }];
  const all = [];
  for (const { variant, threads } of runs) all.push(await answers(page, { address: loader(variant), threads, questions: QUESTIONS }));
  for (const { info, texts } of all) {
    expect(texts[0]).toContain('Paris');
    expect(texts).toEqual(all[0].texts);
    expect([1, 2]).toContain(info.threads);
  }
  expect(all.at(-1).info.threads).toBe(2);
});
