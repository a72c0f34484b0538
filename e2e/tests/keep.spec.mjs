// What outlives the tab: conversations and drafts, whatever happens to the tab and to others beside it.

import { expect, test } from './fixtures.mjs';

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
