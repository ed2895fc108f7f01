import ClusterState
import Foundation
import Synchronization
import Wire

/// Hands out the state page by page, all pages of one revision.
final class StateExport: Sendable {
    /// Of values in a page: a page must fit into a message, in base64.
    static let pageBytesMax = 4 << 20

    private let present = Mutex<ManagerState?>(nil)

    /// - Parameter arguments: None for the first page; then the revision, and the last key of the page before.
    func page(_ arguments: [String], _ state: ManagerState, now: Int64) throws(VerbError) -> StatePageReport {
        guard arguments.count == 2 else {
            present.withLock { $0 = state }
            return Self.page(of: state, after: nil, now: now)
        }
        guard let kept = present.withLock({ $0 }), "\(kept.revision)" == arguments[0] else {
            throw VerbError(.conflict, "Another backup was begun meanwhile; try again")
        }
        let page = Self.page(of: kept, after: arguments[1], now: now)
        if !page.more { present.withLock { $0 = nil } }
        return page
    }

    static func page(of state: ManagerState, after key: String?, now: Int64) -> StatePageReport {
        var page = StatePageReport(
            clusterId: state.view.settings?.clusterId ?? "", revision: state.revision,
            takenAt: timeText(milliseconds: now), entries: [], more: false)
        var bytes = 0
        let keys = state.entries.keys.filter { isKept($0) && (key.map($0.utf8IsAfter) ?? true) }
        for key in keys.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            guard let entry = state.entries[key] else { continue }
            guard bytes < pageBytesMax else {
                page.more = true
                break
            }
            bytes += entry.value.count + key.utf8.count
            page.entries.append(StateArchive.Entry(key: key, value: Data(entry.value)))
        }
        return page
    }

    /// Who leads is no part of the state: it ends with a lease.
    static func isKept(_ key: String) -> Bool { key != ManagerKeys.leader }
}

extension String {
    fileprivate func utf8IsAfter(_ other: String) -> Bool { other.utf8.lexicographicallyPrecedes(utf8) }
}
