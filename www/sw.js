// Opens a visited page offline, and isolates it on hosts that cannot send the headers for that.
//
// The network comes first, so a new version shows at once; the copies are for when there is none. Models are not kept
// here: the engine keeps them itself.

const CACHE = "minnow";

/** What the page's HTML does not name: for each build of the engine its files, and those of the build that it falls back to. */
const program = (stem) => [`${stem}_loader.js`, `${stem}.js`, `${stem}_bg.wasm`];
const threads = (stem) => [...program(stem), `${stem}_helper.js`];
const ENGINE = {
  plain: program("worker"),
  "plain-threads": [...threads("worker_plain-threads"), ...program("worker")],
  relaxed: program("worker_relaxed"),
  threads: [...threads("worker_threads"), ...program("worker_relaxed")],
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

/** The page says which build runs here. */
self.addEventListener("message", (event) => {
  if (Object.hasOwn(ENGINE, event.data)) event.waitUntil(keep(ENGINE[event.data]));
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

/** `no-cache` asks the host whether it changed. */
async function answer(request) {
  try {
    return isolated(await fetch(new Request(request.url, { cache: "no-cache", credentials: "same-origin" })));
  } catch (error) {
    const cache = await caches.open(CACHE);
    // Every address in here is the same page.
    const kept = await cache.match(request.mode === "navigate" ? scope.href : request, { ignoreSearch: true });
    if (kept) return isolated(kept);
    throw error;
  }
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

/**
 * Keeps the page as it is served now, with everything that it names, and these files: all of them together, so that those of
 * two versions do not mix, or, where one does not come or the device is full, what was kept before.
 */
async function keep(files) {
  const page = await (await fetch(scope.href, { cache: "no-cache" })).text();
  const named = [...page.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, address]) => address);
  const addresses = ["", "variants.json", "icons/minnow-512.png", ...named, ...files].map((address) => new URL(address, scope).href);
  const requests = [...new Set(addresses)].map((address) => new Request(address, { cache: "no-cache" })).filter(isOurs);
  const cache = await caches.open(CACHE);
  await cache.addAll(requests);
  const wanted = new Set(requests.map(({ url }) => url));
  for (const request of await cache.keys()) if (!wanted.has(request.url)) await cache.delete(request);
}
