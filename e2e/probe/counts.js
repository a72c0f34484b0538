// Counts what a worker asks of WebGPU, and spoils it for tests. A script to be run before the worker's own: it has no imports
// and no exports.
// A block of its own, so that its names are not the worker's.

{
  const counts = { dispatches: 0, submits: 0, bind_groups: 0, pipelines: 0, buffers: 0, writes: 0, written_bytes: 0, largest_write: 0, reads: 0, read_bytes: 0 };
  const devices = [];
  let room = Infinity; // Bytes of buffers before memory runs out.
  const living = new WeakSet(); // Buffers that were not destroyed.
  let held = 0; // Their bytes, those included that nobody can reach any more.

  /** Calls `note` before every call of a method. */
  function wrap(type, method, note) {
    const call = type.prototype[method];
    type.prototype[method] = function (...args) {
      note.apply(this, args);
      return call.apply(this, args);
    };
  }

  /** Has a device say this, after the fact. */
  function complain(device, error) {
    queueMicrotask(() => device.dispatchEvent(new GPUUncapturedErrorEvent('uncapturederror', { error, cancelable: true })));
  }

  if (self.GPUDevice) {
    wrap(GPUComputePassEncoder, 'dispatchWorkgroups', () => (counts.dispatches += 1));
    wrap(GPUComputePassEncoder, 'dispatchWorkgroupsIndirect', () => (counts.dispatches += 1));
    wrap(GPUQueue, 'submit', () => (counts.submits += 1));
    wrap(GPUQueue, 'writeBuffer', (buffer, at, data, first = 0, size = undefined) => {
      const bytes = (size ?? (data.length ?? data.byteLength) - first) * (data.BYTES_PER_ELEMENT ?? 1);
      counts.writes += 1;
      counts.written_bytes += bytes;
      counts.largest_write = Math.max(counts.largest_write, bytes);
    });
    wrap(GPUDevice, 'createBindGroup', () => (counts.bind_groups += 1));
    const create = GPUDevice.prototype.createBuffer;
    GPUDevice.prototype.createBuffer = function (...args) {
      const buffer = create.apply(this, args);
      counts.buffers += 1;
      living.add(buffer);
      held += buffer.size;
      room -= buffer.size;
      if (room < 0) complain(this, new GPUOutOfMemoryError('no room left'));
      return buffer;
    };
    wrap(GPUBuffer, 'destroy', function () {
      if (living.delete(this)) held -= this.size;
    });
    wrap(GPUDevice, 'createComputePipeline', () => (counts.pipelines += 1));
    wrap(GPUDevice, 'createComputePipelineAsync', () => (counts.pipelines += 1));
    wrap(GPUBuffer, 'getMappedRange', (at, size) => ((counts.reads += 1), (counts.read_bytes += size ?? 0)));
    const request = GPUAdapter.prototype.requestDevice;
    GPUAdapter.prototype.requestDevice = async function (...args) {
      const device = await request.apply(this, args);
      devices.push(device);
      return device;
    };
  }

  /** From now on, there is memory for so many bytes of buffers. */
  self.limitMemory = (bytes) => (room = bytes);

  /** Other ways in which GPUs disappoint. */
  const rewrite = (from, to) => {
    const create = GPUDevice.prototype.createShaderModule;
    GPUDevice.prototype.createShaderModule = function ({ code, ...rest }) {
      return create.call(this, { ...rest, code: code.replaceAll(from, to) });
    };
  };
  /** What it promises never comes; who asked knows from `asked`. */
  const silence = (type, method) => (type.prototype[method] = () => (asked(), new Promise(() => {})));
  let asked = () => {};
  /** Long waits are short. */
  const hurry = () => {
    const wait = setTimeout;
    self.setTimeout = (call, ms, ...rest) => wait(call, ms < 10_000 ? ms : ms / 30, ...rest);
  };
  const flaws = {
    absent: () => (GPU.prototype.requestAdapter = async () => null),
    'no info': () => delete GPUAdapter.prototype.info,
    'bad subgroups': () => rewrite('subgroupShuffleXor(sum', 'subgroupShuffleXor(2.0 * sum'),
    'bad sums': () => rewrite('partial[lane] += ', 'partial[lane] += 0.5 * '),
    'bad bytes': () => rewrite('vec4f(unpack4xI8(word))', 'vec4f(unpack4xU8(word))'),
    'bad steps': () =>
      wrap(GPUDevice, 'createBuffer', function ({ size }) {
        if (size > 8e6) complain(this, new GPUValidationError('bad steps'));
      }),
    'no answer': () => (silence(GPU, 'requestAdapter'), hurry()),
    'no result': () => (silence(GPUBuffer, 'mapAsync'), hurry()),
    'no shared memory': () => {
      WebAssembly.Memory = class extends WebAssembly.Memory {
        constructor(wanted) {
          if (wanted.shared) throw new RangeError('no room left');
          super(wanted);
        }
      };
    },
    'no answer yet': () => silence(GPU, 'requestAdapter'),
  };
  self.spoil = (flaw) => flaws[flaw]();

  /** Answers on the channel of this name: what was counted, what buffers hold, begin again, lose the GPU, have memory for
   * small things only, or all there is. */
  self.answerCounts = (name) => {
    const channel = new BroadcastChannel(name);
    asked = () => channel.postMessage('asked');
    channel.onmessage = ({ data }) => {
      if (data === 'counts?') channel.postMessage({ ...counts });
      if (data === 'held?') channel.postMessage(held);
      if (data === 'begin') {
        for (const key of Object.keys(counts)) counts[key] = 0;
        channel.postMessage({ ...counts });
      }
      if (data === 'fill' || data === 'empty') {
        room = data === 'fill' ? 2e6 : Infinity;
        channel.postMessage(true);
      }
      if (data === 'lose') {
        for (const device of devices) device.destroy();
        channel.postMessage(devices.length);
      }
    };
  };
}
