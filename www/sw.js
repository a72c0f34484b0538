// Opens a visited page offline, and isolates it on hosts that cannot send the headers for that.
//
// The network comes first, so a new version shows at once; the copies are for when there is none. Models are not kept
// here: the engine keeps them itself.

const CACHE = "minnow";

/** What the page's HTML does not name: the files of each build of the engine. */
const ENGINE = {
  plain: ["worker_loader.js", "worker.js", "worker_bg.wasm"],
  "plain-threads": [
    "worker_plain-threads_loader.js",
    "worker_plain-threads_helper.js",
    "worker_plain-threads.js",
    "worker_plain-threads_bg.wasm",
  ],
  relaxed: ["worker_relaxed_loader.js", "worker_relaxed.js", "worker_relaxed_bg.wasm"],
  threads: ["worker_threads_loader.js", "worker_threads_helper.js", "worker_threads.js", "worker_threads_bg.wasm"],
};

/** A page with these headers may share memory. Other origins are only ever read with CORS, which they allow. */
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

const scope = new URL(self.registration.scope);

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("message", (event) => {
  if (event.data === "keep") event.waitUntil(keepAll());
});

self.addEventListener("fetch", (event) => {
  if (isOurs(event.request)) event.respondWith(answer(event.request));
});

/** Files of the page itself; not models, not parts of files, nothing from elsewhere. */
function isOurs(request) {
  const url = new URL(request.url);
  return (
    request.method === "GET" &&
    url.origin === scope.origin &&
    url.pathname.startsWith(scope.pathname) &&
    !url.pathname.startsWith(`${scope.pathname}models/`) &&
    !request.headers.has("range")
  );
}

async function answer(request) {
  try {
    return isolated(await fetchAndKeep(request));
  } catch (error) {
    const cache = await caches.open(CACHE);
    // Every address in here is the same page.
    const kept = await cache.match(request.mode === "navigate" ? scope.href : request, { ignoreSearch: true });
    if (kept) return isolated(kept);
    throw error;
  }
}

/** `no-cache` asks the host whether it changed, so files of two versions do not mix. */
async function fetchAndKeep(request) {
  const response = await fetch(new Request(request.url, { cache: "no-cache", credentials: "same-origin" }));
  if (response.status === 200 && response.type === "basic") {
    const url = new URL(request.url);
    url.search = "";
    url.hash = "";
    if (url.href === `${scope.href}index.html`) url.href = scope.href;
    const copy = response.clone();
    const cache = await caches.open(CACHE);
    // A full device keeps nothing, and the page works all the same.
    cache.put(url.href, copy).catch(() => {});
  }
  return response;
}

function isolated(response) {
  if (response.status === 0) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(ISOLATION)) headers.set(name, value);
  const { status, statusText } = response;
  // These statuses have no body, and a response with one cannot be made.
  const body = [204, 205, 304].includes(status) ? null : response.body;
  return new Response(body, { status, statusText, headers });
}

/** The page as it is served now, with everything that it names. */
async function keepAll() {
  const page = await (await fetchAndKeep(new Request(scope.href))).text();
  const named = [...page.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, address]) => address);
  const engine = (await variants()).flatMap((name) => ENGINE[name] ?? []);
  const addresses = [...named, "variants.json", "icons/minnow-512.png", ...engine];
  const requests = addresses.map((address) => new Request(new URL(address, scope))).filter(isOurs);
  await Promise.allSettled(requests.map(fetchAndKeep));
}

/** The builds that this site has. */
async function variants() {
  const response = await fetch(new URL("variants.json", scope), { cache: "no-cache" });
  return response.ok ? response.json() : ["plain"];
}
