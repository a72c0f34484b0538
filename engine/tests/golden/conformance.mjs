// Writes what llama.cpp says of a tiny random model of every architecture, into the folder conformance/.
//
//     pip install gguf==0.19.0 && npm install && node conformance.mjs MODELS_FOLDER [NAME…]
//
// The models are what the test `every_architecture_has_a_tiny_model` writes into target/tmp/tiny-models. As in make.mjs, llama.cpp runs a copy with
// the same weights in f32, keys and values in f32, and no flash attention.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";

const N_TOP = 24;
const N_VOCAB = 96;
/** Tokens of the prompts: longer than every window, and short. */
const LENGTHS = [47, 8];

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "conformance");
const [folder, ...chosen] = process.argv.slice(2);
const all = readdirSync(folder).map((file) => basename(file, ".gguf")).sort();
const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error });
mkdirSync(target, { recursive: true });
for (const name of chosen.length > 0 ? chosen : all) {
    const model = await llama.loadModel({ modelPath: dequantized(join(folder, `${name}.gguf`)) });
    const prompts = [];
    for (const [index, length] of LENGTHS.entries()) {
        const tokens = randomTokens(index + 1, length);
        prompts.push({ tokens, top: await topNext(model, tokens) });
    }
    await model.dispose();
    const lines = prompts.map((prompt) => JSON.stringify(prompt)).join(",\n");
    writeFileSync(join(target, `${name}.json`), `{\n"made_by": ${JSON.stringify(maker())},\n"prompts": [\n${lines}\n]\n}\n`);
    console.log(name);
}
process.exit();

/** [[id, probability] × N_TOP] after each of the tokens, the likeliest first. */
async function topNext(model, tokens) {
    const context = await model.createContext({
        contextSize: 64, batchSize: 64, threads: 1, flashAttention: false,
        experimentalKvCacheKeyType: "F32", experimentalKvCacheValueType: "F32",
    });
    const generateNext = { logits: { filter: { includeTop: N_TOP } }, totalLogitWeight: true };
    const outputs = await context.getSequence().controlledEvaluate(tokens.map((token) => [token, { generateNext }]));
    await context.dispose();
    return outputs.map(({ next: { logits, totalLogitWeight } }) => {
        const [[, max]] = logits;
        return [...logits].map(([id, logit]) => [id, Number((Math.exp(logit - max) / totalLogitWeight).toPrecision(7))]);
    });
}

/** The same on every machine: a linear congruential generator. */
function randomTokens(seed, length) {
    let state = seed;
    return Array.from({ length }, () => {
        state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
        return (state >> 8) % N_VOCAB;
    });
}

function dequantized(path) {
    const copy = join(mkdtempSync(join(tmpdir(), "minnow-conformance-")), "f32.gguf");
    execFileSync("python3", [join(here, "dequantize.py"), path, copy]);
    return copy;
}

function maker() {
    const installed = JSON.parse(readFileSync(join(here, "node_modules/node-llama-cpp/package.json"), "utf8"));
    const { repo, release } = llama.llamaCppRelease;
    return `conformance.mjs: node-llama-cpp ${installed.version}, ${repo} ${release}, CPU`;
}
