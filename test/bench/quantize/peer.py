"""What Python's onnxruntime.quantization makes of a model: peer.py MODEL OUTPUT SCHEME [CALIBRATION FOLDER].

Schemes as in variants.ts. Those that need it get what the documentation of onnxruntime recommends first: opset 13 or
above and quant_pre_process.
"""
import os
import sys
import tempfile

import numpy
import onnx
from onnxruntime import quantization as q


class Reader(q.CalibrationDataReader):
    """The samples of a folder of .npz files, each once."""

    def __init__(self, folder):
        names = sorted(name for name in os.listdir(folder) if name.endswith(".npz"))
        self.samples = iter(dict(numpy.load(os.path.join(folder, name))) for name in names)

    def get_next(self):
        return next(self.samples, None)


def prepared(model, folder):
    """A file with opset 13 at least, constants folded and shapes inferred, as far as that can be done."""
    loaded = onnx.load(model)
    opset = next(one.version for one in loaded.opset_import if one.domain in ("", "ai.onnx"))
    if opset < 13:
        raised = os.path.join(folder, "raised.onnx")
        onnx.save(onnx.version_converter.convert_version(loaded, 13), raised)
        model = raised
    done = os.path.join(folder, "prepared.onnx")
    for options in ({}, {"skip_symbolic_shape": True}, {"skip_symbolic_shape": True, "skip_optimization": True}):
        try:
            q.quant_pre_process(model, done, **options)
            return done
        except Exception as error:  # of many kinds
            print(f"quant_pre_process {options}: {str(error)[:200]!r}", file=sys.stderr)
    return model


def main(model, output, scheme, data=None):
    with tempfile.TemporaryDirectory() as folder:
        if scheme == "dynamic":
            q.quantize_dynamic(model, output)
        elif scheme == "dynamic-channel":
            source = prepared(model, folder)
            q.quantize_dynamic(source, output, per_channel=True, weight_type=q.QuantType.QUInt8)
        elif scheme.startswith("static"):
            activations = q.QuantType.QUInt8 if "u8" in scheme else q.QuantType.QInt8
            method = q.CalibrationMethod.Percentile if "percentile" in scheme else q.CalibrationMethod.MinMax
            q.quantize_static(
                prepared(model, folder),
                output,
                Reader(data),
                quant_format=q.QuantFormat.QDQ,
                per_channel="tensor" not in scheme,
                activation_type=activations,
                weight_type=q.QuantType.QInt8,
                calibrate_method=method,
            )
        elif scheme in ("nbits8", "nbits4"):
            from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

            bits = int(scheme[-1])
            quantizer = MatMulNBitsQuantizer(
                onnx.load(model), bits=bits, block_size=32, is_symmetric=bits == 8, accuracy_level=4
            )
            quantizer.process()
            quantizer.model.save_model_to_file(output, False)
        else:
            sys.exit(f"unknown scheme {scheme}")


main(*sys.argv[1:])
