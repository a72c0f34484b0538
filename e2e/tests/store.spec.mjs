// What becomes of a model file when something happens to it: an interruption, another tab, a full device, a fault.

import { tinyModel } from '../gguf.mjs';
import { expect, test } from './fixtures.mjs';
import { downloads, Minnow, sum } from './minnow.mjs';

// The browser reports every response that is not a success, and every connection that breaks.
test.use({ allowedErrors: [/Failed to load resource/] });

const BYTES_PER_SEC = 3e6; // The large model takes three seconds.

/** The browser's own estimate of the room that is left knows nothing of the quota that a test sets. */
const FULL = /could not be kept on this device: .* full\. Delete a model/;

/** Waits until at least half of the model has arrived. */
const halfway = (minnow) => expect(minnow.page.getByTestId('load-detail')).toContainText(/[5-9]\d %/);

/** Makes the browser give the site no more than this. */
async function setQuota({ page, site }, quotaSize) {
  const session = await page.context().newCDPSession(page);
  await session.send('Storage.overrideQuotaForOrigin', { origin: new URL(site.url).origin, quotaSize });
}

/** Writes over a few bytes of the one model that is kept, behind the engine's back. */
const damage = ({ page }, position) =>
  page.evaluate(async (position) => {
    const models = await (await navigator.storage.getDirectory()).getDirectoryHandle('models');
    for await (const folder of models.values()) {
      const file = await (await folder.getFileHandle('model.gguf')).createWritable({ keepExistingData: true });
      await file.write({ type: 'write', position, data: new Uint8Array(16).fill(7) });
      await file.close();
    }
  }, position);

/** Short enough for a model that writes noise. */
async function replies(minnow) {
  await minnow.set('Longest reply', 5);
  await expect(await minnow.ask('Hello')).toContainText(/5 tokens/);
}

test('a page that is reloaded in the middle of a download goes on where it was', async ({ minnow, hub }) => {
  const entry = hub.repos['acme/slow']['model.gguf'];
  await minnow.load('acme/slow/model.gguf');
  await halfway(minnow);
  await minnow.page.reload();
  await minnow.inDialog('Models', (dialog) => expect(dialog.getByRole('list', { name: 'On this device' })).toContainText(/\d\.\d MB of \d\.\d MB are here/));
  delete entry.bytesPerSec;
  hub.requests.length = 0;
  await minnow.load('acme/slow/model.gguf');
  await minnow.answers();
  const [[first, sent], ...others] = downloads(hub);
  expect(first).toBeGreaterThan(1e6);
  expect(first + sent).toBe(entry.bytes.length);
  expect(others).toEqual([]);
});

test('two tabs load the same model at once, and then its one copy', async ({ minnow, hub, context, site }) => {
  const errors = [];
  const other = await Minnow.open({ context, site, hub, errors });
  const both = (act) => Promise.all([minnow, other].map(act));
  await minnow.load('acme/slow/model.gguf');
  await halfway(minnow);
  await other.load('acme/slow/model.gguf');
  await both((tab) => tab.answers());
  hub.requests.length = 0;
  await both((tab) => tab.page.reload());
  await both((tab) => tab.answers());
  expect(downloads(hub)).toEqual([]);
  await both(replies);
  await other.inDialog('Models', (dialog) => expect(dialog.getByRole('list', { name: 'On this device' }).getByRole('listitem')).toHaveCount(1));
  expect(errors.filter((error) => !/Failed to load resource/.test(error))).toEqual([]);
});

test('a model that does not fit on the device is used all the same, and the page says so', async ({ minnow }) => {
  await setQuota(minnow, 4e6);
  await minnow.load('acme/large/model.gguf');
  await minnow.answers();
  await expect(minnow.news.getByRole('note')).toContainText(FULL);
  await replies(minnow);
});

test('a device that becomes full in the middle of a download loses nothing but the copy', async ({ minnow, hub }) => {
  await minnow.load('acme/slow/model.gguf');
  await halfway(minnow);
  await setQuota(minnow, 1e6);
  await minnow.answers();
  await expect(minnow.news.getByRole('note')).toContainText(FULL);
  expect(downloads(hub).length).toBe(1);
  await replies(minnow);
  await minnow.inDialog('Models', (dialog) => expect(dialog.getByRole('list', { name: 'On this device' })).toBeHidden());
});

for (const [part, position] of Object.entries({ header: 0, weights: 5_000_000 })) {
  test(`a copy with a damaged ${part} is noticed, and comes anew`, async ({ minnow, hub }) => {
    await minnow.load('acme/large/model.gguf');
    await minnow.answers();
    await damage(minnow, position);
    hub.requests.length = 0;
    await minnow.page.reload();
    await minnow.answers();
    await expect(minnow.news.getByRole('note')).toContainText('could not be used');
    expect(sum(downloads(hub).map(([, sent]) => sent))).toBe(hub.repos['acme/large']['model.gguf'].bytes.length);
    hub.requests.length = 0;
    await minnow.page.reload();
    await minnow.answers();
    await expect(minnow.news.getByRole('note')).toBeHidden();
    expect(downloads(hub)).toEqual([]);
  });
}

test('a damaged copy that cannot come anew is named', async ({ minnow, hub }) => {
  await minnow.load('acme/large/model.gguf');
  await minnow.answers();
  await damage(minnow, 5_000_000);
  delete hub.repos['acme/large'];
  await minnow.page.reload();
  await expect(minnow.news.getByRole('alert')).toContainText(/could not be used.*not open to everyone/);
});

test('a damaged beginning is noticed before the rest is fetched', async ({ minnow, hub }) => {
  const entry = hub.repos['acme/slow']['model.gguf'];
  await minnow.load('acme/slow/model.gguf');
  await halfway(minnow);
  await minnow.news.getByRole('button', { name: 'Cancel' }).click();
  await expect(minnow.progress).toBeHidden();
  await damage(minnow, 2_000_000);
  await minnow.load('acme/slow/model.gguf');
  await expect(minnow.news.getByRole('status')).toContainText('could not be used');
  await minnow.answers();
  const [, [first, sent]] = downloads(hub).slice(-2);
  expect([first, sent]).toEqual([0, entry.bytes.length]);
});

test('a file that changes on the server in the middle begins again, and the page says so', async ({ minnow, hub }) => {
  hub.repos['acme/changes']['model.gguf'].bytesPerSec = BYTES_PER_SEC;
  await minnow.load('acme/changes/model.gguf');
  await expect(minnow.news.getByRole('status')).toContainText('has changed on the server');
  await minnow.answers();
  await expect(minnow.model).toContainText('Changed');
  await expect(minnow.news.getByRole('note')).toContainText('has changed on the server');
});

test('a file that changed on the server between two visits begins again, and the page says so', async ({ minnow, hub }) => {
  await minnow.load('acme/slow/model.gguf');
  await halfway(minnow);
  await minnow.news.getByRole('button', { name: 'Cancel' }).click();
  await expect(minnow.progress).toBeHidden();
  hub.repos['acme/slow']['model.gguf'] = { bytes: tinyModel({ name: 'Changed', n_embd: 256, n_ff: 1024, n_layer: 2 }), bytesPerSec: BYTES_PER_SEC };
  await minnow.load('acme/slow/model.gguf');
  await expect(minnow.news.getByRole('status')).toContainText('has changed on the server');
  await minnow.answers();
  await expect(minnow.model).toContainText('Changed');
});
