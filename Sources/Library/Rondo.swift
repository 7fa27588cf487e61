// The library's one import: layers, operations and tensors, the Trainer, and what it takes.

@_exported import Autodiff
@_exported import CustomProgram
@_exported import ExitCodes
@_exported import Kernels
@_exported import NeuralNetworks
@_exported import Tensors
