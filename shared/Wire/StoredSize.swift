extension ObjectRecord {
    /// Bytes of what is stored under the object's own name: of a static large object its manifest alone, for its segments
    /// are objects of their own.
    public var storedSize: UInt64 { manifestSize > 0 ? manifestSize : size }
}

extension ListingSummary {
    /// See ``ObjectRecord/storedSize``. Summaries of manifests that were written before ``manifestSize`` was say the whole.
    public var storedSize: UInt64 { manifestSize > 0 ? manifestSize : size }
}
