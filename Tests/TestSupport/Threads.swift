// Several workers of a test, each on a thread.

import Dispatch
import Foundation
import Synchronization

/// A value handed from a thread to the test.
package final class Box<Value>: @unchecked Sendable {
    private let lock = Mutex<Void>(())
    private var stored: Value

    package init(_ value: Value) { stored = value }

    package var value: Value {
        get { lock.withLock { _ in stored } }
        set { lock.withLock { _ in stored = newValue } }
    }
}

/// Runs `body` once per rank, each on a thread, and waits for all.
///
/// - Returns: by rank, what it returned or threw.
package func onThreads<Value>(
    _ count: Int, _ body: @escaping @Sendable (Int) throws -> Value
) -> [Result<Value, any Error>] {
    let results = (0..<count).map { _ in Box<Result<Value, any Error>?>(nil) }
    let group = DispatchGroup()
    for rank in 0..<count {
        group.enter()
        Thread {
            results[rank].value = Result { try body(rank) }
            group.leave()
        }.start()
    }
    group.wait()
    return results.map { result in
        guard let value = result.value else { preconditionFailure("a rank did not report") }
        return value
    }
}
