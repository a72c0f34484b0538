// Browsers with WebGPU, without a GPU: two programs that stand in for one, as unlike each other as GPUs are.
//
// * `swiftshader`: what Chromium brings. No halves, subgroups of 4.
// * `lavapipe`: Mesa's, under SwiftShader's name (lavapipe.c). Halves, subgroups of 8, bindings of 128 MiB.

import { chromium } from '@playwright/test';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { launchOptions } from './browser.mjs';

export const ADAPTERS = ['swiftshader', 'lavapipe'];

const ICDS = '/usr/share/vulkan/icd.d';
const SHIM = join(import.meta.dirname, 'node_modules/.cache/minnow/libvk_swiftshader.so');

/** Chromium whose only adapter is this one. */
export function launch(adapter) {
  const env = adapter === 'lavapipe' ? { ...process.env, LD_PRELOAD: shim(), LVP_SO: lavapipe() } : process.env;
  return chromium.launch({ ...launchOptions, env, args: [...launchOptions.args, '--enable-unsafe-webgpu'] });
}

/** The library that gives lavapipe SwiftShader's name, compiled. */
function shim() {
  mkdirSync(dirname(SHIM), { recursive: true });
  execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', SHIM, join(import.meta.dirname, 'lavapipe.c'), '-ldl']);
  return SHIM;
}

/** Mesa's library. */
function lavapipe() {
  const manifest = readdirSync(ICDS).find((file) => file.startsWith('lvp_icd'));
  if (!manifest) throw new Error(`no lvp_icd in ${ICDS}: the package mesa-vulkan-drivers is missing`);
  return JSON.parse(readFileSync(join(ICDS, manifest), 'utf8')).ICD.library_path;
}
