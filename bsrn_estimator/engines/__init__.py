"""Other engines than TensorFlow for a trained network: onnxruntime and OpenVINO.

Nothing here imports TensorFlow, but for the export of a checkpoint that no engine has run before.
"""
