// The golden prompts, and a model that is given them as they are: does a browser say what llama.cpp says?

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { answers } from './worker.mjs';

const here = import.meta.dirname;
const golden = JSON.parse(readFileSync(resolve(here, '../engine/tests/golden/smollm2.json'), 'utf8'));
const N_GREEDY = 32;
const MODEL = 'verbatim.gguf';

/** A folder with the model, to be served as `golden/`; `remove` it. */
export function goldenFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'minnow-'));
  writeFileSync(join(folder, MODEL), verbatim(readFileSync(resolve(here, '../models', golden.file))));
  return { folder, remove: () => rmSync(folder, { recursive: true }) };
}

/** The same model with a chat template of the same length that writes a message as it is. */
function verbatim(bytes) {
  const key = 'tokenizer.chat_template';
  const at = bytes.indexOf(key) + key.length + 4; // After the value's type, its length.
  const length = Number(bytes.readBigUInt64LE(at));
  const template = '{{ messages[0].content }}';
  bytes.write(template + `{#${' '.repeat(length - template.length - 4)}#}`, at + 8);
  return bytes;
}

/** Those without control tokens, whose names are mere text in a message. */
const PROMPTS = golden.prompts.filter(({ prompt }) => !prompt.includes('<|'));

/** What `worker` (see `answers`) makes of every n-th prompt, the long last one included, and where llama.cpp makes something else of them. */
export async function compare(page, worker, every = 1) {
  const prompts = PROMPTS.filter((_, i) => (i + 1) % every === 0);
  const questions = prompts.map(({ prompt }) => prompt);
  const { info, texts } = await answers(page, { ...worker, model: `golden/${MODEL}`, contextTokens: 1024, questions, maxTokens: N_GREEDY });
  const rows = prompts.map(({ prompt, text }, i) => ({
    prompt,
    llama_cpp: text.replace(/\uFFFD+$/, ''), // The first bytes of a character, of which the rest was not drawn.
    minnow: texts[i],
  }));
  return { info, n: rows.length, texts, unlike: rows.filter((row) => row.minnow !== row.llama_cpp) };
}
