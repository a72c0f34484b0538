// Browsers with WebGPU, without a GPU: two programs that stand in for one, as unlike each other as GPUs are.
//
// * `swiftshader`: what Chromium brings. No halves, subgroups of 4.
// * `lavapipe`: Mesa's, under SwiftShader's name (lavapipe.c). Halves, subgroups of 8, bindings of 128 MiB. `LVP_SO` is the path
//   of another one than the system's.

import { chromium } from '@playwright/test';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { launchOptions } from './browser.mjs';
import { launchFirefox } from './firefox.mjs';

const ADAPTERS = ['swiftshader', 'lavapipe'];

/** A browser for each of them, and one that has its own idea of WebGPU. */
export const BROWSERS = { firefox: launchFirefox, lavapipe: () => launch('lavapipe'), swiftshader: () => launch('swiftshader') };

/** Where Linux lists drivers for GPUs. */
const DRIVERS = ['/usr/share/vulkan/icd.d', '/usr/local/share/vulkan/icd.d', '/etc/vulkan/icd.d'];
const SHIM = join(import.meta.dirname, 'node_modules/.cache/minnow/libvk_swiftshader.so');

/** Chromium whose only adapter is this one. */
export function launch(adapter) {
  if (!ADAPTERS.includes(adapter)) throw new Error(`${adapter} is no adapter; there are ${ADAPTERS.join(' and ')}`);
  const env = adapter === 'lavapipe' ? { ...process.env, LD_PRELOAD: shim(), LVP_SO: process.env.LVP_SO ?? lavapipe() } : process.env;
  // A program takes longer than a GPU may, before the browser takes it for stuck and ends it.
  return chromium.launch({ ...launchOptions, env, args: [...launchOptions.args, '--enable-unsafe-webgpu', '--disable-gpu-watchdog'] });
}

/** The library that gives lavapipe SwiftShader's name, compiled. */
function shim() {
  mkdirSync(dirname(SHIM), { recursive: true });
  execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', SHIM, join(import.meta.dirname, 'lavapipe.c'), '-ldl']);
  return SHIM;
}

/** Mesa's library: a path, perhaps from its manifest on, or a name that the system's loader knows. */
function lavapipe() {
  const manifests = DRIVERS.filter(existsSync).flatMap((folder) => readdirSync(folder).map((file) => join(folder, file)));
  const all = manifests.filter((path) => /\/lvp_icd[^/]*\.json$/.test(path));
  const manifest = all.find((path) => path.includes({ x64: 'x86_64', arm64: 'aarch64' }[process.arch])) ?? all[0];
  if (!manifest) throw new Error(`no lvp_icd in ${DRIVERS.join(', ')}: the package mesa-vulkan-drivers is missing`);
  const library = JSON.parse(readFileSync(manifest, 'utf8')).ICD.library_path;
  return library.includes('/') ? resolve(dirname(manifest), library) : library;
}
