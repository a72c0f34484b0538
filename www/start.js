// Starts the page: first the service worker, which opens it offline and isolates it, then the program.

/** How long the first visit waits for the service worker before it goes on without. */
const PATIENCE_MS = 4000;

/** Set while the page reloads itself to become isolated, so that it does so once. */
const RELOADED = "minnow.reloaded";

/**
 * Shared memory needs an isolated page, and that needs headers. Where the host does not send them, the service worker
 * adds them, from the first load that it controls on.
 */
async function isolate() {
  const workers = navigator.serviceWorker;
  if (!workers) return;
  const registered = workers.register("sw.js", { updateViaCache: "none" }).catch(() => null);
  if (self.crossOriginIsolated || !(await registered)) return;
  const controlled = new Promise((resolve) => workers.addEventListener("controllerchange", resolve, { once: true }));
  const patience = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
  if (!workers.controller) await Promise.race([controlled, patience]);
  if (workers.controller && !session(RELOADED)) {
    session(RELOADED, "yes");
    location.reload();
    await new Promise(() => {});
  }
}

/** Reads or writes a value of this tab; without storage there is none. */
function session(key, value) {
  try {
    if (value) sessionStorage.setItem(key, value);
    return sessionStorage.getItem(key);
  } catch {
    return "unknown";
  }
}

/** A module with one vector constant: valid where the engine can run. */
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11,
]);

function say(text) {
  const boot = document.getElementById("boot");
  boot.setAttribute("role", "alert");
  boot.textContent = text;
}

async function start() {
  if (typeof WebAssembly !== "object" || !WebAssembly.validate(SIMD)) {
    say("This browser is too old for Minnow: it cannot run WebAssembly with SIMD. Please update it, or use another.");
    return;
  }
  await isolate();
  const { default: init } = await import("./minnow-ui.js");
  await init({ module_or_path: "./minnow-ui_bg.wasm" });
  document.getElementById("boot").remove();
}

start().catch((error) => {
  console.error(error);
  say(`Minnow could not start. Check the connection and reload the page. (${error.message})`);
});
