// The engine fails for real, in four ways; the page goes on, and nothing that was typed is lost.

import { expect, test } from './fixtures.mjs';
import { Minnow } from './minnow.mjs';

// One pattern: Playwright takes a list of two for a value and its options.
test.use({ allowedErrors: [/unreachable|provoked|RuntimeError|Failed to load resource/], serviceWorkers: 'block' });

const DRAFT = 'Half a thought';

/** The worker that runs the engine. */
const engine = ({ page }) => page.workers()[0];

const restart = ({ news }) => news.getByRole('button', { name: 'Start it again' }).click();

test('a mistake of the engine ends the reply, not the page', async ({ minnow }) => {
  await minnow.load('acme/tiny/model.gguf');
  await minnow.answers();
  await minnow.set('Longest reply', 5);
  await engine(minnow).evaluate(() => {
    const post = self.postMessage.bind(self);
    self.postMessage = (message) => {
      if (!message.includes('"Prompt"')) return post(message);
      self.postMessage = post;
      throw new Error('provoked');
    };
  });
  const reply = await minnow.say('Hello');
  await expect(reply.getByRole('alert')).toContainText(/The engine has stopped.*mistake/);
  await expect(minnow.news.getByRole('alert')).toContainText(/The engine has stopped.*mistake.*Nothing you wrote is lost/);
  await minnow.message.fill(DRAFT);
  await restart(minnow);
  await expect(minnow.progress.or(minnow.news.getByRole('alert'))).toBeHidden();
  await expect(minnow.message).toHaveValue(DRAFT);
  await expect(minnow.questions).toContainText('Hello');
  await reply.getByRole('button', { name: 'Regenerate' }).click();
  await expect(minnow.replies.last()).toContainText(/5 tokens/);
});

test('a model for which there is no memory ends in words, and the page goes on', async ({ minnow }) => {
  await minnow.load('acme/tiny/model.gguf');
  await minnow.answers();
  await engine(minnow).evaluate(async () => {
    const loader = await (await fetch(location.href)).text();
    const [, program] = loader.match(/from ['"](.+?)['"]/);
    const { default: init } = await import(new URL(program, location.href).href);
    const { memory } = await init(); // It runs already: this gives what it has.
    for (let pages = 65_536; pages >= 1; ) {
      try {
        memory.grow(pages);
      } catch {
        pages /= 2;
      }
    }
  });
  await minnow.message.fill(DRAFT);
  await minnow.load('minnow/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf');
  await expect(minnow.news.getByRole('alert')).toContainText(/The engine has stopped.*more memory than the browser gives/);
  await restart(minnow);
  await minnow.answers();
  await expect(minnow.model).toContainText(/SmolLM2/i);
  await expect(minnow.message).toHaveValue(DRAFT);
});

test('an engine that does not arrive can be asked for again', async ({ minnow }) => {
  await minnow.page.route(/worker.*_loader\.js/, (route) => route.abort());
  await minnow.page.reload();
  await expect(minnow.news.getByRole('alert')).toContainText(/The engine has stopped.*check the connection/);
  await minnow.message.fill(DRAFT);
  await minnow.page.unroute(/worker.*_loader\.js/);
  await restart(minnow);
  await minnow.load('acme/tiny/model.gguf');
  await minnow.answers();
  await expect(minnow.message).toHaveValue(DRAFT);
});

for (const [how, search] of [['fails', ''], ['vanishes', '?silent']]) {
  test(`a thread that ${how} in the middle of a reply ends it in words, and the next one works`, async ({ context, probeSite, hub }) => {
    const minnow = await Minnow.open({ context, site: probeSite, hub, errors: [] });
    await minnow.set('Temperature', 0);
    await expect.poll(() => minnow.page.workers().length).toBe(1);
    await engine(minnow).evaluate((address) => {
      const { Worker, onmessage } = self;
      self.Worker = class extends Worker {
        constructor(_, options) {
          super(address, options);
        }
      };
      self.onmessage = ({ data }) => onmessage(new MessageEvent('message', { data: data.replace('"threads":0', '"threads":2') }));
    }, `./probe/helper.js${search}`);
    await minnow.loadDefault();
    const reply = await minnow.say('Count from one to one hundred in words.');
    await expect(reply).toContainText(/\w+ \w+/);
    await minnow.page.evaluate(() => new BroadcastChannel('helper').postMessage('begin'));
    await expect(reply.getByRole('alert')).toContainText(/The engine has stopped.*thread has stopped in the middle/);
    await expect(reply).toContainText(/\w+ \w+/);
    await restart(minnow);
    await expect(minnow.progress.or(minnow.news.getByRole('alert'))).toBeHidden();
    await minnow.knowsFrance();
  });
}
