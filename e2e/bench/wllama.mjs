// Drives wllama, https://github.com/ngxson/wllama: llama.cpp's server compiled to wasm. Runs in the page.

import { Wllama } from '/wllama/index.js';

/** Loads the model; `bench` then runs one test, and gives tokens per second and what a token cost the GPU. */
export async function start({ model, threads, contextTokens, n_batch, onGpu }) {
  const wllama = new Wllama({ default: '/wllama/wasm/wllama.wasm' }, { suppressNativeLog: true });
  if (onGpu) await countWebGpu();
  const gguf = await (await fetch(model)).blob();
  const batch = n_batch ? { n_batch, n_ubatch: n_batch } : {};
  await wllama.loadModel([gguf], { n_ctx: contextTokens, n_threads: threads, n_gpu_layers: onGpu ? 999 : 0, warmup: true, ...batch });
  if (wllama.getNumThreads() !== threads) throw new Error(`wllama runs ${wllama.getNumThreads()} threads instead of ${threads}`);
  return { bench: (test) => bench(wllama, test, onGpu), info: { version: Wllama.getLibllamaVersion() } };
}

const channel = new BroadcastChannel('wllama');

/** Has the workers that are made from now on count what they ask of WebGPU. */
async function countWebGpu() {
  const counting = await (await fetch('/probe/counts.js')).text();
  const create = URL.createObjectURL;
  URL.createObjectURL = (blob) =>
    create(blob.type === 'text/javascript' ? new Blob([counting, `self.answerCounts('${channel.name}');`, blob], { type: blob.type }) : blob);
}

/** What was counted so far. */
function counts() {
  return new Promise((resolve) => {
    channel.onmessage = ({ data }) => resolve(data);
    channel.postMessage('counts?');
  });
}

/** One token each in every vocabulary used here, with the space before it. */
const WORDS = 'time people way water day man thing woman life child world school state family student group country problem hand part place case week company system program question work number night point home room mother area money story fact month lot right study book eye job word business issue side kind head house service friend father power hour game line end member law car city community name president team minute idea body information back parent face others level office door health person art war history party result change morning reason research girl moment air teacher force education'.split(' ');

/** A text of so many tokens that no cache can know; only text can be given to wllama. */
function prompt(wllama, n_tokens) {
  const n_words = n_tokens - (wllama.mustAddBosToken() ? 1 : 0);
  return Array.from({ length: n_words }, () => ` ${WORDS[Math.floor(Math.random() * WORDS.length)]}`).join('');
}

/** Reads `n_prompt` tokens in an empty context; with `n_gen`, the steps after them are timed instead. */
async function bench(wllama, { n_prompt, n_gen }, onGpu) {
  const before = onGpu && (await counts());
  // Of n tokens drawn, the first comes from the prompt's own logits: n − 1 steps are in the server's reply time.
  const options = { max_tokens: n_gen + 1, ignore_eos: true, cache_prompt: false, temperature: 0, top_k: 1, samplers: ['top_k'] };
  const { timings } = await wllama.createCompletion({ prompt: prompt(wllama, n_prompt), ...options });
  if (timings.prompt_n !== n_prompt) throw new Error(`wllama read ${timings.prompt_n} tokens instead of ${n_prompt}`);
  if (timings.predicted_n !== n_gen + 1) throw new Error(`wllama drew ${timings.predicted_n} tokens instead of ${n_gen + 1}`);
  const tokensPerSec = n_gen > 0 ? (1000 * n_gen) / timings.predicted_ms : (1000 * n_prompt) / timings.prompt_ms;
  // After a prompt of one token, every step is one of a single token.
  return { tokensPerSec, cost: onGpu && n_prompt === 1 ? costs(before, await counts(), 1 + n_gen) : null };
}

/** What each of `n` steps cost, by the names of the engine's own report; pipelines are counted from the beginning. */
function costs(before, after, n) {
  const names = ['dispatches', 'submits', 'bind_groups', 'writes', 'written_bytes', 'reads', 'read_bytes'];
  return { ...Object.fromEntries(names.map((name) => [name, (after[name] - before[name]) / n])), pipelines: after.pipelines };
}
