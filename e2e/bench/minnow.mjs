// Drives Minnow's own page for measuring, #/bench. Runs in this process, with a browser page for every test.

/** Gives a `bench` that runs one test, and gives tokens per second, what a token cost the GPU, and what else the page says. The model is kept in the browser after the first load. */
export async function start({ browser, url, model, threads, variant, backend, cache }) {
  const context = await browser.newContext();
  const measure = async (asked) => {
    const page = await context.newPage();
    try {
      const query = new URLSearchParams({ model: new URL(model, url).href, threads, variant, backend, cache, reps: 1, ...asked });
      await page.goto(`${url}#/bench?${query}`);
      const result = await (await page.waitForFunction(() => globalThis.minnowBench, null, { timeout: 0, polling: 500 })).jsonValue();
      if (result.error) throw new Error(result.error);
      if (result.warnings.length > 0) throw new Error(result.warnings.join(' '));
      return result;
    } finally {
      await page.close();
    }
  };
  const bench = async (test) => {
    const { tests, pp, tg, ...info } = await measure(asked(test));
    return { tokensPerSec: tests[0].mean, cost: tests[0].gpu_cost, info };
  };
  return { bench, close: () => context.close() };
}

/** `n_prompt` tokens are read in an empty context; with `n_gen`, the steps after them are timed instead. */
function asked({ n_prompt, n_gen }) {
  return n_gen > 0 ? { pp: 0, tg: n_gen, depth: n_prompt } : { pp: n_prompt, tg: 0, depth: 0 };
}
