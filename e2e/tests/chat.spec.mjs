// Conversations with the default model, greedily sampled.

import { expect, test } from './fixtures.mjs';

const FRANCE = 'What is the capital of France?';

test('the reply streams in', async ({ chat }) => {
  await chat.page.evaluate(() => {
    globalThis.lengths = [];
    const note = () => {
      const text = document.querySelector('article[data-role="assistant"] .prose')?.textContent ?? '';
      if (text.length !== globalThis.lengths.at(-1)) globalThis.lengths.push(text.length);
    };
    new MutationObserver(note).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  const reply = await chat.ask(FRANCE);
  await expect(reply).toContainText('Paris');
  await expect(reply).toContainText(/\d tokens · [\d.]+ tokens\/s/);
  const lengths = await chat.page.evaluate(() => globalThis.lengths);
  expect(lengths.length).toBeGreaterThan(3);
  expect([...lengths].sort((a, b) => a - b)).toEqual(lengths);
  await expect(chat.page.getByTestId('context')).toContainText(/^\d+ of [\d\s]+ tokens/);
});

test('a question that needs the one before it', async ({ chat }) => {
  await chat.ask(FRANCE);
  await expect(await chat.ask('And of Italy?')).toContainText('Rome');
});

test('stop in the middle keeps what was written', async ({ chat }) => {
  const reply = await chat.say('Write a long story about a fish.');
  await expect(reply).toContainText(/(\w+\W+){10}/);
  await chat.stop.click();
  await chat.complete(reply);
  await expect(reply).toContainText('stopped');
  await expect(reply).toContainText(/(\w+\W+){10}/);
  await expect(await chat.ask(FRANCE)).toContainText(/\w/);
});

test('an edited question is answered again, and the first version stays', async ({ chat }) => {
  await chat.ask(FRANCE);
  await chat.questions.getByRole('button', { name: 'Edit', exact: true }).click();
  await chat.page.getByRole('textbox', { name: 'Edit message' }).fill('What is the capital of Italy?');
  await chat.page.getByRole('button', { name: 'Send edited' }).click();
  await expect(chat.replies.last()).toContainText('Rome');
  await chat.complete(chat.replies.last());
  await chat.questions.getByRole('button', { name: 'Previous version' }).click();
  await expect(chat.replies.last()).toContainText('Paris');
});

test('a reply can be written again', async ({ chat }) => {
  const reply = await chat.ask(FRANCE);
  await reply.getByRole('button', { name: 'Regenerate' }).click();
  await expect(chat.replies.last()).toContainText('2/2');
  await chat.complete(chat.replies.last());
  await expect(chat.replies.last()).toContainText('Paris');
});

test('code is shown as a block that can be copied', async ({ chat }) => {
  await chat.page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  const reply = await chat.say('Write a short Python function that adds two numbers.');
  const copy = reply.getByRole('button', { name: 'Copy code' }).first();
  await expect(reply.locator('pre').first()).toContainText('return');
  await copy.click();
  await expect.poll(() => chat.page.evaluate(() => navigator.clipboard.readText())).toContain('def ');
  await chat.stop.click();
  await chat.complete(reply);
});

test('the longest reply is respected', async ({ chat }) => {
  await chat.set('Longest reply', 5);
  const reply = await chat.ask(FRANCE);
  await chat.set('Longest reply', 0);
  await expect(reply).toContainText('5 tokens');
  await expect(reply.getByRole('note')).toContainText('longest reply');
});

test('conversations are listed, opened, deleted and brought back', async ({ chat }) => {
  await chat.ask('Say hello to the otter.');
  await chat.newChat();
  const link = chat.conversations.getByRole('link', { name: 'Say hello to the otter.' });
  await link.click();
  await expect(chat.questions).toContainText('otter');
  await chat.conversations.getByRole('button', { name: 'Delete Say hello to the otter.' }).click();
  await expect(link).toBeHidden();
  await chat.page.getByRole('button', { name: 'Undo' }).click();
  await expect(link).toBeVisible();
});
