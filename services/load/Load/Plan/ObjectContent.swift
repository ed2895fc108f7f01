/// The bytes of one version of one key. Every byte follows from key and version, so that whoever reads an object can
/// tell whether it is whole and which version it is.
struct ObjectContent: Sendable {
    /// Travels with the object as user metadata.
    static let metadataName = "martlet-load"
    static let metadataHeader = "x-amz-meta-\(metadataName)"

    let version: ObjectVersion
    private let seed: UInt64

    var size: Int { version.size }

    init(key: String, version: ObjectVersion) {
        self.version = version
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in "\(key)\u{0}\(version)".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        seed = hash
    }

    /// Word `index` of the stream: SplitMix64 in counter mode.
    private func word(_ index: Int) -> UInt64 {
        var mixed = seed &+ UInt64(truncatingIfNeeded: index &+ 1) &* 0x9e37_79b9_7f4a_7c15
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return (mixed ^ (mixed >> 31)).littleEndian
    }

    private func byte(_ offset: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: UInt64(littleEndian: word(offset >> 3)) >> UInt64((offset & 7) * 8))
    }

    /// Writes the bytes from `offset` on.
    func fill(_ target: UnsafeMutableRawBufferPointer, from offset: Int) {
        forEachPiece(count: target.count, from: offset) { place, position in
            target[place] = byte(position)
            return true
        } word: { place, value in
            target.storeBytes(of: value, toByteOffset: place, as: UInt64.self)
            return true
        }
    }

    /// Whether these are the bytes from `offset` on.
    func matches(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        guard offset >= 0, offset + bytes.count <= size else { return false }
        return forEachPiece(count: bytes.count, from: offset) { place, position in
            bytes[place] == byte(position)
        } word: { place, value in
            bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self) == value
        }
    }

    /// Walks a range: single bytes up to a word's begin, whole words, single bytes of the rest. Ends at the first false.
    @inline(__always) @discardableResult
    private func forEachPiece(
        count: Int, from offset: Int, byte: (_ place: Int, _ position: Int) -> Bool,
        word: (_ place: Int, _ value: UInt64) -> Bool
    ) -> Bool {
        var place = 0
        while place < count, (offset + place) & 7 != 0 || count - place < 8 {
            guard byte(place, offset + place) else { return false }
            place += 1
        }
        while count - place >= 8 {
            guard word(place, self.word((offset + place) >> 3)) else { return false }
            place += 8
        }
        while place < count {
            guard byte(place, offset + place) else { return false }
            place += 1
        }
        return true
    }
}

/// The name of one version: run, client and number make it unique, and it says its size.
struct ObjectVersion: Sendable, Hashable, CustomStringConvertible {
    var run: String
    var client: Int
    var number: Int
    var size: Int

    init(run: String, client: Int, number: Int, size: Int) {
        self.run = run
        self.client = client
        self.number = number
        self.size = size
    }

    /// nil unless of the form that ``description`` gives.
    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 4, !parts[0].isEmpty, let client = Int(parts[1]), let number = Int(parts[2]),
            let size = Int(parts[3]), size >= 0
        else { return nil }
        self.init(run: String(parts[0]), client: client, number: number, size: size)
    }

    var description: String { "\(run)-\(client)-\(number)-\(size)" }
}
