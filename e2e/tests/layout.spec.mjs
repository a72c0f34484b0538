// Every screen and every way to use it: a phone, the dark, the keyboard alone.

import { expect, test } from './fixtures.mjs';

const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 360, height: 740 };

test.describe('on a phone', () => {
  test.beforeEach(({ chat }) => chat.page.setViewportSize(PHONE));
  test.afterEach(({ chat }) => chat.page.setViewportSize(DESKTOP));

  test('a chat fits', async ({ chat }) => {
    await expect(await chat.ask('What is the capital of France?')).toContainText('Paris');
    expect(await chat.isTooWide()).toBe(false);
    await expect(chat.message).toBeInViewport({ ratio: 1 });
    await expect(chat.send).toBeInViewport({ ratio: 1 });
  });

  test('dialogs fit', async ({ chat }) => {
    for (const name of ['Models', 'Settings']) {
      await chat.inDialog(name, async (dialog) => {
        await expect(dialog).toBeInViewport({ ratio: 1 });
        expect(await chat.isTooWide()).toBe(false);
      });
    }
  });

  test('the list of conversations takes the focus, and gives it back', async ({ chat }) => {
    const menu = chat.page.getByRole('button', { name: 'Conversations', exact: true });
    const first = chat.conversations.getByRole('button', { name: 'New chat' });
    const close = () => chat.conversations.getByRole('button', { name: 'Close conversations' }).click();
    for (const leave of [() => chat.page.keyboard.press('Escape'), close]) {
      await menu.click();
      await expect(first).toBeInViewport({ ratio: 1 });
      await expect(first).toBeFocused();
      await leave();
      await expect(first).not.toBeInViewport();
      await expect(menu).toBeFocused();
    }
  });
});

test('light and dark follow the system and the setting', async ({ minnow }) => {
  const brightness = () =>
    minnow.page.evaluate(() => {
      const context = new OffscreenCanvas(1, 1).getContext('2d');
      context.fillStyle = getComputedStyle(document.documentElement).backgroundColor;
      context.fillRect(0, 0, 1, 1);
      return context.getImageData(0, 0, 1, 1).data[1];
    });
  await minnow.page.emulateMedia({ colorScheme: 'light' });
  await expect.poll(brightness).toBeGreaterThan(200);
  await minnow.page.emulateMedia({ colorScheme: 'dark' });
  await expect.poll(brightness).toBeLessThan(60);
  await minnow.inDialog('Settings', (dialog) => dialog.getByRole('radio', { name: 'Light' }).check());
  await expect.poll(brightness).toBeGreaterThan(200);
});

test('a number out of its range does not count, and the range is said', async ({ minnow }) => {
  let before;
  await minnow.inDialog('Settings', async (dialog) => {
    const [field, range] = [dialog.getByLabel('Temperature'), dialog.getByText('From 0 to 5')];
    before = await field.inputValue();
    for (const wrong of ['7', '']) {
      await expect(range).toBeHidden();
      await field.fill(wrong);
      await field.press('Tab');
      await expect(range).toBeVisible();
      await field.fill(before);
    }
    await field.fill('7');
    await field.press('Tab');
  });
  await minnow.page.reload();
  await minnow.inDialog('Settings', (dialog) => expect(dialog.getByLabel('Temperature')).toHaveValue(before));
});

test('a conversation is renamed with the keyboard, also while it is being answered', async ({ chat }) => {
  const { page, conversations } = chat;
  const title = conversations.getByRole('textbox', { name: 'Title' });
  await chat.set('Longest reply', 60);
  const reply = await chat.say('Tell of a trout.');
  await conversations.getByRole('button', { name: 'Rename Tell of a trout.' }).press('Enter');
  await expect(title).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(conversations.getByRole('link', { name: 'Tell of a trout.' })).toBeFocused();
  await conversations.getByRole('button', { name: 'Rename Tell of a trout.' }).press('Enter');
  await expect(title).toBeFocused();
  await page.keyboard.type('The trout');
  await chat.complete(reply);
  await expect(title).toBeFocused();
  await expect(title).toHaveValue('The trout');
  await page.keyboard.press('Enter');
  await expect(conversations.getByRole('link', { name: 'The trout' })).toBeFocused();
  await chat.set('Longest reply', 0);
});

test('the keyboard alone is enough', async ({ chat }) => {
  const { page } = chat;
  const reach = async (locator) => {
    for (let i = 0; i < 60; i += 1) {
      if (await locator.evaluate((element) => element === document.activeElement)) return;
      await page.keyboard.press('Tab');
    }
    throw new Error(`Tab does not reach ${locator}`);
  };
  await page.evaluate(() => document.activeElement?.blur());
  await reach(chat.model);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog', { name: 'Models' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog', { name: 'Models' })).toBeHidden();
  await expect(chat.model).toBeFocused();
  await reach(chat.message);
  await page.keyboard.type('What is the capital');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('of France?');
  await page.keyboard.press('Enter');
  await expect(chat.replies.last()).toContainText('Paris');
  await chat.complete(chat.replies.last());
  await reach(chat.replies.last().getByRole('button', { name: 'Regenerate' }));
  await page.keyboard.press('Enter');
  await expect(chat.replies.last()).toContainText('2/2');
  await chat.complete(chat.replies.last());
});
