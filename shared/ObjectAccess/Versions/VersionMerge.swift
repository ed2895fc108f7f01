import MessageBus
import Model
import Wire

/// One version of a listing.
public struct ListedVersion: Sendable {
    public var key: [UInt8]
    public var summary: ListingSummary
    public var isLatest: Bool
}

extension ListingSummary {
    /// Which version of its key it is.
    public var name: VersionName { VersionName(id: versionId) ?? .null(at: shownPlace) }
    /// What was written before versioning has the place of its time.
    public var shownPlace: UInt64 { place != 0 ? place : ObjectRecord.place(milliseconds: modifiedMilliseconds) }
}

/// All versions of all keys in order, the newest of a key first, or backwards: the registers of the keys, merged with those of archived
/// versions. What a key's register says of an archived version counts, as it may not have been carried out yet.
///
/// A page of archived versions is always fetched after the page of keys that it is merged with: a version that has left
/// its key's register by then has been archived before, so none is missed.
public struct VersionMerge {
    private let direction: ListDirection
    private var keys: ListingStream
    private var archive: ListingStream
    private var pagesOfKeys = 0
    /// The last entry of the archive that was taken.
    private var position: ListPosition?
    /// What the register of the present key says.
    private var head: Head?

    fileprivate struct Head {
        var key: [UInt8]
        /// Current and pending versions, in the order of the listing.
        var own: [ListedVersion] = []
        /// What the archive has of these does not count.
        var overridden: Set<VersionName> = []
    }

    /// - Parameter after: the marker's key; with a version those of the key that are behind it are still to come.
    public init(
        _ storage: any RegisterStoring, bucket: BucketID, prefix: [UInt8], after: Marker?,
        direction: ListDirection = .forward, limit: Int, _ context: MessageContext
    ) async throws {
        self.direction = direction
        let escaped = VersionName.escaped(prefix)
        var start: (keys: ListPosition?, archive: ListPosition?) = (nil, nil)
        switch after {
        case nil: break
        case .prefix(let prefix)?:
            start = (
                ListPosition(key: prefix, isPrefix: true),
                ListPosition(key: VersionName.escaped(prefix), isPrefix: true)
            )
        case .key(let key)?:
            start = (ListPosition(key: key), ListPosition(key: VersionName.keyPrefix(of: key), isPrefix: true))
        case .version(let key, let name)?:
            let object = Model.RegisterName(bucket: bucket, key: key)
            start = (ListPosition(key: key), ListPosition(key: name.register(of: object).key))
            let record = try await storage.read(object, withBlob: false, context: context).state?.record
            if let record, !record.summary.isEmpty {
                head = try Head(key, ListingSummary(decoding: record.summary), direction, behind: name)
            }
        }
        position = start.archive
        keys = ListingStream(
            storage,
            ListQuery(
                bucket: bucket, prefix: prefix, after: start.keys, direction: direction, limit: limit, withMarkers: true
            ), context)
        archive = ListingStream(
            storage,
            ListQuery(
                bucket: bucket, keyspace: .versions, prefix: escaped, after: start.archive, direction: direction,
                limit: limit),
            context)
    }

    /// Where a listing begins.
    public enum Marker: Sendable {
        /// Behind everything with this prefix.
        case prefix([UInt8])
        case key([UInt8])
        case version([UInt8], VersionName)
    }

    /// nil at the end.
    public mutating func next() async throws -> ListedVersion? {
        while true {
            let following = try await keys.peek()
            if keys.pages != pagesOfKeys {
                pagesOfKeys = keys.pages
                archive.restart(after: position)
            }
            guard let present = head else {
                let archived = try await archived()
                guard let key = [following?.key, archived?.key].compactMap(\.self).min(by: direction.precedes) else {
                    return nil
                }
                if let following, following.key == key {
                    keys.pop()
                    head = try Head(key, following.summary, direction)
                } else {
                    head = Head(key: key)
                }
                continue
            }
            if let version = try await nextOfKey(present) { return version }
            head = nil
        }
    }

    /// Passes over everything that begins with this.
    public mutating func skip(_ prefix: [UInt8]) {
        keys.skip(prefix)
        let escaped = VersionName.escaped(prefix)
        archive.skip(escaped)
        position = ListPosition(key: escaped, isPrefix: true)
        if let key = head?.key, key.starts(with: prefix) { head = nil }
    }

    // MARK: - One key

    private mutating func nextOfKey(_ present: Head) async throws -> ListedVersion? {
        while true {
            let archived = try await archived()
            let candidate = archived.flatMap { $0.key == present.key ? $0 : nil }
            if let candidate, present.overridden.contains(candidate.summary.name) {
                popArchived(candidate)
                continue
            }
            guard let own = present.own.first,
                candidate.map({ direction.precedes(own.summary, $0.summary) }) ?? true
            else {
                guard let candidate else { return nil }
                popArchived(candidate)
                return ListedVersion(key: candidate.key, summary: candidate.summary, isLatest: false)
            }
            head?.own.removeFirst()
            return own
        }
    }

    // MARK: - The archive

    private mutating func archived() async throws -> (key: [UInt8], register: [UInt8], summary: ListingSummary)? {
        while let entry = try await archive.peek() {
            if let name = VersionName.parse(registerKey: entry.key) { return (name.key, entry.key, entry.summary) }
            archive.pop()
        }
        return nil
    }

    private mutating func popArchived(_ entry: (key: [UInt8], register: [UInt8], summary: ListingSummary)) {
        archive.pop()
        position = ListPosition(key: entry.register)
    }
}

extension VersionMerge.Head {
    /// - Parameter behind: only versions that the listing has not passed by then.
    fileprivate init(
        _ key: [UInt8], _ summary: ListingSummary, _ direction: ListDirection, behind: VersionName? = nil
    ) throws {
        self.init(key: key)
        if summary.kind != .versionNone { own.append(ListedVersion(key: key, summary: summary, isLatest: true)) }
        overridden.insert(summary.name)
        for bytes in summary.pending {
            let pending = try ListingSummary(decoding: bytes)
            overridden.insert(pending.name)
            if !pending.removed { own.append(ListedVersion(key: key, summary: pending, isLatest: false)) }
        }
        own.sort { direction.precedes($0.summary, $1.summary) }
        guard let behind else { return }
        own.removeAll {
            direction == .forward ? $0.summary.shownPlace >= behind.place : $0.summary.shownPlace <= behind.place
        }
    }
}

extension ListDirection {
    /// Whether one version of a key comes before another: the newest first.
    fileprivate func precedes(_ a: ListingSummary, _ b: ListingSummary) -> Bool {
        self == .forward ? a.shownPlace > b.shownPlace : a.shownPlace < b.shownPlace
    }
}
