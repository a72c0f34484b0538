// Rows of benchmarks/records/, as benchmarks/README.md describes them: one line of JSON for an engine and a test.

import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import { join, resolve } from 'node:path';

const RECORDS = resolve(import.meta.dirname, '../../benchmarks/records');
/** More would be noise: repetitions differ in the third digit. */
const DIGITS = 4;

/** What is checked out; with a plus if that has been changed since. The site in dist/ should have been built of it. */
export function commit() {
  const git = (...args) => execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim();
  const changed = git('status', '--porcelain', '--untracked-files=no', ':/engine', ':/ui', ':/shaders', ':/xtask', ':/Cargo.lock');
  return git('rev-parse', '--short', 'HEAD') + (changed ? '+' : '');
}

/** Where it is measured; virtual machines call unlike processors the same, so Linux is asked for more. */
export function machine() {
  const cpus = os.cpus();
  const info = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
  const [family, model] = ['cpu family', 'model'].map((name) => info.match(new RegExp(`^${name}\\s*: (\\d+)$`, 'm'))?.[1]);
  const has = ['avx2', 'avx512_vnni', 'avx_vnni'].filter((flag) => new RegExp(`\\b${flag}\\b`).test(info));
  return {
    machine: nickname(cpus[0].model, family, model),
    cpu: [cpus[0].model, family && `(family ${family}, model ${model}; ${has.join(', ')})`].filter(Boolean).join(' '),
    cores: cpus.length,
    memory_gib: Math.round(os.totalmem() / 2 ** 30),
    os: `${os.type()} ${os.release()}`,
    load_average: digits(os.loadavg()[0]), // Much more than the threads in use: something else was running.
  };
}

/** The processor as a word for file names: `intel-xeon-6-167`. */
export function nickname(cpu, family, model) {
  const name = cpu.replace(/\(R\)|\(TM\)|Processor|CPU.*|@.*/g, '');
  return [name, family, model].filter(Boolean).join(' ').trim().toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
}

/** The lines of a run: what is `common` to them, and each row's own. */
export function lines(common, rows) {
  return rows.map(({ engine, info, tokens_per_sec, gpu_cost, ...row }) => {
    const [name, variant] = engine.split(':');
    const isOurs = name === 'minnow';
    const line = {
      ...common,
      ...row,
      engine: name === 'native' ? 'llama.cpp' : name,
      version: isOurs ? undefined : info?.version,
      variant,
      browser: name === 'native' ? undefined : common.browser,
      cache: isOurs ? common.cache : undefined,
      reps: tokens_per_sec.map(digits),
      gpu_cost: gpu_cost && Object.fromEntries(Object.entries(gpu_cost).map(([what, n]) => [what, digits(n)])),
    };
    return JSON.stringify(line);
  });
}

/** Adds lines to the file of this day, commit and machine, and says which one that is. */
export function append({ date, commit, machine }, lines) {
  mkdirSync(RECORDS, { recursive: true });
  const path = join(RECORDS, `${date.slice(0, 10)}-${commit}-${machine}.jsonl`);
  appendFileSync(path, lines.map((line) => `${line}\n`).join(''));
  return path;
}

function digits(n) {
  return Number(n.toPrecision(DIGITS));
}
