// Serves the built page as its two kinds of host do: with the isolation headers, as `cargo xtask run`, and without them,
// under a sub-path, as GitHub Pages.

import { createServer } from 'node:http';
import { resolve } from 'node:path';
import sirv from 'sirv';

/** The built page; `MINNOW_DIST` names another. */
export const DIST = process.env.MINNOW_DIST ?? resolve(import.meta.dirname, '../dist');

/** Serves `dirs` (first match wins) under `base`; the address stays the same over `stop()` and `start()`. */
export async function startSite({ dirs, base = '/', isolated = true, port = 0 }) {
  const setHeaders = (response) => {
    response.setHeader('Cache-Control', 'no-cache');
    if (!isolated) return;
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
    response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
  };
  const folders = Object.entries(dirs).map(([path, dir]) => ({ prefix: base + path, serve: sirv(dir, { dev: true, etag: true, setHeaders }) }));
  const answer = (request, response) => {
    const folder = folders.find(({ prefix }) => request.url.startsWith(prefix));
    const notFound = () => response.writeHead(404).end('Not found');
    if (!folder) return notFound();
    request.url = request.url.slice(folder.prefix.length - 1);
    folder.serve(request, response, notFound);
  };
  const site = {
    requests: [],
    async start() {
      site.http = createServer((request, response) => {
        site.requests.push(request.url);
        answer(request, response);
      });
      await new Promise((resolve, reject) => site.http.on('error', reject).listen(port, '127.0.0.1', resolve));
      port = site.http.address().port;
      site.url = `http://127.0.0.1:${port}${base}`;
    },
    stop: () => new Promise((resolve) => (site.http.close(resolve), site.http.closeAllConnections())),
  };
  await site.start();
  return site;
}
