"""Makes TYPE.txt beside this file for the types that are named, or else for all that have one: blocks, and the floats that the
`gguf` package makes of them.

pip install gguf==0.19.0 && python engine/tests/golden/quant/make.py [TYPE …]

A file is a line of provenance, then pairs of lines in hex: the bytes of a block, the bytes of its f32 weights.
"""

import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type
from gguf.quants import dequantize, quantize

# Ordinary and negative ones, both zeros, the least and the greatest subnormal, the greatest, infinity, not a number.
EDGES = [0x2E66, 0x9C0F, 0x0000, 0x8000, 0x0001, 0x83FF, 0x7BFF, 0xFC00, 0x7E00]

# Exponents of types whose scale is a power of two: subnormal, ordinary, the greatest.
EXPONENTS = [0, 1, 2, 120, 127, 128, 254, 255]

FLOATS = [Type.F32, Type.F16, Type.BF16]


def weights(block: np.ndarray, dtype: Type) -> np.ndarray:
    with np.errstate(all="ignore"):
        return dequantize(block.view(np.float32) if dtype == Type.F32 else block, dtype)


def halves(dtype: Type) -> list[int]:
    """Where a block has its f16s: where what is not a number makes weights that are none."""
    places = []
    for at in range(GGML_QUANT_SIZES[dtype][1] - 1):
        block = np.zeros(GGML_QUANT_SIZES[dtype][1], np.uint8)
        block[at : at + 2] = [0x00, 0x7E]
        if np.isnan(weights(block, dtype)).any():
            places.append(at)
    return places


def floats(rng: np.random.RandomState) -> np.ndarray:
    """F32, F16 and BF16: a longer row, with bit patterns of every kind."""
    return rng.randint(0, 1 << 32, 64, dtype=np.uint32).view(np.uint8)


def blocks(dtype: Type, rng: np.random.RandomState) -> list[np.ndarray]:
    """Random bits; once for every edge, with the edge as each f16, or as the exponent."""
    if dtype in FLOATS:
        return [floats(rng)]
    made = []
    places = halves(dtype)
    for i, edge in enumerate(EDGES if places else EXPONENTS):
        block = rng.randint(0, 256, GGML_QUANT_SIZES[dtype][1], dtype=np.uint8)
        if not places:
            block[0] = edge
        for j, at in enumerate(places):
            half = edge if j == 0 else EDGES[(i * 2 + j) % len(EDGES)]
            block[at : at + 2] = np.array([half], np.uint16).view(np.uint8)
        made.append(block)
    try:
        made.append(quantize(rng.standard_normal(GGML_QUANT_SIZES[dtype][0]).astype(np.float32), dtype))
    except NotImplementedError:
        pass  # The package cannot quantize this type.
    return made


here = Path(__file__).parent
for name in sys.argv[1:] or sorted(path.stem for path in here.glob("*.txt")):
    dtype = Type[name]
    lines = [f"# made by PyPI gguf {version('gguf')}: python engine/tests/golden/quant/make.py"]
    for block in blocks(dtype, np.random.RandomState(dtype.value)):
        lines += [block.tobytes().hex(), weights(block, dtype).astype("<f4").tobytes().hex()]
    (here / f"{dtype.name}.txt").write_text("\n".join(lines) + "\n")
