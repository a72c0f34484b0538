// What outlives the tab: conversations and drafts, whatever happens to the tab and to others beside it.

import { expect, test } from './fixtures.mjs';
import { Minnow } from './minnow.mjs';

test('a tab that was hidden during a reply loses nothing said later, and brings nothing deleted back', async ({ minnow }) => {
  await minnow.load('acme/tiny/model.gguf');
  await minnow.answers();
  await minnow.set('Longest reply', 200);
  const reply = await minnow.say('First');
  await expect(reply.locator('.prose')).toContainText(/\S/);
  await minnow.hide(true);
  await minnow.hide(false);
  await minnow.complete(reply);
  await minnow.set('Longest reply', 5);
  await minnow.ask('Second');
  await minnow.ask('Third');
  await expect.poll(() => minnow.unsaved()).toEqual([]);
  await minnow.page.reload();
  await expect(minnow.questions).toHaveText([/First/, /Second/, /Third/]);
  await minnow.conversations.getByRole('button', { name: 'Delete First' }).click();
  await expect(minnow.page.getByText('Deleted “First”.')).toBeVisible();
  await minnow.page.reload();
  await expect(minnow.message).toBeVisible();
  await minnow.answers();
  await expect(minnow.conversations.getByRole('listitem')).toHaveCount(0);
});

test('what is typed in one tab is not lost to another', async ({ minnow, context, site, hub }) => {
  const question = { id: 1, parent: null, role: 'user', content: 'Hello', origin: null };
  const conversations = [{ id: 7, title: 'Other', updated_ms: 1, leaf: 1, messages: [question] }];
  await minnow.import('one.json', { format: 'minnow-conversations', version: 1, conversations });
  const errors = [];
  const other = await Minnow.open({ context, site, hub, errors });
  await other.conversations.getByRole('link', { name: 'Other' }).click();
  await expect(other.questions).toContainText('Hello');
  await other.message.fill('A long thought');
  await minnow.message.fill('x');
  await minnow.message.fill('');
  await other.page.reload();
  await expect(other.message).toHaveValue('A long thought');
  await other.message.fill('');
  await other.page.reload();
  await expect(other.questions).toContainText('Hello');
  await expect(other.message).toHaveValue('');
  expect(errors).toEqual([]);
});
