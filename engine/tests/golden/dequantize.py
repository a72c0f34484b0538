"""Copies a GGUF file with every tensor as f32.  pip install gguf==0.19.0;  python3 dequantize.py FROM.gguf TO.gguf"""

import sys

import numpy
from gguf import GGUFReader, GGUFValueType, GGUFWriter, quants

source, target = sys.argv[1:]
reader = GGUFReader(source)
writer = GGUFWriter(target, reader.fields["general.architecture"].contents())
for key, field in reader.fields.items():
    if not key.startswith("GGUF.") and key not in ("general.architecture", "general.file_type"):
        element_type = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
        writer.add_key_value(key, field.contents(), field.types[0], element_type)
for tensor in reader.tensors:
    writer.add_tensor(tensor.name, quants.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
