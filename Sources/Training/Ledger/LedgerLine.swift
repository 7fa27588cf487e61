// The lines of ledger.jsonl: who computed what, for each committed step. A step has one short line
//
//     {"step":121,"epoch":2,"first":384,"count":128,"generation":3}
//
// with the positions of the epoch's order that it used, and refers to the members by the number of
// its generation; they stand once in the line of that generation, somewhere before its first step:
//
//     {"generation":3,"after":120,
//      "workers":[{"host":"alpha","pid":42,"slot":0,"first":0,"count":2},...]}
//
// There, `first` and `count` are the replicas that the worker computed in each step. Step lines
// have one form only, so that a million of them are read in a second.

import Foundation

/// A committed step.
package struct LedgerStep: Equatable, Sendable {
    /// The number of steps committed so far, this one included.
    package var step: Int
    /// Counted from 1.
    package var epoch: Int
    /// The first position of the epoch's order that the step used, from 0.
    package var first: Int
    /// Samples that all replicas have used, as they counted them.
    package var count: Int
    package var generation: UInt32

    package init(step: Int, epoch: Int, first: Int, count: Int, generation: UInt32) {
        self.step = step
        self.epoch = epoch
        self.first = first
        self.count = count
        self.generation = generation
    }
}

/// The members of a generation, or of the part of one that follows a change of its deal.
package struct LedgerGeneration: Codable, Equatable, Sendable {
    package struct Worker: Codable, Equatable, Sendable {
        package var host: String
        package var pid: Int32
        package var slot: Int
        /// The worker's first replica.
        package var first: Int
        package var count: Int

        package init(host: String, pid: Int32, slot: Int, first: Int, count: Int) {
            self.host = host
            self.pid = pid
            self.slot = slot
            self.first = first
            self.count = count
        }
    }

    package var generation: UInt32
    /// Steps that were committed before its first one.
    package var after: Int
    /// By rank.
    package var workers: [Worker]

    package init(generation: UInt32, after: Int, workers: [Worker]) {
        self.generation = generation
        self.after = after
        self.workers = workers
    }
}

/// A line of the ledger.
package enum LedgerLine: Equatable, Sendable {
    case step(LedgerStep)
    case generation(LedgerGeneration)

    /// The line with its end.
    package var bytes: Data {
        switch self {
        case .step(let step):
            return Data(
                ("{\"step\":\(step.step),\"epoch\":\(step.epoch),\"first\":\(step.first),"
                    + "\"count\":\(step.count),\"generation\":\(step.generation)}\n").utf8)
        case .generation(let generation):
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            // Text and whole numbers cannot fail to be encoded.
            let encoded = (try? encoder.encode(generation)) ?? Data()
            return encoded + [UInt8(ascii: "\n")]
        }
    }

    /// Reads a line without its end; nil when it is none.
    package init?(_ line: Data) {
        if let step = LedgerStep(line) {
            self = .step(step)
        } else if let read = try? JSONDecoder().decode(LedgerGeneration.self, from: line) {
            self = .generation(read)
        } else {
            return nil
        }
    }
}

extension LedgerStep {
    fileprivate init?(_ line: Data) {
        let values = line.withUnsafeBytes { bytes -> [Int]? in
            var rest = bytes[...]
            var values: [Int] = []
            for name: StaticString in [
                "{\"step\":", ",\"epoch\":", ",\"first\":", ",\"count\":", ",\"generation\":",
            ] {
                guard Self.skip(name, &rest), let value = Self.number(&rest) else { return nil }
                values.append(value)
            }
            return Self.skip("}", &rest) && rest.isEmpty ? values : nil
        }
        guard let values, let generation = UInt32(exactly: values[4]) else { return nil }
        self.init(
            step: values[0], epoch: values[1], first: values[2], count: values[3],
            generation: generation)
    }

    private static func skip(
        _ text: StaticString, _ rest: inout Slice<UnsafeRawBufferPointer>
    ) -> Bool {
        let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        guard rest.starts(with: wanted) else { return false }
        rest = rest.dropFirst(wanted.count)
        return true
    }

    /// Up to 15 digits: no sum of such numbers overflows.
    private static func number(_ rest: inout Slice<UnsafeRawBufferPointer>) -> Int? {
        var value = 0
        var digitCount = 0
        while let byte = rest.first, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
            guard digitCount < 15 else { return nil }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
            digitCount += 1
            rest = rest.dropFirst()
        }
        return digitCount > 0 ? value : nil
    }
}
