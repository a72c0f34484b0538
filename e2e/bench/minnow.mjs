// Drives Minnow's worker through its own protocol (engine/src/protocol.rs). Runs in the page.

/** Loads the model; `bench` then runs one test and gives tokens per second. */
export async function start({ model, threads, contextTokens, variant }) {
  if (threads > 1 && variant !== 'threads') throw new Error(`variant ${variant} runs one thread`);
  const loader = variant === 'plain' ? '/worker_loader.js' : `/worker_${variant}_loader.js`;
  const worker = new Worker(loader, { type: 'module' });
  await event(worker, 'Ready');
  const source = { Url: new URL(model, location.href).href };
  worker.postMessage(JSON.stringify({ Load: { source, hub: '', context_tokens: contextTokens, keep: false, threads } }));
  const info = await event(worker, 'Loaded');
  return { bench: (test) => bench(worker, test), info };
}

/** Reads `n_prompt` tokens in an empty context; with `n_gen`, the steps after them are timed instead. */
async function bench(worker, { n_prompt, n_gen }) {
  const options = n_gen > 0 ? { n_prompt: 0, n_gen, depth: n_prompt } : { n_prompt, n_gen: 0, depth: 0 };
  worker.postMessage(JSON.stringify({ Bench: { ...options, reps: 1 } }));
  return (await event(worker, 'Measured')).tokens_per_sec[0];
}

/** The next event of this name; a failure or a crash rejects. */
function event(worker, name) {
  return new Promise((resolve, reject) => {
    worker.onerror = (error) => reject(new Error(`the worker died: ${error.message}`));
    worker.onmessage = ({ data }) => {
      const event = JSON.parse(data);
      const [key, value] = typeof event === 'string' ? [event] : Object.entries(event)[0];
      if (key === name) resolve(value);
      if (key === 'Failed') reject(new Error(value.message));
    };
  });
}
