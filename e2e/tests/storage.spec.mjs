// What is said survives a database that is lost, by whatever loses it.

import { expect, test } from './fixtures.mjs';
import { Minnow } from './minnow.mjs';

/** Ends the page's process, so that nothing of it can be saved any more; gives a new page of the same person. */
const crash = async ({ minnow, context, site, hub }) => {
  const crashed = minnow.page.waitForEvent('crash');
  const session = await context.newCDPSession(minnow.page);
  session.send('Page.crash').catch(() => {}); // Nobody is left to answer.
  await crashed;
  await minnow.page.close();
  return Minnow.open({ context, site, hub, errors: [] });
};

const deleteDatabase = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const request = indexedDB.deleteDatabase('minnow');
        request.onsuccess = () => resolve();
        request.onerror = () => reject(request.error);
      }),
  );

const questions = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const request = indexedDB.open('minnow');
        request.onerror = () => reject(request.error);
        request.onsuccess = () => {
          const database = request.result;
          const chats = database.transaction('chats').objectStore('chats').getAll();
          chats.onsuccess = () => {
            database.close();
            resolve(chats.result.flatMap((json) => JSON.parse(json).messages.filter(({ role }) => role === 'user').map(({ content }) => content)));
          };
        };
      }),
  );

test('a database that another tab deletes is made again, with all that was said', async ({ minnow, context, site, hub }) => {
  await minnow.load('acme/tiny/model.gguf');
  await minnow.answers();
  await minnow.set('Longest reply', 5);
  await minnow.ask('Before');
  await expect.poll(() => questions(minnow.page)).toEqual(['Before']);
  const other = await context.newPage();
  await other.goto(`${site.url}style/base.css`);
  await deleteDatabase(other);
  for (const question of ['One', 'Two', 'Three']) await minnow.ask(question);
  await expect(minnow.alert).toHaveCount(0);
  await expect.poll(() => questions(other)).toEqual(['Before', 'One', 'Two', 'Three']);
  const after = await crash({ minnow, context, site, hub });
  await after.conversations.getByRole('link', { name: 'Before' }).click();
  await expect(after.questions).toHaveText([/Before/, /One/, /Two/, /Three/]);
});

test('while a database cannot be opened, the person knows, and a copy of all that is said is kept', async ({ minnow, context, site, hub }) => {
  await minnow.load('acme/tiny/model.gguf');
  await minnow.answers();
  await minnow.set('Longest reply', 5);
  await minnow.ask('Before');
  await expect.poll(() => questions(minnow.page)).toEqual(['Before']);
  await minnow.page.evaluate(() => {
    globalThis.open = IDBFactory.prototype.open;
    IDBFactory.prototype.open = () => {
      throw new DOMException('Internal error opening backing store.', 'UnknownError');
    };
  });
  const other = await context.newPage();
  await other.goto(`${site.url}style/base.css`);
  await deleteDatabase(other);
  await minnow.ask('One');
  await expect(minnow.alert).toContainText('could not be saved');
  await minnow.page.getByRole('button', { name: 'Dismiss' }).click();
  await expect(minnow.alert).toHaveCount(0);
  await minnow.ask('Two');
  await expect(minnow.alert).toContainText('could not be saved');
  await expect.poll(() => minnow.unsaved()).toHaveLength(1);
  const after = await crash({ minnow, context, site, hub });
  await after.conversations.getByRole('link', { name: 'Before' }).click();
  await expect(after.questions).toHaveText([/Before/, /One/, /Two/]);
  await expect.poll(() => after.unsaved()).toEqual([]);
  await expect.poll(() => questions(other)).toEqual(['Before', 'One', 'Two']);
});

test('what could not be saved is saved as soon as it can be, and the person is no longer told', async ({ minnow, context, site }) => {
  await minnow.load('acme/tiny/model.gguf');
  await minnow.answers();
  await minnow.set('Longest reply', 5);
  await minnow.ask('Before');
  await expect.poll(() => questions(minnow.page)).toEqual(['Before']);
  await minnow.page.evaluate(() => {
    globalThis.open = IDBFactory.prototype.open;
    IDBFactory.prototype.open = () => {
      throw new DOMException('Internal error opening backing store.', 'UnknownError');
    };
  });
  const other = await context.newPage();
  await other.goto(`${site.url}style/base.css`);
  await deleteDatabase(other);
  await minnow.ask('One');
  await expect(minnow.alert).toContainText('could not be saved');
  await minnow.page.evaluate(() => (IDBFactory.prototype.open = globalThis.open));
  await expect(minnow.alert).toHaveCount(0);
  await expect.poll(() => questions(other)).toEqual(['Before', 'One']);
  await expect.poll(() => minnow.unsaved()).toEqual([]);
});

test('a page whose database belongs to a newer one says so', async ({ minnow, context, site }) => {
  await minnow.load('acme/tiny/model.gguf');
  await minnow.answers();
  await minnow.set('Longest reply', 5);
  await minnow.ask('Before');
  const other = await context.newPage();
  await other.goto(`${site.url}style/base.css`);
  await other.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const request = indexedDB.open('minnow', 99);
        request.onsuccess = () => resolve();
        request.onerror = () => reject(request.error);
      }),
  );
  await minnow.ask('One');
  await expect(minnow.alert).toContainText('newer Minnow');
  await expect.poll(() => minnow.unsaved()).toHaveLength(1);
});
