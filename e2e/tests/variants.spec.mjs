// Every build of the engine answers alike, with one thread and with two.

import { expect, test } from './fixtures.mjs';

const QUESTIONS = ['What is the capital of France?', 'Count from one to ten in words.'];

test('every build gives the same text', async ({ page, site }) => {
  await page.goto(site.url);
  const variants = await (await page.request.get(`${site.url}variants.json`)).json();
  expect(variants).toEqual(['plain', 'relaxed', 'threads']);
  const runs = [...variants.map((variant) => ({ variant, threads: 1 })), { variant: 'threads', threads: 2 }];
  const answers = [];
  for (const run of runs) answers.push(await page.evaluate(answer, { ...run, questions: QUESTIONS }));
  for (const { threads, texts } of answers) {
    expect(texts[0]).toContain('Paris');
    expect(texts).toEqual(answers[0].texts);
    expect([1, 2]).toContain(threads);
  }
  expect(answers.at(-1).threads).toBe(2);
});

/** Runs in the page: a worker of this build loads the default model and answers. */
async function answer({ variant, threads, questions }) {
  const worker = new Worker(variant === 'plain' ? './worker_loader.js' : `./worker_${variant}_loader.js`, { type: 'module' });
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
  await until('Ready');
  const source = { Url: new URL('models/SmolLM2-135M-Instruct.Q4_1.gguf', location.href).href };
  worker.postMessage(JSON.stringify({ Load: { source, hub: '', context_tokens: 512, keep: false, backend: 'cpu', threads } }));
  const info = await until('Loaded');
  const texts = [];
  for (const content of questions) {
    const sampling = { temperature: 0, top_k: 0, top_p: 1, min_p: 0, repeat_penalty: 1, frequency_penalty: 0, presence_penalty: 0, penalty_last_n: 0, seed: 1 };
    worker.postMessage(JSON.stringify({ Generate: { messages: [{ role: 'user', content }], sampling, max_tokens: 24, thinking: false } }));
    let text = '';
    await until('Done', (key, value) => {
      if (key === 'Text') text += value.text ?? value;
    });
    texts.push(text);
  }
  worker.terminate();
  return { threads: info.threads, texts };
}
