import Autodiff
import NeuralNetworks
import Tensors

extension Workload {
    /// 784-512-512-10 with ReLU, batches of 64, SGD with momentum: 669,706 parameters.
    static func multilayerPerceptron(replica: Int) -> Workload {
        var stream = InitializationStream(seed: 1)
        let network = Sequential(
            Linear(784, 512, stream: &stream), Activation.relu,
            Linear(512, 512, stream: &stream), Activation.relu,
            Linear(512, 10, stream: &stream))
        return classification(network, input: [64, 784], replica: replica, rate: 0.05)
    }

    /// Two 3x3 convolutions of 32 and 64 channels with ReLU and pooling, a hidden layer of 128;
    /// 1x28x28, batches of 64, SGD with momentum: 421,642 parameters.
    static func convolutionalNetwork(replica: Int) -> Workload {
        var stream = InitializationStream(seed: 1)
        let network = Sequential(
            Conv2d(1, 32, kernel: .init(3), padding: .init(1), stream: &stream),
            Activation.relu, MaxPool2d(kernel: .init(2)),
            Conv2d(32, 64, kernel: .init(3), padding: .init(1), stream: &stream),
            Activation.relu, MaxPool2d(kernel: .init(2)), Activation.flatten,
            Linear(64 * 49, 128, stream: &stream), Activation.relu,
            Linear(128, 10, stream: &stream))
        return classification(network, input: [64, 28, 28, 1], replica: replica, rate: 0.05)
    }

    /// ResNet-20 for 3x32x32 (He et al. 2016, section 4.2) with projections at the two strides,
    /// batches of 32, SGD with momentum and weight decay: 272,474 parameters.
    static func residualNetwork(replica: Int) -> Workload {
        var stream = InitializationStream(seed: 1)
        func convolution(
            _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int
        ) -> Conv2d {
            Conv2d(
                inputs, outputs, kernel: .init(kernel), stride: .init(stride),
                padding: .init(kernel / 2), bias: false, stream: &stream)
        }
        var layers: [any Layer] = [
            convolution(3, 16, kernel: 3, stride: 1), BatchNorm(16), Activation.relu,
        ]
        var inputs = 16
        for (outputs, stride) in [16, 16, 16, 32, 32, 32, 64, 64, 64].enumerated().map({
            ($0.element, $0.offset == 3 || $0.offset == 6 ? 2 : 1)
        }) {
            let main = Sequential(
                convolution(inputs, outputs, kernel: 3, stride: stride), BatchNorm(outputs),
                Activation.relu, convolution(outputs, outputs, kernel: 3, stride: 1),
                BatchNorm(outputs))
            let shortcut =
                inputs == outputs
                ? Sequential()
                : Sequential(
                    convolution(inputs, outputs, kernel: 1, stride: stride), BatchNorm(outputs))
            layers += [Residual(main, shortcut: shortcut), Activation.relu]
            inputs = outputs
        }
        layers += [
            GlobalAveragePool(), Activation.flatten, Linear(64, 10, stream: &stream),
        ]
        let names = layers.indices.map(String.init)
        return classification(
            Sequential(named: Array(zip(names, layers))), input: [32, 32, 32, 3],
            replica: replica, rate: 0.1, weightDecay: 1e-4)
    }

    private static func classification(
        _ network: Sequential, input: Shape, replica: Int, rate: Double, weightDecay: Double = 0
    ) -> Workload {
        var stream = InitializationStream(seed: 1000 + UInt64(replica))
        let images = Initializer.kaimingNormal.tensor(input, fanIn: 2, fanOut: 1, stream: &stream)
        let labels = (0..<input[0]).map { Int32(($0 + replica) % 10) }
        return Workload(
            model: network, batchSize: input[0], learningRate: rate,
            optimizer: { SGD(count: $0, momentum: 0.9, weightDecay: weightDecay) },
            forward: { tape in
                softmaxCrossEntropy(network(tape.constant(images)), labels: labels)
            })
    }
}
