// A worker of the engine without the page around it.

export const GREEDY = { temperature: 0, top_k: 0, top_p: 1, min_p: 0, repeat_penalty: 1, frequency_penalty: 0, presence_penalty: 0, penalty_last_n: 0, seed: 1 };

const DEFAULT = 'models/SmolLM2-135M-Instruct.Q4_1.gguf';

/** The address of a build's worker, from the page. */
export const loader = (variant) => (variant === 'plain' ? './worker_loader.js' : `./worker_${variant}_loader.js`);

/**
 * A build behind probe/worker.js, for `answers`; `gpu` is `on`, or `plain` for a GPU that can do nothing that some cannot.
 */
export const probed = (variant, gpu) => ({ address: `./probe/worker.js?probe=${gpu}&worker=.${loader(variant)}&gpu=${gpu}`, probe: gpu, backend: 'best' });

/**
 * What a model, the default one unless named, answers to each of these questions, greedily, in a worker of `address`.
 *
 * With `probe`, `address` is that of probe/worker.js; `counts` are what it counted for each answer, `lose` are the numbers
 * of pieces of text, over all answers, after which the GPU is lost, and `nLost` how many devices there had been then; with
 * `stops`, the answer is stopped while the engine looks for another;
 * `fill` leaves the GPU no memory once the model is loaded; `held` are the bytes of its buffers at the end. The model is
 * loaded `loads` times; `heap` are the bytes of the engine's memory at the end, if `asksForHeap`.
 */
export function answers(page, { address, backend = 'cpu', cache = 'f16', threads = 1, model = DEFAULT, contextTokens = 512, questions, maxTokens = 24, keep = false, probe, lose = [], stops = false, fill = false, loads = 1, asksForHeap = false }) {
  return page.evaluate(inPage, { address, backend, cache, threads, model, contextTokens, questions, maxTokens, keep, probe, lose, stops, fill, loads, asksForHeap, sampling: GREEDY });
}

async function inPage({ address, backend, cache, threads, model, contextTokens, questions, maxTokens, keep, probe, lose, stops, fill, loads, asksForHeap, sampling }) {
  const worker = new Worker(address, { type: 'module' });
  const channel = probe && new BroadcastChannel(probe);
  const told = (word) =>
    new Promise((resolve) => {
      channel.onmessage = ({ data }) => resolve(data);
      channel.postMessage(word);
    });
  const until = (name, onOther = () => {}) =>
    new Promise((resolve, reject) => {
      worker.onerror = (error) => reject(new Error(error.message));
      worker.onmessage = ({ data }) => {
        const event = JSON.parse(data);
        const [key, value] = typeof event === 'string' ? [event] : Object.entries(event)[0];
        if (key === name) resolve(value);
        else if (key === 'Failed') reject(new Error(value.message));
        else onOther(key, value);
      };
    });
  try {
    await until('Ready');
    const source = { Url: new URL(model, location.href).href };
    let info;
    for (let load = 0; load < loads; load += 1) {
      worker.postMessage(JSON.stringify({ Load: { source, hub: '', context_tokens: contextTokens, keep, backend, cache, threads } }));
      info = await until('Loaded');
    }
    if (fill) await told('fill');
    const [texts, replies, counts, nLost, moves] = [[], [], [], [], []];
    let pieces = 0;
    for (const content of questions) {
      if (probe) await told('begin');
      worker.postMessage(JSON.stringify({ Generate: { messages: [{ role: 'user', content }], sampling, max_tokens: maxTokens, thinking: false } }));
      let text = '';
      replies.push(
        await until('Done', (key, value) => {
          if (key === 'Moved') moves.push(value);
          if (key !== 'Text') return;
          text += value.text ?? value;
          pieces += 1;
          if (!lose.includes(pieces)) return;
          told('lose').then((n) => {
            nLost.push(n);
            if (stops) setTimeout(() => worker.postMessage(JSON.stringify('Stop')), 200);
          });
        }),
      );
      texts.push(text);
      console.debug(`${texts.length} of ${questions.length}`);
      if (probe) counts.push(await told('counts?'));
    }
    const held = probe && (await told('held?'));
    if (asksForHeap) worker.postMessage(JSON.stringify({ Bench: { n_prompt: 0, n_gen: 1, depth: 0, reps: 1, profile: false } }));
    const heap = asksForHeap && (await until('Measured')).heap_bytes;
    return { info, texts, replies, counts, nLost, moves, held, heap };
  } finally {
    worker.terminate();
  }
}

/** The answer to a load of the default model that is cancelled when the GPU is asked for the first time. */
export function cancelled(page, { address, probe, backend }) {
  return page.evaluate(
    async ({ address, probe, backend, model }) => {
      const worker = new Worker(address, { type: 'module' });
      const channel = new BroadcastChannel(probe);
      channel.onmessage = ({ data }) => data === 'asked' && worker.postMessage(JSON.stringify('CancelLoad'));
      const answer = await new Promise((resolve) => {
        worker.onmessage = ({ data }) => {
          const event = JSON.parse(data);
          const name = typeof event === 'string' ? event : Object.keys(event)[0];
          if (name === 'Ready') {
            const source = { Url: new URL(model, location.href).href };
            worker.postMessage(JSON.stringify({ Load: { source, hub: '', context_tokens: 512, keep: false, backend, cache: 'f16', threads: 1 } }));
          } else if (name !== 'Progress') resolve(name);
        };
      });
      worker.terminate();
      return answer;
    },
    { address, probe, backend, model: DEFAULT },
  );
}
