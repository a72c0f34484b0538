// Where models come from: a hub that behaves, one that does not, an address, a file; and what is kept of them.

import { tinyModel } from '../gguf.mjs';
import { expect, test } from './fixtures.mjs';
import { DEFAULT_MODEL, downloads, sum } from './minnow.mjs';

// The browser reports every response that is not a success, and every connection that breaks.
test.use({ allowedErrors: [/Failed to load resource/] });

test('a repository is listed, and one of its files loaded', async ({ minnow, hub }) => {
  await minnow.inDialog('Models', async (dialog) => {
    await dialog.getByRole('textbox', { name: 'Hugging Face repository' }).fill('acme/tiny');
    await dialog.getByRole('button', { name: 'List files' }).click();
    const files = dialog.getByRole('list', { name: 'Files' });
    await expect(files.getByRole('listitem')).toHaveCount(2);
    await files.getByRole('button', { name: 'Load sub folder/other.gguf' }).click();
  });
  await minnow.answers();
  expect(hub.requests.some(({ path }) => path === '/acme/tiny/resolve/main/sub%20folder/other.gguf')).toBe(true);
  await minnow.set('Longest reply', 5);
  await expect(await minnow.ask('Hello')).toContainText(/tokens/);
});

test('a repository that is not there, or not open, is named', async ({ minnow }) => {
  for (const repo of ['acme/nowhere', 'acme/gated', 'not a repository']) {
    await minnow.inDialog('Models', async (dialog) => {
      await dialog.getByRole('textbox', { name: 'Hugging Face repository' }).fill(repo);
      await dialog.getByRole('button', { name: 'List files' }).click();
      await expect(dialog.getByRole('alert')).toContainText('/');
    });
  }
});

test('a site that never answers is given up after a while, or when the person cancels', async ({ minnow }) => {
  await minnow.page.clock.install();
  await minnow.page.route('**/api/models/**', () => {}); // It is never answered.
  await minnow.inDialog('Models', async (dialog) => {
    await dialog.getByRole('textbox', { name: 'Hugging Face repository' }).fill('acme/tiny');
    await dialog.getByRole('button', { name: 'List files' }).click();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await expect(dialog.getByText('Asking Hugging Face')).toBeHidden();
    await dialog.getByRole('button', { name: 'List files' }).click();
    await expect(dialog.getByText('Asking Hugging Face')).toBeVisible();
    await minnow.page.clock.fastForward('00:31');
    await expect(dialog.getByRole('alert')).toContainText('does not answer');
  });
});

test('a name neither fills the page nor turns what stands beside it', async ({ minnow }) => {
  const tree = [{ type: 'file', path: `a\u202efugg${'x'.repeat(1 << 16)}.gguf`, size: 5 }];
  await minnow.page.route('**/api/models/**', (route) => route.fulfill({ json: tree, headers: { 'Access-Control-Allow-Origin': '*' } }));
  await minnow.inDialog('Models', async (dialog) => {
    await dialog.getByRole('textbox', { name: 'Hugging Face repository' }).fill('acme/tiny');
    await dialog.getByRole('button', { name: 'List files' }).click();
    const name = dialog.getByRole('list', { name: 'Files' }).locator('strong');
    await expect(name).toHaveText(/^afuggx{94}…$/);
  });
  expect(await minnow.isTooWide()).toBe(false);
});

test('pasted addresses: encoded ones find their file, a revision is meant, what cannot be fetched is said', async ({ minnow, hub }) => {
  const paste = (address, name, see) =>
    minnow.inDialog('Models', async (dialog) => {
      const field = dialog.getByRole('textbox', { name });
      await field.fill(address);
      await field.press('Enter');
      await see(dialog);
    });
  const says = (text) => (dialog) => expect(dialog.getByRole('alert')).toContainText(text);
  await paste(`${hub.url}/acme/tiny/tree/v9`, 'Hugging Face repository', says('“v9”'));
  await paste('javascript:alert(1)', 'Address', says('Only http://'));
  await paste('https://me:secret@example.org/m.gguf', 'Address', says('password'));
  await paste(`${hub.url}/acme/tiny`, 'Address', says('is a repository'));
  await paste(`${hub.url}/acme/tiny/blob/main/sub%20folder/other.gguf`, 'Address', (dialog) => expect(dialog).toBeHidden());
  await minnow.answers();
  expect(hub.requests.some(({ path }) => path === '/acme/tiny/resolve/main/sub%20folder/other.gguf')).toBe(true);
});

test('an address and a local file load too', async ({ minnow, hub }) => {
  await minnow.inDialog('Models', async (dialog) => {
    await dialog.getByRole('textbox', { name: 'Address' }).fill(`${hub.url}/acme/tiny/resolve/main/model.gguf`);
    await dialog.getByRole('button', { name: 'Load from address' }).click();
    await expect(dialog).toBeHidden();
  });
  await minnow.answers();
  const buffer = tinyModel({ name: 'From my disk' });
  await minnow.inDialog('Models', (dialog) => dialog.getByLabel('GGUF file', { exact: true }).setInputFiles({ name: 'mine.gguf', mimeType: 'application/octet-stream', buffer }));
  await expect(minnow.model).toContainText('From my disk');
  await minnow.answers();
});

test('a connection that breaks is taken up again where it broke', async ({ minnow, hub }) => {
  await minnow.load('acme/cut-once/model.gguf');
  await minnow.answers();
  const { bytes, cutAt } = hub.repos['acme/cut-once']['model.gguf'];
  const after = downloads(hub).filter(([first]) => first > 0);
  expect(after.length).toBeGreaterThan(0);
  expect(sum(downloads(hub).map(([, sent]) => sent))).toBeLessThan(bytes.length + cutAt * 0.9);
});

const comesBack = {
  'a retry': ({ news }) => news.getByRole('button', { name: 'Try again' }).click(),
  'the network': ({ page }) => page.evaluate(() => dispatchEvent(new Event('online'))),
};
for (const [what, comes] of Object.entries(comesBack)) {
  test(`a connection that keeps breaking: a message, and ${what} that goes on from there, to what was asked`, async ({ minnow, hub }) => {
    await minnow.set('Longest reply', 5);
    await minnow.load('acme/cut-always/model.gguf');
    const reply = await minnow.say('Hello');
    await expect(minnow.news.getByRole('alert')).toContainText(/connection .* broke/);
    await expect(reply).toContainText('Waiting for the model');
    const entry = hub.repos['acme/cut-always']['model.gguf'];
    delete entry.cutAt;
    hub.requests.length = 0;
    await comes(minnow);
    await expect(reply).toContainText(/5 tokens/);
    expect(sum(downloads(hub).map(([, sent]) => sent))).toBeLessThan(entry.bytes.length * 0.75);
  });
}

for (const repo of ['acme/no-ranges', 'acme/busy']) {
  test(`${repo} loads all the same`, async ({ minnow }) => {
    await minnow.load(`${repo}/model.gguf`);
    await minnow.answers();
  });
}

test('a cancelled download goes on where it was, and shows how far it is', async ({ minnow, hub }) => {
  await minnow.load('acme/slow/model.gguf');
  await expect(minnow.progress).toBeVisible();
  await expect(minnow.page.getByTestId('load-detail')).toContainText(/\d+(\.\d+)? MB of \d+(\.\d+)? MB · \d+ % · .*\/s · .* left/);
  await minnow.news.getByRole('button', { name: 'Cancel' }).click();
  await expect(minnow.progress).toBeHidden();
  const entry = hub.repos['acme/slow']['model.gguf'];
  delete entry.bytesPerSec;
  hub.requests.length = 0;
  await minnow.load('acme/slow/model.gguf');
  await minnow.answers();
  expect(sum(downloads(hub).map(([, sent]) => sent))).toBeLessThan(entry.bytes.length);
});

test('a kept model loads without the hub, until it is deleted', async ({ minnow, hub }) => {
  await minnow.load('acme/large/model.gguf');
  await minnow.answers();
  const used = () => minnow.page.evaluate(async () => (await navigator.storage.estimate()).usage);
  const before = await used();
  hub.requests.length = 0;
  await minnow.page.reload();
  await minnow.answers();
  expect(downloads(hub)).toEqual([]);
  await minnow.inDialog('Models', async (dialog) => {
    const kept = dialog.getByRole('list', { name: 'On this device' });
    await expect(kept).toContainText('acme/large');
    const sure = kept.getByRole('button', { name: 'Delete', exact: true });
    await kept.getByRole('button', { name: /^Delete / }).click();
    await expect(sure).toBeFocused();
    await kept.getByRole('button', { name: 'Keep', exact: true }).click();
    await kept.getByRole('button', { name: /^Delete / }).click();
    await expect(sure).toBeFocused();
    await sure.click();
    await expect(kept).toBeHidden();
  });
  await expect.poll(used).toBeLessThan(before - 8e6);
});

const BAD = {
  'acme/truncated': /truncat|ends|short|incomplete|cut off|missing/i,
  'acme/html': /not a GGUF/i,
  'acme/mamba3': /mamba3/,
  'acme/wrong-sha': /checksum|SHA-256|damaged|not the file/i,
  'acme/gated': /licence|not open/i,
  'acme/nowhere': /does not exist|not open/i,
  'acme/tiny/no-such-file.gguf': /no such file/i,
};

for (const [file, message] of Object.entries(BAD)) {
  test(`${file} says what is wrong, and the page goes on`, async ({ chat }) => {
    await chat.load(file.endsWith('.gguf') ? file : `${file}/model.gguf`);
    await expect(chat.news.getByRole('alert')).toContainText(message);
    await chat.news.getByRole('button', { name: 'Dismiss' }).click();
    if (!(await chat.model.textContent()).match(/SmolLM2|Smollm2/)) {
      await chat.inDialog('Models', (dialog) => dialog.getByRole('button', { name: `Load ${DEFAULT_MODEL}` }).click());
      await chat.answers();
    }
    await chat.knowsFrance();
  });
}

test('the cache is kept as the settings say', async ({ minnow }) => {
  await minnow.inDialog('Settings', (dialog) => dialog.getByRole('radio', { name: 'Cache q8_0' }).check());
  await minnow.load('acme/tiny/model.gguf');
  await minnow.answers();
  await minnow.inDialog('Settings', (dialog) => expect(dialog.getByText(/The model now has \d+ tokens, kept as q8_0/)).toBeVisible());
});
