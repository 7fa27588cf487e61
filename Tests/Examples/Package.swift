// swift-tools-version: 6.2
import PackageDescription

// Programs that use the library, each with one idea. From this folder:
//
//     swift run -c release linear-regression     and so on

func example(_ name: String) -> Target {
    .executableTarget(
        name: name, dependencies: [.product(name: "Rondo", package: "rondo")])
}

let package = Package(
    name: "examples",
    dependencies: [.package(name: "rondo", path: "../..")],
    targets: [
        example("linear-regression"), example("valid-cnn"), example("tanh-rnn"),
        example("own-model"),
    ])
