// Takes the picture that the README shows.

import { resolve } from 'node:path';
import { statSync } from 'node:fs';
import { expect, test } from './fixtures.mjs';

const PICTURE = resolve(import.meta.dirname, '../screenshot.png');
const PICTURE_BYTES_MAX = 200_000;

test('the picture of the README', async ({ chat }) => {
  await chat.page.setViewportSize({ width: 1000, height: 640 });
  await chat.ask('What is the capital of France?');
  await chat.ask('Write a short Python function that adds two numbers.');
  await chat.page.screenshot({ path: PICTURE, animations: 'disabled' });
  await chat.page.setViewportSize({ width: 1280, height: 800 });
  expect(statSync(PICTURE).size).toBeLessThan(PICTURE_BYTES_MAX);
});
