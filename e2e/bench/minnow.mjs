// Drives Minnow's own page for measuring, #/bench. Runs in this process, with a browser page for every test.

/** Gives a `bench` that runs one test, and gives tokens per second and what a token cost the GPU. The model is kept in the browser after the first load. */
export async function start({ browser, url, model, threads, variant, backend }) {
  const context = await browser.newContext();
  const measure = async (asked) => {
    const page = await context.newPage();
    try {
      const query = new URLSearchParams({ model: new URL(model, url).href, threads, variant, backend, reps: 1, ...asked });
      await page.goto(`${url}#/bench?${query}`);
      const result = await (await page.waitForFunction(() => globalThis.minnowBench, null, { timeout: 0, polling: 500 })).jsonValue();
      if (result.error) throw new Error(result.error);
      if (result.warnings.length > 0) throw new Error(result.warnings.join(' '));
      return result;
    } finally {
      await page.close();
    }
  };
  const { tests, pp, tg, ...info } = await measure({ pp: 32, tg: 0 });
  const bench = async (test) => {
    const [{ mean, gpu_cost }] = (await measure(asked(test))).tests;
    return { tokensPerSec: mean, cost: gpu_cost };
  };
  return { info, bench, close: () => context.close() };
}

/** `n_prompt` tokens are read in an empty context; with `n_gen`, the steps after them are timed instead. */
function asked({ n_prompt, n_gen }) {
  return n_gen > 0 ? { pp: 0, tg: n_gen, depth: n_prompt } : { pp: n_prompt, tg: 0, depth: 0 };
}
