// Firefox: no relaxed SIMD, no subgroups, and news from the GPU only ten times a second.

import { resolve } from 'node:path';
import { launchFirefox } from '../firefox.mjs';
import { startSite } from '../site.mjs';
import { GREEDY, answers, loader, probed } from '../worker.mjs';
import { DIST, expect, test } from './fixtures.mjs';
import { DEFAULT_MODEL } from './minnow.mjs';

const FRANCE = 'What is the capital of France?';

/** Runs `body` with a page of the site in Firefox. */
async function inFirefox(body) {
  const site = await startSite({ dirs: { 'probe/': resolve(import.meta.dirname, '../probe'), '': DIST } });
  const browser = await launchFirefox();
  try {
    const page = await browser.newPage();
    await page.goto(site.url);
    await body(page);
  } finally {
    await browser.close();
    await site.stop();
  }
}

test('Firefox says the same on the CPU and on the GPU', async () => {
  await inFirefox(async (page) => {
    const questions = [FRANCE, 'Count from one to ten in words.'];
    const cpu = await answers(page, { address: loader('plain'), questions });
    expect(cpu.texts[0]).toContain('Paris');
    const gpu = await answers(page, { ...probed('plain', 'on'), questions });
    expect(gpu.info).toMatchObject({ backend: 'gpu', tier: 'plain' });
    expect(gpu.texts).toEqual(cpu.texts);
  });
});

test('Firefox runs the model on several threads', async () => {
  await inFirefox(async (page) => {
    const run = await answers(page, { address: loader('plain-threads'), threads: 2, questions: [FRANCE] });
    expect(run.info).toMatchObject({ variant: 'plain-threads', threads: { prefill: 2, decode: 2 } });
    expect(run.texts[0]).toContain('Paris');
  });
});

test('Firefox: a person loads the model, and is answered', async () => {
  await inFirefox(async (page) => {
    await page.evaluate((sampling) => localStorage.setItem('minnow.settings', JSON.stringify({ sampling })), GREEDY);
    await page.reload();
    const press = async (selector) => (await page.waitForSelector(selector)).click();
    await press(`::-p-text(Load ${DEFAULT_MODEL})`);
    await page.waitForSelector('[aria-label="Suggestions"]');
    await press('textarea[aria-label="Message"]');
    await page.keyboard.type(FRANCE);
    await page.keyboard.press('Enter');
    const reply = () => page.evaluate(() => document.querySelector('article[data-role="assistant"][aria-busy="false"]')?.textContent);
    await expect.poll(reply).toContain('Paris');
  });
});
