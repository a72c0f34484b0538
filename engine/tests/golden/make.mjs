// Writes what llama.cpp says about both models into this folder; README.md describes the files.
//
//     npm install && node make.mjs MODELS_FOLDER [FILE.json…]
//
// llama.cpp is the one prebuilt in node-llama-cpp, on the CPU: keys and values in f16, no flash attention, one thread.

import { createHash } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";
import { pairsVocabulary, PRES } from "./pairs.mjs";
import { textsForTokenizers } from "./texts.mjs";

const SMOLLM2 = "SmolLM2-135M-Instruct.Q4_1.gguf";
const GEMMA3 = "gemma-3-270m.Q4_K_M.gguf";
const MAKE = {
    "smollm2.json": () => answers(SMOLLM2),
    "gemma3.json": () => answers(GEMMA3),
    "tokenizers.json": tokenizers,
};
const N_TOP = 20;
const N_GREEDY = 32;
const CONTEXT_TOKENS = 1024;

const here = dirname(fileURLToPath(import.meta.url));
const [modelsFolder, ...chosen] = process.argv.slice(2);
const prompts = JSON.parse(readFileSync(join(here, "prompts.json"), "utf8"));
// Before it loads a vocabulary alone, the library tries for a whole model, and would log that it is none.
const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.fatal });
for (const name of chosen.length > 0 ? chosen : Object.keys(MAKE)) {
    write(name, await MAKE[name]());
}
process.exit();

/** For each prompt what the model makes of it. */
async function answers(file) {
    const model = await llama.loadModel({ modelPath: join(modelsFolder, file) });
    const entries = [];
    for (const prompt of prompts) {
        entries.push(await answer(model, prompt));
        console.log(`${file}: ${entries.length} of ${prompts.length}`);
    }
    return { ...maker(), ...fingerprint(file), ends: endTokens(model), prompts: entries };
}

/** One prompt: its tokens, the likeliest next tokens after each of them, and the greedy reply. */
async function answer(model, prompt) {
    const tokens = encode(model, prompt);
    const context = await model.createContext({
        contextSize: CONTEXT_TOKENS, batchSize: CONTEXT_TOKENS, threads: 1, flashAttention: false,
    });
    const sequence = context.getSequence();
    const top = await topNext(sequence, tokens);
    const greedy = [];
    for (let [next] = top.at(-1)[0]; greedy.length < N_GREEDY && !model.isEogToken(next);) {
        greedy.push(next);
        [next] = (await topNext(sequence, [next]))[0][0];
    }
    await context.dispose();
    return { prompt, tokens, top, greedy, text: model.detokenize(greedy) };
}

/** Evaluates `tokens`; [[id, probability] × 20] after each of them. */
async function topNext(sequence, tokens) {
    const generateNext = { logits: { filter: { includeTop: N_TOP } }, totalLogitWeight: true };
    const outputs = await sequence.controlledEvaluate(tokens.map((token) => [token, { generateNext }]));
    return outputs.map(({ next: { logits, totalLogitWeight } }) => {
        const [[, max]] = logits;
        return [...logits].map(([id, logit]) => [id, round(Math.exp(logit - max) / totalLogitWeight)]);
    });
}

/** With special tokens, and with BOS and EOS as llama.cpp adds them: the library's own `tokenize` never does. */
function encode(model, text) {
    const { bos, eos, shouldPrependBosToken, shouldAppendEosToken } = model.tokens;
    return [
        ...(shouldPrependBosToken ? [bos] : []),
        ...model.tokenize(text, true),
        ...(shouldAppendEosToken ? [eos] : []),
    ];
}

function endTokens(model) {
    const n = model.fileInfo.metadata.tokenizer.ggml.tokens.length;
    return Array.from({ length: n }, (_, id) => id).filter((id) => model.isEogToken(id));
}

/** Token ids only, for more texts and for the pre-tokenizers that neither model uses. */
async function tokenizers() {
    const texts = textsForTokenizers(prompts);
    const [smollm2, gemma3] = [SMOLLM2, GEMMA3].map((file) => join(modelsFolder, file));
    const pairs = pairsVocabulary();
    const encodings = [];
    for (const pre of PRES) {
        encodings.push(await tokenized("smollm2", smollm2, pre, texts, true));
        encodings.push(await tokenized("pairs", pairs, pre, texts, true));
    }
    encodings.push(await tokenized("smollm2", smollm2, "smollm", texts, false));
    encodings.push(await tokenized("gemma3", gemma3, null, texts, true));
    encodings.push(await tokenized("gemma3", gemma3, null, texts, false));
    return { ...maker(), texts, encodings };
}

/** `pre` takes the place of the file's own tokenizer.ggml.pre. */
async function tokenized(vocabulary, modelPath, pre, texts, special) {
    const metadataOverrides = pre === null ? undefined : { tokenizer: { ggml: { pre } } };
    const model = await llama.loadModel({ modelPath, vocabOnly: true, metadataOverrides });
    const tokens = texts.map((text) => model.tokenize(text, special));
    await model.dispose();
    return { vocabulary, pre, special, tokens };
}

function maker() {
    const installed = JSON.parse(readFileSync(join(here, "node_modules/node-llama-cpp/package.json"), "utf8"));
    const { repo, release } = llama.llamaCppRelease;
    return {
        made_by: `make.mjs: node-llama-cpp ${installed.version}, ${repo} ${release}, CPU`,
        date: new Date().toISOString().slice(0, 10),
    };
}

function fingerprint(file) {
    const path = join(modelsFolder, file);
    const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
    return { file, size_bytes: statSync(path).size, sha256 };
}

/** JSON with each entry of the last list on a line of its own, so that a difference shows which. */
function write(name, content) {
    const entries = Object.entries(content);
    const [lastKey, list] = entries.pop();
    const head = entries.map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)},\n`).join("");
    const lines = list.map((entry) => JSON.stringify(entry)).join(",\n");
    writeFileSync(join(here, name), `{\n${head}"${lastKey}": [\n${lines}\n]\n}\n`);
}

function round(probability) {
    return Number(probability.toPrecision(5));
}
