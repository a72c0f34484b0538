// Drives native llama.cpp through node-llama-cpp, https://github.com/withcatai/node-llama-cpp. Runs in this process.

import { getLlama } from 'node-llama-cpp';

/** Token ids in between are ordinary text in every vocabulary used here. */
const TOKEN_MIN = 300;
const TOKEN_MAX = 10_000;

/** Loads the model; `bench` then runs one test and gives tokens per second. */
export async function start({ modelPath, threads, contextTokens }) {
  const llama = await getLlama({ gpu: false, build: 'never', maxThreads: threads, logLevel: 'error' });
  const model = await llama.loadModel({ modelPath });
  const context = await model.createContext({ contextSize: contextTokens, batchSize: 512, threads });
  const sequence = context.getSequence();
  const info = { version: llama.llamaCppRelease.release, cpu: llama.systemInfo };
  return { bench: async (test) => ({ tokensPerSec: await bench(sequence, test) }), info, close: () => llama.dispose() };
}

/** Reads `n_prompt` tokens in an empty context; with `n_gen`, the steps after them are timed instead. */
async function bench(sequence, { n_prompt, n_gen }) {
  const tokens = Array.from({ length: n_prompt }, () => TOKEN_MIN + Math.floor(Math.random() * (TOKEN_MAX - TOKEN_MIN)));
  await sequence.clearHistory();
  if (n_gen === 0) return (1000 * n_prompt) / (await elapsedMs(() => sequence.evaluateWithoutGeneratingNewTokens(tokens)));
  const steps = sequence.evaluate(tokens, { temperature: 0, yieldEogToken: true });
  await steps.next(); // Reads the prompt and draws the first token.
  const ms = await elapsedMs(async () => {
    for (let i = 0; i < n_gen; i += 1) await steps.next();
  });
  await steps.return();
  return (1000 * n_gen) / ms;
}

async function elapsedMs(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
