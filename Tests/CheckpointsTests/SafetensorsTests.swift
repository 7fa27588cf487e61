// Safetensors: round trip, layout, each thing that the format forbids, and damage everywhere.

import Checkpoints
import Foundation
import Testing

private func message(_ bytes: Data) -> String {
    do {
        _ = try SafetensorsReader.read(bytes, name: "m.safetensors")
        return "no error"
    } catch {
        return error.description.replacingOccurrences(
            of: "m.safetensors: not a valid safetensors file: ", with: "")
    }
}

@Test func fileReadsBackEqual() throws {
    let bytes = try SafetensorsWriter.bytes(of: smallFile)
    let read = try SafetensorsReader.read(bytes, name: "m.safetensors")
    #expect(read.metadata == smallFile.metadata)
    #expect(read.arrays.map(\.name) == ["steps", "bias", "conv1.weight", "empty", "flags"])
    for array in smallFile.arrays { #expect(read.array(array.name) == array) }
    #expect(read.array("conv1.weight")?.floats == [1, -2, 0.5, 4])
    #expect(read.array("steps")?.integer == 42)
    #expect(read.array("steps")?.floats == nil)
    #expect(read.array("bias")?.elementCount == 1)
}

@Test func bytesDoNotDependOnTheOrderGiven() throws {
    let turned = SafetensorsFile(arrays: smallFile.arrays.reversed(), metadata: smallFile.metadata)
    #expect(try SafetensorsWriter.bytes(of: turned) == SafetensorsWriter.bytes(of: smallFile))
}

@Test func headerIsWhatOtherReadersExpect() throws {
    let file = SafetensorsFile(arrays: [floats("w", [1, 2], [1, 2])], metadata: ["format": "pt"])
    let header =
        #"{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}"#
    let padded = header + String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
    let data: [UInt8] = [0, 0, 0x80, 0x3f, 0, 0, 0, 0x40]
    #expect(try SafetensorsWriter.bytes(of: file) == safetensors(padded, data))
}

@Test func sliceOfALargerDataReads() throws {
    let bytes = try SafetensorsWriter.bytes(of: smallFile)
    let slice = (Data([9, 9, 9]) + bytes).dropFirst(3)
    #expect(try SafetensorsReader.read(slice, name: "m").arrays.count == 5)
}

@Test(arguments: [
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, "no error"),
    (#" { "a" : { "data_offsets" : [ 0 , 4 ] , "shape" : [ ] , "dtype" : "F32" } }  "#, "no error"),
    (#"{"\u0061\n\ud83c\udfb5":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, "no error"),
    (
        #"{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}"#,
        "the unknown dtype \"F99\" at byte 14"
    ),
    (
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#,
        "\"a\" with 4 bytes for 8 at byte 9"
    ),
    (
        #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#,
        "a hole in the data before \"a\" at byte 9"
    ),
    (
        #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}"#,
        "\"a\" without dtype, shape and two data_offsets at byte 9"
    ),
    (
        #"{"a":{"dtype":"F32","shape":[1]}}"#,
        "\"a\" without dtype, shape and two data_offsets at byte 9"
    ),
    (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, "no whole number at byte 37"),
    (#"{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}"#, "no \"]\" at byte 38"),
    (
        #"{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
        "the unexpected key \"dtype\" of \"a\" at byte 28"
    ),
    (
        #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":"y"}}"#,
        "the unexpected key \"x\" of \"a\" at byte 61"
    ),
    (
        #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#,
        "overlapping data before \"b\" at byte 61"
    ),
    (
        #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}}"#,
        "a hole in the data before \"b\" at byte 61"
    ),
    (
        #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[0],"data_offsets":[4,4]}}"#,
        "the name \"a\" for the second time at byte 61"
    ),
    (
        #"{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}"#,
        "bytes that belong to no array at byte 64"
    ),
    (
        #"{"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]}}"#,
        "the end of the file in \"a\" at byte 65"
    ),
    (
        #"{"a":{"dtype":"U8","shape":[4611686018427387904,4,0],"data_offsets":[0,0]}}"#,
        "a shape of \"a\" that is too large at byte 9"
    ),
    (
        #"{"a":{"dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,4]}}"#,
        "a number that is too large at byte 54"
    ),
    (#"{"__metadata__":{"k":1}}"#, "no \"\"\" at byte 29"),
    (
        #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}x"#,
        "something after the header at byte 62"
    ),
    (#"{"\ud83c":{}}"#, "half of a surrogate pair at byte 16"),
    ("", "no \"{\" at byte 8"),
])
func headerIsJudged(header: String, expected: String) {
    #expect(message(safetensors(header, [0, 0, 0, 0])) == expected)
}

@Test func sizesAreJudgedBeforeTheyAreUsed() {
    #expect(message(Data()) == "the end of the file at byte 0")
    #expect(message(Data([1, 2, 3])) == "the end of the file at byte 3")
    #expect(
        message(Data([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]))
            == "a header of 18446744073709551615 bytes (at most 100000000) at byte 0")
    #expect(
        message(Data([9, 0, 0, 0, 0, 0, 0, 0, 0x7b]))
            == "the end of the file in a header of 9 bytes at byte 9")
}

@Test func cutAtEveryByteIsRefused() throws {
    let bytes = try SafetensorsWriter.bytes(of: smallFile)
    for cut in 0..<bytes.count {
        #expect(throws: CheckpointError.self, "cut at \(cut)") {
            try SafetensorsReader.read(bytes.prefix(cut), name: "m")
        }
    }
}

@Test func flippedBytesNeverTrap() throws {
    let seed: UInt64 = 11_017
    var state = seed
    func random(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % bound
    }
    let whole = try SafetensorsWriter.bytes(of: smallFile)
    let alphabet = Array("{}[]\",:0123456789\\ueE-+. aF".utf8)
    for round in 0..<6000 {
        var bytes = whole
        for _ in 0...random(3) {
            let byte = random(2) == 0 ? UInt8(random(256)) : alphabet[random(alphabet.count)]
            bytes[random(bytes.count)] = byte
        }
        if random(4) == 0 { bytes.removeLast(random(bytes.count)) }
        do {
            let read = try SafetensorsReader.read(bytes, name: "m")
            for array in read.arrays {
                #expect(
                    array.elementCount * array.elementType.byteCount == array.bytes.count,
                    "seed \(seed) round \(round)")
            }
        } catch {
            #expect(error.path == "m", "seed \(seed) round \(round)")
        }
    }
}

@Test func arraysThatDoNotFitTheirShapeAreNotWritten() {
    let wrong = NamedArray(name: "w", shape: [3], elementType: .float32, bytes: Data(count: 8))
    let error = #expect(throws: CheckpointError.self) {
        try SafetensorsWriter.bytes(of: SafetensorsFile(arrays: [wrong]))
    }
    #expect(
        error?.description
            == "model.safetensors: cannot store the array \"w\": 8 bytes for the shape [3]")
    let twice = SafetensorsFile(arrays: [floats("w", [1], [1]), floats("w", [1], [2])])
    #expect(throws: CheckpointError.self) { try SafetensorsWriter.bytes(of: twice) }
}

@Test func digestIsSHA256OfTheElementsInNameOrder() throws {
    // printf abc | sha256sum
    #expect(
        SHA256Digest.hexadecimal(of: Data("abc".utf8))
            == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    let arrays = [
        NamedArray(name: "b", shape: [1], elementType: .uint8, bytes: Data("c".utf8)),
        NamedArray(name: "a", shape: [2], elementType: .uint8, bytes: Data("ab".utf8)),
    ]
    let expected = SHA256Digest.hexadecimal(of: Data("abc".utf8))
    #expect(ModelDigest.hexadecimal(of: arrays) == expected)
    #expect(ModelDigest.hexadecimal(of: arrays.reversed()) == expected)
    // "layer.10" comes before "layer.2", and capitals before small letters: bytes decide.
    #expect(ModelDigest.precedes("layer.10", "layer.2"))
    #expect(ModelDigest.precedes("Z", "a"))
    let read = try SafetensorsReader.read(SafetensorsWriter.bytes(of: smallFile), name: "m")
    #expect(
        ModelDigest.hexadecimal(of: read.arrays) == ModelDigest.hexadecimal(of: smallFile.arrays))
}
