// The worker, with everything that it asks of WebGPU counted on the way; `probe=NAME` in the address names the channel on
// which it is asked for the counts, and told to lose its GPU; `room=BYTES`, that its buffers may have so many.

import './counts.js';

const address = new URLSearchParams(location.search);
if (address.has('room')) self.limitMemory(Number(address.get('room')));
self.answerCounts(address.get('probe'));
await import(address.get('worker'));
