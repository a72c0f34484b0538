// Whether a browser says what llama.cpp says: the golden prompts, and a greedy reply of 32 tokens to each.
//
//   node agreement.mjs [--adapter none|lavapipe|swiftshader|firefox] [--variant relaxed] [--threads 1] [--plain] [--share 0.9]
//
// `none` is the CPU in Chromium, on so many threads; the others are WebGPU, with nothing that some GPU lacks if `--plain`.
// Fails if a smaller share of the texts than this is equal.

import { chromium } from '@playwright/test';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { launchOptions } from './browser.mjs';
import { compare, goldenFolder } from './golden.mjs';
import { BROWSERS } from './gpus.mjs';
import { DIST, startSite } from './site.mjs';
import { loader, probed } from './worker.mjs';

const { values: flags } = parseArgs({
  options: {
    adapter: { type: 'string', default: 'none' },
    variant: { type: 'string' },
    threads: { type: 'string', default: '1' },
    plain: { type: 'boolean', default: false },
    share: { type: 'string', default: '0.9' },
  },
});
const browsers = { none: () => chromium.launch(launchOptions), ...BROWSERS };
if (!browsers[flags.adapter]) throw new Error(`--adapter is one of ${Object.keys(browsers).join(', ')}`);
const variant = flags.variant ?? (flags.adapter === 'firefox' ? 'plain' : 'relaxed'); // Firefox has no relaxed SIMD.

const here = import.meta.dirname;
const { folder, remove } = goldenFolder();
const site = await startSite({ dirs: { 'probe/': resolve(here, 'probe'), 'golden/': folder, '': DIST } });
const browser = await browsers[flags.adapter]();
try {
  const page = await browser.newPage();
  page.on('console', (message) => console.error(message.text())); // How far it is: a program that stands in for a GPU takes its time.
  await page.goto(site.url);
  const worker = flags.adapter === 'none' ? { address: loader(variant), threads: Number(flags.threads) } : probed(variant, flags.plain ? 'plain' : 'on');
  const { info, n, unlike } = await compare(page, worker);
  const backend = flags.adapter === 'none' ? 'cpu' : 'gpu';
  if (info.backend !== backend) throw new Error(`it ran on the ${info.backend}: ${info.tier}`);
  for (const row of unlike) console.log(JSON.stringify(row, null, 2));
  console.log(`${flags.adapter}, ${info.backend}, ${info.tier}, ${variant}, threads: ${info.threads.decode}: ${n - unlike.length} of ${n} texts are llama.cpp's`);
  process.exitCode = n - unlike.length >= flags.share * n ? 0 : 1;
} finally {
  await browser.close();
  await site.stop();
  remove();
}
