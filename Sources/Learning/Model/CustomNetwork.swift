import NeuralNetworks
import Tensors

/// The network of a program that uses the library.
package final class CustomNetwork: @unchecked Sendable {
    // Only the thread that trains calls `make`; the configuration that carries the object is handed
    // from thread to thread.

    /// Makes the network for one sample's input shape and the number of outputs.
    package typealias Make = (Shape, Int, inout InitializationStream) -> any Layer
    package let make: Make

    package init(_ make: @escaping Make) { self.make = make }
}
