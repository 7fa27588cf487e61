// The child's end of the lifeline. A parent that is killed by SIGKILL cannot tell its children, but
// the kernel closes its end of the child's standard input; over ssh the same happens when the
// connection breaks. So a process that reads the end of its input knows that its parent is gone.

import Foundation
import Glibc

/// Ends this process when its standard input ends.
package enum Lifeline {
    /// Starts the watching thread.
    ///
    /// - Parameter onEnd: called on that thread when the other end is gone; usually ends the
    ///   process. Input from the parent is read and ignored.
    package static func watch(
        descriptor: Int32 = 0, onEnd: @escaping @Sendable () -> Void
    ) {
        let thread = Thread {
            var piece = [UInt8](repeating: 0, count: 256)
            while retryingInterrupts({ read(descriptor, &piece, piece.count) }) > 0 {}
            onEnd()
        }
        thread.stackSize = 128 * 1024
        thread.start()
    }
}
