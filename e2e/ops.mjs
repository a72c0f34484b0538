// Every op, on every type of weights, on odd shapes, every shader, and draws, in a browser: ops.rs, shaders.rs and draws.rs of
// engine/tests/it on a browser's WebGPU.
//
//   node ops.mjs --adapter lavapipe|swiftshader|firefox TESTS.wasm [--skip NAME]…
//
// `cargo xtask test` has cargo run this as it runs any test. wasm-bindgen-test-runner, which MINNOW_TEST_RUNNER names, serves
// a page that runs the tests and writes down what came of them; it is made for a person who opens that page, so this opens it
// in the browser that is meant.

import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { BROWSERS } from './gpus.mjs';

const {
  values: flags,
  positionals: [wasm],
} = parseArgs({ options: { adapter: { type: 'string' }, skip: { type: 'string', multiple: true, default: [] } }, allowPositionals: true });
if (!BROWSERS[flags.adapter]) throw new Error(`--adapter is one of ${Object.keys(BROWSERS).join(', ')}`);

/** Looks at the page so often. */
const LOOK_MS = 1000;
/** A program that stands in for a GPU compiles every kernel of every type of weights, while another browser does so too. */
const PATIENCE_MS = 1_800_000;

const server = spawn(process.env.MINNOW_TEST_RUNNER ?? 'wasm-bindgen-test-runner', [wasm, ...flags.skip.flatMap((name) => ['--skip', name])], {
  env: { ...process.env, NO_HEADLESS: '1', WASM_BINDGEN_USE_BROWSER: '1', WASM_BINDGEN_TEST_ADDRESS: '127.0.0.1:0' },
  stdio: ['ignore', 'pipe', 'inherit'],
});
let browser;
try {
  const address = await served();
  browser = await BROWSERS[flags.adapter]();
  const page = await browser.newPage();
  // Each browser begins with another turn, so that they meet unlike shapes on unlike tiers.
  await page.goto(`${address}/?turn=${Object.keys(BROWSERS).indexOf(flags.adapter)}`);
  const text = await outcome(page);
  console.log(`${flags.adapter}\n${text}`);
  process.exitCode = /test result: ok\. [1-9]\d* passed; 0 failed; 0 ignored/.test(text) ? 0 : 1;
} finally {
  await browser?.close();
  server.kill();
}

/** The address that the runner says it serves. */
function served() {
  return new Promise((resolve, reject) => {
    let said = '';
    server.stdout.on('data', (chunk) => {
      said += chunk;
      const address = said.match(/(http:\/\/127\.0\.0\.1:\d+)\D/)?.[1];
      if (address) resolve(address);
    });
    server.on('error', reject);
    server.on('exit', () => reject(new Error(`the runner serves nothing:\n${said}`)));
  });
}

/** What the page says at the end. */
async function outcome(page) {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
    if (server.exitCode !== null) throw new Error('the runner has ended');
    const text = await page.evaluate(() => document.getElementById('output')?.textContent ?? '');
    if (text.includes('test result:')) return text;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  throw new Error('the tests take too long');
}
