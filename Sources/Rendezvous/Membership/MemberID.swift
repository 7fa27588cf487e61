/// A worker's connection, as the owner of the sockets numbers it.
package struct MemberID: Hashable, Sendable, Comparable {
    package let number: Int

    package init(_ number: Int) {
        self.number = number
    }

    package static func < (first: MemberID, second: MemberID) -> Bool {
        first.number < second.number
    }
}
