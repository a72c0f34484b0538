// Texts for the tokenizers alone: the prompts, and random mixtures of what pre-tokenizers tell apart.

const KINDS = [
    "abcdefgh xyz", "ABC DEF", "0123456789", "0123456789", " ", "  ", "\t", "\n", "\r\n", ".,!?-_'\"()[]{}", "$+<=>^~|`",
    "'s't're've'm'll'd", "'S'T'RE'VE'M'LL'D", "éßñøåçžİıſK", "жийЯ", "αβΩ", "中文字あカ한글", "عربيةא", "कि१्ष", "ไทยก์๓",
    "¼½²³Ⅷ①", "€£¥←∑≤", "«»“”…—", "\u0301\u0308\u20e3", "\u00a0\u2003\u3000\u0085", "👍👨‍👩‍👧🏽🇫🇷", "\u200b\u00ad\u0000\u001b",
    "<|im_start|>", "<|im_end|>", "<end_of_turn>", "<unused7>", "\n\n\n", "▁▁", "    ",
].map((kind) => (kind.startsWith("<") ? [kind] : [...kind]));

export function textsForTokenizers(prompts) {
    const random = generator(2024);
    const mixtures = Array.from({ length: 160 }, () => mixture(random));
    const anywhere = Array.from({ length: 40 }, () => codePoints(random));
    return ["", ...prompts, ...mixtures, ...anywhere];
}

function mixture(random) {
    let text = "";
    for (let runs = 1 + random(12); runs > 0; runs--) {
        const kind = KINDS[random(KINDS.length)];
        for (let n = 1 + random(5); n > 0; n--) {
            text += kind[random(kind.length)];
        }
    }
    return text;
}

/** Assigned code points from everywhere, because classes must be right in every script. */
function codePoints(random) {
    let text = "";
    while (text.length < 40) {
        const character = String.fromCodePoint(random(random(4) ? 0x3000 : 0x20000));
        text += /[\p{Cn}\p{Cs}]/u.test(character) || NEWER.test(character) ? " " : character;
    }
    return text;
}

/** Assigned since Unicode 15.1, which llama.cpp's tables are of; ours are newer. Below U+20000. */
const NEWER = new RegExp(`[${`
    88f 897 c5c cdc 1acf-1add 1ae0-1aeb 1b4e-1b4f 1b7f 1c89-1c8a 20c1 2427-2429 2b96 31e4-31e5 a7cb-a7cf a7d2 a7d4 a7da-a7dc a7f1
    fbc3-fbd2 fd90-fd91 fdc8-fdce 105c0-105f3 10940-10959 10d40-10d8f 10ec2-10efc 11380-113e2 116d0-116e3 11b60-11bf9 11db0-11de9
    11f5a 13460-143fa 16100-16139 16d40-16d79 16ea0-16ed3 16ff2-16ff6 187f8-187ff 18cff 18d09-18df2 1cc00-1cef0 1e5d0-1e5ff
    1e6c0-1e6ff 1f6d8 1f777-1f77a 1f8b2-1f8d8 1fa54-1fa57 1fa89-1fa8f 1fabe 1fac6-1facd 1fadc-1fadf 1fae9-1faef 1fbcb-1fbfa
`.trim().replace(/[0-9a-f]+/g, "\\u{$&}").replace(/\s+/g, "")}]`, "u");

/** mulberry32: the same numbers every time; random(n) is one of 0 … n − 1. */
function generator(seed) {
    return (n) => {
        seed = (seed + 0x6d2b79f5) | 0;
        let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) % n;
    };
}
