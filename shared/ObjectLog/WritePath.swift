/// How a batch gets to the device.
///
/// A page of the system's cache costs more to get than its bytes cost to write, and large records are seldom read again
/// before they have left it. Small ones are, and then one read of the device for each would cost much more.
enum WritePath: Equatable {
    /// Through the system's cache, where reads find it.
    case cached
    /// Past the cache, from memory of the writer.
    case direct

    /// - Parameter directFrom: bytes of a record on the average.
    init(records: Int, bytes: Int, directFrom: Int) {
        self = records > 0 && bytes / records >= directFrom ? .direct : .cached
    }
}
