/// Sizes that no input may exceed. All bytes unless the name says otherwise.
public enum Limits {
    /// S3: 1,024 bytes of UTF-8.
    public static let keySizeMax = 1024
    /// S3: 5 GiB in one PUT or part.
    public static let putSizeMax: UInt64 = 5 << 30
    public static let partNumberMax = 10_000
    /// S3: every part but the last has at least 5 MiB.
    public static let partSizeMin: UInt64 = 5 << 20
    /// S3: 2 KiB of user metadata, names and values.
    public static let metadataSizeMax = 2048
    /// Largest content kept beside its register; also the size of one chunk of larger content.
    public static let chunkSize = 1 << 20
    /// Of how many chunks behind the one that is asked for a storage node tells the places.
    public static let placesAheadMax: UInt32 = 15
    /// One message of the bus: a chunk and its head.
    public static let messageSizeMax = 16 << 20
    /// Body of an XML request.
    public static let xmlBodySizeMax = 2 << 20
    /// From the first byte of an upload to the register that refers to it. Unreferenced chunks must be kept longer.
    public static let uploadTimeMax = Duration.seconds(24 * 3600)
    public static let listKeysMax = 1000
    /// One configuration of a bucket. Every process has all of them in memory.
    public static let bucketDocumentSizeMax = 128 << 10
    /// All configurations of a bucket together.
    public static let bucketDocumentsSizeMax = 256 << 10
    /// Recent operations kept in a register's state.
    public static let recentOperations = 8
}
