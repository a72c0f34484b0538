// The worker, with everything that it asks of WebGPU counted on the way; `probe=NAME` in the address names the channel on
// which it is asked for the counts, and told to lose its GPU.

import './counts.js';

const address = new URLSearchParams(location.search);
self.answerCounts(address.get('probe'));
await import(address.get('worker'));
