// The worker, with everything that it asks of WebGPU counted on the way; `probe=NAME` in the address names the channel on
// which it is asked for the counts, and told to lose its GPU; `room=BYTES`, that its buffers may have so many; `flaw=NAME`,
// what is wrong with its GPU.

import './counts.js';

const address = new URLSearchParams(location.search);
if (address.has('room')) self.limitMemory(Number(address.get('room')));
if (address.has('flaw')) self.spoil(address.get('flaw'));
self.answerCounts(address.get('probe'));
await import(address.get('worker'));
