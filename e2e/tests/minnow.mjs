// The page as a person meets it: everything is found by its role and name.

import { expect } from '@playwright/test';

export const DEFAULT_MODEL = 'SmolLM2 135M Instruct';
const ANSWERS = 'Suggestions'; // What an empty chat shows once a model answers.

/** What the CDN was asked for, as [first byte, bytes sent]. */
export const downloads = (hub) => hub.requests.filter(({ server }) => server === 'cdn').map(({ range, sent }) => [Number(range?.match(/\d+/)?.[0] ?? 0), sent]);

export const sum = (numbers) => numbers.reduce((total, n) => total + n, 0);

/** Minnow in a browser page. */
export class Minnow {
  constructor(page, site) {
    this.page = page;
    this.site = site;
    this.message = page.getByRole('textbox', { name: 'Message', exact: true });
    this.send = page.getByRole('button', { name: 'Send', exact: true });
    this.stop = page.getByRole('button', { name: 'Stop', exact: true });
    this.model = page.getByTitle('Choose a model');
    this.news = page.getByRole('region', { name: 'Model' });
    this.progress = page.getByRole('progressbar', { name: 'Loading model' });
    this.alert = page.getByRole('alert');
    this.questions = page.locator('article[data-role="user"]');
    this.replies = page.locator('article[data-role="assistant"]');
    this.conversations = page.getByRole('navigation', { name: 'Conversations' });
  }

  /** A page that asks `hub` for models. Console errors are added to `errors`. */
  static async open({ context, site, hub, errors }) {
    const page = await context.newPage();
    page.on('pageerror', (error) => errors.push(String(error)));
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    await page.addInitScript((hub) => localStorage.setItem('minnow.hub', hub), hub.url);
    const minnow = new Minnow(page, site);
    await minnow.goto();
    return minnow;
  }

  async goto() {
    await this.page.goto(this.site.url);
    await expect(this.message).toBeVisible();
  }

  /** Presses the first button of the page, and waits until the model answers. */
  async loadDefault() {
    await this.page.getByRole('button', { name: `Load ${DEFAULT_MODEL}` }).click();
    await this.answers();
  }

  /** Waits until an empty chat offers things to say: a model is there. */
  async answers() {
    await expect(this.page.getByRole('list', { name: ANSWERS })).toBeVisible({ timeout: 120_000 });
  }

  async newChat() {
    await this.page.getByRole('button', { name: 'New chat' }).click();
    await expect(this.replies).toHaveCount(0);
  }

  /** Says something; gives the reply, which may still be growing. */
  async say(text) {
    const before = await this.replies.count();
    await this.message.fill(text);
    await this.message.press('Enter');
    await expect(this.replies).toHaveCount(before + 1);
    return this.replies.last();
  }

  /** Says something, and waits for all of the reply. */
  async ask(text) {
    const reply = await this.say(text);
    await this.complete(reply);
    return reply;
  }

  async complete(reply) {
    await expect(reply).toHaveAttribute('aria-busy', 'false', { timeout: 120_000 });
  }

  /** Starts over and asks what every model here knows. */
  async knowsFrance() {
    await this.newChat();
    await expect(await this.ask('What is the capital of France?')).toContainText('Paris');
  }

  /** Does something in the dialog of that name. */
  async inDialog(name, work) {
    await (name === 'Models' ? this.model : this.page.getByRole('button', { name })).click();
    const dialog = this.page.getByRole('dialog', { name });
    await work(dialog);
    if (await dialog.isVisible()) await dialog.getByRole('button', { name: 'Close', exact: true }).click();
    await expect(dialog).toBeHidden();
  }

  /** Sets a number of the settings. */
  async set(name, value) {
    await this.inDialog('Settings', async (dialog) => {
      await dialog.getByLabel(name).fill(String(value));
      await dialog.getByLabel(name).press('Tab');
    });
  }

  /** Begins to load `owner/name/file.gguf` from the hub. */
  async load(file) {
    await this.inDialog('Models', async (dialog) => {
      const field = dialog.getByRole('textbox', { name: 'Hugging Face repository' });
      await field.fill(file);
      await field.press('Enter'); // A button may move while the list of stored models arrives.
      await expect(dialog).toBeHidden();
    });
  }

  /** Makes the page believe that its tab went to the background, or came back. */
  hide(hidden) {
    return this.page.evaluate((hidden) => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
      Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => (hidden ? 'hidden' : 'visible') });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
  }

  /** What conversations the local storage holds for fear that the database has no time. */
  unsaved() {
    return this.page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('minnow.unsaved')));
  }

  async import(name, content) {
    await this.inDialog('Settings', async (dialog) => {
      const buffer = Buffer.from(typeof content === 'string' ? content : JSON.stringify(content));
      await dialog.getByLabel('Import conversations').setInputFiles({ name, mimeType: 'application/json', buffer });
    });
  }

  /** Whether the page needs to be scrolled sideways. */
  isTooWide() {
    return this.page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  }
}
