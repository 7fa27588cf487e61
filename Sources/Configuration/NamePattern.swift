/// A pattern of parameters' names: a name, or the part of it before a dot; "*" stands for any
/// characters, "?" for one.
package struct NamePattern: Sendable {
    private let match: String

    package init(_ match: String) { self.match = match }

    /// Whether the parameter called `name` is meant.
    package func matches(_ name: String) -> Bool {
        let pattern = Array(match.unicodeScalars)
        let scalars = Array(name.unicodeScalars)
        let ends = scalars.indices.filter { scalars[$0] == "." } + [scalars.count]
        return ends.contains { Self.matches(pattern[...], scalars[..<$0]) }
    }

    /// Goes back to the last "*" alone, so that a pattern of many stars takes no exponential time.
    private static func matches(
        _ pattern: ArraySlice<Unicode.Scalar>, _ text: ArraySlice<Unicode.Scalar>
    ) -> Bool {
        var place = pattern.startIndex
        var position = text.startIndex
        var retry: (place: Int, position: Int)?
        while position < text.endIndex {
            if place < pattern.endIndex, pattern[place] == "*" {
                retry = (place + 1, position)
                place += 1
            } else if place < pattern.endIndex, ["?", text[position]].contains(pattern[place]) {
                place += 1
                position += 1
            } else if let last = retry {
                // The star takes one character more.
                retry = (last.place, last.position + 1)
                (place, position) = (last.place, last.position + 1)
            } else {
                return false
            }
        }
        return pattern[place...].allSatisfy { $0 == "*" }
    }
}
