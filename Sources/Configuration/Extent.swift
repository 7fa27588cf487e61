/// A height and a width, both in pixels; written as one number when they are equal.
package struct Extent: Sendable, Equatable {
    package var height: Int
    package var width: Int

    package init(height: Int, width: Int) {
        self.height = height
        self.width = width
    }

    package var resolved: ConfigurationValue {
        height == width ? .integer(height) : .array([.integer(height), .integer(width)])
    }
}
