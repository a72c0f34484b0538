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
        text += /[\p{Cn}\p{Cs}]/u.test(character) ? " " : character;
    }
    return text;
}

/** mulberry32: the same numbers every time; random(n) is one of 0 … n − 1. */
function generator(seed) {
    return (n) => {
        seed = (seed + 0x6d2b79f5) | 0;
        let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) % n;
    };
}
