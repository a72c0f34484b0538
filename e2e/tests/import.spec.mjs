// Conversations from elsewhere, and model output, may hold anything; none of it runs.

import { expect, test } from './fixtures.mjs';

const HOSTILE = [
  '<img src=x onerror="globalThis.pwned = 1">',
  '<script>globalThis.pwned = 1</script>',
  '<svg onload="globalThis.pwned = 1"></svg>',
  '[a link](javascript:globalThis.pwned=1)',
  '[another](data:text/html,<script>opener.pwned=1</script>)',
  '<javascript:globalThis.pwned=1>',
  '![a picture](http://tracker.invalid/pixel.png)',
  '```html\n<img src=x onerror="globalThis.pwned = 1">\n```',
].join('\n\n');

const message = (id, role, content, parent = null) => ({
  id,
  parent,
  role,
  content,
  origin: role === 'assistant' ? { model: HOSTILE, thought: HOSTILE, n_dropped: 0, outcome: { Failed: HOSTILE } } : null,
});
const archive = (...conversations) => ({ format: 'minnow-conversations', version: 1, conversations });
const conversation = (title, messages, leaf = messages.at(-1)?.id ?? null) => ({ id: 7, title, updated_ms: 1, leaf, messages });

test('markup in a conversation is shown as text', async ({ minnow }) => {
  const foreign = [];
  minnow.page.on('request', (request) => !request.url().startsWith(minnow.site.url) && foreign.push(request.url()));
  const title = 'A title <img src=x onerror="globalThis.pwned = 1">';
  await minnow.import('hostile.json', archive(conversation(title, [message(1, 'user', HOSTILE), message(2, 'assistant', HOSTILE, 1)])));
  await minnow.conversations.getByRole('link', { name: title }).click();
  await expect(minnow.questions).toContainText('<script>');
  await expect(minnow.replies).toContainText('<script>globalThis.pwned = 1</script>');
  await minnow.replies.locator('details').first().locator('summary').click();
  for (const link of await minnow.replies.getByRole('link').all()) {
    expect(await link.getAttribute('href')).not.toMatch(/^\s*(javascript|data|vbscript):/i);
  }
  await expect(minnow.page.locator('article').locator('img, script, iframe')).toHaveCount(0);
  await minnow.page.waitForLoadState('networkidle');
  expect(await minnow.page.evaluate(() => globalThis.pwned)).toBeUndefined();
  expect(foreign).toEqual([]);
});

test('a message that nests without end is shown, and what follows it too', async ({ minnow }) => {
  const deep = ['>'.repeat(20_000) + ' quoted', '- '.repeat(3000) + 'listed', '> - '.repeat(3000) + 'mixed', '*a **b '.repeat(300) + 'c' + '** *'.repeat(300)].join('\n\n');
  await minnow.import('deep.json', archive(conversation('Deep', [message(1, 'user', 'Hello'), message(2, 'assistant', `${deep}\n\n**The end**`, 1)])));
  await minnow.conversations.getByRole('link', { name: 'Deep' }).click();
  for (const word of ['quoted', 'listed', 'mixed', 'The end']) await expect(minnow.replies).toContainText(word);
});

const DAMAGED = {
  'not JSON': '<!doctype html>',
  'another format': JSON.stringify({ format: 'other', version: 1, conversations: [] }),
  'a newer version': JSON.stringify({ ...archive(), version: 99 }),
  'fields missing': JSON.stringify(archive({ id: 7 })),
  'a reply to nothing': archive(conversation('x', [message(2, 'assistant', 'a', 1)])),
  'a message that follows itself': archive(conversation('x', [message(1, 'user', 'a', 1)])),
  'two messages with one id': archive(conversation('x', [message(1, 'user', 'a'), message(1, 'assistant', 'b', 1)])),
  'an end that is not there': archive(conversation('x', [message(1, 'user', 'a')], 5)),
  'deep nesting': '['.repeat(100_000),
};

test('a file that is damaged is refused, and says why', async ({ minnow }) => {
  for (const [what, content] of Object.entries(DAMAGED)) {
    await test.step(what, async () => {
      await minnow.import('damaged.json', content);
      await expect(minnow.alert).toContainText(/This file/);
      await minnow.page.getByRole('button', { name: 'Dismiss' }).click();
      await expect(minnow.alert).toBeHidden();
    });
  }
  await expect(minnow.conversations.getByRole('listitem')).toHaveCount(0);
});

test('what is exported can be imported, and what is here already does not come twice', async ({ minnow }) => {
  await minnow.import('one.json', archive(conversation('First', [message(1, 'user', 'Hello'), message(2, 'assistant', '**Hi**', 1)])));
  await expect(minnow.conversations.getByRole('link', { name: 'First' })).toBeVisible();
  const download = minnow.page.waitForEvent('download');
  await minnow.inDialog('Settings', (dialog) => dialog.getByRole('button', { name: 'Export all' }).click());
  const path = await (await download).path();
  const again = () => minnow.inDialog('Settings', (dialog) => dialog.getByLabel('Import conversations').setInputFiles(path));
  await minnow.page.reload(); // It is compared with what the database has, too.
  await expect(minnow.conversations.getByRole('link', { name: 'First' })).toBeVisible();
  await again();
  await expect(minnow.page.getByText('Imported 0 conversations; 1 was here already.')).toBeVisible();
  await expect(minnow.conversations.getByRole('listitem')).toHaveCount(1);
  await minnow.conversations.getByRole('button', { name: 'Delete First' }).click();
  await expect(minnow.page.getByText('Deleted “First”.')).toBeVisible();
  await again();
  await expect(minnow.conversations.getByRole('link', { name: 'First' })).toHaveCount(1);
  await minnow.import('other.json', archive(conversation('First', [message(1, 'user', 'Something else')])));
  await expect(minnow.conversations.getByRole('link', { name: 'First' })).toHaveCount(2);
});

test('a half-typed edit stays in its conversation, also where another has messages of the same numbers', async ({ minnow }) => {
  for (const title of ['First', 'Second']) {
    await minnow.import('one.json', archive(conversation(title, [message(1, 'user', `Hello ${title}`), message(2, 'assistant', 'Hi', 1)])));
    await expect(minnow.conversations.getByRole('link', { name: title })).toBeVisible();
  }
  const open = async (title) => {
    await minnow.conversations.getByRole('link', { name: title }).click();
    await expect(minnow.page.getByText(`Hello ${title}`)).toBeVisible();
  };
  const editor = minnow.questions.getByRole('textbox', { name: 'Edit message' });
  await open('First');
  await minnow.questions.getByRole('button', { name: 'Edit' }).click();
  await editor.fill('HALF TYPED');
  await open('Second');
  await expect(editor).toHaveCount(0);
  await minnow.questions.getByRole('button', { name: 'Edit' }).click();
  await expect(editor).toHaveValue('Hello Second');
  await editor.press('Escape');
  await minnow.conversations.getByRole('link', { name: 'First' }).click();
  await expect(editor).toHaveValue('HALF TYPED');
});

test('conversations survive a reload right after they were imported', async ({ minnow }) => {
  await minnow.import('one.json', archive(conversation('Kept', [message(1, 'user', 'Hello'), message(2, 'assistant', '**Hi**', 1)])));
  // From this moment on it is safe, whatever happens.
  await expect(minnow.page.getByText('Imported 1 conversation.')).toBeVisible();
  await minnow.page.reload();
  await minnow.conversations.getByRole('link', { name: 'Kept' }).click();
  await expect(minnow.replies.locator('strong')).toHaveText('Hi');
});
