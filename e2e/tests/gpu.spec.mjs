// On WebGPU the model says what it says on the CPU, on two unlike adapters; what a token costs; what happens when the GPU
// is lost; and what the page tells of it.

import { tinyModel } from '../gguf.mjs';
import { launch } from '../gpus.mjs';
import { startSite } from '../site.mjs';
import { answers, cancelled, loader, probed } from '../worker.mjs';
import { DIST, expect, MODELS, PROBE, test } from './fixtures.mjs';
import { Minnow } from './minnow.mjs';

const FRANCE = 'What is the capital of France?';
const QUESTIONS = [FRANCE, 'Count from one to ten in words.'];
/** Of the default model. */
const N_LAYER = 30;
/** A model with which a long conversation takes seconds on a program that stands in for a GPU, … */
const SMALL = { name: 'Small', n_embd: 256, n_ff: 512, n_layer: 8, n_ctx: 2048 };
/** … and more tokens of it, one a letter, than the cache has room for at first. */
const LONG = 'Say nothing. '.repeat(50);

/** Puts that model on the hub; gives its address. */
function small(hub) {
  hub.repos['acme/small'] = { 'model.gguf': { bytes: tinyModel(SMALL) } };
  return `${hub.url}/acme/small/resolve/main/model.gguf`;
}

/** Runs `body` with a page in a browser of this adapter. */
async function onAdapter(adapter, site, body) {
  const browser = await launch(adapter);
  try {
    const context = await browser.newContext({ serviceWorkers: 'block' });
    const page = await context.newPage();
    await page.goto(site.url);
    await body(page, context);
  } finally {
    await browser.close();
  }
}

/** What each token after the first answer's costs: both answers begin with one batch of prompt. */
function perToken({ counts: [short, long], replies }) {
  const n = replies[1].n_reply - replies[0].n_reply;
  return Object.fromEntries(Object.entries(long).map(([key, count]) => [key, (count - short[key]) / n]));
}

// SwiftShader takes a minute for what lavapipe does in ten seconds.
for (const [adapter, tiers, questions] of [['lavapipe', ['on', 'plain'], QUESTIONS], ['swiftshader', ['on'], [FRANCE]]]) {
  test(`${adapter} says what the CPU says`, async ({ probeSite }) => {
    await onAdapter(adapter, probeSite, async (page) => {
      const cpu = await answers(page, { address: loader('relaxed'), questions });
      expect(cpu.texts[0]).toContain('Paris');
      for (const gpu of tiers) {
        const run = await answers(page, { ...probed('relaxed', gpu), questions });
        expect(run.info.backend).toBe('gpu');
        expect(run.info.tier).toMatch(gpu === 'plain' ? /^plain/ : /^subgroups/);
        expect(run.texts).toEqual(cpu.texts);
      }
    });
  });
}

test('a gemma, with its wide heads and its windows, says on the GPU what it says on the CPU', async () => {
  const site = await startSite({ dirs: { 'probe/': PROBE, 'test-models/': MODELS, '': DIST } });
  try {
    await onAdapter('lavapipe', site, async (page) => {
      const asked = { model: 'test-models/gemma-3-270m.Q4_K_M.gguf', questions: [FRANCE], maxTokens: 12 };
      const cpu = await answers(page, { address: loader('relaxed'), ...asked });
      const gpu = await answers(page, { ...probed('relaxed', 'on'), ...asked });
      expect(gpu.info).toMatchObject({ backend: 'gpu', architecture: 'gemma3', tier: 'subgroups of 8' });
      expect(gpu.replies[0].n_reply).toBe(12);
      expect(gpu.texts).toEqual(cpu.texts);
    });
  } finally {
    await site.stop();
  }
});

test('a token costs one submit, eight dispatches a layer, and nothing is made for it', async ({ probeSite }) => {
  await onAdapter('lavapipe', probeSite, async (page) => {
    const run = await answers(page, { ...probed('relaxed', 'on'), questions: QUESTIONS });
    const token = perToken(run);
    expect(token.dispatches).toBeGreaterThan(N_LAYER);
    expect(token.dispatches).toBeLessThanOrEqual(8 * N_LAYER + 6);
    expect(token.submits).toBeGreaterThan(0);
    expect(token.submits).toBeLessThanOrEqual(1);
    expect(token.writes).toBeLessThanOrEqual(2);
    expect(token.written_bytes).toBeLessThanOrEqual(2 * 256);
    expect(run.counts[1].largest_write).toBeLessThanOrEqual(256);
    expect([token.bind_groups, token.pipelines]).toEqual([0, 0]);
    expect(token.buffers).toBeLessThanOrEqual(0); // The first reply makes some, the second has them.
  });
});

test('a reply goes on when the GPU is lost in the middle of it; lost again in the same one, on the CPU', async ({ probeSite }) => {
  test.slow(); // A program that stands in for a GPU is tested five times.
  await onAdapter('lavapipe', probeSite, async (page) => {
    const lose = [3, 12]; // The first answer is short; the second, asked first, is not.
    const lost = async (questions) => {
      const cpu = await answers(page, { address: loader('relaxed'), questions });
      const run = await answers(page, { ...probed('relaxed', 'on'), questions, keep: true, lose });
      expect(run.info.backend).toBe('gpu');
      expect(run.nLost).toEqual([1, 2]);
      expect(run.texts).toEqual(cpu.texts);
      return run.moves;
    };
    const inTwo = await lost(QUESTIONS);
    expect(inTwo.map(({ backend }) => backend)).toEqual(['gpu', 'gpu']);
    const inOne = await lost(QUESTIONS.toReversed());
    expect(inOne.map(({ backend }) => backend)).toEqual(['gpu', 'cpu']);
    expect(inOne[1]).toMatchObject({ is_second_best: true, tier: expect.stringContaining('the GPU failed twice') });
  });
});

test('a reply that is stopped while its GPU is lost ends as stopped, and the next one is answered', async ({ probeSite }) => {
  await onAdapter('lavapipe', probeSite, async (page) => {
    const questions = QUESTIONS.toReversed();
    const cpu = await answers(page, { address: loader('relaxed'), questions });
    const run = await answers(page, { ...probed('relaxed', 'on'), questions, keep: true, lose: [3], stops: true });
    expect(run.replies.map(({ finish }) => finish)).toEqual(['Stopped', 'End']);
    expect(cpu.texts[0].startsWith(run.texts[0])).toBe(true);
    expect(run.texts[1]).toBe(cpu.texts[1]);
    expect(run.moves).toEqual([]);
  });
});

test('a GPU without room for the model, or later for the conversation, gives way to the CPU', async ({ probeSite }) => {
  await onAdapter('lavapipe', probeSite, async (page) => {
    const long = `${'Say nothing. '.repeat(200)}${FRANCE}`; // More than the cache has room for at first.
    const asked = { questions: [FRANCE, long], contextTokens: 2048, keep: true };
    const worker = probed('relaxed', 'on');
    // A model that is not kept cannot go on elsewhere.
    await expect(answers(page, { ...worker, fill: true, ...asked, keep: false })).rejects.toThrow(/not enough memory for so long a conversation: choose a context of 512 tokens/);
    const cpu = await answers(page, { address: loader('relaxed'), ...asked });
    const small = await answers(page, { ...worker, address: `${worker.address}&room=${20e6}`, ...asked });
    expect(small.info).toMatchObject({ backend: 'cpu', is_second_best: true, tier: expect.stringContaining('the GPU has not enough memory for it') });
    expect(small.texts).toEqual(cpu.texts);
    const full = await answers(page, { ...worker, fill: true, ...asked });
    expect(full.info.backend).toBe('gpu');
    expect(full.moves).toEqual([expect.objectContaining({ backend: 'cpu', is_second_best: true, roomy_context_tokens: 512, tier: expect.stringContaining('with a context of 512 tokens') })]);
    expect(full.texts).toEqual(cpu.texts);
  });
});

test('a GPU that is not there, or not to be trusted, is not used further than it can be', async ({ probeSite }) => {
  const flaws = {
    absent: ['cpu', /because this browser offers no GPU/],
    'no info': ['cpu', /because this browser offers no GPU/],
    'bad subgroups': ['gpu', /^plain, because more failed: The GPU computes something else/],
    'bad sums': ['cpu', /because The GPU computes something else/],
    'bad bytes': ['cpu', /because the GPU failed while it was loaded: It multiplies weights of Q8_0 to something else/],
    'bad steps': ['cpu', /because the GPU failed while it was loaded: .*bad steps/],
    'no answer': ['cpu', /because the GPU does not answer/],
    'no result': ['cpu', /because the GPU does not answer/],
  };
  await onAdapter('lavapipe', probeSite, async (page) => {
    const asked = { questions: [FRANCE], maxTokens: 8 };
    const { texts } = await answers(page, { address: loader('relaxed'), ...asked });
    for (const [flaw, [backend, tier]] of Object.entries(flaws)) {
      const worker = probed('relaxed', 'on');
      const run = await answers(page, { ...worker, address: `${worker.address}&flaw=${flaw}`, ...asked });
      expect(run.info).toMatchObject({ backend, tier: expect.stringMatching(tier), is_second_best: ['bad bytes', 'bad steps'].includes(flaw) });
      expect(run.texts).toEqual(texts);
    }
  });
});

test('a load can be cancelled while the GPU does not answer', async ({ probeSite }) => {
  await onAdapter('lavapipe', probeSite, async (page) => {
    const worker = probed('relaxed', 'on');
    expect(await cancelled(page, { ...worker, address: `${worker.address}&flaw=no answer yet` })).toBe('LoadCancelled');
  });
});

test('memory of the GPU is given back when a model is loaded over another, and when the context grows', async ({ probeSite, hub }) => {
  await onAdapter('lavapipe', probeSite, async (page) => {
    const model = small(hub);
    const worker = { ...probed('relaxed', 'on'), model, contextTokens: 2048, maxTokens: 1, keep: true };
    const short = await answers(page, { ...worker, questions: [FRANCE] });
    const again = await answers(page, { ...worker, questions: [FRANCE], loads: 2 });
    const long = await answers(page, { ...worker, questions: [FRANCE, LONG] });
    expect([short, again, long].map(({ info }) => info.backend)).toEqual(['gpu', 'gpu', 'gpu']);
    expect(short.held).toBeGreaterThan(hub.repos['acme/small']['model.gguf'].bytes.length);
    expect(again.held).toBeLessThan(short.held + 2e6);
    // Keys and values of one page of positions, each as wide as the model, of halves; their angles, and outputs.
    const page_bytes = 512 * SMALL.n_layer * 2 * SMALL.n_embd * 2;
    expect(long.held - short.held).toBeGreaterThan(page_bytes);
    expect(long.held - short.held).toBeLessThan(1.5 * page_bytes);
  });
});

test('the page says where the model runs, and lets one choose', async ({ site, hub }) => {
  await onAdapter('lavapipe', site, async (_, context) => {
    const minnow = await Minnow.open({ context, site, hub, errors: [] });
    const choose = (place, now) =>
      minnow.inDialog('Settings', async (dialog) => {
        if (place) await dialog.getByRole('radio', { name: place }).check();
        if (place) await dialog.getByRole('button', { name: 'Reload the model' }).last().click();
        if (now) await expect(dialog).toContainText(now);
      });
    await minnow.set('Temperature', 0);
    await minnow.loadDefault();
    // A GPU that is a program is slower than the CPU, so nobody gets it without asking.
    await choose(null, /now runs on the CPU.*because the browser's GPU is a program/);
    await choose('On the GPU');
    await minnow.answers();
    await choose(null, /now runs on the GPU: subgroups of 8/);
    await expect(await minnow.ask(FRANCE)).toContainText('Paris');
    await choose('On the CPU');
    await minnow.newChat();
    await minnow.answers();
    await choose(null, /now runs on the CPU/);
  });
});

test('a GPU that is full is told of, with a button for what would fit', async ({ probeSite, hub }) => {
  await onAdapter('lavapipe', probeSite, async (_, context) => {
    // The page's own worker, behind the probe.
    await context.route(/worker\w*_loader\.js$/, async (route) => {
      const body = `import '/probe/counts.js'; self.answerCounts('page'); await import('${route.request().url()}?itself');`;
      await route.fulfill({ response: await route.fetch(), body });
    });
    const minnow = await Minnow.open({ context, site: probeSite, hub, errors: [] });
    const tell = (word) =>
      minnow.page.evaluate((word) => new Promise((resolve) => ((globalThis.probe ??= new BroadcastChannel('page')), (probe.onmessage = resolve), probe.postMessage(word))), word);
    await minnow.inDialog('Settings', (dialog) => dialog.getByRole('radio', { name: 'On the GPU' }).check());
    await minnow.set('Longest reply', 8);
    // From the disk: while a script is put in another's place, the hub's redirects lead nowhere.
    const file = { name: 'small.gguf', mimeType: 'application/octet-stream', buffer: tinyModel(SMALL) };
    await minnow.inDialog('Models', (dialog) => dialog.getByLabel('GGUF file', { exact: true }).setInputFiles(file));
    await minnow.answers();
    await tell('fill');
    await minnow.ask(LONG);
    await expect(minnow.alert).toContainText('with a context of 512 tokens, it stays there');
    await tell('empty');
    await minnow.page.getByRole('button', { name: 'Reload with 512 tokens' }).click();
    await expect(minnow.alert).toHaveCount(0);
    await minnow.newChat();
    await minnow.answers();
    await minnow.inDialog('Settings', async (dialog) => {
      await expect(dialog).toContainText('The model now runs on the GPU');
      await expect(dialog).toContainText('The model now has 512 tokens');
    });
  });
});

test('a file of half a gigabyte passes through a heap of less than 200 MB', async ({ probeSite, hub }) => {
  const bytes = tinyModel({ name: 'Heavy', n_embd: 2048, n_ff: 8192, n_layer: 2 });
  hub.repos['acme/heavy'] = { 'model.gguf': { bytes } };
  await onAdapter('lavapipe', probeSite, async (page) => {
    const query = new URLSearchParams({ model: `${hub.url}/acme/heavy/resolve/main/model.gguf`, backend: 'gpu', variant: 'relaxed', pp: 32, tg: 4, reps: 1 });
    await page.goto(`${probeSite.url}#/bench?${query}`);
    const bench = await (await page.waitForFunction(() => globalThis.minnowBench, null, { timeout: 170_000 })).jsonValue();
    expect(bench).toMatchObject({ backend: 'gpu', downloaded: true, warnings: [] });
    expect(bench.size_bytes).toBeGreaterThan(500e6);
    expect(bench.heap_bytes).toBeLessThan(200e6);
  });
  delete hub.repos['acme/heavy'];
});
