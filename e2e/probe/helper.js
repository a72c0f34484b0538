// A thread of the engine that fails at its first product: in the program that it runs, what multiplies is a trap. It waits
// for a word on the channel `helper`; with `?silent` in its address, it ends without a word of its own, as if it were killed.

import init, { help, help_failed } from '../worker_threads.js';

/** `unreachable`, and as many bytes as a product has. */
const TRAP = [0x00, 0x01, 0x01];
/** `i32x4.relaxed_dot_i8x16_i7x16_add_s`, `i32x4.dot_i16x8_s`. */
const PRODUCTS = ['253,147,2', '253,186,1'];

async function trapped() {
  const program = new Uint8Array(await (await fetch('../worker_threads_bg.wasm')).arrayBuffer());
  for (let at = 0; at < program.length; at += 1) {
    if (program[at] === 0xfd && PRODUCTS.includes(String(program.subarray(at, at + 3)))) program.set(TRAP, at);
  }
  return WebAssembly.compile(program);
}

self.onmessage = async ({ data: [, memory, pool] }) => {
  await init({ module_or_path: await trapped(), memory });
  const channel = new BroadcastChannel('helper');
  await new Promise((resolve) => (channel.onmessage = resolve));
  try {
    help(pool);
  } catch {
    if (!location.search.includes('silent')) help_failed();
  }
};
