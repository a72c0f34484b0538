"""Makes TYPE.txt beside this file: blocks of every weight type, and the floats that the `gguf` package makes of them.

pip install gguf==0.19.0 && python engine/tests/golden/quant/make.py

A file is a line of provenance, then pairs of lines in hex: the bytes of a block, the bytes of its f32 weights.
"""

from importlib.metadata import version
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type
from gguf.quants import dequantize, quantize

# Where a block of each type has its f16s.
HALVES = {
    Type.F32: [], Type.F16: [], Type.BF16: [],
    Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0],
    Type.Q2_K: [80, 82], Type.Q3_K: [108], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208],
    Type.IQ4_NL: [0], Type.IQ4_XS: [0],
}  # fmt: skip

# Ordinary and negative ones, both zeros, the least and the greatest subnormal, the greatest, infinity, not a number.
EDGES = [0x2E66, 0x9C0F, 0x0000, 0x8000, 0x0001, 0x83FF, 0x7BFF, 0xFC00, 0x7E00]

# The types that the package can quantise.
QUANTISED = [Type.F16, Type.BF16, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0]


def floats(rng: np.random.RandomState) -> np.ndarray:
    """F32, F16 and BF16: a longer row, with bit patterns of every kind."""
    return rng.randint(0, 1 << 32, 64, dtype=np.uint32).view(np.uint8)


def blocks(dtype: Type, rng: np.random.RandomState) -> list[np.ndarray]:
    """Random bits; once for every edge, with the edge as each f16."""
    if not HALVES[dtype]:
        return [floats(rng)]
    made = []
    for i, edge in enumerate(EDGES):
        block = rng.randint(0, 256, GGML_QUANT_SIZES[dtype][1], dtype=np.uint8)
        for j, at in enumerate(HALVES[dtype]):
            half = edge if j == 0 else EDGES[(i * 2 + j) % len(EDGES)]
            block[at : at + 2] = np.array([half], np.uint16).view(np.uint8)
        made.append(block)
    if dtype in QUANTISED:
        made.append(quantize(rng.standard_normal(GGML_QUANT_SIZES[dtype][0]).astype(np.float32), dtype))
    return made


for dtype in HALVES:
    lines = [f"# made by PyPI gguf {version('gguf')}: python engine/tests/golden/quant/make.py"]
    for block in blocks(dtype, np.random.RandomState(dtype.value)):
        with np.errstate(all="ignore"):
            weights = dequantize(block.view(np.float32) if dtype == Type.F32 else block, dtype)
        lines += [block.tobytes().hex(), weights.astype("<f4").tobytes().hex()]
    Path(__file__).with_name(f"{dtype.name}.txt").write_text("\n".join(lines) + "\n")
