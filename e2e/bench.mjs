// Minnow against wllama (llama.cpp in wasm) and native llama.cpp: same machine, same browser, same file, in turns.
//
//   node bench.mjs [--model smollm2|gemma] [--threads 1,2] [--reps 5] [--native] [--quick] [--record]
//                  [--engines minnow:plain,minnow:relaxed,wllama] [--adapter lavapipe|swiftshader] [--driver TEXT]
//                  [--depths 0,512,2048] [--cache f16|q8_0]
//
// Every engine reads the same number of tokens and draws the same number, in a fresh context; after one run to warm up, the
// engines take turns, one repetition each, so that a slow minute of the machine hits all of them. Medians are reported.
// Ours is measured by its own page, #/bench; it loads the model again for every repetition, and warms up, which does not count.
// With depths, only replies after so many tokens are measured; the cache's type is for ours.
// With an adapter, both run on WebGPU, on a program that stands in for a GPU (gpus.mjs): it says how much they ask of one. `--driver`
// names what is under it, for the record.
// With --record, a line for each engine and test is added to benchmarks/records/ (benchmarks/README.md), of which
// `cargo xtask bench --report` makes docs/benchmarks.md.
// The peers are npm packages of their own, in bench/, without the GPU builds of llama.cpp.

import { chromium } from '@playwright/test';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import * as record from './bench/record.mjs';
import { launchOptions } from './browser.mjs';
import { launch } from './gpus.mjs';
import { DIST, startSite } from './site.mjs';

const here = import.meta.dirname;
const MODELS = { smollm2: 'SmolLM2-135M-Instruct.Q4_1.gguf', gemma: 'gemma-3-270m.Q4_K_M.gguf' };
/** llama-bench's names. `n_prompt` random tokens are read into an empty context; with `n_gen`, the steps after them are timed. */
const TESTS = [
  { name: 'pp128', n_prompt: 128, n_gen: 0 },
  { name: 'pp512', n_prompt: 512, n_gen: 0 },
  { name: 'tg64', n_prompt: 1, n_gen: 64 },
  { name: 'tg64 @ d512', n_prompt: 512, n_gen: 64 },
];
/** Of programs that stand in for GPUs: fewer tokens, because a peer takes a second for each; what is `alone` is not asked of it. */
const GPU_TESTS = [
  { name: 'pp128', n_prompt: 128, n_gen: 0 },
  { name: 'tg16', n_prompt: 1, n_gen: 16 },
  { name: 'tg16 @ d1024', n_prompt: 1024, n_gen: 16, alone: true },
];
/** Of the context of a peer. Ours is as long as its page makes it. */
const CONTEXT_TOKENS_MIN = 1024;
/** Smaller batches are not asked of a peer that fails in larger ones. */
const N_BATCH_MIN = 32;
const MODELS_DIR = resolve(here, '../models');

const { values: flags } = parseArgs({
  options: {
    model: { type: 'string', default: 'smollm2' },
    threads: { type: 'string', default: '1,2' },
    reps: { type: 'string', default: '5' },
    engines: { type: 'string' },
    adapter: { type: 'string' },
    depths: { type: 'string' },
    cache: { type: 'string', default: 'f16' },
    native: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    driver: { type: 'string' },
    record: { type: 'boolean', default: false },
  },
});

const file = MODELS[flags.model];
if (!file) throw new Error(`--model is one of ${Object.keys(MODELS).join(', ')}`);
const engines = flags.adapter ? 'minnow:relaxed,wllama' : [...variants().map((variant) => `minnow:${variant}`), 'wllama'].join();
const names = (flags.engines ?? engines).split(',').concat(flags.native ? ['native'] : []);
const [reps] = flags.quick ? [1] : numbers('reps', flags.reps);
const threadCounts = flags.adapter ? [1] : numbers('threads', flags.threads);
const tests = flags.depths ? numbers('depths', flags.depths, 0).map(atDepth) : flags.adapter ? GPU_TESTS : TESTS.filter(({ name }) => !flags.quick || name !== 'pp512');
const contextTokens = Math.max(CONTEXT_TOKENS_MIN, ...tests.map(({ n_prompt, n_gen }) => n_prompt + n_gen));

const site = await startSite({
  dirs: { 'models/': MODELS_DIR, 'wllama/': resolve(here, 'bench/node_modules/@wllama/wllama/esm'), 'bench/': resolve(here, 'bench'), 'probe/': resolve(here, 'probe'), '': DIST },
});
const browser = await (flags.adapter ? launch(flags.adapter) : chromium.launch(launchOptions));
try {
  const [rows, failures] = [[], []];
  for (const threads of threadCounts) rows.push(...(await measure(threads, failures)));
  const date = `${new Date().toISOString().slice(0, 19)}Z`;
  const { adapter, driver, cache } = flags;
  const common = { date, commit: record.commit(), ...record.machine(), browser: `Chromium ${browser.version()}`, adapter, driver, model: file, cache };
  console.log(markdown(common, rows, failures));
  if (flags.record) log(`recorded in ${record.append(common, record.lines(common, rows))}`);
} finally {
  await browser.close();
  await site.stop();
}
process.exit(); // node-llama-cpp keeps the process alive.

/** All tests with this many threads: one row an engine and test. */
async function measure(threads, failures) {
  const engines = [];
  for (const name of names.filter((name) => canRun(name, threads))) {
    log(`${name}, ${threads} ${threads > 1 ? 'threads' : 'thread'}: loading ${file}`);
    engines.push({ name, samples: {}, last: {}, ...(await open(name, threads)) });
  }
  for (const test of tests) {
    for (let rep = -1; rep < reps; rep += 1) {
      for (const engine of engines.filter(({ name }) => !test.alone || name.startsWith('minnow'))) {
        const measured = await tried(engine, test, threads, failures);
        if (!measured) continue;
        const { tokensPerSec, cost, info } = measured;
        log(`${engine.name}, ${threads}: ${test.name} ${tokensPerSec.toFixed(1)} t/s${rep < 0 ? ' (warm-up)' : ''}`);
        if (rep >= 0) (engine.samples[test.name] ??= []).push(tokensPerSec);
        engine.last[test.name] = { gpu_cost: cost ?? undefined, info: info ?? engine.info, n_batch: engine.n_batch };
      }
    }
  }
  for (const engine of engines) await engine.close();
  return engines.flatMap(({ name, samples, last }) =>
    Object.entries(samples).map(([test, tokens_per_sec]) => ({
      engine: name, threads, test, tokens_per_sec, ...last[test],
    })),
  );
}

/**
 * What an engine's `bench` gives. Where it fails it starts afresh, in batches of half as many tokens if it reads in batches
 * that can be chosen; nothing where that does not help either, and it is not asked for that test again.
 */
async function tried(engine, test, threads, failures) {
  while (!engine.cannot?.includes(test)) {
    try {
      return await engine.bench(test);
    } catch (error) {
      const [message] = String(error.message ?? error).split('\n');
      const n_batch = engine.name === 'wllama' ? Math.min(engine.n_batch ?? test.n_prompt, test.n_prompt) : undefined;
      log(`${engine.name}, ${threads}: ${test.name} failed${n_batch ? ` in batches of ${n_batch}` : ''}: ${message}`);
      failures.push({ engine: engine.name, threads, test: test.name, n_batch, message });
      if (n_batch >= 2 * N_BATCH_MIN) engine.n_batch = n_batch / 2;
      else (engine.cannot ??= []).push(test);
      await engine.close();
      Object.assign(engine, await open(engine.name, threads, engine.n_batch));
    }
  }
  return null;
}

/** Whether an engine runs in as many threads: some of our builds have no others. */
function canRun(name, threads) {
  return threads === 1 || !name.startsWith('minnow') || hasThreads(name);
}

function hasThreads(name) {
  return name.endsWith('threads');
}

/** The worker's variants: how the page itself knows them. */
function variants() {
  return JSON.parse(readFileSync(resolve(DIST, 'variants.json'), 'utf8'));
}

/** An engine by its name: `minnow:VARIANT`, `wllama` or `native`. Each has a module in bench/ with a `start`. */
async function open(name, threads, n_batch) {
  const [module, variant] = name.split(':');
  if (module === 'wllama') return wllama(threads, n_batch);
  const { start } = await import(`./bench/${module}.mjs`);
  if (module === 'native') return start({ modelPath: resolve(MODELS_DIR, file), threads, contextTokens });
  return start({ browser, url: site.url, model: `models/${file}`, threads, variant, backend: flags.adapter ? 'gpu' : 'cpu', cache: flags.cache });
}

/** wllama in a page of its own; it reads a prompt in batches of `n_batch`, or of as many tokens as it likes. */
async function wllama(threads, n_batch) {
  const page = await browser.newPage();
  await page.goto(`${site.url}bench/`);
  const options = { model: `/models/${file}`, threads, contextTokens, n_batch, onGpu: Boolean(flags.adapter) };
  const info = await page.evaluate(async (options) => {
    globalThis.engine = await (await import('/bench/wllama.mjs')).start(options);
    return globalThis.engine.info;
  }, options);
  return { info, bench: (test) => page.evaluate((test) => globalThis.engine.bench(test), test), close: () => page.close() };
}

/** Replies after so many tokens. */
function atDepth(depth) {
  return { name: depth > 0 ? `tg64 @ d${depth}` : 'tg64', n_prompt: Math.max(depth, 1), n_gen: 64 };
}

/** The numbers of a flag, whole and no smaller than `min`. */
function numbers(name, text, min = 1) {
  const numbers = text.split(',').map(Number);
  if (numbers.every((number) => Number.isInteger(number) && number >= min)) return numbers;
  throw new Error(`--${name} ${text}: whole numbers from ${min} on, with commas between`);
}

/** Speeds of every engine, and how many times faster than each peer ours is, in the build that the page takes for as
 * many threads: without shared memory there is one. */
function markdown({ date, commit, model, cpu, cores, os, browser }, rows, failures) {
  const row = (engine, threads, test) => rows.find((row) => row.engine === engine && row.threads === threads && row.test === test);
  const at = (engine, threads, test) => median(row(engine, threads, test)?.tokens_per_sec ?? []);
  const ours = names.filter((name) => name.startsWith('minnow'));
  const peers = ours.length > 0 ? names.filter((name) => !ours.includes(name)) : [];
  const header = ['threads', 'test', ...names.map((name) => `${name} t/s`), ...peers.map((peer) => `minnow ÷ ${peer}`)];
  const lines = [...new Set(rows.map(({ threads }) => threads))].flatMap((threads) =>
    tests.map(({ name: test }) => {
      const chosen = at(ours.filter((name) => threads > 1 || !hasThreads(name)).findLast((name) => at(name, threads, test)) ?? ours.at(-1), threads, test);
      const speeds = names.map((name) => speed(row(name, threads, test)));
      return [threads, test, ...speeds, ...peers.map((peer) => ratio(chosen, at(peer, threads, test)))];
    }),
  );
  const title = `${model}, ${date.slice(0, 10)}: ${cpu}, ${cores} cores, ${os}, ${browser}${flags.adapter ? `, WebGPU on ${flags.adapter}` : ''}; ${flags.cache === 'f16' ? '' : `cache ${flags.cache}, `}medians (and extremes) of ${reps}, minnow of ${commit}`;
  const table = [header, header.map((_, i) => (i === 1 ? '---' : '--:')), ...lines].map((cells) => `| ${cells.join(' | ')} |`);
  const failed = failures.map(
    ({ engine, threads, test, n_batch, message }) =>
      `${engine}, ${threads} ${threads > 1 ? 'threads' : 'thread'}, fails at ${test}${n_batch ? ` in batches of ${n_batch}` : ''}: ${message}.`,
  );
  return [title, '', ...table, ...(failed.length > 0 ? ['', ...failed] : []), ...gpuCosts(rows)].join('\n');
}

function speed(row) {
  if (!row) return '';
  const extremes = [Math.min(...row.tokens_per_sec), Math.max(...row.tokens_per_sec)].map((speed) => speed.toFixed(0));
  return `${median(row.tokens_per_sec).toFixed(1)} (${extremes.join('–')})`;
}

function ratio(ours, theirs) {
  return ours && theirs ? (ours / theirs).toFixed(2) : '';
}

/** What a token asks of the GPU, as lines of a table; none where nothing ran on one. */
function gpuCosts(rows) {
  const priced = rows.filter(({ gpu_cost }) => gpu_cost);
  if (priced.length === 0) return [];
  const names = Object.keys(priced[0].gpu_cost);
  const number = (n) => String(Math.round(n * 10) / 10);
  const table = [
    ['a token of', 'engine', ...names.map((name) => name.replace('_', ' '))],
    ['---', '---', ...names.map(() => '--:')],
    ...priced.map(({ test, engine, gpu_cost }) => [test, engine, ...names.map((name) => number(gpu_cost[name]))]),
  ];
  return ['', ...table.map((cells) => `| ${cells.join(' | ')} |`)];
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function log(message) {
  process.stderr.write(`${message}\n`);
}
