// The picture that the README shows; `npx playwright test screenshot --update-snapshots=all` takes it anew.

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from './fixtures.mjs';

const PICTURE = resolve(import.meta.dirname, '../../docs/screenshot.png');
const PICTURE_BYTES_MAX = 200_000;

test('the picture of the README', async ({ chat }, info) => {
  const path = info.config.updateSnapshots === 'all' ? PICTURE : info.outputPath('screenshot.png');
  await chat.page.setViewportSize({ width: 1000, height: 640 });
  await chat.ask('What is the capital of France?');
  await chat.ask('And of Italy?');
  await chat.ask('Explain in two sentences why the sky is blue.');
  await chat.page.screenshot({ path, animations: 'disabled' });
  await chat.page.setViewportSize({ width: 1280, height: 800 });
  expect(statSync(path).size).toBeLessThan(PICTURE_BYTES_MAX);
});
