// Writes GGUF v3 files of a few kilobytes: what the hub serves besides the real models.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
//
//   | "GGUF" version n_tensors n_kv | n_kv × (key type value) | n_tensors × (name n_dims dims type offset) | pad | data |

const ALIGNMENT = 32;
const TYPE = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 };
const F32 = 0; // ggml's number for an IEEE single.

/** A number to be stored as f32; plain integers are stored as u32. */
export const f32 = (value) => ({ type: 'f32', value });
/** An array of i32. */
export const i32s = (values) => ({ type: 'i32s', values });

const u32 = (value) => write(4, (buffer) => buffer.writeUInt32LE(value));
const u64 = (value) => write(8, (buffer) => buffer.writeBigUInt64LE(BigInt(value)));
const string = (text) => Buffer.concat([u64(Buffer.byteLength(text)), Buffer.from(text)]);
const padding = (length) => Buffer.alloc((ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT);

function write(length, fill) {
  const buffer = Buffer.alloc(length);
  fill(buffer);
  return buffer;
}

function value(v) {
  if (typeof v === 'string') return Buffer.concat([u32(TYPE.string), string(v)]);
  if (typeof v === 'boolean') return Buffer.concat([u32(TYPE.bool), Buffer.from([v ? 1 : 0])]);
  if (typeof v === 'number') return Buffer.concat([u32(TYPE.u32), u32(v)]);
  if (Array.isArray(v)) return Buffer.concat([u32(TYPE.array), u32(TYPE.string), u64(v.length), ...v.map(string)]);
  if (v.type === 'f32') return Buffer.concat([u32(TYPE.f32), write(4, (b) => b.writeFloatLE(v.value))]);
  const items = v.values.map((item) => write(4, (b) => b.writeInt32LE(item)));
  return Buffer.concat([u32(TYPE.array), u32(TYPE.i32), u64(items.length), ...items]);
}

/** A whole file. `metadata`: key → value. `tensors`: name → dims, in ggml's order; they are filled with small noise. */
export function gguf({ metadata, tensors }) {
  const names = Object.keys(tensors);
  const sizes = names.map((name) => tensors[name].reduce((product, dim) => product * dim, 4));
  let offset = 0;
  const directory = names.map((name, i) => {
    const dims = tensors[name];
    const entry = [string(name), u32(dims.length), ...dims.map(u64), u32(F32), u64(offset)];
    offset += sizes[i] + padding(sizes[i]).length;
    return Buffer.concat(entry);
  });
  const pairs = Object.entries(metadata).map(([key, v]) => Buffer.concat([string(key), value(v)]));
  const head = Buffer.concat([Buffer.from('GGUF'), u32(3), u64(names.length), u64(pairs.length), ...pairs, ...directory]);
  const data = names.flatMap((name, i) => [noise(sizes[i], i), padding(sizes[i])]);
  return Buffer.concat([head, padding(head.length), ...data]);
}

/** `bytes` of f32 between −0.05 and 0.05, the same for the same seed (a linear congruential generator). */
function noise(bytes, seed) {
  let state = seed + 1;
  const floats = new Float32Array(bytes / 4);
  for (let i = 0; i < floats.length; i += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    floats[i] = (state / 2 ** 32 - 0.5) / 10;
  }
  return Buffer.from(floats.buffer);
}

/** The characters that GPT-2's byte-level vocabularies write for the bytes 0 … 255. */
function byteCharacters() {
  let next = 256;
  const printable = (byte) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173);
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
}

const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** A model that loads and answers noise: llama's graph, a token for every byte, ChatML. */
export function tinyModel({ architecture = 'llama', name = 'Tiny', n_embd = 64, n_ff = 128, n_layer = 1, n_ctx = 512 } = {}) {
  const tokens = [...byteCharacters(), '<|im_start|>', '<|im_end|>'];
  const n_head = n_embd / 32;
  const tensors = { 'token_embd.weight': [n_embd, tokens.length], 'output_norm.weight': [n_embd] };
  for (let layer = 0; layer < n_layer; layer += 1) {
    const blk = `blk.${layer}`;
    tensors[`${blk}.attn_norm.weight`] = [n_embd];
    for (const matrix of ['attn_q', 'attn_k', 'attn_v', 'attn_output']) tensors[`${blk}.${matrix}.weight`] = [n_embd, n_embd];
    tensors[`${blk}.ffn_norm.weight`] = [n_embd];
    tensors[`${blk}.ffn_gate.weight`] = [n_embd, n_ff];
    tensors[`${blk}.ffn_up.weight`] = [n_embd, n_ff];
    tensors[`${blk}.ffn_down.weight`] = [n_ff, n_embd];
  }
  const metadata = {
    'general.architecture': architecture,
    'general.name': name,
    [`${architecture}.block_count`]: n_layer,
    [`${architecture}.context_length`]: n_ctx,
    [`${architecture}.embedding_length`]: n_embd,
    [`${architecture}.feed_forward_length`]: n_ff,
    [`${architecture}.attention.head_count`]: n_head,
    [`${architecture}.attention.head_count_kv`]: n_head,
    [`${architecture}.attention.layer_norm_rms_epsilon`]: f32(1e-5),
    [`${architecture}.rope.dimension_count`]: 32,
    [`${architecture}.rope.freq_base`]: f32(10000),
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.pre': 'gpt-2',
    'tokenizer.ggml.tokens': tokens,
    'tokenizer.ggml.token_type': i32s(tokens.map((_, i) => (i < 256 ? 1 : 3))), // 1: normal, 3: control.
    'tokenizer.ggml.merges': [],
    'tokenizer.ggml.bos_token_id': 256,
    'tokenizer.ggml.eos_token_id': 257,
    'tokenizer.ggml.add_bos_token': false,
    'tokenizer.chat_template': CHATML,
  };
  return gguf({ metadata, tensors });
}
