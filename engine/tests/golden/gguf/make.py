"""Makes every_type.gguf beside this file: metadata of every type and a few tensors, as the `gguf` package writes them.

pip install gguf==0.19.0 && python engine/tests/golden/gguf/make.py

What is in it stands a second time in engine/src/gguf/tests.rs.
"""

from importlib.metadata import version
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFValueType, GGUFWriter

writer = GGUFWriter(Path(__file__).with_name("every_type.gguf"), "minnow")
writer.add_description(f"made by PyPI gguf {version('gguf')}: python engine/tests/golden/gguf/make.py")
writer.add_custom_alignment(64)
writer.add_uint8("test.u8", 255)
writer.add_int8("test.i8", -128)
writer.add_uint16("test.u16", 65535)
writer.add_int16("test.i16", -32768)
writer.add_uint32("test.u32", 4294967295)
writer.add_int32("test.i32", -2147483648)
writer.add_float32("test.f32", -0.5)
writer.add_bool("test.bool", True)
writer.add_string("test.string", "小さな魚 🐟")
writer.add_uint64("test.u64", 18446744073709551615)
writer.add_int64("test.i64", -9223372036854775808)
writer.add_float64("test.f64", 0.1)
writer.add_array("test.i32s", [1, -2, 3])
writer.add_array("test.f32s", [1.5, -2.5])
writer.add_array("test.bools", [True, False, True])
writer.add_array("test.strings", ["", "a", "▁the"])
writer.add_key_value("test.u16s", [1, 65535], GGUFValueType.ARRAY, GGUFValueType.UINT16)
writer.add_array("test.nested", [[1, 2], [3]])
writer.add_tensor("vector", np.arange(3, dtype=np.float32))
writer.add_tensor("matrix", np.arange(10, dtype=np.float16).reshape(2, 5))
writer.add_tensor("blocks", np.arange(3 * 36, dtype=np.uint8).reshape(3, 36), raw_dtype=GGMLQuantizationType.Q4_0)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
