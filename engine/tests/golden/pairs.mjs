// A vocabulary that shows how a pre-tokenizer splits: every byte, and every pair of bytes.
//
// SmolLM2's vocabulary has no token with two digits, so it cannot tell \p{N} from \p{N}{1,3}. Here everything merges, in
// pairs, as far as the words reach. engine/tests/it/tokenizer.rs builds the same vocabulary: byte b is token b, and the pair
// a b is token 256 + 256·a + b, merged in that order.

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const PRES = ["smollm", "gpt-2", "llama-bpe", "qwen2", "qwen35", "gpt-4o", "tekken", "hunyuan-dense", "default"];

/** Writes the vocabulary as a GGUF file without tensors; returns its path. */
export function pairsVocabulary() {
    const letters = byteLetters();
    const tokens = [...letters];
    const merges = [];
    for (const a of letters) {
        for (const b of letters) {
            tokens.push(a + b);
            merges.push(`${a} ${b}`);
        }
    }
    const path = join(mkdtempSync(join(tmpdir(), "minnow-golden-")), "pairs.gguf");
    writeFileSync(path, gguf({
        "general.architecture": "llama",
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.merges": merges,
    }));
    return path;
}

/** GPT-2's letter for each byte: itself where it prints, else the next one from U+0100 on. */
function byteLetters() {
    const prints = (b) => (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
    let next = 0x100;
    return Array.from({ length: 256 }, (_, b) => String.fromCodePoint(prints(b) ? b : next++));
}

/** A GGUF file, version 3, with these strings and arrays of strings, and no tensors. */
function gguf(metadata) {
    const STRING = 8;
    const ARRAY = 9;
    const u32 = (n) => Buffer.from(Uint32Array.of(n).buffer);
    const u64 = (n) => Buffer.from(BigUint64Array.of(BigInt(n)).buffer);
    const string = (s) => Buffer.concat([u64(Buffer.byteLength(s)), Buffer.from(s)]);
    const value = (v) => Array.isArray(v)
        ? Buffer.concat([u32(ARRAY), u32(STRING), u64(v.length), ...v.map(string)])
        : Buffer.concat([u32(STRING), string(v)]);
    const entries = Object.entries(metadata);
    return Buffer.concat([
        Buffer.from("GGUF"), u32(3), u64(0), u64(entries.length),
        ...entries.flatMap(([key, v]) => [string(key), value(v)]),
        Buffer.alloc(64),
    ]);
}
