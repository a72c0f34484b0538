// The page that measures: by itself from its address, and by hand.

import { expect, test } from './fixtures.mjs';

const NUMBERS = { pp: '32', tg: '8', reps: '2' };
const COLUMNS = ['model', 'size', 'params', 'backend', 'threads', 'cache', 'test', 't/s'];

/** Opens `#/bench` with what is asked for, as a script does it. */
async function open({ page, site }, asked) {
  const query = new URLSearchParams(asked).toString();
  await page.goto('about:blank');
  await page.goto(`${site.url}#/bench${query && `?${query}`}`);
}

/** What the page leaves when it is done. */
const result = async (page) => (await page.waitForFunction(() => globalThis.minnowBench, null, { timeout: 120_000 })).jsonValue();

test('an address is measured without a hand', async ({ page, site }) => {
  await open({ page, site }, { model: 'smollm2-135m', ...NUMBERS, depth: '0,16', backend: 'cpu', threads: 1, cache: 'q8_0', variant: 'plain' });
  const bench = await result(page);
  expect(bench).toMatchObject({ backend: 'cpu', threads: 1, cache: 'q8_0', variant: 'plain', tier: 'simd128', architecture: 'llama', warnings: [], downloaded: true });
  expect(bench.tests.map(({ test }) => test)).toEqual(['pp32', 'tg8', 'pp32 @ d16', 'tg8 @ d16']);
  for (const { tokens_per_sec, mean } of bench.tests) {
    expect(tokens_per_sec.length).toBe(2);
    expect(mean).toBeGreaterThan(1);
  }
  expect([bench.pp, bench.tg]).toEqual([bench.tests[0].mean, bench.tests[1].mean]);
  for (const measured of [bench.load_ms, bench.first_token_ms, bench.last_byte_to_token_ms]) expect(measured).toBeGreaterThan(1);
  expect(bench.heap_bytes).toBeGreaterThan(bench.size_bytes);
  const table = page.getByRole('table');
  expect(await table.getByRole('columnheader').allTextContents()).toEqual(COLUMNS);
  await expect(table.getByRole('row')).toHaveCount(5);
  await expect(page.getByText(/^Loaded in \d+\.\d\d s; the first token came .* after the last byte\.$/)).toBeVisible();
  await expect(table).toContainText(/93\.81 MiB\s*134\.52 M\s*CPU\s*1\s*q8_0\s*pp32\s*\d+\.\d\d ± \d+\.\d\d/);
});

test('a profile says what takes how long, and what the cores could do', async ({ page, site }) => {
  await open({ page, site }, { ...NUMBERS, reps: 1, backend: 'cpu', threads: 1, profile: 1 });
  const { tests, warnings } = await result(page);
  expect(warnings).toEqual([]);
  expect(tests.map(({ profile }) => [profile.n_tokens, profile.start, profile.threads])).toEqual([[32, 0, 1], [1, 7, 1]]);
  for (const { profile } of tests) {
    const { n_products, secs } = profile.ops.find(({ name }) => name === 'MatMul 1536 x 576');
    expect(n_products).toBe(profile.n_tokens * 30 * 2 * 1536 * 576);
    expect(profile.products_per_sec_max).toBeGreaterThan(n_products / secs / 10);
  }
  await expect(page.getByText(/^pp32, its last batch: 32 tokens at 0, 1 thread; at most/)).toContainText(/Attention +\d+\.\d+ ms/);
});

test('the result can be copied as Markdown and as JSON', async ({ page, site }) => {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await open({ page, site }, { ...NUMBERS, reps: 1 });
  const bench = await result(page);
  const copied = async (name) => {
    await page.getByRole('button', { name }).click();
    await expect(page.getByRole('button', { name: 'Copied' }).first()).toBeVisible();
    return page.evaluate(() => navigator.clipboard.readText());
  };
  const [head, rule, ...lines] = (await copied('Copy as Markdown')).trim().split('\n');
  expect(head.split('|').map((cell) => cell.trim()).filter(Boolean)).toEqual(COLUMNS);
  expect(rule).toMatch(/^\|( -+:? \|){8}$/);
  expect(lines.length).toBe(2);
  expect(JSON.parse(await copied('Copy as JSON'))).toMatchObject({ pp: bench.pp, tests: bench.tests });
});

test('what was asked for and did not run is said', async ({ page, site }) => {
  await open({ page, site }, { ...NUMBERS, reps: 1, threads: 200 });
  const { warnings, threads } = await result(page);
  expect(threads).not.toBe(200);
  expect(warnings.join()).toContain('Asked for 200 threads');
  await expect(page.getByRole('alert')).toContainText('Asked for 200 threads');
});

test('on a phone, what comes of it is seen without scrolling, and what was typed wrong stays to be put right', async ({ page, site }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await open({ page, site }, { model: 'smollm2-135m', pp: 32, tg: 'eight' });
  await expect(page.getByRole('alert')).toContainText('tg is a number');
  await expect(page.getByRole('alert')).toBeInViewport();
  await expect(page.getByLabel('Prompt')).toHaveValue('32');
  await expect(page.getByLabel('Reply')).toHaveValue('eight');
  await page.goto('about:blank');
  await page.goto(`${site.url}#/bench/?pp=32&tg=0&reps=1`);
  await result(page);
  await expect(page.getByRole('cell').last()).toBeInViewport({ ratio: 1 });
});

const WRONG = {
  'modle=x': /modle.*only model, pp/,
  'pp=many': /pp is a number/,
  'reps=0': /reps is a number from 1/,
  'backend=npu': /cpu, gpu or best/,
  'cache=q4_0': /f16 or q8_0/,
  'profile=yes': /from 0 to 1/,
  'model=nothing': /no model “nothing”.*smollm2-135m/,
  'variant=turbo': /no variant “turbo”.*plain/,
};

test('a question that cannot be answered is refused in words', async ({ page, site }) => {
  for (const [query, words] of Object.entries(WRONG)) {
    await open({ page, site }, query);
    await expect(page.getByRole('alert')).toContainText(words);
    expect((await result(page)).error).toMatch(words);
  }
});

test('a model that cannot be loaded is named', async ({ page, site, hub }) => {
  await open({ page, site }, { model: `${hub.url}/acme/mamba3/resolve/main/model.gguf`, ...NUMBERS });
  await expect(page.getByRole('alert')).toContainText('mamba3');
  expect((await result(page)).error).toContain('mamba3');
});

test('by hand: from the settings, with a form, and stopped', async ({ minnow }) => {
  const { page } = minnow;
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByRole('link', { name: 'Measure this device' }).click();
  const start = page.getByRole('button', { name: 'Start', exact: true });
  await expect(start).toBeVisible();
  expect(await page.evaluate(() => globalThis.minnowBench)).toBeUndefined();
  await page.getByLabel('Prompt').fill('0');
  await page.getByLabel('Reply').fill('100000');
  await start.click();
  await expect(page.getByRole('alert')).toContainText(/context/);
  await page.getByLabel('Reply').fill('4000');
  await start.click();
  await expect(page.getByText('Test 1 of 1')).toBeVisible();
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await expect(page.getByText('Stopped.')).toBeVisible();
  await page.getByLabel('Reply').fill('8');
  await page.getByLabel('Prompt').fill('32');
  await page.getByLabel('Repetitions').fill('1');
  await start.click();
  await expect(page.getByRole('table').getByRole('row')).toHaveCount(3);
  await expect(page).toHaveURL(/#\/bench\?model=smollm2-135m&pp=32&tg=8&depth=0&reps=1&threads=0&cache=f16&backend=best$/);
  await page.getByRole('link', { name: 'Back to the chat' }).click();
  await expect(minnow.message).toBeVisible();
});
