// A Hugging Face on localhost: the same redirects, ranges, headers and refusals, and faults on request.
//
//   GET /{repo}/resolve/{revision}/{file}      302 to a signed address on the CDN, which is another origin
//   GET /api/models/{repo}/tree/{revision}     the files: size, lfs.oid (SHA-256); ?recursive=true&limit=N, Link: rel="next"
//
// Seen on huggingface.co and kept here, because a client can trip over it: the CDN's ETag is not the SHA-256; the headers of
// the 302, X-Linked-ETag among them, cannot be read by a page; the CDN lets a page send no header that needs a preflight;
// an unknown repository is 401, not 404.
//
// By hand: `node hub.mjs [port]`, then `localStorage["minnow.hub"] = "http://127.0.0.1:9090"` in the page.

import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { tinyModel } from './gguf.mjs';

const COMMIT = '5be1f0c0ffee5be1f0c0ffee5be1f0c0ffee5be1';
const HUB_EXPOSES =
  'X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag,X-Xet-Hash';
const CDN_ALLOWS = 'Content-Range, Content-Type, Content-Disposition, ETag';
const CDN_EXPOSES = 'Accept-Ranges, Content-Range, Content-Type, Content-Disposition, ETag, X-Cache';
const PAGE_ENTRIES_MAX = 1000;
const CHUNK_BYTES = 1 << 16;

/**
 * A file of a repository.
 * @typedef {object} Entry
 * @property {Buffer} [bytes] its content,
 * @property {string} [path] or where on disk it is
 * @property {string} [sha256] what the listing claims; the true one if absent
 * @property {number} [cutAt] every connection dies that would send this byte of the file or a later one …
 * @property {number} [cuts] … so many of them; all if absent
 * @property {Buffer} [then] the content after the first cut
 * @property {boolean} [ignoresRange] answers 200 with everything
 * @property {number} [bytesPerSec] slow
 * @property {number[]} [statuses] the CDN answers these first, one each
 */

/** Starts both servers. `repos`: repository → file → Entry, or the word 'gated'. */
export async function startHub({ repos, port = 0 }) {
  const requests = []; // { server, method, path, range, status, sent } in order of arrival.
  const signed = new Map(); // signature → Entry
  const hub = await listen(port, (request, response) => answerHub({ repos, signed, cdn: () => cdn.url }, request, response), requests, 'hub');
  const cdn = await listen(0, (request, response) => answerCdn(signed, request, response), requests, 'cdn');
  return {
    url: hub.url,
    repos,
    requests,
    close: () => Promise.all([hub.close(), cdn.close()]),
  };
}

async function listen(port, answer, requests, server) {
  const http = createServer((request, response) => {
    const entry = { server, method: request.method, path: request.url, range: request.headers.range, status: 0, sent: 0 };
    requests.push(entry);
    response.log = entry;
    response.on('close', () => (entry.status = response.statusCode));
    answer(request, response);
  });
  await new Promise((resolve, reject) => http.on('error', reject).listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${http.address().port}`,
    close: () => new Promise((resolve) => (http.close(resolve), http.closeAllConnections())),
  };
}

function answerHub({ repos, signed, cdn }, request, response) {
  const url = new URL(request.url, 'http://hub');
  response.setHeader('Access-Control-Allow-Origin', request.headers.origin ?? 'https://huggingface.co');
  response.setHeader('Access-Control-Expose-Headers', HUB_EXPOSES);
  response.setHeader('Access-Control-Max-Age', '86400');
  response.setHeader('Vary', 'Origin, Accept');
  response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
  if (request.method === 'OPTIONS') {
    response.setHeader('Access-Control-Allow-Methods', 'GET,HEAD,PUT,POST,DELETE,PATCH');
    response.setHeader('Access-Control-Allow-Headers', request.headers['access-control-request-headers'] ?? '');
    return end(response, 204);
  }
  const [, repo, revision, file] =
    url.pathname.match(/^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/) ??
    url.pathname.match(/^\/api\/models\/([^/]+\/[^/]+)\/tree\/([^/]+)\/?$/) ??
    [];
  if (!repo) return refuse(response, 404, undefined, 'Sorry, we can\'t find the page you are looking for.');
  const files = repos[repo];
  if (!files) return refuse(response, 401, undefined, 'Invalid username or password.');
  if (files === 'gated' && file) {
    return refuse(response, 401, 'GatedRepo', `Access to model ${repo} is restricted. You must have access to it and be authenticated to access it. Please log in.`);
  }
  if (revision !== 'main' && revision !== COMMIT) return refuse(response, 404, 'RevisionNotFound', `Invalid rev id: ${revision}`);
  response.setHeader('X-Repo-Commit', COMMIT);
  if (!file) return answerTree({ files: files === 'gated' ? {} : files, url }, response);
  const entry = files[decodeURIComponent(file)];
  if (!entry) return refuse(response, 404, 'EntryNotFound', 'Entry not found');

  const signature = randomBytes(16).toString('hex');
  signed.set(signature, entry);
  const location = `${cdn()}/xet-bridge-us/${xetHash(entry)}?X-Amz-Expires=3600&X-Xet-Cas-Uid=public&Signature=${signature}`;
  response.setHeader('Location', location);
  response.setHeader('Accept-Ranges', 'bytes');
  response.setHeader('X-Linked-Size', size(entry));
  response.setHeader('X-Linked-ETag', `"${sha256(entry)}"`);
  response.setHeader('X-Xet-Hash', xetHash(entry));
  end(response, 302, `Found. Redirecting to ${location}`);
}

function answerTree({ files, url }, response) {
  const paths = Object.keys(files);
  const first = Number(url.searchParams.get('cursor') ?? 0);
  const count = Math.min(Number(url.searchParams.get('limit') ?? PAGE_ENTRIES_MAX), PAGE_ENTRIES_MAX);
  const listing = paths.slice(first, first + count).map((path) => {
    const entry = files[path];
    const oid = createHash('sha1').update(path).digest('hex');
    return { type: 'file', oid, size: size(entry), lfs: { oid: sha256(entry), size: size(entry), pointerSize: 134 }, xetHash: xetHash(entry), path };
  });
  if (first + count < paths.length) {
    url.searchParams.set('cursor', first + count);
    response.setHeader('Link', `<http://${response.req.headers.host}${url.pathname}${url.search}>; rel="next"`);
  }
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  end(response, 200, JSON.stringify(listing));
}

function refuse(response, status, code, message) {
  if (code) response.setHeader('X-Error-Code', code);
  response.setHeader('X-Error-Message', message);
  end(response, status, message);
}

function end(response, status, text = '') {
  response.statusCode = status;
  if (!response.hasHeader('Content-Type')) response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.setHeader('Content-Length', Buffer.byteLength(text));
  response.end(response.req.method === 'HEAD' ? undefined : text);
}

function answerCdn(signed, request, response) {
  const url = new URL(request.url, 'http://cdn');
  const entry = signed.get(url.searchParams.get('Signature'));
  response.setHeader('Access-Control-Allow-Origin', '*');
  response.setHeader('Access-Control-Allow-Headers', CDN_ALLOWS);
  response.setHeader('Access-Control-Expose-Headers', CDN_EXPOSES);
  if (request.method === 'OPTIONS') return end(response, 200);
  if (!entry) return end(response, 403, '<Error><Code>AccessDenied</Code></Error>');
  const status = entry.statuses?.shift();
  if (status) return end(response, status, 'try again');

  const total = size(entry);
  const range = entry.ignoresRange ? undefined : request.headers.range?.match(/^bytes=(\d+)-(\d*)$/);
  const first = range ? Number(range[1]) : 0;
  const last = Math.min(range?.[2] ? Number(range[2]) : total - 1, total - 1);
  response.setHeader('ETag', `"${xetHash(entry)}"`);
  response.setHeader('Content-Type', 'application/octet-stream');
  response.setHeader('Content-Disposition', "inline; filename*=UTF-8''model.gguf; filename=\"model.gguf\";");
  response.setHeader('Cache-Control', 'public, max-age=31536000');
  if (!entry.ignoresRange) response.setHeader('Accept-Ranges', 'bytes');
  if (first > last) {
    response.setHeader('Content-Range', `bytes */${total}`);
    return end(response, 416);
  }
  if (range) response.setHeader('Content-Range', `bytes ${first}-${last}/${total}`);
  response.setHeader('Content-Length', last - first + 1);
  response.writeHead(range ? 206 : 200);
  response.flushHeaders(); // A connection may die before the first byte of the body.
  if (request.method === 'HEAD') return response.end();
  send({ entry, first, last }, response);
}

/** The bytes first ..= last, as slowly and as far as the entry's faults let them go. */
async function send({ entry, first, last }, response) {
  const cut = takeCut(entry, last);
  const end = cut ? Math.max(entry.cutAt, first) : last + 1; // The first byte that is not sent.
  try {
    await pipeline(paced(entry, first, end, response.log), response, { end: !cut });
    if (!cut) return;
    await drained(response);
  } catch {
    return; // The page went away in the middle.
  }
  if (entry.then) entry.bytes = entry.then;
  response.destroy();
}

/** Whether the connection that is to send everything up to `last` dies on the way. It counts from now on. */
function takeCut(entry, last) {
  if (entry.cutAt === undefined || entry.cutAt > last || entry.cuts === 0) return false;
  if (entry.cuts !== undefined) entry.cuts -= 1;
  return true;
}

/** Waits until the browser has taken all that was written: what waits anywhere when the connection dies is thrown away. */
async function drained(response) {
  while (response.socket?.writableLength > 0) await sleep(5);
  await sleep(250);
}

async function* paced(entry, first, end, log) {
  for await (const chunk of content(entry, first, end)) {
    yield chunk;
    log.sent += chunk.length;
    if (entry.bytesPerSec) await sleep((1000 * chunk.length) / entry.bytesPerSec);
  }
}

function content(entry, first, end) {
  if (first === end) return [];
  return entry.path ? createReadStream(entry.path, { start: first, end: end - 1 }) : slices(entry.bytes.subarray(first, end));
}

function* slices(bytes) {
  for (let i = 0; i < bytes.length; i += CHUNK_BYTES) yield bytes.subarray(i, i + CHUNK_BYTES);
}

const size = (entry) => (entry.path ? statSync(entry.path).size : entry.bytes.length);

const hashes = new Map(); // path or bytes → SHA-256
function sha256(entry) {
  if (entry.sha256) return entry.sha256;
  const key = entry.path ?? entry.bytes;
  if (!hashes.has(key)) hashes.set(key, createHash('sha256').update(entry.path ? readFileSync(entry.path) : entry.bytes).digest('hex'));
  return hashes.get(key);
}

/** The CDN's own name for the content: stable, and not its SHA-256. */
const xetHash = (entry) => createHash('sha256').update(`xet ${size(entry)} ${sha256({ ...entry, sha256: undefined })}`).digest('hex');

/** The repositories that the tests use; every call makes new ones, because faults wear off. */
export function repositories(modelsDir) {
  const tiny = tinyModel({ name: 'Tiny' });
  const large = tinyModel({ name: 'Large', n_embd: 256, n_ff: 1024, n_layer: 2 }); // 9 MB
  const half = large.length >> 1;
  const repo = (entry) => ({ 'model.gguf': entry });
  return {
    'minnow/smollm2': { 'SmolLM2-135M-Instruct.Q4_1.gguf': { path: `${modelsDir}/SmolLM2-135M-Instruct.Q4_1.gguf` } },
    'acme/tiny': { 'README.md': { bytes: Buffer.from('# Tiny\n') }, 'model.gguf': { bytes: tiny }, 'sub folder/other.gguf': { bytes: tiny } },
    'acme/large': repo({ bytes: large }),
    'acme/slow': repo({ bytes: large, bytesPerSec: 3e6 }),
    'acme/cut-once': repo({ bytes: large, bytesPerSec: 8e6, cutAt: half, cuts: 1 }),
    'acme/cut-always': repo({ bytes: large, cutAt: half }),
    'acme/changes': repo({ bytes: large, cutAt: half, cuts: 1, then: tinyModel({ name: 'Changed', n_embd: 256, n_ff: 1024, n_layer: 2 }) }),
    'acme/no-ranges': repo({ bytes: large, ignoresRange: true }),
    'acme/busy': repo({ bytes: tiny, statuses: [503] }),
    'acme/wrong-sha': repo({ bytes: tiny, sha256: '0'.repeat(64) }),
    'acme/truncated': repo({ bytes: large.subarray(0, half) }),
    'acme/html': repo({ bytes: Buffer.from('<!doctype html><title>Not a model</title>'.padEnd(5000)) }),
    'acme/mamba3': repo({ bytes: tinyModel({ architecture: 'mamba3', name: 'Mamba 3' }) }),
    'acme/gated': 'gated',
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const hub = await startHub({ repos: repositories(new URL('../models', import.meta.url).pathname), port: Number(process.argv[2] ?? 9090) });
  console.log(`a Hugging Face at ${hub.url} with ${Object.keys(hub.repos).join(', ')}`);
}
